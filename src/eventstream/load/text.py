"""What a load prints: the account of what became of every row."""

from __future__ import annotations

import json

from eventstream.load.job import Preview
from eventstream.load.progress import Done
from eventstream.load.report import LoadReport
from eventstream.output import CommandError, note, print_json, print_table, print_text


def show_preview(seen: Preview, *, as_json: bool) -> None:
    """Print what a load would send.

    Raises
    ------
    CommandError
        Some rows are no events.
    """
    if as_json:
        print_json(seen.as_dict())
    else:
        for event in seen.sample:
            print_text(json.dumps(event, ensure_ascii=False))
        print_table(["event type", "events"], [*sorted(seen.types.items())])
        note(f"{seen.rows:,} rows, {sum(seen.types.values()):,} events; nothing was sent")
    if seen.bad_rows:
        reasons = "; ".join(f"{why} ({n:,} rows)" for why, n in seen.bad_rows.most_common(3))
        raise CommandError(f"from row {seen.first_bad_row} on, rows are no events: {reasons}")


def show_report(report: LoadReport, earlier: Done, *, as_json: bool) -> None:
    """Print the account of a load.

    Raises
    ------
    CommandError
        Not every row became an accepted event.
    """
    if as_json:
        before = {"rows": earlier.rows, "accepted": earlier.accepted, "rejected": earlier.rejected}
        print_json({**report.as_dict(), "earlier_runs": before})
    else:
        _print_report(report, earlier)
    if report.clean:
        return
    if report.interrupted:
        raise CommandError("interrupted: run the same command again to go on")
    reasons = _spell_reasons(report)
    if report.problem:
        raise CommandError(f"{report.problem}; run the same command again to go on. {reasons}")
    raise CommandError(
        f"{report.rejected:,} events were rejected and {report.bad_rows:,} rows are no events. "
        f"{reasons}"
    )


def _spell_reasons(report: LoadReport) -> str:
    most = sorted(report.reasons.items(), key=lambda item: -item[1].count)[:3]
    return "; ".join(f"{why} ({of.count:,} times, first in row {of.first_row})" for why, of in most)


def _print_report(report: LoadReport, earlier: Done) -> None:
    shown = report.as_dict()
    names = ["rows", "sent", "accepted", "rejected", "given_up", "resent", "seconds"]
    rate = int(shown["events_per_second"])
    print_table([*names, "events/s"], [[*(shown[name] for name in names), rate]])
    if report.types:
        print_table(["event type", "accepted"], sorted(report.types.items()))
    if report.first_timestamp:
        print_text(f"event times {report.first_timestamp} to {report.last_timestamp}")
    if earlier.rows:
        note(f"earlier runs had sent {earlier.rows:,} rows ({earlier.accepted:,} accepted)")
        if not report.rows:
            note("nothing was left to send; --restart sends all again")
