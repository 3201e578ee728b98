from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic_core import to_json

from common.domain.enrich import event_time
from common.domain.strict_json import decode
from common.errors import InvalidRequestError, TooLargeError
from fakes.ingest_builders import LIMITS, NOON
from fakes.sdk_messages import (
    AT,
    BATCH,
    SENT_AT,
    a_browser_message,
    a_message,
    bare_request,
    error_of,
    events_of,
    read_batch,
)
from ingest.payload import MAX_DECODED_BYTES
from ingest.routes import Target
from ingest.surfaces import segment

HAPPENED = datetime(2026, 2, 20, 11, 59, 58, 250_000, tzinfo=UTC)
TRACK = Target("segment", kind="track")


def test_a_track_message_becomes_an_event() -> None:
    message = a_message(properties={"total": 5}, integrations={"All": True})

    submission = read_batch(message, sentAt=SENT_AT, writeKey="wk")

    [event] = events_of(submission)
    [sent] = submission.events
    assert event.model_dump(exclude_none=True) == {
        "event_type": "Order Completed",
        "event_id": "5f0c7d3e-0c55-4c0e-9f0c-6c1c34a1d001",
        "user_id": "u-1",
        "timestamp": HAPPENED,
        "sent_at": datetime(2026, 2, 20, 11, 59, 59, tzinfo=UTC),
        "properties": {"total": 5},
        "context": {"library": {"name": "analytics-python", "version": "2.4.0"}},
    }
    assert sent.original == message
    assert (submission.single, submission.write_key) == (False, "wk")


@pytest.mark.parametrize(
    ("message", "event_type", "properties"),
    [
        (a_message("page", name="Docs", category="Help"), "page_view", ["name", "category"]),
        (a_message("screen", name="Home"), "screen_view", ["name"]),
        (a_message("identify", traits={"plan": "x"}), "identify", ["plan"]),
        (a_message("identify", context={"traits": {"plan": "x"}}), "identify", ["plan"]),
        (a_message("group", groupId="g", traits={"plan": "x"}), "group", ["plan", "groupId"]),
        (a_message("alias", previousId="old"), "alias", ["previousId"]),
    ],
)
def test_each_kind_of_message_has_its_event_type_and_properties(
    message: dict[str, Any], event_type: str, properties: list[str]
) -> None:
    [event] = events_of(read_batch(message))

    assert event.event_type == event_type
    assert list(event.properties or {}) == properties


def test_the_path_says_what_a_single_message_is() -> None:
    message = a_browser_message(writeKey="wk", type="track")

    submission = segment.read(message, Target("segment", kind="page"), bare_request())

    [event] = events_of(submission)
    [sent] = submission.events
    assert event.event_type == "page_view"
    assert (submission.single, submission.write_key) == (True, "wk")
    assert "wk" not in repr(sent)


def test_a_key_in_a_message_is_not_kept_when_the_message_is_rejected() -> None:
    [sent] = read_batch(a_browser_message(writeKey="wk", type="trick")).events

    assert isinstance(sent.original, dict)
    assert "wk" not in repr(sent)


def test_a_name_that_is_no_event_type_is_kept_in_the_context() -> None:
    [event] = events_of(read_batch(a_message(event="Panier validé", context=None)))

    assert event.event_type == "Panier valide:9f7f3a0f2f53"
    assert event.context == {"original_event": "Panier validé"}


@pytest.mark.parametrize("name", [7, "\ud800", "\x00", "x" * 20_000, "*", "*" * 9_000, " !"])
def test_no_name_is_refused(name: Any) -> None:
    assert events_of(read_batch(a_message(event=name)))


