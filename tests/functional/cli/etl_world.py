"""A pipeline as ``eventstream etl`` sees it: tables, and a state machine that ends as told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from common.adapters.aggregates import DynamoAggregates
from common.domain.windows import HOUR
from common.models import AggregationResult, AnomalyFinding
from common.ports.aggregates import HourSummary

TABLE, HOT_TABLE = "aggregates", "hot"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:etl"
START = datetime(2026, 11, 19, 8, tzinfo=UTC)


class Machine:
    """The part of Step Functions that the command uses; each execution ends after some polls."""

    def __init__(self, outcome: str = "SUCCEEDED", polls: int = 3) -> None:
        self.outcome, self.polls = outcome, polls
        self.inputs: list[dict[str, Any]] = []
        self.names: list[str] = []
        self._asked: dict[str, int] = {}

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Any:  # noqa: N803
        assert stateMachineArn == MACHINE
        self.names.append(name)
        self.inputs.append(json.loads(input))
        return {"executionArn": f"{MACHINE}:{name}", "startDate": START}

    def describe_execution(self, *, executionArn: str) -> Any:  # noqa: N803
        self._asked[executionArn] = self._asked.get(executionArn, 0) + 1
        if self._asked[executionArn] < self.polls:
            return {"status": "RUNNING", "startDate": START}
        window = {"window_start": "2026-11-19T08:00:00.000Z", "window_end": "2026-11-19T10:00:00Z"}
        failure = {"error": "EtlFailed", "cause": "see the run item"}
        return {
            "status": self.outcome,
            "startDate": START,
            "stopDate": START + timedelta(seconds=12.3),
            **({"output": json.dumps(window)} if self.outcome == "SUCCEEDED" else failure),
        }

    def list_executions(self, *, stateMachineArn: str, maxResults: int) -> Any:  # noqa: N803
        rows = [
            {"executionArn": f"{MACHINE}:{name}", "status": self.outcome, "startDate": START}
            for name in self.names
        ]
        return {"executions": rows[:maxResults]}


class World:
    """Stands in for a target; its tables are moto's."""

    is_local = True

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        for name in (TABLE, HOT_TABLE):
            self._make_table(name)
        self.aggregates = DynamoAggregates(self.dynamodb, TABLE)

    def client(self, service: str) -> Any:
        return {"stepfunctions": self.machine, "dynamodb": self.dynamodb}[service]

    def resource(self, logical_id: str) -> str:
        names = {"EtlStateMachine": MACHINE, "AggregatesTable": TABLE, "HotTable": HOT_TABLE}
        return names[logical_id]

    def record_failure(self, cause: str) -> None:
        """Write the run item that the state machine leaves behind."""
        row = {
            "pk": "RUNS",
            "sk": f"2026-11-19T08:00:00Z#{self.machine.names[-1]}",
            "run_id": self.machine.names[-1],
            "status": "FAILED",
            "started_at": "2026-11-19T08:00:00Z",
            "error": "StoreError",
            "cause": cause,
        }
        self.dynamodb.put_item(TableName=TABLE, Item={k: {"S": v} for k, v in row.items()})

    def write_hour(
        self, hour: datetime, counts: dict[str, int], findings: Sequence[AnomalyFinding] = ()
    ) -> None:
        """Write an hour's results as the aggregate function does."""
        results = [
            AggregationResult(
                event_type=name,
                window_start=hour,
                window_end=hour + HOUR,
                count=count,
                errors=0,
                unique_users=count,
                latency_count=0,
                status="final",
                generation=1,
                anomalies=tuple(findings),
                updated_at=START + timedelta(seconds=1),
            )
            for name, count in counts.items()
        ]
        self.aggregates.put_results(results)
        self.aggregates.widen_types(list(counts), hour)
        summary = HourSummary(
            hour,
            generation=0,
            status="final",
            events=sum(counts.values()),
            errors=0,
            unique_users=3,
            types=tuple(sorted(counts)),
            aggregated_at=START + timedelta(seconds=1),
            run_id="r",
        )
        self.aggregates.finish_hour(summary)

    def _make_table(self, name: str) -> None:
        attributes = {"pk": "S", "sk": "S", "open": "S"}
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": each, "AttributeType": kind} for each, kind in attributes.items()
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "OpenIndex",
                    "KeySchema": [
                        {"AttributeName": "open", "KeyType": "HASH"},
                        {"AttributeName": "sk", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
