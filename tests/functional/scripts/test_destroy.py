from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

ROOT = Path(__file__).parents[3]
TEMPLATE = json.dumps(
    {
        "Resources": {
            "Lake": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"},
            "Hot": {
                "Type": "AWS::DynamoDB::Table",
                "DeletionPolicy": "Retain",
                "Properties": {
                    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "BillingMode": "PAY_PER_REQUEST",
                    "DeletionProtectionEnabled": True,
                },
            },
        }
    }
)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    spec = importlib.util.spec_from_file_location("destroy", ROOT / "scripts" / "destroy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        session = boto3.Session(region_name="eu-west-1")
        session.client("cloudformation").create_stack(StackName="es", TemplateBody=TEMPLATE)
        s3 = session.client("s3")
        bucket = buckets(session)[0]
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for _ in range(3):
            s3.put_object(Bucket=bucket, Key="events/a", Body=b"x")
        s3.delete_object(Bucket=bucket, Key="events/a")
        yield session


def buckets(session: Any) -> list[str]:
    return [b["Name"] for b in session.client("s3").list_buckets()["Buckets"]]


def test_nothing_is_left_of_a_destroyed_stack(script: ModuleType, session: Any) -> None:
    script.destroy("es", session, keep_data=False)

    assert buckets(session) == []
    assert session.client("dynamodb").list_tables()["TableNames"] == []


def test_a_versioned_bucket_cannot_go_without_being_emptied(session: Any) -> None:
    s3 = session.client("s3")

    with pytest.raises(s3.exceptions.ClientError, match="BucketNotEmpty"):
        s3.delete_bucket(Bucket=buckets(session)[0])


def test_data_is_kept_when_asked_for(script: ModuleType, session: Any) -> None:
    script.resources("es", session.client("cloudformation"))
    lake = buckets(session)[0]

    script.destroy("es", session, keep_data=True)

    versions = session.client("s3").list_object_versions(Bucket=lake)["Versions"]
    assert len(versions) == 3


def test_an_unknown_stack_is_named(script: ModuleType, session: Any) -> None:
    with pytest.raises(SystemExit, match="stack nope"):
        script.destroy("nope", session, keep_data=False)


def test_nothing_happens_unless_the_name_is_typed(
    script: ModuleType, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    monkeypatch.setattr(script, "settings", lambda _: {"stack_name": "es", "region": "eu-west-1"})

    with pytest.raises(SystemExit, match="nothing was deleted"):
        script.main([])

    assert len(buckets(session)) == 1


def test_nobody_at_the_terminal_deletes_nothing(
    script: ModuleType, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    monkeypatch.setattr(script, "settings", lambda _: {"stack_name": "es", "region": "eu-west-1"})

    with pytest.raises(SystemExit, match="nobody to ask"):
        script.main([])

    assert len(buckets(session)) == 1


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        pytest.param({}, "no AWS region", id="no region"),
        pytest.param(
            {"AWS_DEFAULT_REGION": "eu-west-1"}, "no AWS credentials", id="no credentials"
        ),
    ],
)
def test_what_is_missing_is_said_before_anything_is_asked(
    script: ModuleType,
    environment: dict[str, str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(script, "settings", lambda _: {"stack_name": "es"})

    with pytest.raises(SystemExit, match=told):
        script.main([])
