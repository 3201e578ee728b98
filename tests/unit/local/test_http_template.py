from typing import Any

import pytest

from eventstream.local.errors import TemplateError
from eventstream.local.http_template import camel_stage, expand


def operation(**other: Any) -> dict[str, Any]:
    integration = {"type": "aws_proxy", "uri": "arn:fn", "payloadFormatVersion": "2.0", **other}
    return {"x-amazon-apigateway-integration": integration}


def api(**body: Any) -> dict[str, Any]:
    return {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Body": body}}


def routes(resources: dict[str, Any]) -> list[str]:
    return sorted(
        each["Properties"]["RouteKey"]
        for each in resources.values()
        if each["Type"].endswith("::Route")
    )


def test_every_operation_becomes_a_route_with_its_integration() -> None:
    body = {
        "paths": {
            "/events": {"post": operation()},
            "/events/{proxy+}": {"post": operation()},
            "/": {"x-amazon-apigateway-any-method": operation()},
            "/$default": {"x-amazon-apigateway-any-method": operation()},
        }
    }

    resources = expand("HttpApi", api(**body))

    assert routes(resources) == ["$default", "ANY /", "POST /events", "POST /events/{proxy+}"]
    for each in resources.values():
        if each["Type"].endswith("::Route"):
            target = each["Properties"]["Target"]["Fn::Sub"]
            assert target.removeprefix("integrations/${").removesuffix("}") in resources


def test_cors_is_spelled_as_the_emulator_reads_it() -> None:
    body = {"x-amazon-apigateway-cors": {"AllowOrigins": ["*"], "maxAge": 5}}

    cors = expand("HttpApi", api(**body))["HttpApi"]["Properties"]["CorsConfiguration"]

    assert cors == {"allowOrigins": ["*"], "maxAge": 5}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param({"x-amazon-apigateway-cors": ["*"]}, "instead of an object", id="lost CORS"),
        pytest.param({"x-amazon-apigateway-cors": {"Origins": []}}, "no origins", id="CORS key"),
        pytest.param(
            {"components": {"securitySchemes": {"a": {}}}}, "authorizers", id="authorizer"
        ),
        pytest.param({"paths": {"/a": {"post": {}}}}, "POST /a has no function", id="no function"),
        pytest.param(
            {"paths": {"/a": {"get": operation(payloadFormatVersion="1.0")}}},
            "GET /a must use payloadFormatVersion 2.0",
            id="old payload",
        ),
        pytest.param({"paths": {"/a": {"fetch": {}}}}, "unknown method fetch", id="method"),
    ],
)
def test_what_the_gateway_does_not_do_is_refused(body: dict[str, Any], named: str) -> None:
    with pytest.raises(TemplateError, match=f"HttpApi: .*{named}"):
        expand("HttpApi", api(**body))


def test_limits_are_numbers_in_the_emulators_spelling() -> None:
    stage = camel_stage(
        {
            "DefaultRouteSettings": {"ThrottlingRateLimit": "10", "ThrottlingBurstLimit": "20"},
            "RouteSettings": {"POST /events": {"ThrottlingBurstLimit": 1}},
        }
    )

    assert stage["DefaultRouteSettings"] == {
        "throttlingRateLimit": 10.0,
        "throttlingBurstLimit": 20,
    }
    assert stage["RouteSettings"] == {"POST /events": {"throttlingBurstLimit": 1}}
