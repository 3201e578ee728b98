"""Ingest as the Powertools and Pydantic documentation would have one write it."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver(enable_validation=True)
kinesis = boto3.client("kinesis")


class Event(BaseModel):
    model_config = ConfigDict(extra="forbid")

    event_type: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.:\- ]{0,127}$")
    event_id: str | None = Field(default=None, max_length=128)
    user_id: str | None = Field(default=None, max_length=256)
    anonymous_id: str | None = Field(default=None, max_length=256)
    session_id: str | None = Field(default=None, max_length=256)
    timestamp: AwareDatetime | None = None
    latency_ms: float | None = Field(default=None, ge=0)
    is_error: bool = False
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


def enriched(event: Event) -> tuple[str, bytes]:
    now = datetime.now(UTC)
    event_id = event.event_id or str(uuid.uuid4())
    body = event.model_dump(mode="json", exclude_none=True)
    body |= {"event_id": event_id, "ingested_at": now.isoformat()}
    body.setdefault("timestamp", now.isoformat())
    return event_id, json.dumps(body).encode()


@app.post("/events")
def post_event(event: Event) -> dict[str, str]:
    event_id, data = enriched(event)
    kinesis.put_record(
        StreamName=os.environ["STREAM_NAME"], Data=data, PartitionKey=event.user_id or event_id
    )
    metrics.add_metric("EventsAccepted", MetricUnit.Count, 1)
    return {"event_id": event_id, "status": "accepted"}


@app.post("/events/batch")
def post_batch(events: list[Event]) -> dict[str, Any]:
    made = [enriched(event) for event in events]
    answer = kinesis.put_records(
        StreamName=os.environ["STREAM_NAME"],
        Records=[
            {"Data": data, "PartitionKey": event.user_id or event_id}
            for event, (event_id, data) in zip(events, made, strict=True)
        ],
    )
    failed = answer["FailedRecordCount"]
    metrics.add_metric("EventsAccepted", MetricUnit.Count, len(made) - failed)
    return {"accepted": len(made) - failed, "event_ids": [event_id for event_id, _ in made]}


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
