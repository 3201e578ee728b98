"""Reading the deployed HTTP API: its routes, limits and CORS settings."""

from typing import Any

from eventstream.local.cors import Cors
from eventstream.local.errors import DeployError
from eventstream.local.http_api import HttpApi, Route


def read(client: Any, api_id: str) -> HttpApi:  # noqa: ANN401
    """Read an API from API Gateway.

    Parameters
    ----------
    client
        ``apigatewayv2`` client.
    api_id
        The API.

    Raises
    ------
    DeployError
        It has no ``$default`` stage.
    """
    api = client.get_api(ApiId=api_id)
    stages = {stage["StageName"]: stage for stage in _items(client, "get_stages", api_id)}
    if "$default" not in stages:
        raise DeployError(f"the HTTP API {api_id} has no $default stage")
    stage = stages["$default"]
    integrations = {
        each["IntegrationId"]: each for each in _items(client, "get_integrations", api_id)
    }
    routes = [
        _route(route, integrations[route["Target"].rsplit("/", 1)[-1]], stage)
        for route in _items(client, "get_routes", api_id)
    ]
    cors = api.get("CorsConfiguration")
    return HttpApi(api_id, tuple(routes), cors=Cors.parse(cors) if cors else None)


def _items(client: Any, operation: str, api_id: str) -> list[Any]:  # noqa: ANN401
    pages = client.get_paginator(operation).paginate(ApiId=api_id)
    return [item for page in pages for item in page["Items"]]


def _route(route: dict[str, Any], integration: dict[str, Any], stage: dict[str, Any]) -> Route:
    key = route["RouteKey"]
    limits = {
        **stage.get("DefaultRouteSettings", {}),
        **stage.get("RouteSettings", {}).get(key, {}),
    }
    arn = integration["IntegrationUri"].split("/functions/", 1)[-1].split("/invocations", 1)[0]
    return Route(
        key=key,
        function=arn.rsplit(":", 1)[-1],
        timeout_s=integration.get("TimeoutInMillis", 30_000) / 1000,
        rate=limits.get("ThrottlingRateLimit"),
        burst=limits.get("ThrottlingBurstLimit"),
    )
