"""``eventstream metrics``, ``types``, ``anomalies`` and ``runs``: what the HTTP API tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from eventstream.commands.send import UrlOption
from eventstream.load.client import HttpApi
from eventstream.output import (
    JsonOption,
    note,
    print_json,
    print_table,
    print_text,
    table_width,
)
from eventstream.reading.client import read_rows
from eventstream.reading.spans import span
from eventstream.reading.sparkline import sparkline
from eventstream.target import ProfileOption, RegionOption, StackNameOption, StateOption, resolve

_SHOWS_UP = "an event shows up within about 10 seconds"
_TABLE_FROM = 110
"""Columns that the table of anomalies takes; what is narrower gets sentences."""
_WIDTHS = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1)}

TypeArgument = Annotated[
    str | None, typer.Argument(metavar="[TYPE]", help="Event type; all together when left out.")
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="RFC 3339 with a zone, or epoch ms.")
]
ToOption = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="End, exclusive.", show_default="now")
]
LastOption = Annotated[
    str | None, typer.Option("--last", metavar="SPAN", help="Instead of --from: 90m, 24h, 7d, 4w.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("metrics")(metrics)
    app.command("types")(types)
    app.command("anomalies")(anomalies)
    app.command("runs")(runs)


def metrics(
    event_type: TypeArgument = None,
    *,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", help="count, errors, unique_users, latency_p50, _p90, _p95 or _p99."
        ),
    ] = "count",
    granularity: Annotated[str, typer.Option("--granularity", "-g", help="5m, 1h or 1d.")] = "1h",
    first: FromOption = None,
    end: ToOption = None,
    last: LastOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most points.")] = 1000,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Show a series of a metric.

    Example: eventstream metrics page_view --metric latency_p95 --last 7d
    """
    parameters = {
        "event_type": event_type,
        "metric": metric,
        "granularity": granularity,
        **span(first, end, last, datetime.now(UTC)),
    }
    with HttpApi(url or resolve(state, stack_name, region, profile).api_url) as api:
        body = read_rows(api, "/metrics", "points", parameters, limit)
    if as_json:
        print_json(body)
    elif body["points"]:
        _show_series(body)
    else:
        what = "events" if event_type is None else f"events of type {event_type}"
        note(f"no {what} between {body['from']} and {body['to']}")
        note(f"send one with `eventstream send {event_type or 'page_view'}`; {_SHOWS_UP}")


def _show_series(body: Mapping[str, Any]) -> None:
    points: Sequence[Mapping[str, Any]] = body["points"]
    name = "all types" if body["event_type"] == "*" else body["event_type"]
    print_text(f"{body['metric']} of {name}, by {body['granularity']} (UTC), in {body['unit']}")
    print_text(sparkline(_without_gaps(body)))
    print_table(
        ("start", body["metric"], "status"),
        [(_minute(point["start"]), point["value"], point["status"]) for point in points],
    )
    _tell_of_more(body)


def _without_gaps(body: Mapping[str, Any]) -> list[float | None]:
    """Return a value for each window from the first point to the last one."""
    values = {_instant(point["start"]): point["value"] for point in body["points"]}
    nothing = 0 if body["metric"] in ("count", "errors") else None
    filled: list[float | None] = []
    at, end = min(values), max(values)
    while at <= end:
        filled.append(values.get(at, nothing))
        at += _WIDTHS[body["granularity"]]
    return filled


def types(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most types.")] = 1000,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """List the event types.

    Example: eventstream types
    """
    with HttpApi(url or resolve(state, stack_name, region, profile).api_url) as api:
        body = read_rows(api, "/event-types", "event_types", {}, limit)
    if as_json:
        print_json(body)
        return
    if not body["event_types"]:
        note(f"no events yet: send one with `eventstream send page_view`; {_SHOWS_UP}")
        return
    since = _minute(body["recent_since"])
    print_table(
        ("event type", "first hour", "last hour", f"events since {since}"),
        [
            (
                row["event_type"],
                _minute(row["first_hour"]),
                _minute(row["last_hour"]),
                row["recent_events"],
            )
            for row in body["event_types"]
        ],
    )
    _tell_of_more(body)


def anomalies(
    event_type: TypeArgument = None,
    *,
    first: FromOption = None,
    end: ToOption = None,
    last: LastOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most anomalies.")] = 100,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """List the anomalies that were found, newest first, and why.

    Without a span it lists those of the last seven days.

    Example: eventstream anomalies --last 24h
    """
    parameters = {"event_type": event_type, **span(first, end, last, datetime.now(UTC))}
    with HttpApi(url or resolve(state, stack_name, region, profile).api_url) as api:
        body = read_rows(api, "/anomalies", "anomalies", parameters, limit)
    if as_json:
        print_json(body)
        return
    if not body["anomalies"]:
        note(f"no anomalies between {body['from']} and {body['to']}")
        note("an hour is judged once it is aggregated and 24 hours before it are known")
        return
    rows = [_anomaly(row) for row in body["anomalies"]]
    if table_width() >= _TABLE_FROM:
        print_table(("hour", "event type", "metric", "value", "why", "state"), rows)
    else:
        for hour, name, metric, _, why, state_of_alert in rows:
            print_text(f"{hour}  {name}, {metric} ({state_of_alert}): {why}")
    _tell_of_more(body)


def _anomaly(row: Mapping[str, Any]) -> Sequence[object]:
    finding = row["finding"]
    return (
        _minute(row["window_start"]),
        "all types" if row["event_type"] == "*" else row["event_type"],
        f"{finding['metric']} {finding['direction']}",
        finding["value"],
        finding["explanation"],
        "taken back" if row["resolved_at"] else row["state"].lower(),
    )


def runs(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most runs.")] = 20,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """List the runs of the hourly ETL, newest first.

    Example: eventstream runs --limit 5
    """
    with HttpApi(url or resolve(state, stack_name, region, profile).api_url) as api:
        body = read_rows(api, "/runs", "runs", {}, limit)
    if as_json:
        print_json(body)
        return
    if not body["runs"]:
        note("the hourly ETL has not run yet: `eventstream etl run` starts it")
        return
    columns = ("started_at", "status", "hours", "events", "anomalies", "error", "cause")
    print_table(
        [name.replace("_", " ") for name in columns],
        [[row[name] for name in columns] for row in body["runs"]],
    )
    _tell_of_more(body)


def _tell_of_more(body: Mapping[str, Any]) -> None:
    if body["next_cursor"] is not None:
        note("there is more: raise --limit")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _minute(text: str) -> str:
    """Shorten an instant of the API to its minute, in UTC."""
    return text[:16].replace("T", " ")