@pytest.mark.parametrize(
    ("message", "field", "rule"),
    [
        (a_message(type=None), "type", "missing"),
        (a_message(type="trick"), "type", "unknown_type"),
        (a_message(type=["track"]), "type", "unknown_type"),
        (a_message(event=None), "event", "missing"),
        (a_message(event=" \t"), "event", "missing"),
        (a_message(event={"name": "x"}), "event", "wrong_type"),
        (a_message(userId={"id": 1}), "userId", "wrong_type"),
        (a_message(anonymousId=True), "anonymousId", "wrong_type"),
        (a_message(messageId=["x"]), "messageId", "wrong_type"),
        (a_message(properties="x"), "properties", "wrong_type"),
        (a_message(context=7), "context", "wrong_type"),
        (a_message(properties={"a": "\x00"}), "properties.a", "control_character"),
        (a_message(timestamp={"x": 1}), "timestamp", "wrong_type"),
        (a_message(timestamp=False), "timestamp", "wrong_type"),
        (a_message(timestamp=[AT]), "timestamp", "wrong_type"),
        (
            a_message(timestamp=None, originalTimestamp={"$date": AT}),
            "originalTimestamp",
            "wrong_type",
        ),
        (a_message(timestamp=0 - 10**14), "timestamp", "out_of_range"),
        (a_message(timestamp="9999-12-31T23:59:59-10:00"), "timestamp", "out_of_range"),
    ],
)
def test_a_message_that_cannot_be_taken_says_why(message: Any, field: str, rule: str) -> None:
    assert error_of(read_batch(message)) == (field, rule)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        (b'{"userId":{"a":1,"a":2}}', "userId.a", "duplicate_key"),
        (b'{"userId":123456789012345678901234}', "userId", "out_of_range"),
        (b'{"userId":NaN}', "userId", "not_finite"),
        (b'{"timestamp":NaN}', "timestamp", "not_finite"),
        (b'{"timestamp":123456789012345678901234}', "timestamp", "out_of_range"),
        (b'{"userId":1e999}', "userId", "wrong_type"),
        (b'{"properties":{"a":1,"a":2}}', "properties.a", "duplicate_key"),
        (b'{"properties":{"a":NaN}}', "properties.a", "not_finite"),
        (b'{"context":NaN}', "context", "not_finite"),
    ],
)
def test_what_strict_json_refuses_is_refused_by_its_name(
    body: bytes, field: str, rule: str
) -> None:
    document = decode(body)
    assert isinstance(document, dict)

    submission = segment.read({"event": "x", **document}, TRACK, bare_request())

    assert error_of(submission) == (field, rule)


def test_a_bad_message_spoils_no_other() -> None:
    submission = read_batch(a_message(), 7, a_message("trick"), a_message("page"))

    errors = [isinstance(sent.event, dict) for sent in submission.events]
    assert errors == [True, False, False, True]


@pytest.mark.parametrize(
    ("given", "id_"),
    [
        (42, "42"),
        (42.0, "42"),
        (4.25, "4.25"),
        (0, "0"),
        ("", None),
        (None, None),
        ("x" * 256, "x" * 256),
        ("x" * 257, "sha256:15eb95a462ee20bd91a415ae2d4aed341288186ddaa2b37908f7d592f0c3f85f"),
        ("a\nb", "sha256:7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78"),
    ],
)
def test_an_id_is_text_that_can_be_stored(given: Any, id_: str | None) -> None:
    [event] = events_of(read_batch(a_message(userId=given, anonymousId=given, messageId=None)))

    assert (event.user_id, event.anonymous_id) == (id_, id_)


def test_an_event_id_is_hashed_beyond_its_own_limit() -> None:
    short, long_ = events_of(
        read_batch(a_message(messageId="m" * 128), a_message(messageId="m" * 129))
    )

    assert short.event_id == "m" * 128
    assert long_.event_id
    assert len(long_.event_id) == len("sha256:") + 64


def test_php_writes_its_empty_objects_as_arrays() -> None:
    message = a_message(properties=[], traits=[], context=[], integrations=[])

    [event] = events_of(read_batch(message, context=[]))

    assert (event.properties, event.context) == (None, None)


def test_a_batch_s_context_stands_behind_that_of_a_message() -> None:
    message = a_message(context={"locale": "de", "app": {"v": 2}})

    [event] = events_of(read_batch(message, context={"app": {"v": 1}, "os": "x"}))

    assert event.context == {"app": {"v": 2}, "os": "x", "locale": "de"}


