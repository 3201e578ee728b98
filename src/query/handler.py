"""``QueryFunction``: GET in, JSON out. Wiring only; the answers are in :mod:`query.service`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.readings import DynamoReadings
from common.config import QueryConfig
from common.errors import MethodNotAllowedError, NotFoundError
from common.http import Request, Response, answer, problem
from common.observability import logger, metrics
from query import service

ROUTES: Mapping[str, Callable[[Mapping[str, str], service.Deps], service.Json]] = {
    "/metrics": service.metrics,
    "/event-types": service.event_types,
    "/anomalies": service.anomalies,
    "/runs": service.runs,
    "/health": service.health,
}

_LIVE = {"cache-control": "no-store"}
"""Numbers change by the second; an answer that was kept would be a wrong one."""


@cache
def deps() -> service.Deps:
    """Build the outside world, once per execution environment."""
    config = QueryConfig.from_env()
    readings = DynamoReadings(
        boto3.client("dynamodb", config=CLIENT_CONFIG),
        hot_table=config.hot_table,
        aggregates_table=config.aggregates_table,
        now=lambda: datetime.now(UTC),
    )
    return service.Deps(readings, now=lambda: datetime.now(UTC))


def route(request: Request) -> Response:
    """Find the use case of a path and run it."""
    run = ROUTES.get(request.path)
    if run is None:
        raise NotFoundError(f"there is no such route: GET {', '.join(ROUTES)}")
    if request.method != "GET":
        error = MethodNotAllowedError("this route answers GET only")
        return replace(problem(error, request.request_id), headers={"allow": "GET"})
    body = run(request.query, deps())
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
