from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import FieldError
from ingest import sdk_receipts
from ingest.receipts import EVENT_TOO_LARGE, Receipt, Result, receipt

BAD = FieldError("user_id", "wrong_type", "user_id must be text")
BIG = FieldError("event", EVENT_TOO_LARGE, "an event may take at most 262144 bytes")

ACCEPTED = Result("e1")
REJECTED = Result(None, errors=[BAD])
RETRY = Result("e2", failure="throttled")


def body_of(made: Receipt) -> dict[str, Any]:
    return cast("dict[str, Any]", made.response.body)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        pytest.param([ACCEPTED], 200, id="all accepted"),
        pytest.param([ACCEPTED, REJECTED], 207, id="some rejected"),
        pytest.param([ACCEPTED, RETRY], 207, id="some to be sent again"),
        pytest.param([ACCEPTED, REJECTED, RETRY], 207, id="of everything"),
        pytest.param([REJECTED, REJECTED], 400, id="none valid"),
        pytest.param([RETRY, RETRY], 503, id="none acknowledged"),
        pytest.param([REJECTED, RETRY], 503, id="the valid ones not acknowledged"),
    ],
)
def test_the_status_of_a_batch_tells_what_to_do(results: list[Result], status: int) -> None:
    made = receipt(results, "r-1", single=False)

    assert made.response.status == status
    assert ("retry-after" in made.response.headers) is (status == 503)
    assert ("code" in body_of(made)) is (status >= 400)


@given(st.lists(st.sampled_from([ACCEPTED, REJECTED, RETRY]), min_size=1))
def test_the_figures_add_up_to_what_was_sent(results: list[Result]) -> None:
    made = receipt(results, "r-1", single=False)
    body = body_of(made)

    assert made.accepted + made.rejected + made.retry == len(results) == len(body["results"])
    assert (body["accepted"], body["rejected"], body["retry"]) == (
        made.accepted,
        made.rejected,
        made.retry,
    )
    assert [row["index"] for row in body["results"]] == list(range(len(results)))
    assert [row["status"] for row in body["results"]] == [result.status for result in results]


def test_a_batch_says_of_each_event_what_became_of_it() -> None:
    body = body_of(receipt([ACCEPTED, REJECTED, RETRY], "r-1", single=False))

    assert body == {
        "accepted": 1,
        "rejected": 1,
        "retry": 1,
        "results": [
            {"index": 0, "event_id": "e1", "status": "accepted"},
            {"index": 1, "event_id": None, "status": "rejected", "error": BAD.as_dict()},
            {
                "index": 2,
                "event_id": "e2",
                "status": "retry",
                "error": {
                    "field": "event",
                    "rule": "throttled",
                    "message": "the stream did not acknowledge it in time;"
                    " send it again under this event_id",
                },
            },
        ],
        "request_id": "r-1",
    }


def test_an_accepted_event_is_told_its_id() -> None:
    made = receipt([ACCEPTED], "r-1", single=True)

    assert made.response.status == 200
    assert body_of(made) == {"event_id": "e1", "status": "accepted", "request_id": "r-1"}


@pytest.mark.parametrize(("error", "status"), [(BAD, 400), (BIG, 413)])
def test_a_rejected_event_is_a_problem(error: FieldError, status: int) -> None:
    made = receipt([Result(None, errors=[error])], "r-1", single=True)

    assert made.response.status == status
    assert made.response.content_type == "application/problem+json"
    assert body_of(made)["errors"] == [error.as_dict()]
    assert body_of(made)["message"] == error.message


@pytest.mark.parametrize("failure", ["throttled", "store_failed"])
def test_an_event_that_was_not_acknowledged_is_told_its_id_to_be_sent_again(failure: Any) -> None:
    made = receipt([Result("e1", failure=failure)], "r-1", single=True)

    assert made.response.status == 503
    assert 1 <= int(made.response.headers["retry-after"]) <= 5
    assert body_of(made)["code"] == failure
    assert body_of(made)["event_id"] == "e1"


@pytest.mark.parametrize("failure", ["throttled", "store_failed"])
@pytest.mark.parametrize(
    ("results", "status"), [([ACCEPTED, REJECTED], 503), ([REJECTED, REJECTED], 400)]
)
def test_both_answers_of_a_whole_say_alike_when_what_was_rejected_is_lost(
    results: list[Result], status: int, failure: Any
) -> None:
    ours = receipt(results, "r-1", single=False, whole=True, lost=failure).response
    theirs = sdk_receipts.receipt(results, failure, "segment", "r-1").response

    assert (ours.status, theirs.status) == (status, status)
    codes = [cast("dict[str, Any]", each.body)["code"] for each in (ours, theirs)]
    assert codes == ([failure] * 2 if status == 503 else ["invalid_request"] * 2)
