"""Run the definition in moto's interpreter, with a function that a test writes.

moto calls Lambda over HTTP; here a server on loopback answers in its place, as Lambda would.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

Function = Callable[[dict[str, Any]], object]

REGION = "eu-west-1"
TABLE = "aggregates"
ROLE = "arn:aws:iam::123456789012:role/etl"


class StubError(Exception):
    """What a stub function raises to fail under a name of its choice."""


def _answer(function: Function, payload: dict[str, Any]) -> tuple[object, str | None]:
    try:
        return function(payload), None
    except StubError as error:
        return {"errorType": str(error), "errorMessage": "on purpose"}, "Unhandled"


def _handler(function: Function) -> type[BaseHTTPRequestHandler]:
    class Invocations(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer, error = _answer(function, payload)
            body = json.dumps(answer).encode()
            self.send_response(200)
            if error:
                self.send_header("X-Amz-Function-Error", error)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent: the interpreter's own history tells what happened."""

    return Invocations


@contextmanager
def lambda_server(function: Function) -> Iterator[str]:
    """Serve a function under Lambda's invocation path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(function))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _prepared(definition: dict[str, Any]) -> str:
    """Fill the placeholders in, and go round what moto cannot do.

    moto holds an execution's start as an object that its own intrinsics cannot write, so the
    time that a state was entered takes its place. Retries come soon: nothing here gets better
    by waiting.
    """
    text = json.dumps(definition).replace('"IntervalSeconds": 2', '"IntervalSeconds": 1')
    text = text.replace("$$.Execution.StartTime", "$$.State.EnteredTime")
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:aggregate"
    values = {"Partition": "aws", "AggregateFunctionArn": arn, "AggregatesTable": TABLE}
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text


class Outcome:
    """What an execution left behind."""

    def __init__(self, execution: dict[str, Any], states: list[str], runs: list[Any]) -> None:
        self.status: str = execution["status"]
        self.error: str | None = execution.get("error")
        self.states = states
        self.runs = runs

    @property
    def run(self) -> dict[str, str]:
        """The one run item, without DynamoDB's types."""
        [item] = self.runs
        return {name: next(iter(value.values())) for name, value in item.items()}


def execute(
    definition: dict[str, Any],
    function: Function,
    given: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Outcome:
    """Run one execution to its end and return what it left."""
    settings = {
        "stepfunctions": {"execute_state_machine": True},
        "core": {"passthrough": {"urls": [r"http://127\.0\.0\.1:\d+"], "services": []}},
    }
    with lambda_server(function) as url, mock_aws(config=settings):
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        return _execute(_prepared(definition), given)


def _execute(definition: str, given: dict[str, Any]) -> Outcome:
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    keys = {"pk": "HASH", "sk": "RANGE"}
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
        KeySchema=[{"AttributeName": k, "KeyType": t} for k, t in keys.items()],
    )
    states = boto3.client("stepfunctions", region_name=REGION)
    machine = states.create_state_machine(name="etl", definition=definition, roleArn=ROLE)
    started = states.start_execution(
        stateMachineArn=machine["stateMachineArn"],
        name=f"run-{uuid.uuid4()}",
        input=json.dumps(given),
    )
    execution = _wait(states, started["executionArn"])
    history = states.get_execution_history(executionArn=started["executionArn"])["events"]
    entered = [
        event["stateEnteredEventDetails"]["name"]
        for event in history
        if "stateEnteredEventDetails" in event
    ]
    return Outcome(execution, entered, dynamodb.scan(TableName=TABLE)["Items"])


def _wait(states: Any, execution_arn: str) -> dict[str, Any]:
    done = threading.Event()
    for _ in range(600):
        execution: dict[str, Any] = states.describe_execution(executionArn=execution_arn)
        if execution["status"] != "RUNNING":
            return execution
        done.wait(0.1)
    raise AssertionError(f"{execution_arn} did not end within a minute")
