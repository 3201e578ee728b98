"""Traffic with lines that no retry can fix, in every form, and what must become of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from common.domain.decode import decode_batch
from common.domain.keys import quarantine_key
from common.errors import StoreError, ThrottledError
from faults.judge import Verdicts
from faults.replay_simulation import REPLAY, ReplaySimulation, ReplayVerdicts
from faults.simulation import (
    MAX_DELIVERIES,
    Family,
    Invoke,
    Simulation,
    StuckError,
    Subject,
)
from faults.stepping import Runners
from faults.traffic import STREAM, Line, Sent
from faults.world import World
from process.service import Deps, process

MEGABYTE = 1_000_000
_INJECTED = {"refused", "the answer got lost", "no answer in time"}
"""What a store says when a call of it is made to fail."""

A_LINE = Line("e", "x", 0, False, None, False)

Spoil = Callable[[Random, Sequence[Line]], Sequence[Line]]


def one_in_a_hundred(rng: Random, lines: Sequence[Line]) -> Sequence[Line]:
    """Spoil each line with the chance of one in a hundred."""
    return [replace(line, poison=b'{"a":') if rng.random() < 0.01 else line for line in lines]


def every_line(_rng: Random, lines: Sequence[Line]) -> Sequence[Line]:
    kinds = (b'{"event_id":"x"}', b'{"a":', b"[]", b"null", b'"text"')
    return [replace(line, poison=kinds[n % len(kinds)]) for n, line in enumerate(lines)]


def some_with(*kinds: bytes) -> Spoil:
    """Make a fifth of the lines one of these."""

    def spoil(rng: Random, lines: Sequence[Line]) -> Sequence[Line]:
        return [
            replace(line, poison=rng.choice(kinds)) if rng.random() < 0.2 else line
            for line in lines
        ]

    return spoil


def a_megabyte(rng: Random, lines: Sequence[Line]) -> Sequence[Line]:
    """Put a line of a megabyte into one of eight records."""
    if rng.random() > 0.125:
        return lines
    return [*lines, replace(lines[0], poison=_HUGE)]


_HUGE = b'{"event_id":"x","properties":"' + b"x" * MEGABYTE
_NOT_UTF8 = b'{"event_id":"\xc3\x28","event_type":"x"}'
_NUL = b'{"event_id":"a\x00b","event_type":"x"}'
_ESCAPED_NUL = json.dumps({**json.loads(A_LINE.as_bytes()), "event_id": "a\x00b"}).encode()


@dataclass(frozen=True)
class Poison:
    """A form of poison: how it gets into the traffic."""

    name: str
    spoil: Spoil = lambda _rng, lines: lines
    truncates: bool = False
    """Cut the base64 of some records short."""
    gate: int = 15
    most: int | None = None
    """Schedules of the gate, and at most: some are dear."""


POISONS = (
    Poison("1 line in 100", one_in_a_hundred),
    Poison("every line", every_line),
    Poison("truncated base64", truncates=True),
    Poison("1 MB", a_megabyte, gate=3, most=1_000),
    Poison("invalid UTF-8", some_with(_NOT_UTF8)),
    Poison("NUL", some_with(_NUL, _ESCAPED_NUL)),
)


def spoilt(poison: Poison, rng: Random, one: Sent) -> Sent:
    """Return a record with its share of poison."""
    good = [replace(line, poison=None) for line in one.lines]
    made = Sent.of(one.shard, one.sequence, one.user, tuple(poison.spoil(rng, good)))
    if not poison.truncates or rng.random() > 0.2:
        return made
    # Not by four characters or their multiple: what is left must be no base64.
    data = made.record["kinesis"]["data"].rstrip("=")
    cut = data[: rng.randrange(1, len(data) // 4) * 4 + rng.choice((1, 2, 3))]
    made.record["kinesis"]["data"] = cut
    whole = replace(one.lines[0], poison=cut.encode())
    return Sent(one.shard, one.sequence, one.user, (whole,), made.record)


@dataclass
class PoisonSimulation(Simulation):
    """A schedule with poison in its traffic."""

    poison: Poison = POISONS[0]

    def _record(self, shard: str, sequence: str, user: int, number: int) -> Sent:
        return spoilt(self.poison, self.rng, super()._record(shard, sequence, user, number))


@dataclass
class PoisonReplay(ReplaySimulation):
    """The same with batches that are given up, and a replayer that mends."""

    poison: Poison = POISONS[0]

    def _record(self, shard: str, sequence: str, user: int, number: int) -> Sent:
        return spoilt(self.poison, self.rng, super()._record(shard, sequence, user, number))


@dataclass
class PoisonVerdicts(Verdicts):
    """What a set of schedules came to, and what became of the bad lines in them."""

    bad_lines: int = 0
    unkept: int = 0
    """Bad lines whose object holds another position or other bytes."""
    unprovoked: int = 0
    """Batches that were given back although no store failed."""
    given_back: int = 0
    stuck: int = 0
    """Schedules in which a shard did not come to its end."""

    def add(self, run: Simulation) -> None:
        super().add(run)
        bad = list(_bad_lines(run.sent))
        self.bad_lines += len(bad)
        self.unkept += sum(not _is_kept(run.world, one, number) for one, number in bad)


def _bad_lines(sent: Iterable[Sent]) -> Iterator[tuple[Sent, int]]:
    for one in sent:
        for number, line in enumerate(one.lines):
            if line.poison is not None:
                yield one, number


def _is_kept(world: World, one: Sent, number: int) -> bool:
    key = quarantine_key(STREAM, one.shard, one.sequence, number)
    kept = json.loads(world.lake.quarantined.get(key, b"{}"))
    at = (kept.get("shard"), kept.get("sequence"), kept.get("line"))
    raw = base64.b64decode(kept.get("raw_base64", ""))
    return at == (one.shard, one.sequence, number) and raw == one.lines[number].poison


def run_poison(
    poison: Poison,
    family: Family,
    count: int,
    runners: Runners,
    invoke: Invoke | None = None,
    *,
    max_deliveries: int = MAX_DELIVERIES,
) -> PoisonVerdicts:
    """Run and judge ``count`` schedules; the same ones each time."""
    verdicts = PoisonVerdicts()

    def watched(records: Sequence[Mapping[str, Any]], deps: Deps) -> Iterable[str]:
        outcome = process(records, deps)
        if outcome.error is None:
            return []
        verdicts.given_back += 1
        verdicts.unprovoked += outcome.error.message not in _INJECTED
        return [str(outcome.retry_from)]

    for number in range(count):
        rng = Random(f"poison/{poison.name}/{family.name}/{number}")
        run = PoisonSimulation(
            family,
            Subject(invoke=invoke or watched),
            rng,
            runners,
            max_deliveries=max_deliveries,
            poison=poison,
        )
        try:
            run.run()
        except StuckError:
            verdicts.schedules += 1
            verdicts.stuck += 1
        else:
            verdicts.add(run)
    return verdicts


def run_poison_replays(poison: Poison, count: int, runners: Runners) -> ReplayVerdicts:
    """Run and judge schedules whose bad lines are mended and replayed."""
    verdicts = ReplayVerdicts()
    for number in range(count):
        rng = Random(f"poison-replay/{poison.name}/{number}")
        run = PoisonReplay(REPLAY, Subject(), rng, runners, World(), poison=poison)
        run.run()
        verdicts.add(run)
    return verdicts


def reports_bad_records(records: Sequence[Mapping[str, Any]], deps: Deps) -> Iterable[str]:
    """Ask for a bad record again, as who does not quarantine does."""
    outcome = process(records, deps)
    if outcome.retry_from:
        return [outcome.retry_from]
    return [bad.position.sequence for bad in decode_batch(records).bad]


def quarantines_whole_records(records: Sequence[Mapping[str, Any]], deps: Deps) -> Iterable[str]:
    """Leave out the good lines of a record that has a bad one."""
    bad = decode_batch(records).bad
    spoilt = {each.position.sequence for each in bad}
    try:
        deps.lake.put_quarantine(bad)
    except (ThrottledError, StoreError):
        return [records[0]["kinesis"]["sequenceNumber"]]
    good = [one for one in records if one["kinesis"]["sequenceNumber"] not in spoilt]
    outcome = process(good, deps) if good else None
    return [records[0]["kinesis"]["sequenceNumber"]] if outcome and outcome.retry_from else []
