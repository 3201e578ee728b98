"""Whatever JSON comes: each event is valid or says what is wrong, and nothing else is raised."""

from __future__ import annotations

import doctest
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.strict_json import decode
from common.errors import FieldError, InvalidRequestError
from common.models import IngestEvent
from fakes.sdk_messages import (
    BATCH,
    a_cloud_event,
    a_message,
    an_amplitude_event,
    bare_request,
)
from ingest.routes import Target
from ingest.submission import Submission
from ingest.surfaces import amplitude, cloudevents, fields, segment
from ingest.validation import validate

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**19), 10**19),
    st.integers(1_771_000_000_000, 1_772_000_000_000),
    st.floats(),
    st.text(),
    st.sampled_from(["track", "page", "$identify", "1.0", "2026-02-20T11:00:00Z", "eA==", ""]),
)
MEMBER_NAMES = """
    type event messageId userId anonymousId timestamp originalTimestamp sentAt properties traits
    context name groupId channel library sessionId batch writeKey events api_key event_type
    insert_id user_id device_id session_id time event_properties user_properties $set groups ip
    price specversion id source subject data data_base64 datacontenttype a
"""
NAMES = st.sampled_from(MEMBER_NAMES.split())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(NAMES | st.text(), inner, max_size=6)
    ),
    max_leaves=25,
)
MEMBERS = st.dictionaries(NAMES, VALUES, max_size=8)
BAD_JSON = ['{"a":1,"a":2}', "NaN", "1e999", "9" * 30, '"\\ud800"', "[" * 400 + "]" * 400]


def decoded(value: Any, spoilt: str | None) -> object:
    text = json.dumps(value)
    if spoilt is not None:
        text = text.replace('"spoil"', spoilt)
    return decode(text.encode())


def hold(submission: Submission) -> int:
    valid = 0
    for sent in submission.events:
        found = validate(sent.event)
        if isinstance(found, IngestEvent):
            valid += 1
        else:
            assert found
            assert all(isinstance(error, FieldError) for error in found)
    return valid


READERS = {
    "segment batch": lambda document: segment.read(document, BATCH, bare_request()),
    "segment single": lambda document: segment.read(
        document, Target("segment", kind="identify"), bare_request("/v1/identify")
    ),
    "amplitude": lambda document: amplitude.read(document, BATCH, bare_request("/2/httpapi")),
    "cloudevents": lambda document: cloudevents.read(document, "structured", bare_request()),
}


@pytest.mark.parametrize("reader", READERS)
@given(document=VALUES | MEMBERS)
def test_any_document_is_read_or_refused(reader: str, document: Any) -> None:
    with suppress(InvalidRequestError):
        hold(READERS[reader](decoded(document, None)))


@given(st.lists(MEMBERS, min_size=1, max_size=3), MEMBERS, st.sampled_from(BAD_JSON), NAMES)
def test_any_message_is_read_or_refused_alone(
    changes: list[dict[str, Any]], envelope: dict[str, Any], spoilt: str, spoilt_name: str
) -> None:
    spoil = {spoilt_name: "spoil"}
    messages = [a_message() | change for change in changes]
    events = [an_amplitude_event() | change for change in changes]
    clouds = [a_cloud_event() | change for change in changes]
    envelope = {name: envelope[name] for name in envelope if name not in ("context", "batch")}

    for reader, document in (
        ("segment batch", envelope | {"batch": [*messages, a_message() | spoil, a_message()]}),
        (
            "amplitude",
            envelope | {"events": [*events, an_amplitude_event() | spoil, an_amplitude_event()]},
        ),
        ("cloudevents", [*clouds, a_cloud_event() | spoil, a_cloud_event()]),
    ):
        submission = READERS[reader](decoded(document, spoilt))

        assert len(submission.events) == len(changes) + 2
        assert hold(submission) >= 1
        assert isinstance(validate(submission.events[-1].event), IngestEvent)


@given(
    st.binary(),
    st.dictionaries(st.sampled_from(["id", "source", "type", "subject", "time", "x"]), st.text()),
    st.sampled_from(["", "application/json", "text/plain", "image/png", "\x00", "a/b+json"]),
)
def test_any_binary_event_is_read_or_refused(
    body: bytes, attributes: dict[str, str], content_type: str
) -> None:
    headers = {f"ce-{name}": value for name, value in (a_cloud_event() | attributes).items()}
    request = bare_request("/events", **{"content-type": content_type, **headers})

    submission = cloudevents.read(body, "binary", request)

    assert (len(submission.events), submission.single) == (1, True)
    hold(submission)


def test_a_body_as_deep_as_can_be_decoded_is_refused_like_any_other() -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    names = ("context", "properties", "traits", "userId", "name", "event", "timestamp", "x")
    for name in names:
        message = json.dumps(a_message("page") | {name: "spoil", "properties": {"name": "spoil"}})
        document = decode(f'{{"batch":[{message.replace(json.dumps("spoil"), deep)}]}}'.encode())

        assert hold(segment.read(document, BATCH, bare_request())) == 0


def test_the_examples_hold() -> None:
    failed, tried = doctest.testmod(fields)

    assert (failed, tried > 0) == (0, True)
