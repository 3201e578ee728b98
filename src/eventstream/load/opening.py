"""Finding what a load command names: a file, generated traffic, a pipeline."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic_core import PydanticCustomError

from common.domain.windows import hour_of
from common.models import parse_instant
from eventstream.load.mapping import read_mapping
from eventstream.load.source import EventFile, Generated, MappedFile
from eventstream.load.table import Table
from eventstream.output import UsageProblemError
from eventstream.target import Target
from eventstream.traffic.generate import Anomaly, Plan


def generated(
    now: datetime,
    *,
    hours: int,
    events: int,
    users: int,
    seed: int,
    until: str | None,
    anomaly: str | None,
) -> Generated:
    """Plan traffic from what was asked for.

    Raises
    ------
    UsageProblemError
        ``until`` is no whole hour, or ``anomaly`` can't be read.
    """
    try:
        ends_at = hour_of(now) if until is None else parse_instant(until)
    except PydanticCustomError as error:
        raise UsageProblemError(f"--until {error.message()}") from None
    planted = Anomaly.parse(anomaly) if anomaly else None
    return Generated(Plan(ends_at, hours, events, users, seed, planted))


def open_file(file: Path | None, mapping: Path | None) -> MappedFile | EventFile:
    """Open what is to be loaded.

    Raises
    ------
    UsageProblemError
        There is no such file, or it needs a mapping.
    """
    if file is None:
        raise UsageProblemError("give a FILE to load, or --synthetic")
    if not file.is_file():
        raise UsageProblemError(f"there is no file {file}")
    name = file.name.lower().removesuffix(".gz")
    guessed = "ndjson" if name.endswith((".ndjson", ".jsonl", ".json")) else "csv"
    if mapping is None:
        if guessed == "csv":
            raise UsageProblemError(
                f"{file.name} needs --mapping: a TOML file that says how a row is an event "
                "(examples/online-retail.toml is one)"
            )
        return EventFile(Table(file, guessed))
    rules = read_mapping(mapping)
    return MappedFile(Table(file, rules.format or guessed, rules.delimiter, rules.encoding), rules)


def identify(target: Target) -> str:
    """Return text that changes when a pipeline is made anew, so that old progress is void."""
    stream = target.resource("EventStream")
    found = target.client("kinesis").describe_stream_summary(StreamName=stream)
    made = found["StreamDescriptionSummary"]["StreamCreationTimestamp"]
    return f"{target.stack_name}:{stream}:{made}"
