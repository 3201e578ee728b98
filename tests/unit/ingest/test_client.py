"""What an event says of its sender, and what of it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import enrich as enriching
from common.domain.client_ip import IpPolicy
from common.domain.enrich import Arrival, Checked, Client, Enricher, Enrichment, EventTime
from common.models import EnrichedEvent, IngestEvent
from fakes.ingest_builders import NOON

PLAIN_ARRIVAL = Arrival(NOON, NOON, "public", frozenset())
ARRIVAL = replace(PLAIN_ARRIVAL, client=Client("header/1", "203.0.113.77"))
TIME = EventTime(NOON, None, "received")


def family_of(user_agent: str) -> Mapping[str, Any]:
    return {"ua_family": user_agent, "is_bot": user_agent == "bot"}


def enriched(
    context: object = None,
    policy: IpPolicy = "truncated",
    arrival: Arrival = ARRIVAL,
    **fields: Any,
) -> EnrichedEvent:
    event = IngestEvent.model_validate({"event_type": "x", "context": context} | fields)
    return Enricher(arrival, Enrichment(family_of, policy)).event(event, "e", TIME)


@pytest.mark.parametrize("name", ["userAgent", "user_agent"])
def test_the_user_agent_that_an_event_tells_beats_that_of_the_server_which_sent_it(
    name: str,
) -> None:
    assert enriched({name: "browser/1"}).ua_family == "browser/1"


@pytest.mark.parametrize("context", [None, {}, {"userAgent": ""}, {"userAgent": 7}, {"x": 1}])
def test_else_the_user_agent_is_the_requests(context: object) -> None:
    assert enriched(context).ua_family == "header/1"


def test_a_robot_is_flagged_and_not_dropped() -> None:
    assert enriched({"userAgent": "bot"}).is_bot is True
    assert enriched().is_bot is False


def test_without_a_user_agent_nothing_is_said_of_robots() -> None:
    event = enriched(arrival=PLAIN_ARRIVAL)

    assert (event.ua_family, event.is_bot) == (None, None)


@pytest.mark.parametrize(
    ("policy", "ip", "in_context"),
    [
        ("off", None, None),
        ("truncated", "198.51.100.0", "198.51.100.0"),
        ("full", *["198.51.100.7"] * 2),
    ],
)
def test_the_address_that_an_event_tells_is_stored_as_the_operator_allows(
    policy: IpPolicy, ip: str | None, in_context: str | None
) -> None:
    event = enriched({"ip": "198.51.100.7", "locale": "de"}, policy)

    assert event.ip == ip
    assert event.context == ({"ip": in_context} if in_context else {}) | {"locale": "de"}


@pytest.mark.parametrize(
    ("policy", "ip"), [("off", None), ("truncated", "203.0.113.0"), ("full", "203.0.113.77")]
)
@pytest.mark.parametrize("context", [None, {}, {"ip": "$remote"}, {"ip": None}, {"ip": [1]}])
def test_else_the_address_is_the_requests(
    policy: IpPolicy, ip: str | None, context: object
) -> None:
    assert enriched(context, policy).ip == ip


def test_without_a_policy_no_address_is_stored() -> None:
    event = IngestEvent.model_validate({"event_type": "x", "context": {"ip": "198.51.100.7"}})

    stored = Enricher(ARRIVAL).event(event, "e", TIME)

    assert stored.ip is None
    assert stored.context == {}


@given(
    st.ip_addresses(),
    st.sampled_from(["ip", "ip_address", "ipAddress", "$ip"]),
    st.sampled_from(["off", "truncated"]),
)
def test_no_stored_line_holds_a_whole_address(ip: Any, name: str, policy: IpPolicy) -> None:
    arrival = replace(ARRIVAL, client=Client(None, str(ip)))

    line = enriched({name: str(ip)}, policy, arrival).model_dump_json()

    is_cut_to_itself = int(ip) & (0xFF if ip.version == 4 else 2**80 - 1) == 0
    assert is_cut_to_itself or f'"{ip}"' not in line


def test_a_part_that_fails_is_left_out_and_counted_and_the_event_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_args: object, **_named: object) -> Any:
        raise RuntimeError("no rules")

    monkeypatch.setattr(enriching, "page_parts", broken)
    monkeypatch.setattr(enriching, "stored_ip", broken)
    failed: list[str] = []
    event = IngestEvent.model_validate(
        {"event_type": "x", "user_id": "u", "context": {"ip": "198.51.100.7"}}
    )

    stored = Enricher(ARRIVAL, Enrichment(broken, "truncated", failed.append)).event(
        event, "e", TIME
    )

    assert (stored.event_id, stored.user_id) == ("e", "u")
    assert sorted(failed) == ["client", "ip", "page"]
    assert (stored.ip, stored.context) == (None, None)


def test_one_part_that_fails_spoils_no_other() -> None:
    def broken(_user_agent: str) -> Mapping[str, Any]:
        raise KeyError("rules")

    event = IngestEvent.model_validate(
        {"event_type": "x", "context": {"page": {"title": "T"}, "ip": "198.51.100.7"}}
    )

    stored = Enricher(ARRIVAL, Enrichment(broken, "truncated")).event(event, "e", TIME)

    assert (stored.page_title, stored.ip, stored.ua_family) == ("T", "198.51.100.0", None)


def test_the_registrys_word_is_stored_with_the_event() -> None:
    event = IngestEvent.model_validate({"event_type": "order"})

    stored = Enricher(ARRIVAL).event(
        event, "e", TIME, Checked("order/2", "properties.total: minimum")
    )

    assert stored.event_schema == "order/2"
    assert stored.schema_violation == "properties.total: minimum"
