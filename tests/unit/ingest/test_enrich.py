from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.enrich import Arrival, Enricher, EventTime, event_time
from common.domain.pages import page_parts
from common.errors import FieldError
from common.models import IngestEvent
from fakes.ingest_builders import LIMITS, NOON

ARRIVAL = Arrival(NOON, NOON, "public", frozenset({"error"}))
MINUTE, HOUR, MS = timedelta(minutes=1), timedelta(hours=1), timedelta(milliseconds=1)


def an_event(**fields: Any) -> IngestEvent:
    return IngestEvent.model_validate({"event_type": "x"} | fields)


def time_of(timestamp: datetime | None, sent_at: datetime | None = None) -> EventTime | FieldError:
    return event_time(an_event(timestamp=timestamp, sent_at=sent_at), NOON, LIMITS)


def test_without_a_timestamp_the_event_happened_when_it_came() -> None:
    assert time_of(None) == EventTime(NOON, None, "received")
    assert time_of(None, NOON - HOUR) == EventTime(NOON, None, "received")


@pytest.mark.parametrize("skew", [timedelta(0), MINUTE, -MINUTE], ids=str)
def test_a_clock_within_a_minute_of_ours_is_believed_to_the_bit(skew: timedelta) -> None:
    at = NOON - HOUR

    assert time_of(at, NOON - skew) == EventTime(at, at, "client")
    assert time_of(at) == EventTime(at, at, "client")


@pytest.mark.parametrize(
    "off",
    [3 * HOUR, -3 * HOUR, MINUTE + MS, -MINUTE - MS, 24 * 365 * HOUR],
    ids=str,
)
def test_a_clock_that_is_off_is_corrected_by_as_much(off: timedelta) -> None:
    true_time = NOON - 10 * MINUTE

    found = time_of(true_time + off, NOON + off)

    assert found == EventTime(true_time, true_time + off, "skew_corrected")


def test_a_corrected_time_is_never_after_the_receipt() -> None:
    assert time_of(NOON + 2 * HOUR, NOON + HOUR) == EventTime(
        NOON, NOON + 2 * HOUR, "clamped_future"
    )


@pytest.mark.parametrize(
    ("timestamp", "allowed"),
    [
        (NOON - 168 * HOUR, True),
        (NOON - 168 * HOUR - MS, False),
        (NOON + 5 * MINUTE, True),
        (NOON + 5 * MINUTE + MS, False),
    ],
)
def test_the_time_limits_are_exact(timestamp: datetime, allowed: bool) -> None:
    assert isinstance(time_of(timestamp), EventTime) is allowed


def test_an_event_outside_the_limits_is_told_the_limits() -> None:
    assert time_of(NOON - 169 * HOUR) == FieldError(
        "timestamp",
        "outside_time_limits",
        "timestamp must be at most 168 hours before and 5 minutes after the time of receipt,"
        " which was 2026-02-20T12:00:00.000Z",
    )


def test_the_limits_hold_for_the_corrected_time() -> None:
    error = time_of(NOON - 169 * HOUR, NOON + 2 * MINUTE)

    assert isinstance(error, FieldError)
    assert error.message.startswith("timestamp, corrected by sent_at, must be")
    assert isinstance(time_of(NOON + 167 * HOUR, NOON + 168 * HOUR), EventTime)


INSTANTS = st.one_of(
    st.none(),
    st.integers(0, 253_370_764_799_999),
    st.sampled_from(["1970-01-01T00:00:00Z", "9998-12-31T23:59:59.999Z"]),
)


@given(INSTANTS, INSTANTS)
def test_any_two_instants_give_a_time_within_the_limits_or_an_error(
    timestamp: Any, sent_at: Any
) -> None:
    found = event_time(an_event(timestamp=timestamp, sent_at=sent_at), NOON, LIMITS)

    if isinstance(found, EventTime):
        assert NOON - 168 * HOUR <= found.timestamp <= NOON + 5 * MINUTE


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"is_error": False}, False),
        ({"is_error": True}, True),
        ({"event_type": "error"}, True),
        ({"event_type": "error", "is_error": False}, True),
        ({"event_type": "Error"}, False),
    ],
)
def test_an_event_is_an_error_by_its_flag_or_its_type(
    fields: dict[str, Any], expected: bool
) -> None:
    event = an_event(**fields)

    assert (
        Enricher(ARRIVAL).event(event, "e", EventTime(NOON, None, "received")).is_error is expected
    )


def test_keeps_what_the_client_sent_and_adds_what_only_we_know() -> None:
    event = an_event(
        user_id="u",
        anonymous_id="a",
        session_id="s",
        sent_at=NOON,
        latency_ms=3,
        properties={"n": [1, None, "ä"]},
        context={"page": {"title": "Home", "url": "https://shop.example/"}},
    )

    found = Enricher(ARRIVAL).event(event, "e1", EventTime(NOON - HOUR, NOON, "client"))

    assert found.model_dump(exclude_none=True) == {
        "event_id": "e1",
        "event_type": "x",
        "timestamp": NOON - HOUR,
        "user_id": "u",
        "anonymous_id": "a",
        "session_id": "s",
        "source": "public",
        "latency_ms": 3.0,
        "is_error": False,
        "properties": {"n": [1, None, "ä"]},
        "context": {"page": {"title": "Home", "url": "https://shop.example/"}},
        "page_url": "https://shop.example/",
        "page_path": "/",
        "page_title": "Home",
        "original_timestamp": NOON,
        "timestamp_source": "client",
        "sent_at": NOON,
        "received_at": NOON,
        "ingested_at": NOON,
        "schema_version": 1,
        "replayed": False,
    }


