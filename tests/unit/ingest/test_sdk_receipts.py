from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import (
    EventStreamError,
    FieldError,
    ForbiddenError,
    InvalidRequestError,
    StoreError,
    ThrottledError,
    TooLargeError,
    UnauthorizedError,
)
from common.ports.stream import PutFailure
from ingest.receipts import Receipt, Result
from ingest.routes import Surface
from ingest.sdk_receipts import receipt, refusal

BAD = FieldError("event", "missing", "event is required")
ACCEPTED = Result("e1")
REJECTED = Result("e2", errors=[BAD])
THROTTLED = Result("e3", failure="throttled")
FAILED = Result("e3", failure="store_failed")
SURFACES: tuple[Surface, ...] = ("segment", "amplitude")


def body_of(made: Receipt) -> dict[str, Any]:
    return cast("dict[str, Any]", made.response.body)


@pytest.mark.parametrize("surface", SURFACES)
def test_success_has_the_body_that_serves_every_library(surface: Surface) -> None:
    made = receipt([ACCEPTED, REJECTED, ACCEPTED], None, surface, "r-1")

    assert made.response.status == 200
    assert made.response.body == {
        "success": True,
        "status": 1,
        "code": 200,
        "accepted": 2,
        "rejected": [{"index": 1, "event_id": "e2", "error": BAD.as_dict()}],
    }
    assert (made.accepted, made.rejected, made.retry) == (2, 1, 0)


@pytest.mark.parametrize(
    ("results", "kept", "code"),
    [
        pytest.param([ACCEPTED, THROTTLED], None, "throttled", id="one throttled"),
        pytest.param([ACCEPTED, FAILED, REJECTED], None, "store_failed", id="one failed"),
        pytest.param([FAILED, THROTTLED], None, "throttled", id="none acknowledged"),
        pytest.param([ACCEPTED, REJECTED], "throttled", "throttled", id="a reject not kept"),
    ],
)
def test_a_batch_that_is_not_wholly_on_the_stream_is_to_be_sent_again_whole(
    results: list[Result], kept: PutFailure | None, code: str
) -> None:
    made = receipt(results, kept, "segment", "r-1")

    assert (made.response.status, body_of(made)["code"]) == (503, code)
    assert body_of(made)["message"]
    assert 1 <= int(made.response.headers["retry-after"]) <= 5
    assert made.accepted == 0
    assert made.rejected + made.retry == len(results)


@pytest.mark.parametrize("kept", [None, "throttled"])
def test_a_batch_without_a_valid_event_is_refused_whether_it_could_be_kept_or_not(
    kept: PutFailure | None,
) -> None:
    made = receipt([REJECTED], kept, "segment", "r-1")

    assert (made.response.status, body_of(made)["code"]) == (400, "invalid_request")
    assert "event is required" in body_of(made)["message"]
    assert (made.accepted, made.rejected, made.retry) == (0, 1, 0)


def test_amplitudes_library_is_told_which_events_to_drop_in_numbers_it_compares() -> None:
    body = body_of(receipt([REJECTED, REJECTED], None, "amplitude", "r-1"))

    assert (body["code"], body["status"]) == (400, 400)
    assert body["events_with_invalid_fields"] == {"event": [0, 1]}
    assert body["error"] == body["message"]


@pytest.mark.parametrize("error", [UnauthorizedError("no key"), ForbiddenError("not here")])
def test_amplitudes_library_is_told_of_its_key_in_the_words_it_looks_for(
    error: EventStreamError,
) -> None:
    body = body_of(refusal(error, "amplitude", "r-1"))

    assert body["error"].startswith("Invalid API key:")


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequestError("no"), 400),
        (TooLargeError("big"), 400),
        (UnauthorizedError("who"), 401),
        (ForbiddenError("not you"), 403),
        (ThrottledError("slow"), 503),
        (StoreError("down"), 503),
    ],
)
def test_a_refusal_has_code_and_message_and_never_413(
    surface: Surface, error: EventStreamError, status: int
) -> None:
    made = refusal(error, surface, "r-1")

    assert made.response.status == status
    assert body_of(made)["code"] == (status if surface == "amplitude" else body_of(made)["code"])
    assert body_of(made)["message"] == error.message
    assert ("retry-after" in made.response.headers) is (status == 503)
    assert (made.accepted, made.rejected, made.retry) == (0, 0, 0)


@given(
    st.lists(st.sampled_from([ACCEPTED, REJECTED, THROTTLED, FAILED]), min_size=1),
    st.sampled_from([None, "throttled", "store_failed"]),
)
def test_the_figures_add_up_and_200_means_that_everything_valid_is_acknowledged(
    results: list[Result], kept: PutFailure | None
) -> None:
    made = receipt(results, kept, "segment", "r-1")

    assert made.accepted + made.rejected + made.retry == len(results)
    if made.response.status == 200:
        assert kept is None
        assert not any(result.failure for result in results)
        assert made.accepted == sum(not result.errors for result in results) > 0
    else:
        assert made.accepted == 0
