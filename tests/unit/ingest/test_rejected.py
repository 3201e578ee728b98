"""What a client library sent and ingest rejected comes out in quarantine, with its reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from common.domain.bad_lines import BadLine
from common.domain.client_ip import IpPolicy
from common.domain.decode import REJECTED_PREFIX, decode_batch
from common.domain.enrich import Arrival, Client
from common.domain.partitions import Pack
from common.domain.strict_json import decode
from common.errors import FieldError
from common.http import Request
from fakes.ingest_builders import NOON
from ingest.receipts import Result
from ingest.rejected import MAX_PACK_BYTES, MAX_RAW_BYTES, packs
from ingest.routes import Target
from ingest.submission import Sent
from ingest.surfaces import amplitude, segment

ARRIVAL = Arrival(NOON, NOON, "k1", frozenset())
WHY = FieldError("event", "missing", "event is required")
MESSAGE = {"type": "track", "messageId": "m1", "properties": {"total": 7}}
MAX_RECORD_BYTES = 1024 * 1024


def packed(*pairs: tuple[Sent, Result]) -> Sequence[Pack]:
    return packs(pairs, Target("segment"), ARRIVAL, request_id="r-1", buckets=8)


def buried(found: Sequence[Pack]) -> list[BadLine]:
    return [line for at, each in enumerate(found) for line in decoded(each.data, at)]


def decoded(data: bytes, at: int = 0) -> Sequence[BadLine]:
    record = {
        "kinesis": {"data": base64.b64encode(data).decode(), "sequenceNumber": str(at)},
        "eventID": f"shardId-000000000000:{at}",
        "eventSourceARN": "arn:aws:kinesis:eu-central-1:000000000000:stream/s",
    }
    batch = decode_batch([record])
    assert batch.lines == ()
    return batch.bad


def kept(line: BadLine) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(line.raw)
    return document


def test_a_rejected_message_is_buried_with_its_reason_and_whole() -> None:
    [line] = buried(packed((Sent(WHY, MESSAGE), Result("m1", errors=[WHY]))))

    assert (line.reason, line.field) == ("missing", "event")
    assert kept(line)["rejected"] == {
        "field": "event",
        "rule": "missing",
        "message": "event is required",
        "surface": "segment",
        "source": "k1",
        "received_at": "2026-02-20T12:00:00.000Z",
        "event_id": "m1",
    }
    assert json.loads(kept(line)["raw"]) == MESSAGE


AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SENT_AT = "2026-02-20T10:00:00.000Z"


@pytest.mark.parametrize(
    ("surface", "document"),
    [
        pytest.param(segment, {"batch": [MESSAGE], "sentAt": SENT_AT}, id="segment, unread"),
        pytest.param(
            segment,
            {"batch": [MESSAGE | {"event": "x", "sentAt": SENT_AT}]},
            id="segment, read and rejected later",
        ),
        pytest.param(
            amplitude, {"events": [MESSAGE], "client_upload_time": SENT_AT}, id="amplitude, unread"
        ),
        pytest.param(
            amplitude,
            {"events": [MESSAGE | {"event_type": "x"}], "client_upload_time": SENT_AT},
            id="amplitude, read and rejected later",
        ),
    ],
)
def test_what_the_request_said_is_kept_beside_a_message_and_not_in_it(
    surface: Any, document: dict[str, Any]
) -> None:
    request = Request("POST", "/", b"", NOON, "r-1")
    [sent] = surface.read(document, Target("segment", batch=True), request).events
    client = Client(AGENT * 20)
    pair, arrival = (sent, Result(None, errors=[WHY])), replace(ARRIVAL, client=client)

    [line] = buried(packs([pair], Target("segment"), arrival, request_id="r-1", buckets=8))

    told = kept(line)["rejected"]
    assert told["sent_at"] == SENT_AT
    assert told["user_agent"] == (AGENT * 20)[:512]
    assert "own_clock" not in told
    assert AGENT not in kept(line)["raw"]


def test_a_server_is_kept_as_one_whose_clock_is_believed() -> None:
    request = Request("POST", "/api/s/s2s/track", b"", NOON, "r-1")
    [sent] = segment.read(MESSAGE, Target("segment", kind="track"), request).events

    [line] = buried(packed((sent, Result(None, errors=[WHY]))))

    assert kept(line)["rejected"]["own_clock"] is True


def test_an_event_without_an_original_is_its_own() -> None:
    [line] = buried(packed((Sent({"event_type": 7}), Result(None, errors=[WHY]))))

    assert json.loads(kept(line)["raw"]) == {"event_type": 7}
    assert "event_id" not in kept(line)["rejected"]


@pytest.mark.parametrize(
    ("policy", "kept_ip"), [("off", {}), ("truncated", {"ip": "203.0.113.0"}), ("full", None)]
)
def test_a_kept_message_holds_no_more_of_an_address_than_an_event(
    policy: IpPolicy, kept_ip: dict[str, str] | None
) -> None:
    own = {"ip": "203.0.113.77"}
    pair = (Sent(WHY, {**own, "context": {"app": 1, **own}}), Result(None, errors=[WHY]))
    found = packs([pair], Target("segment"), ARRIVAL, request_id="r-1", buckets=8, ip=policy)

    [line] = buried(found)

    expected = own if kept_ip is None else kept_ip
    assert json.loads(kept(line)["raw"]) == {**expected, "context": {"app": 1, **expected}}


@pytest.mark.parametrize("event", [7, "text", None, ["x"], WHY])
def test_what_is_no_event_is_not_kept(event: object) -> None:
    assert packed((Sent(event), Result(None, errors=[WHY]))) == []


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        pytest.param('{"a":{"b":1,"b":2}}', '{"a":{"refused":"duplicate_key"}}', id="key twice"),
        pytest.param('{"a":1,"a":2}', None, id="key twice at the top"),
        pytest.param('{"a":NaN}', '{"a":{"refused":"not_finite"}}', id="NaN"),
        pytest.param('{"a":1e999}', '{"a":Infinity}', id="infinite"),
        pytest.param('{"a":"\\ud800"}', '{"a":"?"}', id="half a surrogate pair"),
        pytest.param('{"a":"\\u0000\\n"}', '{"a":"\\u0000\\n"}', id="control characters"),
        pytest.param('{"a":"ü\\u2028"}', '{"a":"ü\u2028"}', id="beyond ASCII"),
    ],
)
def test_what_strict_json_refused_leaves_a_line_that_can_be_read(
    text: str, raw: str | None
) -> None:
    message = decode(text.encode())

    [line] = buried(packed((Sent(WHY, message), Result(None, errors=[WHY]))))

    assert kept(line)["raw"] == raw


def test_a_message_too_deep_to_be_spelled_is_noted_without_it() -> None:
    message: dict[str, Any] = {}
    for _ in range(100_000):
        message = {"a": message}

    [line] = buried(packed((Sent(WHY, message), Result(None, errors=[WHY]))))

    assert kept(line)["raw"] is None


@pytest.mark.parametrize("letter", ["x", '"', "\\", "\x01", "ü", "\N{GRINNING FACE}"])
def test_a_long_message_is_cut_and_still_fits_a_record(letter: str) -> None:
    message = {"a": letter * 2_000_000}

    [each] = packed((Sent(WHY, message), Result(None, errors=[WHY])))

    [line] = buried([each])
    assert len(each.data) < MAX_RECORD_BYTES
    assert MAX_RAW_BYTES - 4 <= len(kept(line)["raw"].encode()) <= MAX_RAW_BYTES


def test_a_flood_of_nonsense_becomes_few_objects() -> None:
    flood = [(Sent(WHY, {"n": n}), Result(None, errors=[WHY])) for n in range(5000)]

    found = packed(*flood)

    objects = buried(found)
    assert all(len(each.data) <= MAX_PACK_BYTES for each in found)
    assert sum(line.count for line in objects) == 5000
    assert len(objects) < 20


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"rejected":', id="cut"),
        pytest.param(b'{"rejected":7}', id="no object"),
        pytest.param(b'{"rejected":{}}', id="empty"),
        pytest.param(b'{"rejected":{"rule":7,"field":"a","message":"m"}}', id="rule is no text"),
        pytest.param(b'{"rejected":{"rule":"a b","field":"a","message":"m"}}', id="no rule"),
        pytest.param(b'{"rejected":{"rule":"a","field":7,"message":"m"}}', id="field is no text"),
        pytest.param(b'{"rejected":' + b"[" * 100_000, id="deep"),
        pytest.param(b'{"rejected":{"rule":"' + b"a" * 9999 + b'"}}', id="long"),
    ],
)
def test_a_line_that_only_looks_like_a_rejection_is_buried_as_such(line: bytes) -> None:
    [bad] = decoded(line)

    assert (bad.reason, bad.field) == ("rejected_invalid", "rejected")
    assert line.startswith(REJECTED_PREFIX)


def test_a_long_field_is_cut() -> None:
    why = json.dumps({"rule": "a", "field": "f" * 9999, "message": ""})

    [bad] = decoded(b'{"rejected":' + why.encode() + b"}")

    assert (bad.reason, len(bad.field or "")) == ("a", 256)
