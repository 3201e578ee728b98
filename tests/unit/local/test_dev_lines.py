"""Lines that `eventstream dev` prints at its start."""

from eventstream.commands.dev import _not_simulated


def test_what_is_not_simulated_is_one_line_that_names_what_is_alike_once() -> None:
    queries = {f"NamedQuery{number}": "kept by the console" for number in range(8)}

    line = _not_simulated({**queries, "Layer": "imported from the work tree"})

    assert line == ("not simulated here: NamedQuery0 and 7 more like it, Layer; see docs/local.md")
