import gzip
import json
from base64 import b64decode

import boto3
import pytest

from .conftest import Local

pytestmark = pytest.mark.e2e


def test_health_is_the_functions_and_not_the_emulators(shared: Local) -> None:
    assert shared.request("GET", "/health").json["status"] == "ours"


def test_an_unknown_path_is_404_as_api_gateway_says_it(shared: Local) -> None:
    reply = shared.request("GET", "/nowhere")

    assert (reply.status, reply.json) == (404, {"message": "Not Found"})


def test_who_looks_in_at_the_door_is_told_where_to_go(shared: Local) -> None:
    reply = shared.request("GET", "/")

    assert (reply.status, reply.json["message"]) == (404, "Not Found")
    assert f"{shared.running['url']}/health" in reply.json["see"]
    assert "POST /put" in reply.json["routes"]


def test_a_function_that_fails_is_a_500_without_detail(shared: Local) -> None:
    reply = shared.request("GET", "/boom")

    assert (reply.status, reply.body) == (500, b'{"message":"Internal Server Error"}')


def test_a_compressed_body_reaches_the_function_byte_for_byte(shared: Local) -> None:
    body = gzip.compress(b'{"a": 1}', mtime=0)
    headers = {"content-type": "application/json", "content-encoding": "gzip"}

    event = shared.request("POST", "/echo/x", body, headers).json

    assert event["isBase64Encoded"] is True
    assert b64decode(event["body"]) == body


def test_path_query_and_headers_reach_the_function(shared: Local) -> None:
    event = shared.request("PUT", "/echo/a%20b/c?x=1&x=2", headers={"X-Mine": "yes"}).json

    assert event["pathParameters"] == {"proxy": "a b/c"}
    assert event["queryStringParameters"] == {"x": "1,2"}
    assert event["headers"]["x-mine"] == "yes"
    assert event["requestContext"]["http"]["method"] == "PUT"


def test_a_body_over_10_mb_is_413(shared: Local) -> None:
    body = b"x" * (10 * 1024 * 1024 + 1)

    reply = shared.request("POST", "/echo/x", body, {"content-type": "text/plain"})

    assert reply.status == 413


def test_a_body_that_lambda_could_not_take_is_413(shared: Local) -> None:
    body = b'"' * (4 * 1024 * 1024)

    assert shared.request("POST", "/echo/x", body, {"content-type": "text/plain"}).status == 413


def test_over_the_templates_limit_the_answer_is_429(shared: Local) -> None:
    replies = [shared.request("GET", "/limited") for _ in range(3)]

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[2].json == {"message": "Too Many Requests"}


def test_a_preflight_is_answered_from_the_templates_settings(shared: Local) -> None:
    allowed = shared.request("OPTIONS", "/put", headers={"Origin": "https://app.example"})
    refused = shared.request("OPTIONS", "/put", headers={"Origin": "https://other.example"})

    assert (allowed.status, refused.status) == (204, 204)
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert allowed.headers["access-control-allow-methods"] == "GET,POST"
    assert "access-control-allow-origin" not in refused.headers


def test_an_answer_to_an_allowed_origin_carries_cors_headers(shared: Local) -> None:
    reply = shared.request("GET", "/health", headers={"Origin": "https://app.example"})

    assert reply.headers["access-control-allow-origin"] == "https://app.example"


def test_signed_calls_of_the_same_address_reach_aws_services(shared: Local) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=shared.running["url"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    bucket, body = shared.target.resource("FailureBucket"), b"x" * 9_000_000

    s3.put_object(Bucket=bucket, Key="a b/large", Body=body)
    found = s3.get_object(Bucket=bucket, Key="a b/large")["Body"].read()
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b/large"})
    presigned = shared.request("GET", url.removeprefix(shared.running["url"]))
    s3.delete_object(Bucket=bucket, Key="a b/large")

    assert found == body
    assert presigned.body == body


def test_a_page_in_a_browser_cannot_use_the_pipeline_as_its_aws_account(shared: Local) -> None:
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=test",
        "Origin": "https://evil.example",
    }

    assert shared.request("GET", "/", headers=headers).status == 403


def test_an_unsigned_call_of_the_emulators_own_interface_reaches_nothing(shared: Local) -> None:
    assert shared.request("POST", "/_ministack/reset").status == 404
    assert shared.request("GET", "/health").status == 200


def test_every_request_is_one_line_in_the_access_log(shared: Local) -> None:
    shared.request("GET", "/health?secret=1")

    text = (shared.state / "logs" / "access.log").read_text()
    line = json.loads(text.splitlines()[-1])

    assert (line["route"], line["method"], line["status"]) == ("GET /health", "GET", 200)
    assert "secret" not in text
