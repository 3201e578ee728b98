"""``eventstream send``: one event, or a small file of events."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from eventstream.load.by_hand import parse_events, parse_properties
from eventstream.load.client import (
    Answer,
    HttpApi,
    Patience,
    UnexpectedAnswerError,
    encode,
    key_advice,
    post_patiently,
)
from eventstream.load.delivery import Outcome, deliver
from eventstream.load.report import spell_errors
from eventstream.output import (
    CommandError,
    JsonOption,
    UsageProblemError,
    field_lines,
    note,
    print_json,
    print_table,
    print_text,
)
from eventstream.target import ProfileOption, RegionOption, StackNameOption, StateOption, resolve

_BATCH = 500

UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Address of the API, where no pipeline of yours can tell it."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("send")(send)


def send(
    event_type: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="Event type, such as page_view.")
    ] = None,
    *,
    user: Annotated[str | None, typer.Option("--user", metavar="ID", help="user_id.")] = None,
    anonymous: Annotated[
        str | None, typer.Option("--anonymous", metavar="ID", help="anonymous_id.")
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", metavar="ID", help="session_id.")
    ] = None,
    prop: Annotated[
        list[str] | None,
        typer.Option(
            "--prop", metavar="KEY=VALUE", help="A property; a JSON value keeps its type."
        ),
    ] = None,
    latency: Annotated[
        float | None, typer.Option("--latency", metavar="MS", help="latency_ms.", min=0)
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(
            "--timestamp", metavar="TIME", help="RFC 3339 with a zone.", show_default="now"
        ),
    ] = None,
    event_id: Annotated[
        str | None, typer.Option("--event-id", help="Idempotency key.", show_default="a new one")
    ] = None,
    json_body: Annotated[
        str | None, typer.Option("--json-body", metavar="JSON", help="The whole event instead.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("-f", "--file", help="Events from a file (an object, array or NDJSON), or -."),
    ] = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
    state: StateOption = None,
    stack_name: StackNameOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
) -> None:
    """Send one event, or a small file of events.

    Example: eventstream send purchase --user ada --prop total=19.90 --prop currency=EUR
    """
    given = {
        "user_id": user,
        "anonymous_id": anonymous,
        "session_id": session,
        "timestamp": timestamp,
        "latency_ms": latency,
        "event_id": event_id,
    }
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if prop:
        fields["properties"] = parse_properties(prop)
    events = _events(event_type, fields, json_body, file)
    with HttpApi(url or resolve(state, stack_name, region, profile).api_url) as api:
        if isinstance(events, dict):
            _send_one(api, events, as_json=as_json)
        else:
            _send_many(api, events, as_json=as_json)


def _events(
    event_type: str | None, fields: dict[str, Any], json_body: str | None, file: str | None
) -> dict[str, Any] | list[dict[str, Any]]:
    if sum(given is not None for given in (event_type, json_body, file)) != 1:
        raise UsageProblemError(
            "give exactly one of TYPE, --json-body and --file: `eventstream send --help` shows how"
        )
    if event_type is not None:
        return _with_id({"event_type": event_type, **fields})
    if fields:
        raise UsageProblemError("--user, --prop and the like go with TYPE only")
    events = parse_events(json_body if json_body is not None else _read(str(file)))
    if json_body is not None and len(events) == 1:
        return _with_id(events[0])
    return [_with_id(event) for event in events]


def _with_id(event: dict[str, Any]) -> dict[str, Any]:
    """Give an event an id here, so that a repeat after a lost answer is recognised."""
    return event if event.get("event_id") else {**event, "event_id": str(uuid.uuid4())}


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageProblemError(f"can't read {file}: {error}") from None


def _send_one(api: HttpApi, event: dict[str, Any], *, as_json: bool) -> None:
    answer = post_patiently(api, "/events", encode(event), Patience(give_up_after_s=15.0))
    body = answer.json()
    if not body:
        raise UnexpectedAnswerError(
            f"{api.base_url} answered {answer.status} and no JSON: is it an EventStream API?"
        )
    if as_json:
        print_json(body)
    if answer.status != 200:
        _explain(answer, body)
    elif not as_json:
        print_text(f"accepted {body.get('event_id')} (request {body.get('request_id')})")


def _explain(answer: Answer, body: dict[str, Any]) -> None:
    for line in field_lines(body.get("errors") or []):
        note(f"  {line}")
    said = body.get("detail") or body.get("message") or "no reason given"
    raise CommandError(f"the API answered {answer.status}: {said}{key_advice(answer)}")


def _send_many(api: HttpApi, events: list[dict[str, Any]], *, as_json: bool) -> None:
    patience, total = Patience(give_up_after_s=30.0), Outcome()
    refused: list[dict[str, Any]] = []
    for start in range(0, len(events), _BATCH):
        outcome = deliver(api, events[start : start + _BATCH], patience)
        total.merge(outcome)
        refused += [
            {"index": start + rejection.position, "errors": list(rejection.errors)}
            for rejection in outcome.rejections
        ]
    counts = {
        "sent": total.sent,
        "accepted": total.accepted,
        "rejected": total.rejected,
        "given_up": total.given_up,
    }
    if as_json:
        print_json({**counts, "rejections": refused})
    else:
        print_table([name.replace("_", " ") for name in counts], [list(counts.values())])
        for each in refused[:20]:
            note(f"  event {each['index']}: {spell_errors(each['errors'])}")
    if total.accepted != total.sent:
        raise CommandError(
            f"{total.sent - total.accepted} of {total.sent} events were not accepted"
            + (f" (last answer: {total.last_problem})" if total.given_up else "")
        )
