from __future__ import annotations

from re import fullmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidRequestError, MethodNotAllowedError, NotFoundError
from common.models import EVENT_TYPE_PATTERN
from ingest.routes import Target, find


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/events", Target(batch=False)),
        ("/events/", Target(batch=False)),
        ("/events/batch", Target(batch=True)),
        ("/events/batch/", Target(batch=True)),
        ("/events/orders", Target(batch=False, event_type="orders")),
        ("/events/user_activity/", Target(batch=False, event_type="user_activity")),
        ("/events/Order%20Completed", Target(batch=False, event_type="Order Completed")),
        ("/events/batch/orders", Target(batch=True, event_type="orders")),
        ("/events/batch/batch", Target(batch=True, event_type="batch")),
    ],
)
def test_finds_what_a_path_asks_for(path: str, target: Target) -> None:
    assert find("POST", path) == target


@pytest.mark.parametrize(
    "path", ["/", "", "/event", "/events/a/b", "/events/batch/a/b", "/v1/track", "/eventsx"]
)
def test_knows_no_other_path(path: str) -> None:
    with pytest.raises(NotFoundError, match="POST /events"):
        find("POST", path)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
@pytest.mark.parametrize("path", ["/events", "/events/batch", "/events/orders"])
def test_takes_post_only(method: str, path: str) -> None:
    with pytest.raises(MethodNotAllowedError):
        find(method, path)


@pytest.mark.parametrize(
    "path",
    [
        "/events/1st",
        "/events/a%23b",
        "/events//orders",
        "/events/%2A",
        "/events/x%0A",
        "/events/%ff",
        "/events/batch/_other",
        pytest.param(f"/events/{'x' * 129}", id="long"),
    ],
)
def test_refuses_a_path_that_names_no_type(path: str) -> None:
    with pytest.raises((InvalidRequestError, NotFoundError)):
        find("POST", path)


@given(st.text(), st.sampled_from(["POST", "GET"]))
def test_answers_any_path_with_a_target_or_one_of_our_errors(text: str, method: str) -> None:
    for path in (text, f"/events/{text}", f"/events/batch/{text}"):
        try:
            target = find(method, path)
        except (NotFoundError, MethodNotAllowedError, InvalidRequestError):
            continue
        assert target.event_type is None or fullmatch(EVENT_TYPE_PATTERN, target.event_type)
