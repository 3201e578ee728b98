from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from common.errors import InvalidRequestError
from common.models import IngestEvent
from fakes.sdk_messages import a_cloud_event, bare_request, error_of, events_of
from ingest.submission import Submission
from ingest.surfaces import cloudevents

HEADERS = {f"ce-{name}": value for name, value in a_cloud_event().items()}


def structured(document: Any) -> Submission:
    return cloudevents.read(document, "structured", bare_request("/events"))


def binary(body: bytes, content_type: str | None = None, **attributes: str) -> Submission:
    headers = HEADERS | {f"ce-{name}": value for name, value in attributes.items()}
    if content_type is not None:
        headers["content-type"] = content_type
    return cloudevents.read(body, "binary", bare_request("/events", **headers))


def event_of(submission: Submission) -> IngestEvent:
    [event] = events_of(submission)
    return event


def test_a_structured_event_becomes_one_of_ours() -> None:
    document = a_cloud_event(
        subject="u-1",
        time="2026-02-20T11:59:58.250Z",
        datacontenttype="application/json",
        dataschema="https://example.com/order.json",
        sessionid="s-1",
        attempt=2,
        empty=None,
        data={"total": 5},
    )

    submission = structured(document)

    assert event_of(submission).model_dump(exclude_none=True) == {
        "event_type": "com.example.order.placed",
        "event_id": "/shop#42",
        "user_id": "u-1",
        "session_id": "s-1",
        "timestamp": datetime(2026, 2, 20, 11, 59, 58, 250_000, tzinfo=UTC),
        "properties": {"total": 5},
        "context": {
            "datacontenttype": "application/json",
            "dataschema": "https://example.com/order.json",
            "sessionid": "s-1",
            "attempt": 2,
            "source": "/shop",
        },
    }
    assert submission.single


def test_a_binary_event_is_the_same_as_a_structured_one() -> None:
    extra = {"subject": "u-1", "time": "2026-02-20T11:59:58.250Z", "trace": "t"}
    document = a_cloud_event(**extra, datacontenttype="application/json", data={"total": 5})

    submission = binary(b'{"total": 5}', "application/json", **extra)

    assert event_of(submission) == event_of(structured(document))
    assert submission.single


def test_a_batch_is_read_one_by_one() -> None:
    documents = [a_cloud_event(), a_cloud_event(id=None), 7, a_cloud_event(id="43")]

    submission = cloudevents.read(documents, "batched", bare_request("/events"))

    assert not submission.single
    assert [isinstance(sent.event, dict) for sent in submission.events] == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_required_attribute_that_is_missing_is_named(name: str, value: str | None) -> None:
    assert error_of(structured(a_cloud_event(**{name: value}))) == (name, "missing")
    assert error_of(binary(b"{}", **{name: ""})) == (f"ce-{name}", "missing")


@pytest.mark.parametrize(
    ("attributes", "field", "rule"),
    [
        ({"specversion": "0.3"}, "specversion", "bad_format"),
        ({"specversion": "2.0"}, "specversion", "bad_format"),
        ({"specversion": 1.0}, "specversion", "bad_format"),
        ({"specversion": {}}, "specversion", "wrong_type"),
        ({"id": ["x"]}, "id", "wrong_type"),
        ({"subject": {}}, "subject", "wrong_type"),
        ({"time": "yesterday"}, "time", "bad_format"),
        ({"time": "1969-12-31T00:00:00Z"}, "time", "out_of_range"),
        ({"time": {}}, "time", "wrong_type"),
        ({"data": {}, "data_base64": "e30="}, "data_base64", "duplicate_field"),
        ({"data_base64": 7}, "data_base64", "wrong_type"),
        ({"data_base64": "*"}, "data_base64", "bad_format"),
        ({"data_base64": "é"}, "data_base64", "bad_format"),
        ({"data_base64": "eA==", "datacontenttype": "text/json"}, "data_base64", "bad_json"),
    ],
)
def test_an_event_that_cannot_be_taken_says_why(
    attributes: dict[str, Any], field: str, rule: str
) -> None:
    submission = structured(a_cloud_event(**attributes))

    [sent] = submission.events
    assert not isinstance(sent.event, dict)
    assert (getattr(sent.event, "field", None), getattr(sent.event, "rule", None)) == (field, rule)


def test_later_minor_versions_are_read() -> None:
    assert event_of(structured(a_cloud_event(specversion="1.1")))


