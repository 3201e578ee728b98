from __future__ import annotations

from collections.abc import Iterator

import pytest

from common.access import Access
from common.errors import StoreError
from common.observability import metrics
from common.ports.aggregates import SchemaUse
from eventstream.commands import query
from fakes.api_keys import MemoryApiKeys, open_access
from fakes.query_server import serving
from fakes.reading_builders import NINE, alert, at, hot, result, run, settled, type_entry, untouched
from fakes.readings import MemoryReadings
from functional.query import commands
from query import handler
from query.service import Deps

NOW = at(14, 33)


@pytest.fixture
def readings() -> MemoryReadings:
    return MemoryReadings()


@pytest.fixture
def url(readings: MemoryReadings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(metrics, "namespace", "EventStream")
    monkeypatch.setattr(
        handler, "deps", lambda: Deps(readings, now=lambda: NOW, access=open_access())
    )
    with serving() as address:
        yield address
    metrics.clear_metrics()


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str], url: str) -> commands.Run:
    run = commands.running(query.register, capsys)

    def with_url(*arguments: str) -> commands.Result:
        return run(*arguments, "--url", url)

    return with_url


def fill(readings: MemoryReadings) -> None:
    for hour, count in ((8, 10), (9, 1500), (11, 80)):
        readings.add_state(settled(at(hour)))
        readings.add_result(result("click", at(hour), count, latency_count=1, latency_p95=12.5))


