"""What the commands on quarantine, failures and replay print; nothing of it can move a cursor."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from common.domain.windows import rfc3339
from eventstream.output import CommandError, note, plural, print_table, print_text
from eventstream.replay.account import Account
from eventstream.replay.failed import Failed
from eventstream.replay.job import summary
from eventstream.replay.kept import Kept, read_rejection
from eventstream.replay.printable import as_text, hex_lines, print_safe_json, printable

_SHOWN_LINES = 20
_SHOWN_PROBLEMS = 20
_MOST_TEXT = 2_000
_SECOND = 19


def second(at: datetime) -> str:
    """Spell an instant up to its second, in UTC."""
    return rfc3339(at)[:_SECOND].replace("T", " ")


def kept_as_dict(kept: Kept) -> dict[str, Any]:
    """Return the JSON shape of a quarantine object, without its lines."""
    bad, at = kept.bad, kept.bad.position
    return {
        "key": kept.key,
        "id": kept.short_id,
        "reason": bad.reason,
        "field": bad.field,
        "lines": bad.count,
        **({"reasons": dict(bad.many.reasons), "bad_ranges": bad.many.ranges} if bad.many else {}),
        "stream": at.stream,
        "shard": at.shard,
        "sequence": at.sequence,
        "line": bad.line,
        "arrived_at": rfc3339(bad.arrived_at) if bad.arrived_at else None,
        "written_at": rfc3339(kept.listed.written_at),
        "bytes": len(bad.raw),
    }


def failed_as_dict(failed: Failed) -> dict[str, Any]:
    """Return the JSON shape of a given-up batch, without its records."""
    return {
        "key": failed.key,
        "id": failed.short_id,
        "at": rfc3339(failed.at),
        "condition": failed.condition,
        "invocations": failed.invocations,
        "function_error": failed.error,
        "stream": failed.stream,
        "shard": failed.shard,
        "first_sequence": failed.first,
        "last_sequence": failed.last,
        "records": failed.batch_size,
        "bytes": failed.listed.size,
        "has_payload": failed.records is not None,
    }


def print_kept(found: Sequence[Kept]) -> None:
    """Print quarantine objects, one a row."""
    rows = [
        (
            second(kept.at),
            printable(kept.bad.reason),
            printable(kept.bad.field or "", 40) or None,
            kept.bad.count,
            printable(kept.bad.position.stream),
            printable(kept.short_id),
        )
        for kept in found
    ]
    print_table(("arrived (UTC)", "reason", "field", "lines", "stream", "id"), rows)


def print_failed(found: Sequence[Failed]) -> None:
    """Print given-up batches, one a row."""
    rows = [
        (
            second(one.at),
            printable(one.condition),
            one.invocations,
            printable(one.error or "asked for retry"),
            one.batch_size if one.records is not None else f"{one.batch_size} (not kept)",
            printable(one.shard.removeprefix("shardId-")),
            printable(one.short_id),
        )
        for one in found
    ]
    print_table(("given up (UTC)", "condition", "tries", "error", "records", "shard", "id"), rows)


def print_facts(facts: dict[str, Any]) -> None:
    """Print names and values, one a line; what is not known is left out."""
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        if value is not None:
            print_text(f"{name:{width}}  {printable(str(value))}")


def print_lines(lines: Sequence[tuple[str | None, bytes]], what: str) -> None:
    """Print the first lines, each under its heading, and say how many more there are."""
    for heading, raw in lines[:_SHOWN_LINES]:
        print_text()
        if heading:
            print_text(printable(heading))
        _print_line(raw)
    if len(lines) > _SHOWN_LINES:
        note(f"{len(lines) - _SHOWN_LINES:,} more {what}: --json has them")


def _print_line(raw: bytes) -> None:
    """Print a line: as text where it is text, else in hexadecimal."""
    text = as_text(raw)
    if text is None:
        for each in hex_lines(raw):
            print_text(each)
        return
    rejection = read_rejection(raw)
    if rejection is not None:
        print_text(f"rejected: {printable(str(rejection.why.get('message')), _MOST_TEXT)}")
        text = rejection.message or "(nothing of it could be kept)"
    print_text(printable(text, _MOST_TEXT))
    if len(text) > _MOST_TEXT:
        note(f"{len(text):,} characters in all: --json has them")


def line_as_dict(number: int, raw: bytes) -> dict[str, Any]:
    """Return the JSON shape of a line: its text, else its bytes in base64."""
    text = as_text(raw)
    content = {"base64": base64.b64encode(raw).decode()} if text is None else {"text": text}
    return {"line": number, **content}


def print_stats(found: Sequence[Kept], *, as_json: bool) -> None:
    """Print how many lines there are of each day and reason."""
    lines: Counter[tuple[str, str]] = Counter()
    objects: Counter[tuple[str, str]] = Counter()
    for kept in found:
        day = rfc3339(kept.at)[:10]
        for reason, count in kept.reasons.items():
            lines[day, reason] += count
            objects[day, reason] += 1
    total, size = sum(kept.bad.count for kept in found), sum(kept.listed.size for kept in found)
    if as_json:
        rows = [
            {"day": day, "reason": reason, "lines": lines[day, reason], "objects": count}
            for (day, reason), count in sorted(objects.items(), reverse=True)
        ]
        print_safe_json({"lines": total, "objects": len(found), "bytes": size, "rows": rows})
        return
    print_table(
        ("day (UTC)", "reason", "lines", "objects"),
        [
            (day, printable(reason), lines[day, reason], count)
            for (day, reason), count in sorted(objects.items(), reverse=True)
        ],
    )
    note(f"{plural(total, 'line')} in {plural(len(found), 'object')} of {plural(size, 'byte')}")


def show_account(account: Account, *, as_json: bool, mend: str) -> None:
    """Print what a replay did.

    Parameters
    ----------
    mend
        What to do about lines that are bad still.

    Raises
    ------
    CommandError
        Something is left to do.
    """
    if as_json:
        print_safe_json(account.as_dict())
    else:
        _print_account(account)
    if account.interrupted:
        raise CommandError("interrupted: the same command goes on", exit_code=130)
    if account.unacknowledged:
        lines = plural(account.unacknowledged, "line")
        raise CommandError(
            f"{lines} not acknowledged by the stream, and left in place: the same command goes on"
        )
    if not account.is_whole:
        left = {
            "line is bad still" if account.bad == 1 else "lines are bad still": account.bad,
            "object is none" if account.refused == 1 else "objects are none": account.refused,
        }
        raise CommandError(f"{summary(left)}, and left in place. {mend}")


def _print_account(account: Account) -> None:
    if account.types:
        print_table(("event type", "events"), sorted(account.types.items()))
    for problem in account.problems[:_SHOWN_PROBLEMS]:
        note(f"  {problem.said}")
    if len(account.problems) > _SHOWN_PROBLEMS:
        note(f"  and {len(account.problems) - _SHOWN_PROBLEMS:,} more: --json has them")
    lines, objects = account.lines, account.objects
    figures = {
        "line" if lines == 1 else "lines": lines,
        "sent": account.sent,
        "would be sent": account.ready if account.dry_run else 0,
        "still bad": account.bad,
        "put into quarantine": 0 if account.dry_run else account.quarantined,
        "would go into quarantine": account.quarantined if account.dry_run else 0,
        "object moved" if account.moved == 1 else "objects moved": account.moved,
        "replayed before": account.replayed_before,
    }
    note(f"{plural(objects, 'object')} looked at: {summary(figures) or 'nothing to do'}")
    if account.sent:
        note("five-minute metrics leave replayed events out: `eventstream etl run` counts them")