def test_a_browser_s_session_is_the_session() -> None:
    sessions = [1_771_588_798, "s-1", {"id": 1}, None]
    messages = [a_browser_message(context={"sessionId": session}) for session in sessions]

    found = [event.session_id for event in events_of(read_batch(*messages))]

    assert found == ["1771588798", "s-1", None, None]


def test_what_has_no_place_of_its_own_is_kept_in_the_context() -> None:
    message = a_message(
        "page", channel="server", version=1, name="a", properties={"name": "b"}, context=None
    )

    [event] = events_of(read_batch(message))

    assert event.properties == {"name": "b"}
    assert event.context == {"name": "a", "channel": "server", "version": 1}


@pytest.mark.parametrize(
    ("page", "context"),
    [
        (None, {"page": {"url": "https://example.com/a"}}),
        ({"url": "https://example.com/b"}, {"page": {"url": "https://example.com/b"}}),
    ],
)
def test_a_server_s_page_is_named_where_a_browser_names_it(page: Any, context: Any) -> None:
    message = a_message(
        "page", context={"page": page}, properties={"url": "https://example.com/a", "a": 1}
    )

    [event] = events_of(read_batch(message))

    assert event.context == context


class TestTime:
    @pytest.mark.parametrize(
        ("fields", "at"),
        [
            ({"timestamp": AT}, HAPPENED),
            ({"timestamp": "2026-02-20T13:59:58.250999+02:00"}, HAPPENED),
            ({"timestamp": 1_771_588_798_250}, HAPPENED),
            ({"timestamp": 1_771_588_798_250.75}, HAPPENED),
            ({"timestamp": "1771588798250"}, HAPPENED),
            ({"timestamp": None, "originalTimestamp": AT}, HAPPENED),
            ({"timestamp": "", "originalTimestamp": AT}, HAPPENED),
            ({"timestamp": AT, "originalTimestamp": "2026-02-20T12:00:00Z"}, HAPPENED),
            ({"timestamp": "yesterday", "originalTimestamp": AT}, HAPPENED),
            ({"timestamp": None}, None),
            ({"timestamp": "yesterday"}, None),
            ({"timestamp": "2026-02-20T11:59:58"}, None),
            ({"timestamp": "9" * 5_000}, None),
            ({"timestamp": []}, None),
        ],
    )
    def test_a_time_is_read_or_left_to_the_receipt(
        self, fields: dict[str, Any], at: datetime | None
    ) -> None:
        [event] = events_of(read_batch(a_message(**fields)))

        assert event.timestamp == at

    def test_a_time_that_cannot_be_read_is_kept(self) -> None:
        [event] = events_of(read_batch(a_message(timestamp="yest\x00erday", context=None)))

        assert event.context == {"original_timestamp": "yest\ufffderday"}

    @pytest.mark.parametrize(
        ("message", "batch", "header", "sent_at"),
        [
            ("2026-02-20T11:00:00Z", "2026-02-20T10:00:00Z", "2026-02-20T09:00:00Z", 11),
            (None, "2026-02-20T10:00:00Z", "2026-02-20T09:00:00Z", 10),
            ("never", "2026-02-20T10:00:00Z", None, 10),
            ("1969-02-20T11:00:00Z", "2026-02-20T10:00:00Z", None, 10),
            (None, None, "2026-02-20T09:00:00Z", 9),
            (None, None, "never", None),
            (None, [7], None, None),
        ],
    )
    def test_the_time_of_sending_stands_in_the_message_the_batch_or_the_header(
        self, message: Any, batch: Any, header: str | None, sent_at: int | None
    ) -> None:
        headers = {"sentat": header} if header else {}

        [event] = events_of(
            read_batch(a_browser_message(sentAt=message), sentAt=batch, headers=headers)
        )

        assert (event.sent_at and event.sent_at.hour) == sent_at

    @pytest.mark.parametrize(
        ("hours", "at"), [(0, HAPPENED), (3, HAPPENED), (-3, HAPPENED), (-2_000, HAPPENED)]
    )
    def test_a_browser_s_wrong_clock_is_corrected(self, hours: int, at: datetime) -> None:
        skew = timedelta(hours=hours)
        message = a_browser_message(
            timestamp=(HAPPENED + skew).isoformat(), sentAt=(NOON + skew).isoformat()
        )

        [event] = events_of(read_batch(message))
        time = event_time(event, NOON, LIMITS)

        assert getattr(time, "timestamp", time) == at

    @pytest.mark.parametrize(
        ("message", "path", "own_clock"),
        [
            (a_message(), "/v1/batch", True),
            (a_message(context=None), "/v1/batch", False),
            (a_message(context=None, channel="server"), "/v1/batch", True),
            (a_message(context={"library": "analytics-python"}), "/v1/batch", False),
            (a_message(context={"library": {"name": ["x"]}}), "/v1/batch", False),
            (a_browser_message(), "/v1/batch", False),
            (a_browser_message(), "/api/s/s2s/batch", True),
        ],
    )
    def test_only_a_server_s_clock_is_believed(
        self, message: dict[str, Any], path: str, own_clock: bool
    ) -> None:
        [sent] = segment.read({"batch": [message]}, BATCH, bare_request(path)).events

        assert sent.own_clock is own_clock


