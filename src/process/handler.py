"""A batch of the stream in, lake and counters out. Wiring only; see :mod:`process.service`."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.event_index import DynamoEventIndex
from common.adapters.hot_store import DynamoHotStore
from common.adapters.hours import DynamoHourMarks
from common.adapters.lake import S3Lake
from common.adapters.session_store import DynamoSessionStore
from common.config import ProcessConfig
from common.domain.event_index import IndexRules
from common.domain.sessions import SessionRules
from common.observability import logger, metrics
from process.counters import HotCounters
from process.index import EventIndex
from process.service import Deps, Outcome, process
from process.sessions import Sessions

_UNCHECKED = CLIENT_CONFIG.merge(Config(parameter_validation=False))
"""botocore's check of each attribute of each item takes longer than to spell and to send them, and
the items are made here from checked events. DynamoDB refuses what botocore would have refused."""


@cache
def deps() -> Deps:
    """Build the outside world, once per execution environment."""
    config = ProcessConfig.from_env()
    dynamodb = boto3.client("dynamodb", config=_UNCHECKED)
    retention = timedelta(days=config.metric_retention_days)
    rules = SessionRules.of(config.session_gap_minutes, config.session_retention_days)
    store = DynamoSessionStore(dynamodb, config.sessions_table, rules)
    window = IndexRules.of(config.event_index_days)
    entries = DynamoEventIndex(dynamodb, config.event_index_table, window)
    return Deps(
        lake=S3Lake(boto3.client("s3", config=CLIENT_CONFIG), config.lake_bucket),
        hours=DynamoHourMarks(dynamodb, config.aggregates_table),
        counters=HotCounters(
            DynamoHotStore(dynamodb, config.hot_table, retention),
            max_types=config.max_types_per_window,
        ),
        sessions=Sessions(store, rules) if config.sessions == "on" else None,
        index=EventIndex(entries, window) if config.event_index == "on" else None,
    )


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Entry point named by ``ProcessFunction.Handler`` in template.yaml.

    Returns Lambda's partial batch response with at most one id: where to begin again.
    """
    outcome = process(event["Records"], deps())
    _tell(outcome, records=len(event["Records"]))
    failures = [{"itemIdentifier": outcome.retry_from}] if outcome.retry_from else []
    return {"batchItemFailures": failures}


def _tell(outcome: Outcome, *, records: int) -> None:
    """Count what is done, not what will come again; a failed batch is no error to Lambda."""
    if outcome.error is not None:
        metrics.add_metric("BatchesFailed", MetricUnit.Count, 1)
        logger.warning(
            "batch failed",
            records=records,
            retry_from=outcome.retry_from,
            code=outcome.error.code,
            reason=outcome.error.message,
        )
        return
    metrics.add_metric("EventsProcessed", MetricUnit.Count, outcome.events)
    if outcome.quarantined:
        metrics.add_metric("EventsQuarantined", MetricUnit.Count, outcome.quarantined)
    if outcome.deduplicated:
        metrics.add_metric("EventsDeduplicated", MetricUnit.Count, outcome.deduplicated)
    logger.info(
        "batch processed",
        records=records,
        events=outcome.events,
        quarantined=outcome.quarantined,
        deduplicated=outcome.deduplicated,
    )


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    deps()  # spend INIT time, and fail there, rather than on the first batch
