from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aggregate.figures import Figures, HourFigures
from aggregate.results import expected_types, make_results, outside_catalogue
from common.domain.windows import HOUR
from common.ports.aggregates import HourSummary, TypeSpan

NINE = datetime(2026, 11, 20, 9, tzinfo=UTC)


def spans(first: int, last: int) -> dict[str, TypeSpan]:
    return {"click": TypeSpan("click", NINE + first * HOUR, NINE + last * HOUR)}


def a_summary() -> HourSummary:
    return HourSummary(NINE, 4, "final", 7, 1, 2, ("view",), NINE + HOUR, "run-1")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        pytest.param(-3, -1, True, id="seen in the baseline"),
        pytest.param(-3, -24, True, id="last seen in its oldest hour"),
        pytest.param(-30, -25, False, id="last seen before it"),
        pytest.param(0, 0, True, id="first seen in this hour, by an earlier run"),
        pytest.param(1, 2, False, id="first seen later"),
    ],
)
def test_a_type_is_expected_in_the_hours_after_it_was_seen(
    first: int, last: int, expected: bool
) -> None:
    found = expected_types(spans(first, last), NINE, 24 * HOUR)

    assert ("click" in found) is expected


@pytest.mark.parametrize(
    ("first", "last", "outside"), [(-1, 1, []), (0, 0, []), (-2, -1, ["click"]), (1, 2, ["click"])]
)
def test_the_catalogue_is_widened_only_where_it_must_be(
    first: int, last: int, outside: list[str]
) -> None:
    figures = HourFigures(types={"click": Figures(count=1)})

    assert outside_catalogue(figures, spans(first, last), NINE) == outside
    assert outside_catalogue(figures, {}, NINE) == ["click"]


def test_there_is_a_result_for_each_type_that_occurs_or_is_expected_and_one_for_all() -> None:
    view = Figures(7, 1, 2, 1, 5.0, 5.0, 5.0, 5.0)
    figures = HourFigures(total=view, types={"view": view})

    results = {each.event_type: each for each in make_results(a_summary(), figures, spans(-1, -1))}

    assert results.keys() == {"click", "view", "*"}
    assert (results["view"].count, results["click"].count, results["*"].count) == (7, 0, 7)
    assert {(each.status, each.generation) for each in results.values()} == {("final", 4)}


def test_an_hour_of_which_nothing_is_known_has_no_results() -> None:
    assert make_results(a_summary(), HourFigures(), {}) == []
