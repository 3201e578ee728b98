from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from common.errors import InvalidRequestError
from common.models import IngestEvent
from fakes.sdk_messages import an_amplitude_event, bare_request, error_of, events_of
from ingest.routes import Target
from ingest.submission import Submission
from ingest.surfaces import amplitude

TARGET = Target("amplitude", batch=True)


def read(*events: Any, **members: Any) -> Submission:
    document = {"api_key": "ak", "events": list(events), **members}
    return amplitude.read(document, TARGET, bare_request("/2/httpapi"))


def event_of(**fields: Any) -> IngestEvent:
    [event] = events_of(read(an_amplitude_event(**fields)))
    return event


def test_an_event_of_the_library_becomes_one_of_ours() -> None:
    given = an_amplitude_event(library="amplitude-ts/2.45.8", ip="$remote", os_name="iOS")

    submission = read(given, client_upload_time="2026-02-20T11:59:59.000Z", options={})

    [event] = events_of(submission)
    assert event.model_dump(exclude_none=True) == {
        "event_type": "button clicked",
        "event_id": "i-1",
        "user_id": "u-1",
        "anonymous_id": "d-1",
        "session_id": "1771588000000",
        "timestamp": datetime(2026, 2, 20, 11, 59, 58, 250_000, tzinfo=UTC),
        "sent_at": datetime(2026, 2, 20, 11, 59, 59, tzinfo=UTC),
        "properties": {"button": "buy"},
        "context": {"library": {"name": "amplitude-ts", "version": "2.45.8"}, "os_name": "iOS"},
    }
    assert submission.write_key == "ak"
    assert [sent.original for sent in submission.events] == [given]


def test_a_key_in_an_event_is_nowhere_in_it_nor_in_what_is_kept_of_it() -> None:
    good = an_amplitude_event(api_key="secret-in-the-event")
    bad = an_amplitude_event(api_key="secret-in-the-event", event_type=None)

    submission = read(good, bad, client_upload_time="2026-02-20T11:59:59.000Z")

    assert "secret-in-the-event" not in repr(submission.events)
    assert submission.write_key == "ak"


def test_an_identify_is_about_what_it_sets() -> None:
    event = event_of(
        event_type="$identify",
        event_properties=None,
        user_properties={"$set": {"plan": "free"}, "$add": {"visits": 1}},
        groups={"org": "15"},
    )

    assert event.event_type == "identify"
    assert event.properties == {"plan": "free", "$add": {"visits": 1}, "groups": {"org": "15"}}


def test_a_group_identify_is_about_what_it_sets() -> None:
    event = event_of(
        event_type="$groupidentify", event_properties={}, group_properties={"$set": {"size": 3}}
    )

    assert (event.event_type, event.properties) == ("groupidentify", {"size": 3})


@pytest.mark.parametrize("values", [7, "x", ["a"]])
def test_a_set_that_is_no_object_is_kept_as_it_is(values: Any) -> None:
    event = event_of(
        event_type="$identify", event_properties=None, user_properties={"$set": values}
    )

    assert event.properties == {"$set": values}


def test_properties_of_the_user_and_the_sale_stand_beside_those_of_the_event() -> None:
    event = event_of(
        event_properties={"price": 1, "a": 2}, user_properties={"plan": "x"}, price=5, quantity=0
    )

    assert event.properties == {
        "price": 1,
        "a": 2,
        "user_properties": {"plan": "x"},
        "quantity": 0,
    }
    assert event.context == {"price": 5}


def test_the_library_s_own_count_of_events_is_not_the_event_s_id() -> None:
    event = event_of(insert_id=None, event_id=7)

    assert (event.event_id, event.context) == (None, {"event_id": 7})


@pytest.mark.parametrize(
    ("given", "session_id"), [(-1, None), (None, None), (-1.0, None), (5, "5"), ("s", "s")]
)
def test_a_session_of_minus_one_is_none(given: Any, session_id: str | None) -> None:
    assert event_of(session_id=given).session_id == session_id


@pytest.mark.parametrize(
    ("name", "event_type"),
    [
        ("$identify", "identify"),
        ("session_start", "session_start"),
        ("[Amplitude] Page Viewed", "Amplitude_ Page Viewed:0070b2b4777f"),
        ("$", "event:09fc96082d34"),
        (7, "event:7902699be42c"),
    ],
)
def test_a_name_becomes_an_event_type(name: Any, event_type: str) -> None:
    assert event_of(event_type=name).event_type == event_type


@pytest.mark.parametrize("time", [None, "soon", [], ""])
def test_a_time_that_cannot_be_read_is_left_to_the_receipt(time: Any) -> None:
    assert event_of(time=time).timestamp is None


@pytest.mark.parametrize(
    ("library", "own_clock"),
    [
        ("amplitude-python/1.3.0", True),
        ("amplitude-node-ts/1.5.73", True),
        ("amplitude-ts/2.45.8", False),
        (None, False),
        ({"name": "amplitude-python/"}, False),
    ],
)
def test_only_a_server_s_clock_is_believed(library: Any, own_clock: bool) -> None:
    [sent] = read(an_amplitude_event(library=library)).events

    assert sent.own_clock is own_clock


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"event_type": None}, "event_type", "missing"),
        ({"event_type": ""}, "event_type", "missing"),
        ({"event_type": "  "}, "event_type", "missing"),
        ({"event_type": {}}, "event_type", "wrong_type"),
        ({"user_id": []}, "user_id", "wrong_type"),
        ({"event_properties": "x"}, "event_properties", "wrong_type"),
        ({"user_properties": 7}, "user_properties", "wrong_type"),
        ({"time": -(10**13)}, "timestamp", "out_of_range"),
        ({"time": {}}, "time", "wrong_type"),
        ({"time": True}, "time", "wrong_type"),
    ],
)
def test_an_event_that_cannot_be_taken_says_why(
    fields: dict[str, Any], field: str, rule: str
) -> None:
    assert error_of(read(an_amplitude_event(**fields))) == (field, rule)


def test_a_bad_event_spoils_no_other() -> None:
    submission = read(an_amplitude_event(), None, an_amplitude_event(event_type=None))

    assert [isinstance(sent.event, dict) for sent in submission.events] == [True, False, False]


@pytest.mark.parametrize("document", [[], {}, {"events": {}}, {"events": "[]"}, None, "x"])
def test_a_body_of_another_shape_is_refused_whole(document: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r'the body must be \{"api_key"'):
        amplitude.read(document, TARGET, bare_request("/2/httpapi"))
