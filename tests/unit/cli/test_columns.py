from __future__ import annotations

import pytest

from eventstream.columns import FRAME, fit

NAME = "cli-20261120T124403-614f5f79"
TIME = "2026-11-20 12:44"


def taken(widths: list[int]) -> int:
    return sum(widths) + FRAME * len(widths) + 1


def test_cells_that_fit_are_as_wide_as_they_are() -> None:
    assert fit(["name", "n"], [["purchase", "1,000"]], 80) == [8, 5]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_only_free_text_is_made_narrower(width: int) -> None:
    row = [NAME, "slow " * 60]

    widths = fit(["name", "why"], [row], width, prose=("why",))

    assert widths is not None
    assert widths[0] == len(NAME)
    assert taken(widths) == width


def test_two_columns_of_free_text_share_what_is_left() -> None:
    widths = fit(["a", "b", "c"], [["x" * 10, "y " * 90, "z " * 90]], 80, prose=("b", "c"))

    assert widths is not None
    assert abs(widths[1] - widths[2]) <= 1


def test_a_heading_is_folded_between_its_words_rather_than_a_cell() -> None:
    rows = [[NAME, TIME, "11"]]

    widths = fit(["name", "time", "events since 2026-11-20 11:00"], rows, 64)

    assert widths is not None
    assert widths[:2] == [len(NAME), len(TIME)]
    assert len("2026-11-20") <= widths[2] < len("events since 2026-11-20 11:00")


def test_characters_that_are_two_wide_get_the_room_they_take() -> None:
    assert fit(["name"], [["注文完了"]], 80) == [8]


def test_where_whole_cells_do_not_fit_there_is_no_table() -> None:
    assert fit(["name", "time"], [[NAME, TIME]], taken([len(NAME), len(TIME)])) is not None
    assert fit(["name", "time"], [[NAME, TIME]], taken([len(NAME), len(TIME)]) - 1) is None


def test_no_rows_need_no_more_than_their_headings() -> None:
    assert fit(["name", "n"], [], 80) == [4, 1]
