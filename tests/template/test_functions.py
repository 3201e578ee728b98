from __future__ import annotations

import pytest

from common.config import Config
from query import description
from query.handler import ROUTES
from template.checks import functions
from template.checks.parameters import default_of, extremes_of
from template.checks.reading import Template, translate, with_value, without
from template.checks.stores import Check

INGEST = ("IngestFunction", "Properties")
STAGE = ("HttpApiApiGatewayDefaultStage", "Properties")


@pytest.mark.parametrize(
    "check",
    [
        functions.missing_handlers,
        functions.unlike_settings,
        functions.loose_functions,
        functions.open_doors,
        functions.wrong_cors,
        functions.sleepy_memory,
    ],
)
def test_functions_and_api_fit_the_code(check: Check, translated: Template) -> None:
    assert check(translated) == []


@pytest.mark.parametrize(
    ("check", "value", "path"),
    [
        pytest.param(
            functions.missing_handlers, "ingest.nowhere.f", (*INGEST, "Handler"), id="no-module"
        ),
        pytest.param(
            functions.missing_handlers,
            "ingest.handler.absent",
            (*INGEST, "Handler"),
            id="no-function",
        ),
        pytest.param(
            functions.unlike_settings,
            "x",
            (*INGEST, "Environment", "Variables", "UNKNOWN"),
            id="set-and-never-read",
        ),
        pytest.param(
            functions.loose_functions, "python3.11", (*INGEST, "Runtime"), id="other-runtime"
        ),
        pytest.param(
            functions.loose_functions, "Text", (*INGEST, "LoggingConfig", "LogFormat"), id="text"
        ),
        pytest.param(
            functions.loose_functions,
            {"Ref": "QueryFunctionLogGroup"},
            (*INGEST, "LoggingConfig", "LogGroup"),
            id="shared-log",
        ),
        pytest.param(
            functions.open_doors,
            '{"agent":"$context.identity.userAgent","q":"$context.request.header.x"}',
            (*STAGE, "AccessLogSettings", "Format"),
            id="client-data-in-the-access-log",
        ),
        pytest.param(
            functions.sleepy_memory,
            "2000",
            ("AggregateFunction", "Properties", "Environment", "Variables", "DUCKDB_MEMORY_MB"),
            id="duckdb-takes-all",
        ),
    ],
)
def test_a_wrong_value_is_found(
    check: Check, value: object, path: tuple[str, ...], translated: Template
) -> None:
    assert check(with_value(translated, value, *path)) != []


@pytest.mark.parametrize(
    ("check", "path"),
    [
        pytest.param(
            functions.unlike_settings,
            (*INGEST, "Environment", "Variables", "STREAM_NAME"),
            id="read-and-never-set",
        ),
        pytest.param(functions.unlike_settings, ("QueryFunction",), id="no-such-function"),
        pytest.param(functions.loose_functions, (*INGEST, "TracingConfig"), id="not-traced"),
        pytest.param(functions.loose_functions, (*INGEST, "Layers"), id="no-layer"),
        pytest.param(
            functions.open_doors,
            (*STAGE, "DefaultRouteSettings", "ThrottlingBurstLimit"),
            id="no-burst-limit",
        ),
        pytest.param(functions.open_doors, (*STAGE, "AccessLogSettings"), id="no-access-log"),
        pytest.param(
            functions.sleepy_memory,
            ("AggregateFunction", "Properties", "EphemeralStorage"),
            id="small-disk",
        ),
    ],
)
def test_leaving_something_out_is_found(
    check: Check, path: tuple[str, ...], translated: Template
) -> None:
    assert check(without(translated, *path)) != []


def test_a_route_in_the_old_format_is_found(translated: Template) -> None:
    path = ("HttpApi", "Properties", "Body", "paths", "/events", "post")

    old = with_value(
        translated, "1.0", *path, "x-amazon-apigateway-integration", "payloadFormatVersion"
    )

    assert functions.open_doors(old) == ["POST /events: payload format is not 2.0"]


