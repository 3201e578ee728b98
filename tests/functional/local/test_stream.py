import json
import re

import pytest

from .conftest import Local, wait_until

pytestmark = pytest.mark.e2e


def names(*numbers: int, prefix: str) -> list[str]:
    return [f"{prefix}{number}" for number in numbers]


def test_what_is_posted_reaches_the_function_behind_the_stream_once(shared: Local) -> None:
    wanted = names(*range(25), prefix="post-")

    shared.put(*({"id": name} for name in wanted))

    wait_until(lambda: set(wanted) <= set(shared.kept()))
    assert {name: shared.kept()[name] for name in wanted} == dict.fromkeys(wanted, 1)


def test_a_record_that_raises_is_isolated_and_ends_alone_in_the_failure_bucket(
    shared: Local,
) -> None:
    good = names(*range(6), prefix="raise-")
    items: list[dict[str, object]] = [{"id": name, "key": "same"} for name in good]
    items.insert(3, {"id": "raise-bad", "key": "same", "poison": "raise"})

    shared.put(*items)
    wait_until(lambda: any("raise-bad" in found for found in discarded(shared)))

    wait_until(lambda: set(good) <= set(shared.kept()))
    [found] = [each for each in discarded(shared) if "raise-bad" in each]
    assert found == ["raise-bad"]


def test_a_record_that_the_function_reports_keeps_the_ones_before_it_done(shared: Local) -> None:
    items: list[dict[str, object]] = [
        {"id": "report-1", "key": "same"},
        {"id": "report-bad", "key": "same", "poison": "report"},
    ]

    shared.put(*items)
    wait_until(lambda: any("report-bad" in found for found in discarded(shared)))

    assert shared.kept()["report-1"] == 1


def test_the_failure_object_is_as_lambda_writes_it(shared: Local) -> None:
    shared.put({"id": "format-bad", "poison": "raise"})
    wait_until(lambda: any("format-bad" in found for found in discarded(shared)))
    [found] = [each for each in shared.failures() if "format-bad" in ids(each)]

    assert re.fullmatch(
        r"aws/lambda/[0-9a-f-]{36}/shardId-\d{12}/\d{4}/\d\d/\d\d/"
        r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}",
        found["key"],
    )
    assert found["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert found["requestContext"]["approximateInvokeCount"] == 3
    assert found["responseContext"]["functionError"] == "Unhandled"
    assert found["KinesisBatchInfo"]["batchSize"] == 1


def test_the_iterator_age_is_published_and_falls_to_zero(shared: Local) -> None:
    shared.put({"id": "age-1"})
    wait_until(lambda: "age-1" in shared.kept())

    wait_until(lambda: iterator_age_ms(shared, "AWS/Lambda", "IteratorAge") == 0)
    metric = "GetRecords.IteratorAgeMilliseconds"
    wait_until(lambda: iterator_age_ms(shared, "AWS/Kinesis", metric) == 0)


def ids(failure: dict[str, str]) -> list[str]:
    import base64

    records = json.loads(failure["payload"])["Records"]
    return [json.loads(base64.b64decode(each["kinesis"]["data"]))["id"] for each in records]


def discarded(local: Local) -> list[list[str]]:
    return [ids(failure) for failure in local.failures()]


def iterator_age_ms(local: Local, namespace: str, metric: str) -> float | None:
    """Return the youngest figure that the poller has published."""
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    dimensions = {
        "AWS/Lambda": ("FunctionName", local.target.resource("StreamFunction")),
        "AWS/Kinesis": ("StreamName", local.target.resource("Stream")),
    }
    name, value = dimensions[namespace]
    points = local.target.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=1,
        Statistics=["Maximum"],
    )["Datapoints"]
    latest = max(points, key=lambda point: point["Timestamp"], default=None)
    return None if latest is None else float(latest["Maximum"])
