"""``QueryFunction``: GET in, JSON out. Wiring only; the answers are in :mod:`query.service`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from common.access import Access, without_credentials
from common.adapters.api_keys import KEYS_CLIENT_CONFIG, DynamoApiKeys
from common.adapters.calls import CLIENT_CONFIG
from common.adapters.event_index_readings import DynamoEventIndexReadings
from common.adapters.readings import DynamoReadings
from common.adapters.session_readings import DynamoSessionReadings
from common.config import QueryConfig
from common.domain.sessions import SessionRules
from common.errors import MethodNotAllowedError, NotFoundError
from common.http import Request, Response, answer, problem
from common.observability import logger, metrics
from query import description, events, service, sessions

ROUTES: Mapping[str, Callable[[Mapping[str, str], service.Deps], service.Json]] = {
    "/metrics": service.metrics,
    "/event-types": service.event_types,
    "/sessions": sessions.sessions,
    "/sessions/active": sessions.active_sessions,
    events.PATH: events.event,
    "/anomalies": service.anomalies,
    "/runs": service.runs,
    "/health": service.health,
}

OPEN_ROUTES = frozenset({"/health", description.PATH})
"""Answered without an API key: whether it is up, and how it is called."""

_LIVE = {"cache-control": "no-store"}
"""Numbers change by the second; an answer that was kept would be a wrong one."""


@cache
def deps() -> service.Deps:
    """Build the outside world, once per execution environment."""
    config, now = QueryConfig.from_env(), partial(datetime.now, UTC)
    dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
    readings = DynamoReadings(
        dynamodb,
        hot_table=config.hot_table,
        aggregates_table=config.aggregates_table,
        now=now,
    )
    keys = DynamoApiKeys(boto3.client("dynamodb", config=KEYS_CLIENT_CONFIG), config.keys_table)
    access = Access(keys, required=config.require_api_key, now=now)
    stored = sessions.StoredSessions(
        DynamoSessionReadings(dynamodb, config.sessions_table, now),
        SessionRules.of(config.session_gap_minutes, config.session_retention_days),
        timedelta(hours=config.max_event_age_hours, seconds=config.maximum_record_age_seconds),
    )
    index = DynamoEventIndexReadings(dynamodb, config.event_index_table, now)
    kept = events.StoredEvents(index, config.event_index_days)
    return service.Deps(
        readings,
        now=now,
        access=access,
        sessions=stored if config.sessions == "on" else None,
        events=kept if config.event_index == "on" else None,
    )


def route(request: Request) -> Response:
    """Find the use case of a path and run it."""
    event_id = events.event_id_in(request.path)
    run = ROUTES.get(request.path if event_id is None else events.PATH)
    if run is None and request.path != description.PATH:
        known = ", ".join([*ROUTES, description.PATH])
        raise NotFoundError(f"there is no such route: GET {known}")
    if request.method != "GET":
        error = MethodNotAllowedError("this route answers GET only")
        return replace(problem(error, request.request_id), headers={"allow": "GET"})
    if run is None:
        return description.response()
    if request.path not in OPEN_ROUTES:
        deps().access.source(request, "query")
    asked = without_credentials(request.query)
    body = run(asked if event_id is None else {**asked, "event_id": event_id}, deps())
    status = 503 if body.get("status") == "failing" else 200
    metrics.add_metric("QueriesAnswered", MetricUnit.Count, 1)
    return Response(status, {**body, "request_id": request.request_id}, _LIVE)


@logger.inject_lambda_context(correlation_id_path="requestContext.requestId")
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Entry point named by ``QueryFunction.Handler`` in template.yaml."""
    return answer(event, route)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    deps()  # spend INIT time, and fail there, rather than on the first request
