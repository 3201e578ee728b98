"""What a load prints: the account of what became of every row."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime

from eventstream.load.job import Preview
from eventstream.load.progress import Done
from eventstream.load.report import LoadReport, Older
from eventstream.output import (
    CommandError,
    note,
    print_json,
    print_table,
    print_text,
    spell_field,
)

_MEND = "mend the mapping or the file, then run it again"


def show_preview(seen: Preview, *, as_json: bool) -> None:
    """Print what a load would send.

    Raises
    ------
    CommandError
        Some rows are no events, or events that the API would refuse.
    """
    if as_json:
        print_json(seen.as_dict())
    else:
        for event in seen.sample:
            print_text(json.dumps(event, ensure_ascii=False))
        print_table(["event type", "events"], [*sorted(seen.types.items())])
        note(f"{seen.rows:,} rows, {sum(seen.types.values()):,} events; nothing was sent")
        for each in seen.refusals:
            note(f"  row {each['row']}: {spell_field(each)} ({each['rule']})")
    problems = []
    if seen.refused:
        first = seen.refusals[0]
        problems.append(
            f"the API would refuse {seen.refused:,} of {sum(seen.types.values()):,} events, first "
            f"in row {first['row']}: {spell_field(first)} ({first['rule']})"
        )
    if seen.bad_rows:
        reasons = "; ".join(f"{why} ({n:,} rows)" for why, n in seen.bad_rows.most_common(3))
        problems.append(f"from row {seen.first_bad_row} on, rows are no events: {reasons}")
    if problems:
        raise CommandError(f"{'. '.join(problems)}. {_MEND.capitalize()}")


def show_report(
    report: LoadReport, earlier: Done, *, now: datetime, pipeline: str, as_json: bool
) -> None:
    """Print the account of a load.

    Parameters
    ----------
    report, earlier
        What this run did, and what earlier ones had done.
    now
        When it was done.
    pipeline
        The options that name the pipeline to another command; empty for the usual one.
    as_json
        Print JSON.

    Raises
    ------
    CommandError
        Not every row became an accepted event.
    """
    if as_json:
        before = {"rows": earlier.rows, "accepted": earlier.accepted, "rejected": earlier.rejected}
        older = report.older(now)
        seen = {"older_events": asdict(older) if older else None}
        print_json({**report.as_dict(), **seen, "earlier_runs": before})
    else:
        _print_report(report, earlier)
        _tell_of_older(report.older(now), pipeline)
    if report.clean:
        return
    if report.interrupted:
        raise CommandError("interrupted: run the same command again to go on")
    reasons = _spell_reasons(report)
    if report.refused_whole:
        problem = report.problem or f"all {report.rejected:,} events were refused"
        raise CommandError(f"{problem}: {_MEND}. {reasons}")
    if report.problem:
        raise CommandError(f"{report.problem}; run the same command again to go on. {reasons}")
    raise CommandError(
        f"{report.rejected:,} events were rejected and {report.bad_rows:,} rows are no events. "
        f"{reasons}"
    )


def _tell_of_older(older: Older | None, pipeline: str) -> None:
    if older is not None:
        are, them = ("event is", "it") if older.events == 1 else ("events are", "them")
        note(
            f"{older.events:,} {are} older than the last two hours: `eventstream etl run "
            f"--from {older.first_hour} --to {older.end_hour}{pipeline}` counts {them}"
        )


def _spell_reasons(report: LoadReport) -> str:
    most = sorted(report.reasons.items(), key=lambda item: -item[1].count)[:3]
    return "; ".join(f"{why} ({of.count:,} times, first in row {of.first_row})" for why, of in most)


def _print_report(report: LoadReport, earlier: Done) -> None:
    shown = report.as_dict()
    names = ["rows", "sent", "accepted", "rejected", "given_up", "resent", "seconds"]
    figures = [(name.replace("_", " "), shown[name]) for name in names]
    print_table(["what", "number"], [*figures, ("events/s", int(shown["events_per_second"]))])
    if report.types:
        print_table(["event type", "accepted"], sorted(report.types.items()))
    if report.first_timestamp:
        print_text(f"event times {report.first_timestamp} to {report.last_timestamp}")
    if earlier.rows:
        note(f"earlier runs had sent {earlier.rows:,} rows ({earlier.accepted:,} accepted)")
        if not report.rows:
            note("nothing was left to send; --restart sends all again")
