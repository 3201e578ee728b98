"""What docs/sql.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.domain.lake_schema import COLUMNS, PARTITIONS
from eventstream.commands import sql as command
from eventstream.lake import ddl as athena_ddl
from eventstream.lake import samples
from eventstream.lake.output import WIDEST_TABLE
from eventstream.lake.sql import run
from fakes.lake_folder import LakeFolder, an_event
from fakes.reading_builders import NINE

PROJECT = Path(__file__).parents[3]
PAGE = (PROJECT / "docs" / "sql.md").read_text(encoding="utf-8")
SAMPLES = samples.read((PROJECT / samples.FILE).read_text(encoding="utf-8"))
STATEMENTS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def lake(tmp_path: Path) -> LakeFolder:
    lake = LakeFolder(tmp_path)
    lake.write([an_event("e1", NINE.replace(month=11))])
    return lake


def test_every_column_is_on_the_page_with_its_type() -> None:
    table = PAGE.partition("| column | type |")[2].partition("\n\n")[0]
    told = {
        name: kind
        for names, kind in re.findall(r"^\| (`.*?`) \| (\w+) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }

    assert told == {column.name: column.athena for column in COLUMNS} | dict.fromkeys(
        PARTITIONS, "int"
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_is_on_the_page_with_the_columns_it_answers(
    lake: LakeFolder, sample: samples.Sample
) -> None:
    section = PAGE.partition(f"\n### {sample.name}\n")[2].partition("\n#")[0]
    header = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)[0]

    with run(sample.sql, lake) as result:
        assert header.split(" | ") == result.columns


@pytest.mark.parametrize("statement", STATEMENTS, ids=range(len(STATEMENTS)))
def test_a_statement_of_the_page_runs(lake: LakeFolder, statement: str) -> None:
    with run(statement, lake) as result:
        list(result.rows)


def test_the_refusal_of_the_api_finds_its_statement() -> None:
    assert "## Users and percentiles of a day" in PAGE
    assert len(STATEMENTS) == 2


def test_the_limits_are_on_the_page() -> None:
    assert f"at most {command.TABLE_ROWS} rows" in PAGE
    assert f"more than {WIDEST_TABLE} columns" in PAGE


def test_the_placeholders_are_on_the_page() -> None:
    assert f"`{athena_ddl.DATABASE}`" in PAGE
    assert f"`{athena_ddl.BUCKET}`" in PAGE
