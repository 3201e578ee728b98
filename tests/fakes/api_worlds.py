"""Worlds for the whole API: calm, closed, and with a stream and stores that fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle

import pytest

from common.access import Access
from common.domain.sessions import Person, Session, SessionRules
from common.domain.timelines import Timeline
from common.domain.windows import to_ms
from common.errors import StoreError
from common.observability import metrics
from eventstream.local.http_api import Route
from fakes.api_keys import MemoryApiKeys, open_access
from fakes.event_index import MemoryEventIndexReadings, a_rejected_entry, an_entry
from fakes.ingest_builders import a_world
from fakes.reading_builders import NINE, alert, at, hot, result, run, settled, type_entry
from fakes.readings import MemoryReadings
from fakes.sessions import MemorySessionReadings
from fakes.stream import Fault, MemorySink
from fakes.whole_api import WholeApi
from ingest import handler as ingest_handler
from query import handler as query_handler
from query.events import StoredEvents
from query.service import Deps
from query.sessions import StoredSessions

NOW = at(14, 33)
WORLDS = ("calm", "closed", "failing")


@dataclass(frozen=True)
class World:
    """What stands behind the API."""

    name: str
    api: WholeApi


def a_whole_api(name: str, routes: list[Route], patch: pytest.MonkeyPatch) -> World:
    """Return the API with real handlers in a world; ``patch`` puts it behind them."""
    closed = Access(MemoryApiKeys(), required=True, now=lambda: NOW)
    access = closed if name == "closed" else open_access()
    sink = MemorySink(_faults() if name == "failing" else ())
    sending = a_world(sink, access=access)
    reading = Deps(_readings(name), lambda: NOW, access, _sessions(), _events())
    patch.setattr(metrics, "namespace", "EventStream")
    patch.setattr(ingest_handler, "deps", lambda: sending)
    patch.setattr(query_handler, "deps", lambda: reading)
    handlers = {
        "IngestFunction": ingest_handler.lambda_handler,
        "QueryFunction": query_handler.lambda_handler,
    }
    return World(name, WholeApi(routes, handlers))


def _faults() -> Iterator[Fault | None]:
    """Fail every way in turn; never long enough in one for it to be all that is seen."""
    return cycle([Fault(whole="store_failed"), Fault(entries={0: "throttled"}), None])


def _readings(name: str) -> MemoryReadings:
    readings = MemoryReadings()
    readings.add_state(settled(NINE))
    readings.add_result(result("*", NINE, 40))
    readings.add_result(result("click", NINE, 40, latency_p95=12.5))
    readings.add_hot(at(14, 30), {"click": hot(2)})
    for each in ("click", "view"):
        readings.add_type(type_entry(each))
        readings.add_alert(alert(each, NINE), sent_at=NOW if each == "view" else None)
        readings.add_run(run("2026-02-20T09:07:00.000Z", each))
    if name == "failing":
        readings.down = {"aggregates_table": StoreError("made to fail")}
    return readings


def _events() -> StoredEvents:
    entries = [an_entry(), a_rejected_entry(), an_entry("e-2", "web"), an_entry("e-3", packed=None)]
    return StoredEvents(MemoryEventIndexReadings(entries), 14)


def _sessions() -> StoredSessions:
    now_ms = to_ms(NOW)
    going_on, own = Session(now_ms - 9_000, now_ms, 3), Session(now_ms - 9_000, now_ms, 2, "s-1")
    timelines = {
        Person("user", "ada"): Timeline((own, going_on), {}, now_ms, 1, 1),
        Person("anonymous", "ada"): Timeline((going_on,), {}, now_ms, 0, 1),
    }
    settles = timedelta(hours=174)
    return StoredSessions(MemorySessionReadings(timelines), SessionRules.of(30, 7), settles)