class TestAnonymousIdHeader:
    @pytest.mark.parametrize(
        ("fields", "header", "anonymous_id"),
        [
            ({"anonymousId": "a-1"}, "b-2", "a-1"),
            ({"anonymousId": None, "userId": "u"}, "b-2", None),
            ({"anonymousId": None}, "b-2", "b-2"),
            ({"anonymousId": ""}, base64.b64encode(b"b-2").decode(), "b-2"),
            ({"anonymousId": None}, "", None),
            ({"anonymousId": None}, "////", "////"),
        ],
    )
    def test_names_who_a_single_message_does_not_name(
        self, fields: dict[str, Any], header: str, anonymous_id: str | None
    ) -> None:
        request = bare_request("/v1/track", anonymousid=header)

        [event] = events_of(segment.read(a_browser_message(**fields), TRACK, request))

        assert event.anonymous_id == anonymous_id

    def test_says_nothing_of_a_batch_s_messages(self) -> None:
        [event] = events_of(
            read_batch(a_browser_message(anonymousId=None), headers={"anonymousid": "b-2"})
        )

        assert event.anonymous_id is None


@pytest.mark.parametrize("document", [[], {}, {"batch": None}, {"batch": {}}, "x", None, 7])
def test_a_batch_of_another_shape_is_refused_whole(document: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r'the body must be \{"batch"'):
        segment.read(document, BATCH, bare_request())


@pytest.mark.parametrize("document", [[], "x", None, 7])
def test_a_single_message_must_be_an_object(document: Any) -> None:
    with pytest.raises(InvalidRequestError, match="the body must be one track message"):
        segment.read(document, TRACK, bare_request())


def test_a_batch_s_context_must_be_an_object() -> None:
    with pytest.raises(InvalidRequestError, match="context must be a JSON object"):
        read_batch(a_message(), context="x")


def test_a_batch_s_context_counts_once_for_each_message() -> None:
    shared = {f"k{n}": "x" * 100 for n in range(1000)}
    few = MAX_DECODED_BYTES // len(to_json(shared))

    assert len(read_batch(*[a_message()] * few, context=shared).events) == few
    with pytest.raises(TooLargeError, match="counts once for each of its messages"):
        read_batch(*[a_message()] * (few + 1), context=shared)


@pytest.mark.parametrize(
    ("text", "field", "rule"),
    [
        pytest.param(
            '{"context":{' + ",".join(f'"{n}":0' for n in range(2001)) + "}}",
            "event",
            "too_many_values",
            id="many",
        ),
        pytest.param('{"context":{"a":NaN}}', "context.a", "not_finite", id="no JSON"),
        pytest.param('{"context":{"a":"\\ud800"}}', "context.a", "control_character", id="half"),
    ],
)
def test_a_batch_s_context_is_held_against_the_bounds_before_it_is_copied(
    text: str, field: str, rule: str
) -> None:
    shared: Any = decode(text.encode())

    with pytest.raises(InvalidRequestError) as refused:
        read_batch(a_message(), a_message(), **shared)

    assert [(each.field, each.rule) for each in refused.value.errors] == [(field, rule)]
