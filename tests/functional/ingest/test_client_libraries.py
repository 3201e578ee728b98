"""What client libraries are answered, and what becomes of their events."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from common.domain.decode import decode_batch
from common.errors import EventStreamError, ForbiddenError, StoreError, UnauthorizedError
from fakes.clients import CLIENTS, LIBRARIES, NATIVE, Client
from fakes.ingest_client import Answer, Post, posting_to
from fakes.stream import Fault, MemorySink

EVERY_LIBRARY = pytest.mark.parametrize("client", LIBRARIES.values(), ids=LIBRARIES)
EVERY_CLIENT = pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
GOOD = {"type": "track", "event": "x", "messageId": "good", "userId": "u1"}
BAD = {"type": "track", "messageId": "bad", "userId": "u2"}


def posted(post: Post, client: Client, value: str = "1", slash: str = "") -> Answer:
    request = client(value)
    return post(request.body, request.path + slash, headers=dict(request.headers))


def batch(*messages: object) -> dict[str, object]:
    return {"batch": messages, "writeKey": "k"}


@EVERY_LIBRARY
@pytest.mark.parametrize("slash", ["", "/"])
def test_success_is_exactly_200_and_its_body(post: Post, client: Client, slash: str) -> None:
    answer = posted(post, client, slash=slash)

    assert answer.status == 200
    assert answer.body == {
        "success": True,
        "status": 1,
        "code": 200,
        "accepted": 1,
        "rejected": [],
    }


@EVERY_CLIENT
@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"]
)
@pytest.mark.parametrize("told", [{}, {"content-encoding": "gzip"}])
def test_gzip_is_read_whatever_the_headers_say(
    post: Post, sink: MemorySink, client: Client, kind: str, told: dict[str, str]
) -> None:
    request = client('"packed"')
    labels = (
        {}
        if "ce-id" in request.headers or "cloudevents" in str(request.headers)
        else {"content-type": kind}
    )
    headers = {**request.headers, **labels, **told}

    assert post(gzip.compress(request.body), request.path, headers=headers).status == 200
    assert post(request.body, request.path, headers=headers).status == 200
    assert [event["properties"]["v"] for event in sink.events()] == ["packed"] * 2


@EVERY_CLIENT
def test_damaged_gzip_is_named(post: Post, sink: MemorySink, client: Client) -> None:
    request = client("1")

    answer = post(gzip.compress(request.body)[:-9], request.path, headers=dict(request.headers))

    assert answer.status == 400
    assert [error["rule"] for error in answer.body["errors"]] == ["bad_gzip"]
    assert sink.calls == []


def test_a_rejected_message_is_listed_and_goes_to_quarantine(post: Post, sink: MemorySink) -> None:
    answer = post(batch(GOOD, BAD), "/v1/batch")

    assert (answer.status, answer.body["accepted"]) == (200, 1)
    assert answer.body["rejected"] == [
        {
            "index": 1,
            "event_id": None,
            "error": {
                "field": "event",
                "rule": "missing",
                "message": "event is required in a track message; it names what happened",
            },
        }
    ]
    good, bad = processed(sink)
    assert [line.event.event_id for line in good] == ["good"]
    assert [line.reason for line in bad] == ["missing"]
    assert json.loads(json.loads(bad[0].raw)["raw"]) == BAD


def test_a_rejected_message_is_kept_without_an_address_that_is_not_stored(
    post: Post, sink: MemorySink
) -> None:
    post(batch(BAD | {"context": {"ip": "203.0.113.77"}}), "/v1/batch")

    [bad] = processed(sink)[1]
    assert json.loads(json.loads(bad.raw)["raw"]) == BAD | {"context": {}}


def test_a_small_body_does_not_become_gigabytes_of_events(post: Post, sink: MemorySink) -> None:
    shared = {f"k{n}": "x" * 100 for n in range(1900)}
    body = json.dumps({"context": shared, "batch": [{"type": "page"}] * 5000})

    answer = post(gzip.compress(body.encode()), "/v1/batch")

    assert (answer.status, answer.body["errors"][0]["rule"]) == (400, "body_too_large")
    assert sink.calls == []


def processed(sink: MemorySink) -> tuple[Any, Any]:
    """Return what the function behind the stream makes of it: good lines, bad lines."""
    decoded = decode_batch(
        {
            "kinesis": {
                "data": base64.b64encode(record.data).decode(),
                "sequenceNumber": str(n),
            },
            "eventID": f"shardId-000000000000:{n}",
            "eventSourceARN": "arn:aws:kinesis:eu-central-1:000000000000:stream/s",
        }
        for n, record in enumerate(sink.stored)
    )
    return decoded.lines, decoded.bad


def test_when_nothing_is_valid_all_of_it_goes_to_quarantine_and_the_answer_is_400(
    post: Post, sink: MemorySink
) -> None:
    answer = post(batch(BAD, BAD), "/v1/batch")

    assert (answer.status, answer.body["code"]) == (400, "invalid_request")
    assert answer.body["message"]
    assert len(processed(sink)[1]) == 2


def test_what_cannot_be_kept_does_not_change_the_answer_when_nothing_is_valid(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    post = posting_to(MemorySink([Fault(whole="throttled")] * 9), monkeypatch)

    assert post(batch(BAD), "/v1/batch").status == 400


@EVERY_LIBRARY
def test_a_library_is_asked_to_come_back_while_the_stream_is_throttled(
    monkeypatch: pytest.MonkeyPatch, post: Post, client: Client
) -> None:
    post = posting_to(MemorySink([Fault(whole="throttled")] * 3), monkeypatch)

    answer = posted(post, client)

    assert answer.status == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 5
    assert answer.body["message"]
    assert answer.body["code"] == (503 if "httpapi" in client("1").path else "throttled")
    assert posted(post, client).status == 200


@pytest.mark.parametrize("failing", [0, 1])
def test_a_batch_is_503_when_any_of_its_records_was_not_taken(
    monkeypatch: pytest.MonkeyPatch, post: Post, failing: int
) -> None:
    sink = MemorySink(
        [Fault(entries={failing: "throttled"}), *[Fault(entries={0: "throttled"})] * 2]
    )
    post = posting_to(sink, monkeypatch)

    assert post(batch(GOOD, BAD), "/v1/batch").status == 503
    assert len(sink.stored) == 1


def test_a_native_batch_tells_of_each_event_where_a_library_is_told_of_all(
    monkeypatch: pytest.MonkeyPatch, post: Post
) -> None:
    events = [{"event_type": "x", "event_id": str(n), "user_id": f"u{n}"} for n in range(9)]
    post = posting_to(MemorySink([Fault(entries={0: "throttled"})] * 3), monkeypatch)

    answer = post(events)

    assert answer.status == 207
    assert answer.body["retry"] > 0
    assert answer.body["accepted"] > 0


@pytest.mark.parametrize(
    "path", ["/v1/unknown", "/v1/", "/api/s/unknown", "/beacon/v1/track", "/x"]
)
def test_a_wrong_address_is_404_with_code_and_message(post: Post, path: str) -> None:
    answer = post({}, path)

    assert (answer.status, answer.body["code"]) == (404, "not_found")
    assert answer.body["message"]


class Refusing:
    """Lets nobody in."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: list[str | None] = []

    def source(self, request: object, scope: str, body_key: str | None = None) -> str:
        self.asked.append(body_key)
        raise self.error