def test_a_series_is_a_line_of_bars_and_a_table(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    fill(readings)

    shown = run_command("metrics", "click")

    assert shown.code == 0
    assert "count of click, by 1h (UTC), in events" in shown.out
    # The hour between without a point is drawn as none.
    assert "▁█▁▁" in shown.out
    assert "2026-02-20 09:00" in shown.out
    assert "1,500" in shown.out
    assert "final" in shown.out


def test_a_series_as_json_has_every_page_in_one(
    readings: MemoryReadings, run_command: commands.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(readings)
    monkeypatch.setattr("eventstream.reading.client.PAGE_ROWS", 2)

    body = run_command("metrics", "click", "--json").json

    assert [point["value"] for point in body["points"]] == [10, 1500, 80]
    assert body["next_cursor"] is None


def test_a_limit_ends_the_pages_and_says_that_there_is_more(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    fill(readings)

    shown = run_command("metrics", "click", "--limit", "2")

    assert "1,500" in shown.out
    assert "80" not in shown.out
    assert "raise --limit" in shown.err


def test_another_metric_and_granularity_are_passed_on(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    fill(readings)

    body = run_command("metrics", "click", "--metric", "latency_p95", "-g", "1h", "--json").json

    assert (body["metric"], body["unit"], body["points"][0]["value"]) == ("latency_p95", "ms", 12.5)


def test_a_span_may_be_given_by_its_length(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    fill(readings)

    body = run_command(
        "metrics", "click", "--last", "3h", "--to", "2026-02-20T12:00:00Z", "--json"
    ).json

    assert [point["value"] for point in body["points"]] == [1500, 80]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--last", "soon"), "such as 90m or 7d"),
        (("--last", "1h", "--from", "2026-02-20T12:00:00Z"), "not both"),
        (("--last", "1h", "--to", "noon"), "--to must be RFC 3339"),
        (("--last", "999999w"), "before the year 1"),
        (("--metric", "average"), "metric: must be one of"),
        (("-g", "1d", "--metric", "unique_users"), "docs/sql.md"),
        (("--from", "noon"), "from: must be RFC 3339"),
        (("--limit", "0"), "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_problem(
    run_command: commands.Run, arguments: tuple[str, ...], message: str
) -> None:
    shown = run_command("metrics", *arguments)

    assert shown.code == 2
    assert message in shown.err
    assert shown.out == ""


def test_no_events_is_no_error_and_says_how_to_send_one(run_command: commands.Run) -> None:
    shown = run_command("metrics", "click")

    assert (shown.code, shown.out) == (0, "")
    assert "no events of type click counted between 2026-02-19T14:00:00.000Z and" in shown.err
    assert "eventstream send click" in shown.err


def test_no_points_where_events_wait_for_the_etl_says_that(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    readings.add_state(untouched(at(9)))

    for granularity in ("5m", "1h", "1d"):
        shown = run_command("metrics", "click", "-g", granularity)
        assert "no run of the hourly ETL has seen yet" in shown.err
        assert "eventstream etl run" in shown.err

    readings.add_state(settled(at(9)))
    assert "etl run" not in run_command("metrics", "click").err
    assert "granularity=1h has them" in run_command("metrics", "click", "-g", "5m").err


def test_types_are_listed_with_their_hours(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    readings.add_type(type_entry("click", at(8), at(9)))
    readings.add_state(untouched(at(14)))
    readings.add_hot(at(14, 30), {"signup": hot(3)})

    shown = run_command("types")

    assert "click" in shown.out
    assert "2026-02-20 08:00" in shown.out
    assert "events since 2026-02-20 13:00" in shown.out
    names = [row["event_type"] for row in run_command("types", "--json").json["event_types"]]
    assert names == ["click", "signup"]


def test_types_are_listed_with_their_schemas_once_there_are_any(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    readings.add_type(type_entry("click"))
    readings.add_type(type_entry("order"))
    assert "violations" not in run_command("types").out

    readings.add_schemas(at(13), {"order": SchemaUse(2, 41)})

    shown = run_command("types")
    assert "order/2" in shown.out
    assert "41" in shown.out


def test_no_types_says_how_to_send_an_event(run_command: commands.Run) -> None:
    shown = run_command("types")

    assert (shown.code, shown.out) == (0, "")
    assert "eventstream send" in shown.err


def test_anomalies_are_listed_with_why_they_are(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    readings.add_alert(alert("click", NINE), sent_at=NOW)
    readings.add_alert(alert("*", at(8), "down"))

    shown = run_command("anomalies")

    assert "950 click events: expected 0 to 327" in shown.out
    assert "all types" in shown.out
    assert "count down" in shown.out
    body = run_command("anomalies", "click", "--json").json
    assert [row["state"] for row in body["anomalies"]] == ["SENT"]


def test_no_anomalies_says_when_there_could_be_some(run_command: commands.Run) -> None:
    shown = run_command("anomalies")

    assert (shown.code, shown.out) == (0, "")
    assert "24 hours before it" in shown.err


def test_runs_are_listed_newest_first(readings: MemoryReadings, run_command: commands.Run) -> None:
    readings.add_run(run("2026-02-20T09:07:00.000Z"))
    readings.add_run(
        run("2026-02-20T10:07:00.000Z", status="FAILED", error="StoreError", cause="no answer")
    )

    shown = run_command("runs")

    assert shown.out.index("FAILED") < shown.out.index("SUCCEEDED")
    assert "no answer" in shown.out
    assert run_command("runs", "--json").json["runs"][0]["status"] == "FAILED"


def test_no_runs_says_how_to_start_one(run_command: commands.Run) -> None:
    assert "eventstream etl run" in run_command("runs").err


def test_a_store_that_does_not_answer_fails_the_command(
    readings: MemoryReadings, run_command: commands.Run
) -> None:
    readings.down["aggregates_table"] = StoreError("dynamodb:Query failed")

    shown = run_command("runs")

    assert shown.code == 1
    assert "/runs answered 503: dynamodb:Query failed" in shown.err


def test_an_api_that_wants_a_key_says_where_the_command_takes_it_from(
    readings: MemoryReadings, run_command: commands.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = Deps(
        readings,
        now=lambda: NOW,
        access=Access(MemoryApiKeys(), required=True, now=lambda: NOW),
    )
    monkeypatch.setattr(handler, "deps", lambda: closed)

    for key, said in (("", "environment variable EVENTSTREAM_API_KEY"), ("es_x", "has the key")):
        monkeypatch.setenv("EVENTSTREAM_API_KEY", key)
        shown = run_command("metrics")
        assert shown.code == 1
        assert "header Authorization" in shown.err
        assert said in shown.err


def test_nobody_at_the_address_fails_the_command_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = commands.running(query.register, capsys)("runs", "--url", "http://127.0.0.1:9")

    assert shown.code == 1
    assert "eventstream dev" in shown.err