class TestIds:
    def test_source_and_id_together_are_the_id(self) -> None:
        assert event_of(structured(a_cloud_event(id=7))).event_id == "/shop#7"

    def test_no_two_pairs_share_an_id(self) -> None:
        pairs = [("a#b", "c"), ("a", "b#c"), ("a", "b"), ("ab", "#"), ("a", "b#"), ("a#", "b")]
        documents = [a_cloud_event(source=source, id=id_) for source, id_ in pairs]

        events = events_of(cloudevents.read(documents, "batched", bare_request()))

        assert len({event.event_id for event in events}) == len(pairs)
        assert [(event.context or {})["source"] for event in events] == [s for s, _ in pairs]
        assert [(event.context or {}).get("id", "b") for event in events] == [i for _, i in pairs]

    def test_long_pairs_share_no_id_either(self) -> None:
        pairs = [("xxx#y", "y" * 130), ("5:xxx", "y" * 131)]
        documents = [a_cloud_event(source=source, id=id_) for source, id_ in pairs]

        events = events_of(cloudevents.read(documents, "batched", bare_request()))

        assert len({event.event_id for event in events}) == len(pairs)

    @pytest.mark.parametrize("id_", ["x" * 200, "a\tb"])
    def test_an_id_that_no_column_holds_is_hashed(self, id_: str) -> None:
        event = event_of(structured(a_cloud_event(id=id_)))

        assert event.event_id
        assert event.event_id.startswith("sha256:")
        assert (event.context or {})["id"] == id_

    def test_a_subject_that_no_column_holds_is_hashed(self) -> None:
        event = event_of(structured(a_cloud_event(subject="x" * 300)))

        assert event.user_id
        assert event.user_id.startswith("sha256:")


class TestHeaders:
    @pytest.mark.parametrize(
        ("value", "subject"),
        [
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("Euro%20%e2%82%ac", "Euro €"),
            ('"quoted \\"once\\" %22twice%22"', 'quoted "once" "twice"'),
            ('say "hi"', 'say "hi"'),
            ("100%", "100%"),
            ("100%25", "100%"),
            ("a+b", "a+b"),
            ("ü", "ü"),
            ('"', '"'),
        ],
    )
    def test_a_value_is_unquoted_and_percent_decoded_once(self, value: str, subject: str) -> None:
        assert event_of(binary(b"", subject=value)).user_id == subject

    def test_bytes_that_are_no_utf_8_are_refused(self) -> None:
        assert error_of(binary(b"", subject="%C0%A0")) == ("ce-subject", "bad_encoding")

    def test_a_long_name_is_cut_in_the_answer(self) -> None:
        field, rule = error_of(binary(b"", **{"x" * 9000: "%C0%A0"}))

        assert (len(field), rule) == (64, "bad_encoding")

    def test_other_headers_are_no_attributes(self) -> None:
        event = event_of(binary(b"", "text/plain", extra="1"))

        assert event.context == {"extra": "1", "datacontenttype": "text/plain", "source": "/shop"}


class TestData:
    @pytest.mark.parametrize(
        ("body", "content_type", "properties"),
        [
            (b'{"a":1}', "application/json; charset=utf-8", {"a": 1}),
            (b'{"a":1}', "application/vnd.shop+json", {"a": 1}),
            (b'{"a":1}', None, {"a": 1}),
            (b'{"a":1}', "application/x-www-form-urlencoded", {"a": 1}),
            (b"[1]", "APPLICATION/JSON", {"data": [1]}),
            (b'"x"', "application/json", {"data": "x"}),
            (b'{"a":1}', "text/plain", {"data": '{"a":1}'}),
            (b"hello", "text/plain; charset=utf-8", {"data": "hello"}),
            (b"hello", None, {"data": "hello"}),
            (b"a=1", "application/x-www-form-urlencoded", {"data": "a=1"}),
            (b"<a/>", "application/xml", {"data": "<a/>"}),
            (b"<a/>", "application/soap+xml", {"data": "<a/>"}),
            (b"\xff", "text/plain", {"data_base64": "/w=="}),
            (b"a\x00", "text/plain", {"data_base64": "YQA="}),
            (b"\xff", None, {"data_base64": "/w=="}),
            (b"hello", "application/octet-stream", {"data_base64": "aGVsbG8="}),
            (b"", "application/json", None),
            (b"", None, None),
        ],
    )
    def test_is_read_by_its_content_type(
        self, body: bytes, content_type: str | None, properties: dict[str, Any] | None
    ) -> None:
        named = {} if content_type is None else {"datacontenttype": content_type}
        encoded = base64.b64encode(body).decode()

        assert event_of(binary(body, content_type)).properties == properties
        document = a_cloud_event(data_base64=encoded, **named)
        assert event_of(structured(document)).properties == properties

    @pytest.mark.parametrize(
        ("data", "properties"),
        [
            ({"a": 1}, {"a": 1}),
            ({}, None),
            (None, None),
            ("hello", {"data": "hello"}),
            ([1, 2], {"data": [1, 2]}),
            (0, {"data": 0}),
            (False, {"data": False}),
        ],
    )
    def test_that_is_no_object_becomes_a_property(
        self, data: Any, properties: dict[str, Any] | None
    ) -> None:
        assert event_of(structured(a_cloud_event(data=data))).properties == properties

    def test_that_says_it_is_json_and_is_not_is_refused(self) -> None:
        assert error_of(binary(b"{", "application/json"))[1] == "bad_json"

    def test_beyond_what_a_text_may_have_is_refused(self) -> None:
        submission = binary(bytes(9_000), "application/octet-stream")

        assert error_of(submission) == ("properties.data_base64", "too_long")


@pytest.mark.parametrize("document", ["x", 7, None])
def test_a_body_that_is_no_event_is_refused_whole(document: Any) -> None:
    with pytest.raises(InvalidRequestError, match="the body must be a CloudEvent"):
        structured(document)
