"""Functions, their code, their settings, their logs, and the API in front of them."""

from __future__ import annotations

import ast
from typing import Any

from common.config import AggregateConfig, Config, IngestConfig, ProcessConfig, QueryConfig
from template.checks.reading import ROOT, Template, branches, of_type, target

CONFIGS: dict[str, type[Config]] = {
    "IngestFunction": IngestConfig,
    "ProcessFunction": ProcessConfig,
    "AggregateFunction": AggregateConfig,
    "QueryFunction": QueryConfig,
}

SHARED = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}
"""Variables that Powertools reads by itself, in every function."""


def missing_handlers(template: Template) -> list[str]:
    """Find functions whose handler is not in the repository."""
    findings = []
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        module, _, attribute = function["Handler"].rpartition(".")
        path = ROOT / "src" / (module.replace(".", "/") + ".py")
        if not path.exists():
            findings.append(f"{name}: {path.relative_to(ROOT)} does not exist")
        elif attribute not in _names(path.read_text(encoding="utf-8")):
            findings.append(f"{name}: {path.relative_to(ROOT)} has no {attribute}")
    return findings


def _names(source: str) -> set[str]:
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {each.id for each in node.targets if isinstance(each, ast.Name)}
    return names


def variables(function: dict[str, Any]) -> dict[str, Any]:
    """Return a function's environment variables."""
    found: dict[str, Any] = function.get("Environment", {}).get("Variables", {})
    return found


def unlike_settings(template: Template) -> list[str]:
    """Find variables that are set and not read, or read and not set."""
    findings = []
    functions = of_type(template, "AWS::Lambda::Function")
    findings += [f"{name}: no such function" for name in CONFIGS if name not in functions]
    for name, function in functions.items():
        if name not in CONFIGS:
            findings.append(f"{name}: no settings class is known for it")
            continue
        given, read = set(variables(function)), set(CONFIGS[name].variables()) | SHARED
        findings += [f"{name}: {v} is set and never read" for v in sorted(given - read)]
        findings += [f"{name}: {v} is read and never set" for v in sorted(read - given)]
    return findings


def values_of(template: Template, name: str, parameters: dict[str, str]) -> dict[str, str]:
    """Return a function's variables as it would see them; resources become their logical ids."""
    function = of_type(template, "AWS::Lambda::Function")[name]
    return {
        key: value if isinstance(value, str) else _resolved(value, parameters)
        for key, value in variables(function).items()
    }


def _resolved(value: object, parameters: dict[str, str]) -> str:
    name = target(value)
    if name is None:
        raise AssertionError(f"cannot resolve {value}")
    return parameters.get(name, name)


def loose_functions(template: Template) -> list[str]:
    """Find functions without tracing, structured logs in their own group, or the shared layer."""
    findings = []
    groups: dict[str, str] = {}
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        logging = function.get("LoggingConfig", {})
        group = target(logging.get("LogGroup"))
        if function.get("Runtime") != "python3.12":
            findings.append(f"{name}: runtime is {function.get('Runtime')}")
        if function.get("TracingConfig") != {"Mode": "Active"}:
            findings.append(f"{name}: not traced")
        if logging.get("LogFormat") != "JSON":
            findings.append(f"{name}: logs are not JSON")
        if group not in of_type(template, "AWS::Logs::LogGroup"):
            findings.append(f"{name}: its log group is not in this template")
        elif group in groups:
            findings.append(f"{name}: shares its log group with {groups[group]}")
        groups[str(group)] = name
        if len(function.get("Layers", [])) != 1:
            findings.append(f"{name}: has not the shared layer alone")
    return findings


def open_doors(template: Template) -> list[str]:
    """Find stages of the API without throttle or access log, and routes in another format."""
    findings = []
    for name, stage in of_type(template, "AWS::ApiGatewayV2::Stage").items():
        settings = stage.get("DefaultRouteSettings", {})
        if settings.get("ThrottlingRateLimit") != {"Ref": "ThrottleRate"}:
            findings.append(f"{name}: no rate limit")
        if settings.get("ThrottlingBurstLimit") != {"Ref": "ThrottleBurst"}:
            findings.append(f"{name}: no burst limit")
        log = stage.get("AccessLogSettings", {})
        if target(log.get("DestinationArn")) not in template["Resources"]:
            findings.append(f"{name}: no access log")
        if any(client in log.get("Format", "") for client in ("header", "path", "body", "query")):
            findings.append(f"{name}: the access log holds what clients send")
        findings += [f"{name}: {r} sets its own limits" for r in stage.get("RouteSettings", {})]
    for route, operation in routes(template).items():
        integration = operation["x-amazon-apigateway-integration"]
        if integration.get("payloadFormatVersion") != "2.0":
            findings.append(f"{route}: payload format is not 2.0")
    return findings


CORS = {"allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge"}
CORS_HEADERS = {
    "anonymousid",
    "authorization",
    "content-encoding",
    "content-type",
    "idempotency-key",
    "sentat",
    "x-api-key",
    "x-retry-count",
    "x-write-key",
}
"""What the SDKs that run in pages set beyond the headers that need no leave; listed one by one,
because ``*`` does not cover ``authorization``."""


def wrong_cors(template: Template) -> list[str]:
    """Find what browsers would be told other than the parameter says.

    SAM drops every other setting when the origins alone are a function.
    """
    findings = []
    for name, api in of_type(template, "AWS::ApiGatewayV2::Api").items():
        for settings in branches(api["Body"].get("x-amazon-apigateway-cors", {})):
            if set(settings) != CORS:
                findings.append(f"{name}: tells browsers {sorted(settings)}")
                continue
            if set(settings["allowMethods"]) != {"GET", "POST", "OPTIONS"}:
                findings.append(f"{name}: allows {settings['allowMethods']}")
            if set(settings["allowHeaders"]) != CORS_HEADERS:
                findings.append(f"{name}: lets pages send {settings['allowHeaders']}")
            if settings["exposeHeaders"] != ["retry-after"]:
                findings.append(f"{name}: lets pages see {settings['exposeHeaders']}")
            if settings["maxAge"] != 86_400:
                findings.append(f"{name}: preflights are good for {settings['maxAge']} s")
            if settings["allowOrigins"] not in (["*"], {"Fn::Split": [",", "*"]}):
                findings.append(f"{name}: allows {settings['allowOrigins']}")
    return findings


def routes(template: Template) -> dict[str, dict[str, Any]]:
    """Return the API's operations by ``METHOD /path``."""
    return {
        f"{method.upper()} {path}": operation
        for api in of_type(template, "AWS::ApiGatewayV2::Api").values()
        for path, methods in api["Body"]["paths"].items()
        for method, operation in methods.items()
    }


def served_by(operation: dict[str, Any]) -> str:
    """Name the function behind an operation."""
    uri: str = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    return uri.rsplit("${", maxsplit=1)[-1].split(".Arn}", maxsplit=1)[0]


def sleepy_memory(template: Template) -> list[str]:
    """Find an aggregate function whose DuckDB could take all its memory or outgrow its disk."""
    function = of_type(template, "AWS::Lambda::Function")["AggregateFunction"]
    duckdb_mb = int(variables(function)["DUCKDB_MEMORY_MB"])
    findings = []
    if duckdb_mb > function["MemorySize"] * 0.7:
        findings.append("AggregateFunction: DuckDB leaves Python too little memory")
    if function.get("EphemeralStorage", {}).get("Size", 512) < 2 * duckdb_mb:
        findings.append("AggregateFunction: /tmp is too small for what DuckDB spills")
    return findings
