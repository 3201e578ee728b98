"""``eventstream dev``, ``stop`` and ``doctor``: the pipeline on this machine."""

import json
import shlex
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from eventstream.local.state import Running, StateFolder, find_project, folder_in_use, state_folder
from eventstream.output import (
    CommandError,
    JsonOption,
    UsageProblemError,
    note,
    print_json,
    print_table,
    print_text,
)
from eventstream.target import StateOption

PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Port of the gateway; 0 takes a free one.")
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="KEY=VALUE", help="A template parameter; may be repeated."),
]


def dev(
    *,
    port: PortOption = 3000,
    state: StateOption = None,
    param: ParameterOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin with an empty store.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when it is ready; `stop` ends it.")
    ] = False,
    endpoint_url: Annotated[
        str | None,
        typer.Option("--endpoint-url", help="Use an AWS emulator that runs already."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the pipeline on this machine.

    Example: eventstream dev --param BatchWindowSeconds=1
    """
    folder = state_folder(state)
    parameters = _parameters(param or [])
    _make(folder)
    if detach:
        running = _start_detached(folder, port, parameters, fresh=fresh, endpoint_url=endpoint_url)
        _show(running, folder, as_json=as_json)
        return
    _serve(folder, port, parameters, fresh=fresh, endpoint_url=endpoint_url, as_json=as_json)


def _serve(
    folder: StateFolder,
    port: int,
    parameters: dict[str, str],
    *,
    fresh: bool,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    # Imported late: `eventstream stop` and --help need none of it.
    from eventstream.local import logs
    from eventstream.local.pipeline import Options, Pipeline
    from eventstream.local.serve import serve

    logs.set_up(folder.logs, on_terminal=True)
    options = Options(
        project=find_project(),
        state=folder,
        port=port,
        parameters=parameters,
        fresh=fresh,
        endpoint_url=endpoint_url,
    )

    def ready(running: Running, pipeline: Pipeline) -> None:
        if not as_json and pipeline.left_out:
            note(_not_simulated(pipeline.left_out))
        _show(running, folder, as_json=as_json)
        if not as_json:
            note("ready; press Ctrl-C to stop")

    serve(options, ready, note)


def _make(folder: StateFolder) -> None:
    try:
        folder.logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"can't make the folder {folder.root}: {error.strerror}; choose another with --state"
        ) from None


def _not_simulated(left_out: Mapping[str, str]) -> str:
    """Say in one line what of the template isn't simulated; what is alike is named once."""
    alike: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        alike.setdefault(reason, []).append(name)
    parts = [
        names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more like it"
        for names in alike.values()
    ]
    return f"not simulated here: {', '.join(parts)}; see docs/local.md"


def _start_detached(
    folder: StateFolder,
    port: int,
    parameters: dict[str, str],
    *,
    fresh: bool,
    endpoint_url: str | None,
) -> Running:
    from eventstream.local import detached

    arguments = ["--port", str(port), "--state", str(folder.root)]
    for name, value in parameters.items():
        arguments += ["--param", f"{name}={value}"]
    if fresh:
        arguments.append("--fresh")
    if endpoint_url is not None:
        arguments += ["--endpoint-url", endpoint_url]
    return detached.start(folder, arguments, find_project())


def _parameters(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise UsageProblemError(f"--param {pair}: write it as KEY=VALUE, such as BatchSize=10")
        found[name] = value
    return found


def _show(running: Running, folder: StateFolder, *, as_json: bool) -> None:
    if as_json:
        print_json({**vars(running), "state": str(folder.root), "logs": str(folder.logs)})
        sys.stdout.flush()
        return
    rows = [
        ("HTTP API", running.url),
        ("AWS endpoint", f"export AWS_ENDPOINT_URL={running.url}"),
        ("Region", running.region),
        ("Stack", running.stack_name),
        ("State", str(folder.root)),
        ("Logs", str(folder.logs)),
        ("Process", str(running.pid)),
    ]
    title = "EventStream runs on this machine"
    print_table(("what", "where"), rows, title=title, prose=("where",))
    for line in _first_event(running, folder):
        print_text(line)
    sys.stdout.flush()


def _first_event(running: Running, folder: StateFolder) -> list[str]:
    """Return the lines that say how to send an event, with a key where one is required."""
    event = {"event_type": "page_view", "user_id": "user-1", "properties": {"page": "/pricing"}}
    curl = f"  curl -sS {running.url}/events -H 'content-type: application/json'"
    body = f"-d '{json.dumps(event)}'"
    if running.parameters.get("RequireApiKey") != "true":
        return ["Send a first event:", f"{curl} {body}"]
    is_usual = folder.root == state_folder().root
    where = "" if is_usual else f" --state {shlex.quote(str(folder.root))}"
    return [
        "Make a key, and send a first event with it:",
        f"  export EVENTSTREAM_API_KEY=$(eventstream keys create --name first{where}"
        " --scope ingest --scope query)",
        f'{curl} -H "authorization: Bearer $EVENTSTREAM_API_KEY" {body}',
    ]


def stop(state: StateOption = None, as_json: JsonOption = False) -> None:
    """Stop the local pipeline.

    What is in flight is finished and everything is saved first.

    Example: eventstream stop
    """
    from eventstream.local import stopping

    stopped = stopping.stop(folder_in_use(state), note)
    if as_json:
        print_json({"stopped": stopped})
    else:
        print_text(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def doctor(state: StateOption = None, port: PortOption = 3000, as_json: JsonOption = False) -> None:
    """Check that this machine can run the pipeline.

    Every problem comes with what to do about it.

    Example: eventstream doctor --port 3000
    """
    from eventstream.local.doctor import examine

    findings = examine(folder_in_use(state), find_project(), port)
    if as_json:
        print_json({"checks": [vars(finding) for finding in findings]})
    else:
        rows = [(f.check, f.verdict, f.found, f.fix) for f in findings]
        print_table(
            ("check", "verdict", "found", "what to do"), rows, prose=("found", "what to do")
        )
    if any(finding.verdict == "problem" for finding in findings):
        raise CommandError("this machine, or its pipeline, has a problem")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    for command in (dev, stop, doctor):
        app.command()(command)
