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
        ("/events", Target("native")),
        ("/events/", Target("native")),
        ("/events/batch", Target("native", batch=True)),
        ("/events/batch/", Target("native", batch=True)),
        ("/events/orders", Target("native", event_type="orders")),
        ("/events/user_activity/", Target("native", event_type="user_activity")),
        ("/events/Order%20Completed", Target("native", event_type="Order Completed")),
        ("/events/batch/orders", Target("native", batch=True, event_type="orders")),
        ("/events/batch/batch", Target("native", batch=True, event_type="batch")),
        ("/v1/track", Target("segment", kind="track")),
        ("/v1/t/", Target("segment", kind="track")),
        ("/v1/page", Target("segment", kind="page")),
        ("/v1/p", Target("segment", kind="page")),
        ("/v1/screen", Target("segment", kind="screen")),
        ("/v1/s", Target("segment", kind="screen")),
        ("/v1/identify", Target("segment", kind="identify")),
        ("/v1/i", Target("segment", kind="identify")),
        ("/v1/group", Target("segment", kind="group")),
        ("/v1/g", Target("segment", kind="group")),
        ("/v1/alias", Target("segment", kind="alias")),
        ("/v1/a", Target("segment", kind="alias")),
        ("/v1/batch", Target("segment", batch=True)),
        ("/v1/b", Target("segment", batch=True)),
        ("/v1/import", Target("segment", batch=True)),
        ("/beacon/v1/batch", Target("segment", batch=True)),
        ("/api/s/track", Target("segment", kind="track")),
        ("/api/s/alias", Target("segment", kind="alias")),
        ("/2/httpapi", Target("amplitude", batch=True)),
    ],
)
def test_finds_what_a_path_asks_for(path: str, target: Target) -> None:
    assert find("POST", path) == target


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/event", "/events/a/b", "/events/batch/a/b", "/eventsx"),
        *("/v1", "/v1/unknown", "/v1/track/x", "/beacon/v1/track", "/api/s/x", "/2/x", "/track"),
    ],
)
def test_knows_no_other_path(path: str) -> None:
    with pytest.raises(NotFoundError, match="POST /events"):
        find("POST", path)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
@pytest.mark.parametrize("path", ["/events", "/events/batch", "/events/orders", "/v1/track"])
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
