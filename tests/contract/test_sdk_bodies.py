"""What the real client libraries send is read without a loss, and as they meant it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import pytest
from amplitude import Amplitude, BaseEvent, EventOptions, Identify, Revenue
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from common.domain.strict_json import decode
from common.models import IngestEvent
from fakes.sdk_messages import events_of
from fakes.sdk_recorder import Recorder, recording
from ingest.routes import find
from ingest.submission import Submission
from ingest.surfaces import amplitude, cloudevents, segment

AT = datetime(2026, 11, 20, 9, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as found:
        yield found


def read(recorder: Recorder) -> list[Submission]:
    submissions = []
    for request in recorder.requests:
        target = find(request.method, request.path)
        surface: Any = {"segment": segment, "amplitude": amplitude}[target.surface]
        submissions.append(surface.read(decode(request.body), target, request))
    return submissions


def events(recorder: Recorder) -> dict[str, IngestEvent]:
    found = [event for submission in read(recorder) for event in events_of(submission)]
    assert all(event.event_id and event.timestamp for event in found)
    return {event.event_type: event for event in found}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("client_of", [SegmentClient, RudderClient])
def test_the_segment_family(client_of: Any, compressed: bool, recorder: Recorder) -> None:
    client = client_of("wk", host=recorder.url, gzip=compressed)
    client.identify("u-1", {"plan": "free"})
    client.track("u-1", "Panier validé", {"total": 5}, timestamp=AT)
    client.track(42, "Order Completed", context={"ip": "192.0.2.1"})
    client.track(anonymous_id="a-1", event="Seen")
    client.page("u-1", "Help", "Docs", {"url": "https://example.com/docs"})
    client.screen("u-1", "Help", "Home")
    client.group("u-1", "g-1", {"size": 3})
    client.alias("old", "new")
    client.flush()
    client.join()

    found = events(recorder)

    assert found.keys() == {
        "identify",
        "Panier valide:9f7f3a0f2f53",
        "Order Completed",
        "Seen",
        "page_view",
        "screen_view",
        "group",
        "alias",
    }
    assert found["identify"].properties == {"plan": "free"}
    assert found["Panier valide:9f7f3a0f2f53"].timestamp == AT
    assert found["Order Completed"].user_id == "42"
    assert (found["Seen"].anonymous_id, found["Seen"].user_id) == ("a-1", None)
    assert found["page_view"].properties == {
        "url": "https://example.com/docs",
        "name": "Docs",
        "category": "Help",
    }
    assert found["group"].properties == {"size": 3, "groupId": "g-1"}
    assert (found["alias"].user_id, found["alias"].properties) == ("new", {"previousId": "old"})
    sent = [one for submission in read(recorder) for one in submission.events]
    assert all(one.own_clock for one in sent)
    assert all(event.sent_at for event in found.values())


def test_amplitude(recorder: Recorder) -> None:
    client = Amplitude("ak")
    client.configuration.server_url = f"{recorder.url}/2/httpapi"
    client.track(BaseEvent("clicked", user_id="u-1", device_id="d-1", session_id=7))
    client.track(BaseEvent("played", "u-1", event_properties={"level": 2}, session_id=-1))
    client.identify(Identify().set("plan", "free").add("visits", 1), EventOptions(user_id="u-1"))
    client.group_identify("org", "15", Identify().set("size", 3), EventOptions(user_id="u-1"))
    client.revenue(Revenue(price=3.5, quantity=2, product_id="p"), EventOptions(user_id="u-1"))
    client.shutdown()

    found = events(recorder)

    assert found.keys() == {"clicked", "played", "identify", "groupidentify", "revenue_amount"}
    assert (found["clicked"].anonymous_id, found["clicked"].session_id) == ("d-1", "7")
    assert (found["played"].properties, found["played"].session_id) == ({"level": 2}, None)
    assert found["identify"].properties == {"plan": "free", "$add": {"visits": 1}}
    assert found["groupidentify"].properties == {"size": 3, "groups": {"org": "15"}}
    assert found["revenue_amount"].properties == {
        "$price": 3.5,
        "$quantity": 2,
        "$productId": "p",
    }
    assert {submission.write_key for submission in read(recorder)} == {"ak"}


@pytest.mark.parametrize("mode", ["binary", "structured", "batched"])
def test_cloudevents(mode: str, recorder: Recorder) -> None:
    given = CloudEvent(
        {
            "id": "1 €",
            "source": "/shop/köln",
            "type": "com.example.order",
            "specversion": "1.0",
            "subject": 'say "hi" 100%',
            "time": AT,
            "datacontenttype": "application/json",
            "sessionid": "s-1",
        },
        {"total": 5},
    )
    write = to_binary_event if mode == "binary" else to_structured_event
    message = write(given, JSONFormat())
    body = b"[" + message.body + b"]" if mode == "batched" else message.body
    connection = http.client.HTTPConnection(urlsplit(recorder.url).netloc)
    connection.request("POST", "/events", body, message.headers)
    connection.getresponse().read()
    connection.close()

    [request] = recorder.requests
    document = request.body if mode == "binary" else decode(request.body)
    [event] = events_of(cloudevents.read(document, mode, request))

    assert event.event_id == "/shop/köln#1 €"
    assert event.event_type == "com.example.order"
    assert (event.user_id, event.session_id) == ('say "hi" 100%', "s-1")
    assert event.timestamp == AT.astimezone(UTC)
    assert event.properties == {"total": 5}
