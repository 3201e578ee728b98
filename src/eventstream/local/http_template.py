"""An HTTP API's OpenAPI body, spelled out as the resources it stands for.

The emulator's CloudFormation ignores the body, and would make an API without a single route.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from eventstream.local.errors import TemplateError

_INTEGRATION = "x-amazon-apigateway-integration"
_CORS = "x-amazon-apigateway-cors"
_CORS_KEYS = frozenset(
    {"allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge", "allowCredentials"}
)
_METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_ANY = "x-amazon-apigateway-any-method"


def expand(logical_id: str, api: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the resources that an HTTP API with a body consists of.

    Parameters
    ----------
    logical_id
        Logical id of the ``AWS::ApiGatewayV2::Api``.
    api
        The resource, parameters and conditions resolved.

    Returns
    -------
    dict[str, dict[str, Any]]
        The API without its body, one integration and one route per operation.

    Raises
    ------
    TemplateError
        The body holds something that the gateway doesn't do.
    """
    properties = dict(api.get("Properties", {}))
    body = properties.pop("Body", None)
    for needless in ("FailOnWarnings", "BodyS3Location", "DisableSchemaValidation"):
        properties.pop(needless, None)
    if body is None:
        return {logical_id: {**api, "Properties": _camel_cors(logical_id, properties)}}
    if body.get("components", {}).get("securitySchemes"):
        raise TemplateError(f"{logical_id}: the local gateway doesn't know authorizers")
    properties["ProtocolType"] = "HTTP"
    properties.setdefault("Name", body.get("info", {}).get("title", logical_id))
    if _CORS in body:
        properties["CorsConfiguration"] = body[_CORS]
    expanded = {logical_id: {**api, "Properties": _camel_cors(logical_id, properties)}}
    for method, path, operation in _operations(logical_id, body):
        expanded.update(_route(logical_id, method, path, operation))
    return expanded


def _operations(logical_id: str, body: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for path, methods in sorted(body.get("paths", {}).items()):
        for method, operation in sorted(methods.items()):
            if method == _ANY:
                yield "ANY", path, operation
            elif method in _METHODS:
                yield method.upper(), path, operation
            elif method != "parameters":
                raise TemplateError(f"{logical_id}: {path} has the unknown method {method}")


def _route(
    logical_id: str, method: str, path: str, operation: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    key = "$default" if path == "/$default" else f"{method} {path}"
    integration = operation.get(_INTEGRATION)
    if integration is None or str(integration.get("type", "")).lower() != "aws_proxy":
        raise TemplateError(f"{logical_id}: {key} has no function behind it (aws_proxy)")
    if str(integration.get("payloadFormatVersion", "2.0")) != "2.0":
        raise TemplateError(f"{logical_id}: {key} must use payloadFormatVersion 2.0")
    if operation.get("security"):
        raise TemplateError(f"{logical_id}: {key} has an authorizer, which isn't known locally")
    name = _name(logical_id, key)
    return {
        f"{name}Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": logical_id},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": integration["uri"],
                "IntegrationMethod": integration.get("httpMethod", "POST"),
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": int(integration.get("timeoutInMillis", 30_000)),
            },
        },
        f"{name}Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": logical_id},
                "RouteKey": key,
                "Target": {"Fn::Sub": f"integrations/${{{name}Integration}}"},
            },
        },
    }


def _name(logical_id: str, key: str) -> str:
    readable = "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", key))
    digest = hashlib.sha256(key.encode()).hexdigest()[:6]
    return f"{logical_id}{readable}{digest}"


def _camel_cors(logical_id: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Spell the keys of the CORS settings as the emulator reads them: ``allowOrigins`` ..."""
    cors = properties.get("CorsConfiguration")
    if cors is None:
        return properties
    if not isinstance(cors, dict):
        raise TemplateError(
            f"{logical_id}: the translated CORS settings are {cors!r} instead of an object. SAM "
            "loses all settings but the origins when AllowOrigins is a function such as !Split: "
            "put the whole CorsConfiguration under one !If instead"
        )
    camel = {_lower_first(key): each for key, each in cors.items()}
    unknown = sorted(set(camel) - _CORS_KEYS)
    if unknown:
        raise TemplateError(f"{logical_id}: CorsConfiguration has no {unknown[0]}")
    return {**properties, "CorsConfiguration": camel}


def camel_stage(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Spell the keys of a stage's route settings as the emulator reads them."""
    camel = dict(properties)
    if "DefaultRouteSettings" in camel:
        camel["DefaultRouteSettings"] = _camel_limits(camel["DefaultRouteSettings"])
    if "RouteSettings" in camel:
        camel["RouteSettings"] = {
            route: _camel_limits(settings) for route, settings in camel["RouteSettings"].items()
        }
    return camel


def _camel_limits(settings: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {"throttlingRateLimit": float, "throttlingBurstLimit": int}
    camel = {_lower_first(key): value for key, value in settings.items()}
    return {key: numbers[key](value) if key in numbers else value for key, value in camel.items()}


def _lower_first(key: str) -> str:
    return key[:1].lower() + key[1:]
