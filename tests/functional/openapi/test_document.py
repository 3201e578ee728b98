"""The API's description is what the code says, whole, valid, and served."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from common import http
from common.access import Access
from common.errors import ConfigError, EventStreamError, InvalidRequestError, PoisonLineError
from common.http import Request
from common.models import IngestEvent
from eventstream.local.http_api import HttpApi, Route
from eventstream.openapi import __main__ as command
from eventstream.openapi import document, problems, reading
from eventstream.openapi.document import joined, unnamed
from eventstream.openapi.examples import exchanges
from fakes.api_keys import NOON, Clock, MemoryApiKeys, a_key, open_access
from fakes.api_worlds import NOW, a_whole_api
from fakes.bodies import spoil, valid_event
from fakes.conformance import CHECKS, closed, operations
from fakes.ingest_builders import LambdaContext, a_gateway_event
from fakes.readings import MemoryReadings
from fakes.whole_api import routes_of
from ingest import routes
from ingest.validation import FIELD_OF, validate
from query import handler, params
from query.service import Deps
from template.checks.reading import read_template, translate

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
MADE = document.build(ROOT)
CLOSED = closed(MADE)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in CLOSED["paths"].items()
    for method, operation in item.items()
}
"""Those of the closed copy, by `GET /path`."""
Json = dict[str, Any]


def of(route: str) -> Json:
    """Return the operation of a route, whatever its parameters are called."""
    [found] = [each for label, each in OPERATIONS.items() if unnamed(label) == unnamed(route)]
    return found


@pytest.fixture(scope="module")
def template_routes() -> list[Route]:
    return routes_of(translate(read_template()))


# Current


def test_the_files_are_current() -> None:
    assert document.stale(ROOT) == [], "run `make openapi`"


def a_project(folder: Path) -> Path:
    for name in ("pyproject.toml", "docs/api.md", *document.COPIES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "template.yaml").touch()
    return folder


def test_a_file_that_is_missing_or_old_is_noticed_and_mended(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    document.write(project)
    (project / document.COPIES[0]).unlink()
    about = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(about.replace("0.1.0", "9.9.9"))

    assert document.stale(project) == list(document.COPIES)
    assert document.write(project) == list(document.COPIES)
    assert document.stale(project) == []
    assert '"version": "9.9.9"' in (project / document.COPIES[1]).read_text()


def test_the_command_says_what_is_old_and_fails_when_asked_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = a_project(tmp_path)
    (project / "docs" / "openapi.json").write_text("{}")
    monkeypatch.chdir(project)

    assert command.main(["--check"]) == 1
    assert "docs/openapi.json: old; run `make openapi`" in capsys.readouterr().err
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0


# Whole


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(MADE).validate()


def test_a_document_that_is_not_valid_is_noticed() -> None:
    broken = json.loads(json.dumps(MADE))
    del broken["paths"]["/events"]["post"]["responses"]["200"]["description"]

    assert not OpenAPIV31SpecValidator(broken).is_valid()


def undescribed(made: Json) -> set[str]:
    """Name what the functions serve and a document does not have, and what it has alone."""
    sent = {f"POST {path}" for path in (*routes.PATHS, *routes.PATTERNS)}
    read = {f"GET {path}" for path in (*handler.ROUTES, handler.description.PATH)}
    told = {f"{method.upper()} {path}" for path, item in made["paths"].items() for method in item}
    return {unnamed(route) for route in sent | read} ^ {unnamed(route) for route in told}


def test_no_two_paths_differ_by_the_names_of_their_parameters_alone() -> None:
    assert len({unnamed(path) for path in MADE["paths"]}) == len(MADE["paths"])


def test_paths_that_do_are_joined() -> None:
    parameter = {"in": "path", "name": "a"}

    made = joined({"/x/{a}": {"get": {"parameters": [parameter]}}}, {"/x/{b}": {"post": {}}})

    assert made == {
        "/x/{name}": {
            "get": {"parameters": [{"in": "path", "name": "name"}]},
            "post": {"parameters": []},
        }
    }


def test_every_route_of_the_functions_is_in_it_and_no_other() -> None:
    assert undescribed(MADE) == set()


@pytest.mark.parametrize("path", ["/events/batch/{type}", "/v1/t", "/sessions", "/openapi.json"])
def test_a_route_that_is_missing_is_noticed(path: str) -> None:
    paths = {name: item for name, item in MADE["paths"].items() if name != path}

    assert len(undescribed({**MADE, "paths": paths})) == 1


def test_every_route_of_the_template_is_in_it_and_leads_to_what_it_describes(
    template_routes: list[Route],
) -> None:
    api = HttpApi("api", tuple(template_routes))
    met = set()
    for label in OPERATIONS:
        method, path = label.split()
        found = api.match(method, re.sub(r"\{\w+\}", "orders", path))
        assert found is not None, label
        assert found[0].function == {"POST": "IngestFunction", "GET": "QueryFunction"}[method]
        met.add(found[0].key)

    # Takes what no other route has, to answer wrong addresses with a code.
    assert {route.key for route in template_routes} - met == {"POST /{proxy+}"}


def described_codes(made: Json) -> dict[int, set[str]]:
    """Return the codes of each status, as the refusals of its operations say them."""
    found: dict[int, set[str]] = {}
    for name, response in made["components"]["responses"].items():
        narrowed = response["content"].get("application/problem+json", {}).get("schema", {})
        if "enum" in narrowed.get("properties", {}).get("code", {}):
            status = int(name[-3:])
            assert narrowed["properties"]["status"] == {"const": status}
            found.setdefault(status, set()).update(narrowed["properties"]["code"]["enum"])
    return found


def test_every_status_and_code_of_an_error_is_in_it() -> None:
    unanswered = {EventStreamError.code, "condition_lost", ConfigError.code, PoisonLineError.code}
    expected: dict[int, set[str]] = {}
    for kind, status in http.STATUS.items():
        if kind.code not in unanswered:
            expected.setdefault(status, set()).add(kind.code)

    assert described_codes(MADE) == expected
    assert set(problems.WORDS) == set(expected)


def test_an_error_that_is_new_is_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class TeapotError(EventStreamError):
        code = "teapot"

    monkeypatch.setattr(problems, "STATUS", {**http.STATUS, TeapotError: 400})

    assert "teapot" in problems.codes()[400]
    assert document.build(ROOT) != MADE


def test_every_operation_says_how_it_refuses() -> None:
    for label, operation in OPERATIONS.items():
        wanted = {"429", "500"} | ({"400", "503"} if label != "GET /openapi.json" else set())
        if operation.get("security") != []:
            wanted |= {"401", "403"}
        assert wanted <= set(operation["responses"]), label
    open_routes = {label for label, each in OPERATIONS.items() if each.get("security") == []}
    assert open_routes == {f"GET {path}" for path in handler.OPEN_ROUTES}


# True


def test_the_titles_are_those_of_the_answers() -> None:
    titles = {
        each["content"]["application/problem+json"]["schema"]["properties"]["title"]["const"]
        for each in MADE["components"]["responses"].values()
        if "application/problem+json" in each["content"]
    }

    assert titles == {http._TITLES[status] for status in problems.codes()}


@pytest.mark.parametrize("path", handler.ROUTES)
def test_the_parameters_are_those_that_the_route_reads(path: str) -> None:
    deps = Deps(MemoryReadings(), now=lambda: NOW, access=open_access())
    with pytest.raises(InvalidRequestError) as caught:
        handler.ROUTES[path]({"no_such": "x"}, deps)
    [message] = [e.message for e in caught.value.errors if e.rule == "unknown_parameter"]
    told = [e["name"] for e in of(f"GET {path}")["parameters"] if e["in"] == "query"]
    read = set(message.partition("use ")[2].split(", ")) - {"none"}

    assert sorted(told) == sorted(read - set(re.findall(r"{(\w+)}", path)))


@pytest.mark.parametrize("path", reading.LIMITS)
def test_the_limit_of_a_page_is_the_one_that_is_held(path: str) -> None:
    deps = Deps(MemoryReadings(), now=lambda: NOW, access=open_access())
    given = {"user_id": "ada"} if path == "/sessions" else {}
    [limit] = [e for e in of(f"GET {path}")["parameters"] if e["name"] == "limit"]

    handler.ROUTES[path]({**given, "limit": str(limit["schema"]["maximum"])}, deps)
    with pytest.raises(InvalidRequestError, match="limit"):
        handler.ROUTES[path]({**given, "limit": str(limit["schema"]["maximum"] + 1)}, deps)


def test_the_last_instant_of_a_parameter_is_the_one_that_is_held() -> None:
    [start] = [e for e in OPERATIONS["GET /anomalies"]["parameters"] if e["name"] == "from"]
    last = start["schema"]["anyOf"][1]["maximum"]

    def refused(value: int) -> bool:
        reader = params.ParamReader({"from": str(value)}, ("from",))
        reader.instant("from", NOON)
        return bool(reader.errors)

    assert (refused(last), refused(last + 1)) == (False, True)


EVENT = jsonschema_rs.validator_for(
    {"$ref": "#/components/schemas/IngestEvent", "components": MADE["components"]}
)


def test_what_is_a_valid_event_by_the_schema_is_one_to_the_function_and_no_other() -> None:
    rng = random.Random(7)
    verdicts = {True: 0, False: 0}
    for _ in range(2000):
        event = valid_event(rng)
        event = spoil(rng, event) if rng.random() < 0.7 else event
        try:
            as_sent = json.loads(json.dumps(event, allow_nan=False, ensure_ascii=False).encode())
        except ValueError:
            continue  # is no JSON
        answer = validate(as_sent)
        rules = set() if isinstance(answer, IngestEvent) else {each.rule for each in answer}
        if rules & BEYOND_SCHEMAS:
            continue
        assert EVENT.is_valid(as_sent) is not bool(rules), (as_sent, rules)
        verdicts[not rules] += 1

    assert min(verdicts.values()) > 300


BEYOND_SCHEMAS = frozenset(
    {
        *("control_character", "not_printable", "too_deep", "too_many_values", "not_finite"),
        *("out_of_range", "too_long", "bad_format"),
    }
)
"""Rules that JSON Schema cannot say of every value, or only of some: format is an annotation."""


@pytest.mark.parametrize("name", FIELD_OF)
def test_every_spelling_of_a_field_is_in_the_schema_and_no_two_of_them(name: str) -> None:
    values: Json = {
        "event_type": "click",
        "timestamp": "2026-02-20T11:59:00Z",
        "sent_at": 1_771_588_740_000,
        "latency_ms": 1.5,
        "is_error": True,
        "properties": {"a": 1},
        "context": {},
    }
    value = values.get(FIELD_OF[name], "x")
    named = {} if FIELD_OF[name] == "event_type" else {"type": "click"}
    others = [other for other, field in FIELD_OF.items() if field == FIELD_OF[name] != name]

    for sent in [{**named, name: value}, *({**named, name: value, o: value} for o in others)]:
        is_valid = isinstance(validate(sent), IngestEvent)
        assert EVENT.is_valid(sent) is is_valid is (len(sent) == len(named) + 1)


@pytest.mark.parametrize("exchange", exchanges(PAGE), ids=lambda each: each.path)
def test_the_examples_fit_their_schemas(exchange: Any) -> None:
    operation = of(f"POST {exchange.path}")
    if exchange.is_model and exchange.document is not None:
        body = resolved(operation["requestBody"])["content"][exchange.media_type]
        assert exchange.document in [each["value"] for each in body["examples"].values()]
        assert valid(body["schema"], exchange.document)
    answer = resolved(of(f"POST {exchange.path}")["responses"][str(exchange.status)])
    [content] = [c for kind, c in answer["content"].items() if exchange.status < 400 or "+" in kind]
    assert valid(content["schema"], exchange.answer)


def test_every_member_of_an_answer_is_on_the_page() -> None:
    pages = PAGE + (ROOT / "docs" / "sdks.md").read_text(encoding="utf-8")
    members = {
        name
        for schema in MADE["components"]["schemas"].values()
        for name in schema.get("properties", {})
    }

    assert len(members) > 80
    assert sorted(name for name in members if not re.search(rf"[`\".]{name}[`\".]", pages)) == []


def test_every_reading_route_has_an_example_that_fits() -> None:
    for path in handler.ROUTES:
        answer = of(f"GET {path}")["responses"]["200"]["content"]["application/json"]
        [example] = answer["examples"].values()
        assert valid(answer["schema"], example["value"]), path


def resolved(value: Json) -> Json:
    if "$ref" not in value:
        return value
    _, _, kind, name = value["$ref"].split("/")
    found: Json = CLOSED["components"][kind][name]
    return found


def valid(schema: Json, value: object) -> bool:
    whole = {"allOf": [schema], "components": CLOSED["components"]}
    return jsonschema_rs.validator_for(whole).is_valid(value)


ASKED: list[tuple[str, dict[str, str]]] = [
    ("/metrics", {"event_type": "click", "from": "2026-02-20T08:00:00Z"}),
    ("/metrics", {"event_type": "click", "from": "2026-02-20T08:00:00Z", "limit": "1"}),
    ("/metrics", {"event_type": "click", "metric": "latency_p95", "from": "2026-02-20T08:00:00Z"}),
    ("/metrics", {"event_type": "nobody"}),
    ("/event-types", {"limit": "1"}),
    ("/sessions", {"user_id": "ada"}),
    ("/sessions", {"anonymous_id": "ada", "limit": "1"}),
    ("/sessions", {"user_id": "nobody"}),
    ("/sessions/active", {"limit": "1"}),
    ("/events/{event_id}", {"event_id": "e-1"}),
    ("/events/{event_id}", {"event_id": "e-2"}),
    ("/events/{event_id}", {"event_id": "e-3", "source": "public"}),
    ("/anomalies", {"event_type": "view"}),
    ("/anomalies", {"limit": "1"}),
    ("/runs", {"limit": "1"}),
    ("/health", {}),
    ("/openapi.json", {}),
]


@pytest.mark.parametrize(("path", "query"), ASKED)
def test_an_answer_with_rows_is_as_described(
    path: str, query: dict[str, str], template_routes: list[Route], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = a_whole_api("calm", template_routes, monkeypatch)
    [operation] = [
        each
        for label, each in operations(MADE, world.api).items()
        if unnamed(label) == unnamed(f"GET {path}")
    ]
    named = [value for name, value in query.items() if f"{{{name}}}" in path]
    asked = {name: value for name, value in query.items() if value not in named}

    case = operation.Case(query=asked, path_parameters={"name": named[0]} if named else {})
    response = case.call_and_validate(checks=CHECKS)

    assert response.status_code == 200
    rows = [each for each in response.json().values() if isinstance(each, list)]
    assert path in ("/health", "/openapi.json") or "nobody" in query.values() or all(rows)


def test_every_reading_route_is_asked() -> None:
    assert {path for path, _ in ASKED} == {*handler.ROUTES, handler.description.PATH}


def ways_to_say(scheme: Json, key: str) -> Iterator[dict[str, Any]]:
    if scheme.get("scheme") == "bearer":
        yield {"headers": {"authorization": f"Bearer {key}"}}
    elif scheme.get("scheme") == "basic":
        import base64

        encoded = base64.b64encode(f"{key}:".encode()).decode()
        yield {"headers": {"authorization": f"Basic {encoded}"}}
    elif scheme["in"] == "header":
        yield {"headers": {scheme["name"].lower(): key}}
    else:
        yield {"query": {scheme["name"]: key}}


@pytest.mark.parametrize("name", MADE["components"]["securitySchemes"])
def test_a_key_is_found_wherever_it_is_said_to_be(name: str) -> None:
    text, record = a_key()
    store = MemoryApiKeys()
    store.put(record)
    access = Access(store, required=True, now=Clock())

    for said in ways_to_say(MADE["components"]["securitySchemes"][name], text):
        request = Request("POST", "/events", b"", NOON, "r-1", **said)
        assert access.source(request, "ingest") == record.id


# Served


def test_it_is_served_to_everybody_as_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_world() -> Deps:
        raise AssertionError("the document needs no table")

    monkeypatch.setattr(handler, "deps", no_world)
    event = a_gateway_event("", "/openapi.json", method="GET")

    answer = handler.lambda_handler(event, LambdaContext())  # type: ignore[arg-type]

    assert answer["statusCode"] == 200
    assert answer["headers"] == {
        "content-type": "application/json",
        "cache-control": "public, max-age=300",
    }
    assert json.loads(answer["body"]) == json.loads((ROOT / "docs" / "openapi.json").read_text())


def test_it_is_not_there_to_be_written() -> None:
    event = a_gateway_event("", "/openapi.json", method="DELETE")

    answer = handler.lambda_handler(event, LambdaContext())  # type: ignore[arg-type]

    assert (answer["statusCode"], answer["headers"]["allow"]) == (405, "GET")
