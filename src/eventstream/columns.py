"""How wide the columns of a table may be: what is read as one piece is never broken."""

from __future__ import annotations

from collections.abc import Collection, Sequence

FRAME = 3
"""Characters a column takes beside its text: a line and a space on either side."""

LEAST_PROSE = 12
"""Free text in fewer characters than this is no longer readable."""


def fit(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    prose: Collection[str] = (),
) -> list[int] | None:
    """Share a line's width among columns.

    Parameters
    ----------
    headings
        The columns' headings; they may be folded between words.
    rows
        The cells as they are printed.
    width
        Characters of a line.
    prose
        Headings of the columns whose cells may be folded; all others stay whole.

    Returns
    -------
    list of int or None
        Characters of text for each column; ``None`` when there is no room for such a table.

    Examples
    --------
    >>> fit(["name", "why it is so"], [["load", "a long story " * 9]], 40, {"why it is so"})
    [4, 29]
    >>> fit(["name"], [["x" * 90]], 80) is None
    True
    """
    from rich.cells import cell_len  # late, as all of rich; some characters are two wide

    cells = [max((cell_len(row[at]) for row in rows), default=0) for at in range(len(headings))]
    wanted = [max(cell, cell_len(name)) for cell, name in zip(cells, headings, strict=True)]
    least = [
        max(longest_word(name), min(cell, LEAST_PROSE) if name in prose else cell)
        for cell, name in zip(cells, headings, strict=True)
    ]
    room = width - FRAME * len(headings) - 1
    if sum(least) > room:
        return None
    return _share(least, wanted, room - sum(least))


def longest_word(text: str) -> int:
    """Return the length of the longest word."""
    return max((len(word) for word in text.split()), default=0)


def _share(widths: list[int], wanted: Sequence[int], left: int) -> list[int]:
    """Give what is left to the columns that want more, in equal parts."""
    while left > 0 and (hungry := [at for at, w in enumerate(widths) if w < wanted[at]]):
        part = max(1, left // len(hungry))
        for at in hungry:
            more = min(part, wanted[at] - widths[at], left)
            widths[at] += more
            left -= more
    return widths
