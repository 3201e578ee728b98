"""What a typical ingest function loads before its first request."""

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import AwareDatetime, BaseModel, Field

logger = Logger()
metrics = Metrics()
tracer = Tracer()
app = APIGatewayHttpResolver(enable_validation=True)
kinesis = boto3.client("kinesis")


class Event(BaseModel):
    event_type: str = Field(min_length=1)
    user_id: str | None = None
    timestamp: AwareDatetime | None = None
    properties: dict[str, object] | None = None


@app.post("/events")
def post_event(event: Event) -> dict[str, str]:
    metrics.add_metric("EventsAccepted", MetricUnit.Count, 1)
    return {"status": event.event_type}


@tracer.capture_lambda_handler
@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, object], context: object) -> dict[str, object]:
    return app.resolve(event, context)
