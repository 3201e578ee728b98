"""POST /events: HTTP in, stream out. Wiring only; the work is in :mod:`ingest.service`.

``IngestFunction`` in template.yaml names :func:`lambda_handler`.
"""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from common.adapters.kinesis import CLIENT_CONFIG, KinesisSink
from common.config import IngestConfig
from common.domain.enrich import TimeLimits
from common.http import Request, Response, answer
from common.observability import logger, metrics
from ingest.delivery import Waiting
from ingest.service import Deps, Rules, ingest


@cache
def deps() -> Deps:
    """Build the outside world, once per execution environment."""
    config = IngestConfig.from_env()
    limits = TimeLimits(config.max_event_age_hours, config.max_event_future_minutes)
    return Deps(
        sink=KinesisSink(boto3.client("kinesis", config=CLIENT_CONFIG), config.stream_name),
        rules=Rules(limits, config.error_types, config.partition_buckets),
        now=lambda: datetime.now(UTC),
        entropy=os.urandom,
        waiting=Waiting(time.monotonic, time.sleep, random.random),
        note=lambda reason: logger.warning("stream call failed", reason=reason),
    )


def route(request: Request) -> Response:
    """Ingest a request and count what became of its events."""
    receipt = ingest(request, deps())
    metrics.add_metric("EventsAccepted", MetricUnit.Count, receipt.accepted)
    metrics.add_metric("EventsRejected", MetricUnit.Count, receipt.rejected)
    metrics.add_metric("EventsRetried", MetricUnit.Count, receipt.retry)
    if receipt.retry:
        logger.warning("stream did not acknowledge", retry=receipt.retry)
    return receipt.response


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Answer one request of the HTTP API."""
    response = answer(event, route)
    if response["statusCode"] >= 400:
        metrics.add_metric("RequestsRefused", MetricUnit.Count, 1)
    if response["statusCode"] == 405:
        response["headers"]["allow"] = "POST"
    return response


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    deps()  # spend INIT time, and fail there, rather than on the first request
