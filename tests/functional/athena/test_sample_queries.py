"""Every sample query on objects that the pipeline's writer made, against plain Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from common.domain.lake_schema import PARTITIONS
from common.models import EnrichedEvent
from eventstream.lake import samples
from eventstream.lake.sql import run
from fakes.lake_folder import LakeFolder
from functional.athena import shop

FILE = Path(__file__).parents[3] / samples.FILE
SAMPLES = samples.read(FILE.read_text(encoding="utf-8"))

Rows = list[tuple[Any, ...]]

EXACT: dict[str, Callable[[list[EnrichedEvent]], Rows]] = {
    "Top events": shop.top_events,
    "Hourly trend": shop.hourly_trend,
    "Purchase funnel": shop.purchase_funnel,
    "Sessions by day": shop.sessions_by_day,
    "Error rate": shop.error_rate,
    "Daily retention": shop.daily_retention,
    "Weekly retention": shop.weekly_retention,
    "Campaigns": shop.campaigns,
}


@pytest.fixture(scope="module")
def made() -> list[EnrichedEvent]:
    return shop.events()


@pytest.fixture(scope="module")
def lake(made: list[EnrichedEvent], tmp_path_factory: pytest.TempPathFactory) -> LakeFolder:
    folder = LakeFolder(tmp_path_factory.mktemp("lake"))
    shop.fill(folder, made)
    return folder


def answer(lake: LakeFolder, sql: str) -> Rows:
    with run(sql, lake) as result:
        return [tuple(row) for row in result.rows]


def of_the_days(name: str) -> str:
    return samples.over_days(samples.find(SAMPLES, name).sql, shop.FIRST, shop.LAST)


@pytest.mark.parametrize("name", EXACT)
def test_a_sample_answers_what_plain_python_counts(
    lake: LakeFolder, made: list[EnrichedEvent], name: str
) -> None:
    expected = EXACT[name](made)

    assert len(expected) > 1
    assert answer(lake, of_the_days(name)) == expected


def test_the_slowest_pages_are_those_of_the_exact_percentiles(
    lake: LakeFolder, made: list[EnrichedEvent]
) -> None:
    values = shop.latencies(made)

    rows = answer(lake, of_the_days("Slowest pages"))

    assert {path: (count, slowest) for path, count, _, _, slowest in rows} == {
        path: (len(found), round(found[-1], 1)) for path, found in values.items()
    }
    for path, count, p50, p95, _ in rows:
        assert p50 == pytest.approx(values[path][count // 2], rel=0.05)
        assert p95 == pytest.approx(values[path][int(count * 0.95)], rel=0.1)
    assert [row[3] for row in rows] == sorted((row[3] for row in rows), reverse=True)


def test_every_sample_is_tested() -> None:
    assert {sample.name for sample in SAMPLES} == {*EXACT, "Slowest pages"}


def test_counting_stored_copies_would_give_other_numbers(
    lake: LakeFolder, made: list[EnrichedEvent]
) -> None:
    with_copies = of_the_days("Top events").replace("FROM events", "FROM events_raw")

    assert answer(lake, with_copies) != shop.top_events(made)


def test_reading_the_days_beside_them_would_give_other_numbers(
    lake: LakeFolder, made: list[EnrichedEvent]
) -> None:
    sql = samples.over_days(
        samples.find(SAMPLES, "Top events").sql, shop.FIRST.replace(day=28), shop.LAST
    )

    assert answer(lake, sql) != shop.top_events(made)


def test_a_sample_reads_the_objects_of_its_days_only(lake: LakeFolder) -> None:
    answer(lake, of_the_days("Top events"))
    asked = {path.parent.parent.name for path in lake.asked}

    assert "day=28" not in asked
    assert "day=05" not in asked
    assert "day=29" in asked


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_as_it_is_written_runs_and_names_its_columns(
    lake: LakeFolder, sample: samples.Sample
) -> None:
    with run(sample.sql, lake) as result:
        assert not [name for name in result.columns if name.startswith("_col")]
        list(result.rows)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_filters_by_partition_and_depends_on_no_clock(sample: samples.Sample) -> None:
    tree = sqlglot.parse_one(sample.sql, read="athena")
    period = next(cte for cte in tree.find_all(exp.CTE) if cte.alias == samples.PERIOD)
    condition = period.this.args["where"]

    columns = {column.name for column in condition.find_all(exp.Column)}
    assert {"year", "month"} <= columns <= set(PARTITIONS)
    assert not list(tree.find_all(exp.CurrentDate, exp.CurrentTimestamp))
    assert sample.about.endswith(".")
    # Only the first CTE reads the table: every other one sees the same days.
    assert len([t for t in tree.find_all(exp.Table) if t.name in ("events", "events_raw")]) == 1


def test_the_names_of_samples_are_unique() -> None:
    names = [sample.name.lower() for sample in SAMPLES]

    assert len(names) == len(set(names))
