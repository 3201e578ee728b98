"""HTTP in, stream out. Wiring only; the work is in :mod:`ingest.service`.

``IngestFunction`` in template.yaml names :func:`lambda_handler`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from common.access import PUBLIC
from common.config import IngestConfig
from common.http import Request, Response, answer
from common.observability import logger, metrics
from ingest import wiring
from ingest.service import Deps, ingest
from ingest.tally import Tally

tally = Tally()
"""Counts of the request at hand that are made event by event."""


@cache
def deps() -> Deps:
    """Build the outside world, once per execution environment."""
    return wiring.build(IngestConfig.from_env(), _count, _note)


def _count(metric: str) -> Callable[[str], None]:
    return lambda _what: tally.add(metric)


def _note(reason: str) -> None:
    logger.warning("stream call failed", reason=reason)


def route(request: Request, *, ends_at_s: float) -> Response:
    """Ingest a request and count what became of its events."""
    receipt = ingest(request, deps(), ends_at_s=ends_at_s)
    metrics.add_metric("EventsAccepted", MetricUnit.Count, receipt.accepted)
    metrics.add_metric("EventsRejected", MetricUnit.Count, receipt.rejected)
    metrics.add_metric("EventsRetried", MetricUnit.Count, receipt.retry)
    for name, count in tally.drain().items():
        metrics.add_metric(name, MetricUnit.Count, count)
    if receipt.source not in (None, PUBLIC):
        # In the log line that holds the figures, and no dimension: a key is no metric of its own.
        metrics.add_metadata("source", receipt.source)
    if receipt.retry:
        logger.warning("stream did not acknowledge", retry=receipt.retry)
    return receipt.response


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request of the HTTP API."""
    ends_at_s = deps().waiting.clock() + context.get_remaining_time_in_millis() / 1000
    response = answer(event, partial(route, ends_at_s=ends_at_s))
    if response["statusCode"] >= 400:
        metrics.add_metric("RequestsRefused", MetricUnit.Count, 1)
    if response["statusCode"] == 405:
        response["headers"]["allow"] = "POST"
    return response


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    deps()  # spend INIT time, and fail there, rather than on the first request
    gc.freeze()  # what is loaded by now stays, and need not be looked through again and again
