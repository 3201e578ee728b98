"""The hourly ETL, one action per call. Wiring only; the work is in :mod:`aggregate.service`."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.metrics import MetricUnit

from aggregate.answers import Telemetry, answer
from aggregate.deps import Deps, Rules
from aggregate.lake_hour import LakeHours
from common.adapters.aggregates import DynamoAggregates
from common.adapters.alerts import DynamoAlertOutbox, SnsAlertPublisher
from common.adapters.calls import CLIENT_CONFIG
from common.adapters.lag import CloudWatchLag, LagOfEveryFlow
from common.adapters.lake_reader import S3LakeReader
from common.config import AggregateConfig
from common.observability import logger, metrics

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


TELEMETRY = Telemetry(
    info=logger.info,
    warning=logger.warning,
    count=lambda name, value: metrics.add_metric(name, MetricUnit.Count, value),
)


@cache
def deps() -> Deps:
    """Build the outside world, once per execution environment."""
    config = AggregateConfig.from_env()
    dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
    s3 = boto3.client("s3", config=CLIENT_CONFIG)
    cloudwatch = boto3.client("cloudwatch", config=CLIENT_CONFIG)
    lake = S3LakeReader(s3, config.lake_bucket)
    return Deps(
        store=DynamoAggregates(dynamodb, config.aggregates_table),
        alerts=DynamoAlertOutbox(dynamodb, config.aggregates_table),
        publisher=SnsAlertPublisher(
            boto3.client("sns", config=CLIENT_CONFIG), config.alert_topic_arn
        ),
        lag=LagOfEveryFlow(
            [
                CloudWatchLag(cloudwatch, function, stream)
                for stream, function in (
                    (config.stream_name, config.process_function_name),
                    *config.flows,
                )
            ]
        ),
        read_hour=LakeHours(lake, config.duckdb_memory_mb),
        now=lambda: datetime.now(UTC),
        rules=Rules(
            threshold=config.anomaly_threshold,
            baseline=timedelta(hours=config.baseline_hours),
            grace=timedelta(minutes=config.etl_grace_minutes),
            max_hours=config.max_hours_per_run,
        ),
    )


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point named by ``AggregateFunction.Handler`` in template.yaml."""
    return answer(event, deps(), TELEMETRY, default_run_id=context.aws_request_id)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    deps()  # spend INIT time, and fail there, rather than on the first request