@pytest.mark.parametrize(("name", "config"), functions.CONFIGS.items())
def test_each_function_starts_with_the_default_parameters(
    name: str, config: type[Config], translated: Template
) -> None:
    defaults = {key: default_of(p) for key, p in translated["Parameters"].items()}

    config.from_env(functions.values_of(translated, name, defaults))


@pytest.mark.parametrize(("name", "config"), functions.CONFIGS.items())
def test_each_function_starts_with_every_value_that_a_parameter_allows(
    name: str, config: type[Config], translated: Template
) -> None:
    defaults = {key: default_of(p) for key, p in translated["Parameters"].items()}

    for key, parameter in translated["Parameters"].items():
        for extreme in extremes_of(parameter):
            config.from_env(functions.values_of(translated, name, {**defaults, key: extreme}))


def test_each_function_answers_its_routes_and_no_other(translated: Template) -> None:
    served = {
        route: functions.served_by(operation)
        for route, operation in functions.routes(translated).items()
        if not route.startswith("OPTIONS")
    }

    assert served == {
        "POST /events": "IngestFunction",
        "POST /events/batch": "IngestFunction",
        "POST /events/{proxy+}": "IngestFunction",
        "POST /v1/{proxy+}": "IngestFunction",
        "POST /beacon/v1/batch": "IngestFunction",
        "POST /api/s/{proxy+}": "IngestFunction",
        "POST /2/httpapi": "IngestFunction",
        "POST /{proxy+}": "IngestFunction",
        "GET /metrics": "QueryFunction",
        "GET /event-types": "QueryFunction",
        "GET /anomalies": "QueryFunction",
        "GET /runs": "QueryFunction",
        "GET /sessions": "QueryFunction",
        "GET /sessions/active": "QueryFunction",
        "GET /events/{proxy+}": "QueryFunction",
        "GET /health": "QueryFunction",
        "GET /openapi.json": "QueryFunction",
    }


def test_the_query_function_knows_every_route_that_leads_to_it(translated: Template) -> None:
    routes = functions.routes(translated).items()
    led = {
        route for route, operation in routes if functions.served_by(operation) == "QueryFunction"
    }

    known = {f"GET {path}" for path in (*ROUTES, description.PATH)}
    # Beside POST of the same path, whose parameter has this name.
    assert {route.replace("{event_id}", "{proxy+}") for route in known} == led


def test_origins_that_are_a_function_alone_are_found(template: Template) -> None:
    origins = {"AllowOrigins": {"Fn::Split": [",", {"Ref": "CorsAllowedOrigins"}]}}
    settings = {**origins, "AllowMethods": ["GET", "POST", "OPTIONS"], "MaxAge": 600}

    told = translate(with_value(template, settings, "HttpApi", "Properties", "CorsConfiguration"))

    assert "tells browsers ['Fn::Split']" in str(functions.wrong_cors(told))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowHeaders", ["*"]),
        ("allowHeaders", ["authorization", "content-type"]),
        ("allowHeaders", [*sorted(functions.CORS_HEADERS), "cookie"]),
        ("allowMethods", ["GET", "POST", "OPTIONS", "DELETE"]),
        ("exposeHeaders", []),
        ("maxAge", 600),
    ],
)
@pytest.mark.parametrize("branch", [1, 2], ids=["every-origin", "listed-origins"])
def test_other_settings_than_sdks_need_are_found(
    translated: Template, branch: int, name: str, value: object
) -> None:
    path = ("HttpApi", "Properties", "Body", "x-amazon-apigateway-cors", "Fn::If", branch, name)

    assert len(functions.wrong_cors(with_value(translated, value, *path))) == 1


def test_other_origins_than_the_parameters_are_found(translated: Template) -> None:
    path = ("HttpApi", "Properties", "Body", "x-amazon-apigateway-cors")
    settings = translated["Resources"]["HttpApi"]["Properties"]["Body"][path[-1]]["Fn::If"][1]

    fixed = {**settings, "allowOrigins": ["https://example.com"]}

    assert functions.wrong_cors(with_value(translated, fixed, *path)) != []
