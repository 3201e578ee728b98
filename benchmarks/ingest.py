"""What a request costs: the shipped ingest function beside the handler that documentation teaches.

Nothing is stripped from ours: strict decoding, an API key, user agent, receipts, log and metrics.
Both put to the same stub of Kinesis, which answers at once. CPU time of the process, so that what
the stub and the rest of the machine do does not count.

Run ``make benchmark``, or ``python -m benchmarks.ingest [--json]``. Exits 1 on a broken promise.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.measure import Ratio, Way, Work, as_json, cpu_us, report, started
from benchmarks.stub import stubbed_aws
from benchmarks.traffic import client_events
from common.adapters.api_keys import key_item
from common.domain.api_keys import ApiKey, Scope, hash_secret, make_key

BATCH = 500
TYPICAL = "Powertools resolver, validation, PutRecord(s)"
PUT_UNIT_BYTES = 25_000
"""What Kinesis bills a record by, in provisioned mode (its pricing page: "25 KB")."""
_SETTINGS = {
    "AWS_LAMBDA_FUNCTION_NAME": "ingest",
    "POWERTOOLS_SERVICE_NAME": "ingest",
    "POWERTOOLS_METRICS_NAMESPACE": "EventStream",
    "STREAM_NAME": "events",
    "PARTITION_BUCKETS": "16",
    "MAX_EVENT_AGE_HOURS": "168",
    "MAX_EVENT_FUTURE_MINUTES": "5",
    "ERROR_TYPES": "error,exception",
    "KEYS_TABLE": "keys",
    "REQUIRE_API_KEY": "true",
    "SCHEMA_MODE": "observe",
    "STORE_CLIENT_IP": "truncated",
    "STREAM_ROUTES": "",
}
_USER_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
)


class _Context:
    function_name = "ingest"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:ingest"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


def request(path: str, document: object, key: str) -> dict[str, Any]:
    """Return what API Gateway hands over for a request, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "user-agent": _USER_AGENTS[0],
            "x-write-key": key,
            "host": "abc.execute-api.us-east-1.amazonaws.com",
        },
        "requestContext": {
            "http": {"method": "POST", "path": path, "sourceIp": "203.0.113.7"},
            "requestId": "request",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "body": json.dumps(document),
        "isBase64Encoded": False,
    }


def put_units(records: Sequence[int]) -> int:
    """Return how many PUT payload units records of these sizes are billed as."""
    return sum(-(-size // PUT_UNIT_BYTES) for size in records)


def _key() -> tuple[str, ApiKey]:
    key, made = make_key(random.Random(7).randbytes)
    scopes: frozenset[Scope] = frozenset({"ingest"})
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return key, ApiKey(made.id, "benchmark", hash_secret(made.secret), scopes, (), at)


def _pieces(handler: Callable[[dict[str, Any], Any], dict[str, Any]]) -> dict[str, Work]:
    key, _ = _key()
    events, context = client_events(BATCH), _Context()
    one = request("/events", events[0], key)
    many = request("/events/batch", events, key)
    for event in (one, many):
        if handler(event, context)["statusCode"] != 200:
            raise SystemExit("the benchmark's own request was refused")
    return {"one": lambda: handler(one, context), "many": lambda: handler(many, context)}


def typical() -> dict[str, Work]:
    """Set up the typical handler."""
    from benchmarks.typical.ingest import lambda_handler

    return _pieces(lambda_handler)


def shipped() -> dict[str, Work]:
    """Set up ours."""
    from ingest.handler import lambda_handler

    return _pieces(lambda_handler)


def main(*, wants_json: bool) -> bool:
    """Measure and print; return whether every promise is kept."""
    os.environ.update(_SETTINGS)
    with stubbed_aws(key_item(_key()[1])) as aws:
        ways = [Way(TYPICAL, typical), Way("EventStream", shipped)]
        with started(ways) as pipes:
            one = cpu_us(pipes, "one", units=1, rounds=15, runs=100)
            many = cpu_us(pipes, "many", units=BATCH, rounds=25, runs=4)
            units = [put_units(aws.record_sizes_of(pipe, "many")) for pipe in pipes.values()]
    single = Ratio("EventStream / typical, one event", one["EventStream"] / one[TYPICAL], at_most=1)
    batch = Ratio(
        f"typical / EventStream, batch of {BATCH}",
        many[TYPICAL] / many["EventStream"],
        at_least=1.5,
    )
    put = Ratio(f"PUT units, {units[0]} / {units[1]}", units[0] / units[1], at_least=20)
    if wants_json:
        ratios = {each.name: each.value for each in (single, batch, put)}
        print(as_json({"one": one, "many": many, "ratios": ratios}))
        return all(each.holds for each in (single, batch, put))
    kept = report("One event", one, [single], unit="µs/request")
    return report(f"A batch of {BATCH}", many, [batch, put]) and kept


if __name__ == "__main__":
    sys.exit(0 if main(wants_json="--json" in sys.argv) else 1)