@pytest.mark.parametrize(
    ("context", "properties", "expected"),
    [
        pytest.param({}, {}, {}, id="nothing there"),
        pytest.param(
            {"page": {"url": "https://a.example/p?utm_source=mail&utm_term=x&x=1", "path": "/q"}},
            {},
            {
                "page_url": "https://a.example/p?utm_source=mail&utm_term=x&x=1",
                "page_path": "/q",
                "utm_source": "mail",
                "utm_term": "x",
            },
            id="the page of a browser",
        ),
        pytest.param(
            {},
            {"page": "/products", "referrer": "google.com"},
            {"page_path": "/products", "referrer": "google.com"},
            id="a path and a referrer as properties",
        ),
        pytest.param(
            {},
            {"page": "https://a.example/p", "utm_campaign": "spring"},
            {
                "page_url": "https://a.example/p",
                "page_path": "/p",
                "utm_campaign": "spring",
            },
            id="a url and a campaign as properties",
        ),
        pytest.param(
            {}, {"title": "A book", "path": "docs/x", "url": "u"}, {}, id="other meanings"
        ),
        pytest.param({"page": 7}, {"page": 7, "referrer": []}, {}, id="other shapes"),
        pytest.param({"page": {"url": 7, "title": ""}}, {"page": "2"}, {}, id="other values"),
        pytest.param(
            {"page": {"url": "http://[half"}}, {}, {"page_url": "http://[half"}, id="broken url"
        ),
        pytest.param(
            {"page": {"url": "http://a/?utm_source=%00"}},
            {},
            {"page_url": "http://a/?utm_source=%00", "page_path": "/"},
            id="control character by percent",
        ),
        pytest.param(
            {"page": {"url": "http://a/?" + "&".join(["utm_source=x"] * 101)}},
            {},
            {"page_url": "http://a/?" + "&".join(["utm_source=x"] * 101), "page_path": "/"},
            id="endless query",
        ),
    ],
)
def test_reads_page_and_campaign_where_they_stand_and_passes_over_the_rest(
    context: dict[str, Any], properties: dict[str, Any], expected: dict[str, str]
) -> None:
    assert page_parts(context, properties) == expected


CAMPAIGN = {
    "source": "mail",
    "medium": "email",
    "name": "spring",
    "term": "shoes",
    "content": "top",
}


@pytest.mark.parametrize(
    ("context", "properties", "expected"),
    [
        pytest.param(
            {"campaign": CAMPAIGN},
            {},
            {
                "utm_source": "mail",
                "utm_medium": "email",
                "utm_campaign": "spring",
                "utm_term": "shoes",
                "utm_content": "top",
            },
            id="the campaign of a client library",
        ),
        pytest.param(
            {"page": {"path": "/a", "search": "?utm_source=ad&x=1"}},
            {},
            {"page_path": "/a", "utm_source": "ad"},
            id="the query of a page beside its url",
        ),
        pytest.param(
            {
                "campaign": {"source": "campaign", "medium": "campaign"},
                "page": {
                    "url": "https://a.example/?utm_source=url",
                    "search": "?utm_source=search",
                },
            },
            {"utm_source": "own", "utm_medium": "own", "utm_term": "own"},
            {
                "page_url": "https://a.example/?utm_source=url",
                "page_path": "/",
                "utm_source": "url",
                "utm_medium": "campaign",
                "utm_term": "own",
            },
            id="the page's query rules, then the campaign",
        ),
        pytest.param({"campaign": ["mail"]}, {"search": "?utm_source=x"}, {}, id="other shapes"),
        pytest.param({"campaign": {"source": 7, "id": "x", "name": ""}}, {}, {}, id="other values"),
    ],
)
def test_reads_a_campaign_wherever_client_libraries_put_it(
    context: dict[str, Any], properties: dict[str, Any], expected: dict[str, str]
) -> None:
    assert page_parts(context, properties) == expected


PAGE = {"url": "https://a.example/p?utm_source=ad", "title": "P", "referrer": "https://b.example/"}


def test_the_properties_of_a_page_view_are_its_page() -> None:
    found = page_parts({}, PAGE, is_page=True)

    assert found == {
        "page_url": PAGE["url"],
        "page_path": "/p",
        "page_title": "P",
        "referrer": "https://b.example/",
        "utm_source": "ad",
    }
    assert page_parts({"page": {"title": "C", "url": "https://c.example/c"}}, PAGE, is_page=True)[
        "page_url"
    ] == str(PAGE["url"])


@pytest.mark.parametrize(("event_type", "title"), [("page_view", "P"), ("book_read", None)])
def test_only_a_page_views_title_is_a_page_title(event_type: str, title: str | None) -> None:
    event = an_event(event_type=event_type, properties=PAGE)

    assert (
        Enricher(ARRIVAL).event(event, "e", EventTime(NOON, None, "received")).page_title == title
    )


URLS = st.one_of(
    st.text(max_size=60),
    st.text(max_size=60).map(lambda t: f"https://{t}"),
    st.text(max_size=60).map(lambda t: f"https://a.example/?{t}"),
)


@given(URLS)
def test_no_url_refuses_an_event(url: str) -> None:
    parts = page_parts({"page": {"url": url}}, {"page": url})

    assert all(isinstance(value, str) for value in parts.values())