@EVERY_CLIENT
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnauthorizedError("this API takes requests with a key only"), 401),
        (ForbiddenError("this key may read only"), 403),
        (StoreError("the keys cannot be read"), 503),
    ],
)
def test_who_may_not_send_is_told_so_on_every_route(
    monkeypatch: pytest.MonkeyPatch,
    post: Post,
    client: Client,
    error: EventStreamError,
    status: int,
) -> None:
    sink = MemorySink()
    post = posting_to(sink, monkeypatch, access=Refusing(error))

    answer = posted(post, client)

    assert answer.status == status
    assert answer.body["code"] == (status if "httpapi" in client("1").path else error.code)
    assert str(error) == answer.body["message"]
    assert sink.calls == []


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("/v1/batch", batch(GOOD), "k"),
        ("/v1/track", GOOD | {"writeKey": "own"}, "own"),
        ("/2/httpapi", {"api_key": "amp", "events": [{"event_type": "x"}]}, "amp"),
        ("/events", {"event_type": "x"}, None),
    ],
)
def test_the_key_in_a_body_is_the_one_that_is_checked_and_never_stored(
    monkeypatch: pytest.MonkeyPatch, post: Post, path: str, body: object, key: str | None
) -> None:
    door, sink = Refusing(UnauthorizedError("no")), MemorySink()

    posting_to(sink, monkeypatch, access=door)(body, path)
    posting_to(sink, monkeypatch)(body, path)

    assert door.asked == [key]
    [event] = sink.events()
    assert event["source"] == (key or "public")
    assert "writeKey" not in json.dumps(event)


@pytest.mark.parametrize("client", NATIVE.values(), ids=NATIVE)
@pytest.mark.parametrize("slash", ["", "/", "//"])
def test_slashes_at_the_end_change_nothing(post: Post, client: Client, slash: str) -> None:
    assert posted(post, client, slash=slash).status == 200


def test_a_server_that_sends_late_is_believed_and_a_browser_is_corrected(
    post: Post, sink: MemorySink
) -> None:
    times = {"timestamp": "2026-02-20T10:00:00Z", "sentAt": "2026-02-20T11:00:00Z"}
    for channel in ("server", "web"):
        post(GOOD | times | {"channel": channel}, "/v1/track")

    server, web = sink.events()
    assert (server["timestamp_source"], server["timestamp"][11:16]) == ("client", "10:00")
    assert (web["timestamp_source"], web["timestamp"][11:16]) == ("skew_corrected", "11:00")
    assert server["sent_at"] == web["sent_at"]
