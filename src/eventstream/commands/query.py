"""``eventstream metrics``, ``types``, ``anomalies`` and ``runs``: what the HTTP API tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from eventstream.commands.send import UrlOption
from eventstream.load.client import HttpApi
from eventstream.output import (
    JsonOption,
    UsageProblemError,
    note,
    print_json,
    print_table,
    print_text,
    table_width,
)
from eventstream.reading.client import read_rows
from eventstream.reading.rows import anomaly_row, failures
from eventstream.reading.series import SCREENFUL, drawing, heading, minute
from eventstream.reading.spans import span
from eventstream.target import ProfileOption, RegionOption, StackNameOption, StateOption, resolve

_SHOWS_UP = "an event shows up within about 10 seconds"
_TABLE_FROM = 110
"""Columns that the table of anomalies takes; what is narrower gets sentences."""
_MOST = 1000
"""Rows that are read unless another limit is given."""
_NO_LIMIT = 10**9

TypeArgument = Annotated[
    str | None, typer.Argument(metavar="TYPE", help="Event type; all together when left out.")
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
            "--metric",
            metavar="NAME",
            help="count, errors, unique_users, latency_p50, _p90, _p95 or _p99.",
        ),
    ] = "count",
    granularity: Annotated[
        str, typer.Option("--granularity", "-g", metavar="5m|1h|1d", help="Time of each point.")
    ] = "1h",
    first: FromOption = None,
    end: ToOption = None,
    last: LastOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Most points, from the first.",
            show_default=f"{_MOST}",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every point, also in the table.")] = False,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Show a series of a metric.

    The table has the last points; --all and --limit show what they read.

    Example: eventstream metrics page_view --metric latency_p95 --last 7d
    """
    if every and limit is not None:
        raise UsageProblemError("give --all or --limit, not both")
    parameters = {
        "event_type": event_type,
        "metric": metric,
        "granularity": granularity,
        **span(first, end, last, datetime.now(UTC)),
    }
    with HttpApi(url or resolve(state, stack_name, region, profile).api_url) as api:
        most = _NO_LIMIT if every else limit or _MOST
        body = read_rows(api, "/metrics", "points", parameters, most)
    if as_json:
        print_json(body)
    elif body["points"]:
        _show_series(body, SCREENFUL if limit is None and not every else None)
    else:
        what = "events" if event_type is None else f"events of type {event_type}"
        note(f"no {what} counted between {body['from']} and {body['to']}")
        if "hint" in body:
            note(body["hint"])
        note(f"send one with `eventstream send {event_type or 'page_view'}`; {_SHOWS_UP}")


def _show_series(body: Mapping[str, Any], most: int | None) -> None:
    """Print a series; of its points the last ``most``, or all of them."""
    points = body["points"]
    print_text(heading(body))
    for line in drawing(body):
        print_text(line)
    shown = points if most is None else points[-most:]
    print_table(
        ("start", body["metric"], "status"),
        [(minute(point["start"]), point["value"], point["status"]) for point in shown],
    )
    if len(shown) < len(points):
        note(f"the last {len(shown)} of {len(points):,} points; --all shows every one")
    _tell_of_more(body)


def types(
    *,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most types.")] = _MOST,
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
    since = minute(body["recent_since"])
    has_schemas = any(row["last_schema"] for row in body["event_types"])
    print_table(
        ("event type", "first hour", "last hour", f"events since {since}")
        + (("schema", "violations in 24 h") if has_schemas else ()),
        [
            (
                row["event_type"],
                minute(row["first_hour"]),
                minute(row["last_hour"]),
                row["recent_events"],
                *((row["last_schema"], row["schema_violations"]) if has_schemas else ()),
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
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="Most anomalies.")
    ] = 100,
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
    rows = [anomaly_row(row) for row in body["anomalies"]]
    if table_width() >= _TABLE_FROM:
        print_table(("hour", "event type", "metric", "value", "why", "state"), rows, prose=("why",))
    else:
        for hour, name, metric, _, why, state_of_alert in rows:
            print_text(f"{hour}  {name}, {metric} ({state_of_alert}): {why}")
    _tell_of_more(body)


def runs(
    *,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Most runs.")] = 20,
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
    columns = ("status", "hours", "events", "anomalies")
    print_table(
        ("started (UTC)", *columns),
        [(minute(row["started_at"]), *(row[name] for name in columns)) for row in body["runs"]],
    )
    for line in failures(body["runs"]):
        print_text(line)
    _tell_of_more(body)


def _tell_of_more(body: Mapping[str, Any]) -> None:
    if body["next_cursor"] is not None:
        note("there is more: raise --limit")
