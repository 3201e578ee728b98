"""One definition of the lake's columns, spelled five times: none may drift from the others."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlglot
import yaml
from sqlglot import exp

from common.domain.lake_schema import COLUMNS, PARTITIONS
from common.models import LakeRow
from eventstream.lake import ddl as athena_ddl
from fakes.lake_folder import LakeFolder, an_event
from fakes.reading_builders import NINE

PROJECT = Path(__file__).parents[3]
DDL = PROJECT / "athena" / "create_tables.sql"

Columns = list[tuple[str, str]]
MODEL: Columns = [(column.name, column.athena) for column in COLUMNS]

_HIVE_OF_PARQUET = {
    "BYTE_ARRAY String": "string",
    "BOOLEAN None": "boolean",
    "INT32 None": "int",
    "DOUBLE None": "double",
    "INT64 Timestamp": "timestamp",
}


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what stands behind them."""


def _short_form(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]


_Template.add_multi_constructor("!", _short_form)


@pytest.fixture(scope="module")
def glue_table() -> dict[str, Any]:
    text = (PROJECT / "template.yaml").read_text(encoding="utf-8")
    template = yaml.load(text, Loader=_Template)  # noqa: S506 - a SafeLoader with more tags
    table: dict[str, Any] = template["Resources"]["EventsTable"]["Properties"]["TableInput"]
    return table


def _statements(text: str) -> tuple[exp.Expr, exp.Expr]:
    table, view, _ = [tree for tree in sqlglot.parse(_filled(text), read="athena") if tree]
    return table, view


def _filled(text: str) -> str:
    return text.replace(athena_ddl.DATABASE, "lake").replace(athena_ddl.BUCKET, "bucket")


def _declared(text: str) -> Columns:
    table, _ = _statements(text)
    return [
        (column.name, column.args["kind"].sql("hive").lower())
        for column in table.this.expressions
        if isinstance(column, exp.ColumnDef)
    ]


def _stored(tmp_path: Path) -> Columns:
    LakeFolder(tmp_path).write([an_event("e1", NINE)])
    [path] = tmp_path.rglob("*.parquet")
    schema = pq.ParquetFile(io.BytesIO(path.read_bytes())).schema
    columns = [schema.column(position) for position in range(len(schema))]
    kinds = (
        f"{column.physical_type} {column.logical_type.type.title()}".replace("None", "None")
        for column in columns
    )
    return [
        (column.name, _HIVE_OF_PARQUET[kind]) for column, kind in zip(columns, kinds, strict=True)
    ]


def test_the_columns_are_the_model() -> None:
    assert [name for name, _ in MODEL] == list(LakeRow.model_fields)


def test_the_file_declares_the_columns() -> None:
    assert _declared(DDL.read_text(encoding="utf-8")) == MODEL


def test_the_stored_objects_have_the_columns(tmp_path: Path) -> None:
    assert _stored(tmp_path) == MODEL


def test_the_template_declares_the_columns(glue_table: dict[str, Any]) -> None:
    columns = glue_table["StorageDescriptor"]["Columns"]

    assert [(column["Name"], column["Type"]) for column in columns] == MODEL


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        pytest.param("`latency_ms` double", "`latency_ms` float", id="another type"),
        pytest.param("`page_path` string", "`path` string", id="another name"),
        pytest.param("  `ip` string COMMENT", "  `ipv4` string,\n  `ip` string COMMENT", id="more"),
    ],
)
def test_a_changed_column_would_be_found(was: str, is_now: str) -> None:
    text = DDL.read_text(encoding="utf-8")
    assert was in text

    assert _declared(text.replace(was, is_now)) != MODEL


def test_the_file_is_what_the_columns_make_of_it() -> None:
    assert DDL.read_text(encoding="utf-8") == athena_ddl.render()


def test_the_template_declares_the_same_partitions_and_projection(
    glue_table: dict[str, Any],
) -> None:
    keys = glue_table["PartitionKeys"]
    parameters = glue_table["Parameters"]
    projection = {n: v for n, v in parameters.items() if n.startswith("projection.")}
    # Sub or Join: whichever way the location is put together, its parts are these.
    location = str(parameters["storage.location.template"])

    assert [(key["Name"], key["Type"]) for key in keys] == [(name, "int") for name in PARTITIONS]
    assert projection == {
        n: v for n, v in athena_ddl.PROPERTIES.items() if n.startswith("projection.")
    }
    for name in PARTITIONS:
        assert f"{name}=$" in location
    assert parameters["classification"] == athena_ddl.PROPERTIES["classification"]


def test_the_template_leaves_the_name_of_the_view_free(glue_table: dict[str, Any]) -> None:
    assert glue_table["Name"] == "events_raw"


def test_the_partitions_are_the_folders_of_the_keys() -> None:
    template = athena_ddl.PROPERTIES["storage.location.template"]

    assert template.endswith("events/year=${year}/month=${month}/day=${day}/hour=${hour}/")


def test_every_column_has_a_comment_and_no_comment_breaks_the_statement() -> None:
    assert set(athena_ddl.COMMENTS) == {name for name, _ in MODEL}
    assert not [text for text in athena_ddl.COMMENTS.values() if "'" in text or ";" in text]


def test_the_view_holds_each_column_and_partition_once() -> None:
    _, view = _statements(DDL.read_text(encoding="utf-8"))

    assert view.expression.named_selects == [*(name for name, _ in MODEL), *PARTITIONS]


def test_the_view_of_sessions_has_the_columns_that_are_described() -> None:
    *_, view = [tree for tree in sqlglot.parse(_filled(DDL.read_text()), read="athena") if tree]

    assert view.expression.named_selects == list(athena_ddl.SESSION_COLUMNS)


def test_the_view_is_partitioned_by_what_a_condition_may_prune_by() -> None:
    _, view = _statements(DDL.read_text(encoding="utf-8"))
    window = view.find(exp.Window)

    assert window is not None
    assert [column.name for column in window.args["partition_by"]] == [
        *PARTITIONS,
        "source",
        "event_id",
    ]
    assert [each.this.name for each in window.args["order"].expressions] == [
        "received_at",
        "stream",
        "shard",
        "sequence",
        "line",
    ]
