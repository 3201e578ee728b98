import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from eventstream.local import pidfile
from eventstream.local.state import Running, StateFolder
from eventstream.target import NoPipelineError, StackNotFoundError, Target, resolve

TEMPLATE = """
{"Resources": {"HotTable": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "hot"}}},
 "Outputs": {"ApiUrl": {"Value": "https://x.example/"}}}
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    folder = StateFolder(tmp_path)
    lock = pidfile.take(folder.dev_pid)
    assert lock is not None
    pidfile.write(lock, os.getpid())
    folder.write_running(
        Running(
            url="http://127.0.0.1:3000",
            emulator_url="http://127.0.0.1:4000",
            pid=os.getpid(),
            emulator_pid=None,
            region="us-east-1",
            stack_name="local",
            project="/project",
            started_at="2026-11-20T09:00:00Z",
            resources={"HotTable": "local-hot"},
        )
    )
    yield tmp_path
    os.close(lock)


def test_a_running_pipeline_is_found(running: Path) -> None:
    target = resolve(running)

    assert target.is_local
    assert (target.api_url, target.resource("HotTable")) == ("http://127.0.0.1:3000", "local-hot")
    assert target.client("dynamodb").meta.endpoint_url == "http://127.0.0.1:4000"


def test_the_machines_own_aws_settings_do_not_reach_the_local_pipeline(
    running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "a-profile-that-is-not-there")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://elsewhere.example")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")

    client = resolve(running).client("dynamodb")

    assert client.meta.endpoint_url == "http://127.0.0.1:4000"
    assert client.meta.config.proxies == {}


def test_without_a_pipeline_the_error_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(NoPipelineError, match=r"eventstream dev.*--stack-name"):
        resolve(tmp_path)


def test_a_folder_that_was_named_is_named_again(tmp_path: Path) -> None:
    with pytest.raises(NoPipelineError) as refused:
        resolve(tmp_path)

    assert f"no local pipeline is running on {tmp_path}:" in str(refused.value)


@pytest.mark.parametrize("demo_was_run", [True, False])
def test_what_the_demo_left_is_mentioned_where_it_left_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_was_run: bool
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "template.yaml").touch()
    if demo_was_run:
        (tmp_path / ".eventstream" / "demo" / "store").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(NoPipelineError) as refused:
        resolve()

    assert ("eventstream dev --state .eventstream/demo" in str(refused.value)) is demo_was_run


@pytest.mark.parametrize("other", [{"region": "eu-west-1"}, {"profile": "p"}])
def test_a_region_or_a_profile_without_a_stack_is_refused(
    running: Path, other: dict[str, Any]
) -> None:
    with pytest.raises(NoPipelineError, match="--stack-name"):
        resolve(running, **other)


def test_an_unknown_resource_is_named() -> None:
    with pytest.raises(StackNotFoundError, match="no resource ColdTable"):
        Target("s", "us-east-1", "http://x").resource("ColdTable")


@pytest.fixture
def in_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield


@pytest.mark.usefixtures("in_aws")
def test_a_stack_in_aws_is_found_by_its_name() -> None:
    boto3.client("cloudformation", "eu-west-1").create_stack(
        StackName="prod", TemplateBody=TEMPLATE
    )

    target = resolve(stack_name="prod", region="eu-west-1")

    assert not target.is_local
    assert (target.api_url, target.region) == ("https://x.example", "eu-west-1")
    assert target.resource("HotTable").endswith(":hot")


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No region, no credentials, no configuration of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("bare_machine")
def test_without_a_region_the_error_says_how_to_give_one() -> None:
    with pytest.raises(StackNotFoundError) as refused:
        resolve(stack_name="prod")

    assert str(refused.value) == (
        "can't read the stack prod: in which region is it? Give --region, or set AWS_REGION"
    )


@pytest.mark.usefixtures("bare_machine")
def test_without_credentials_the_error_says_how_to_give_some() -> None:
    with pytest.raises(StackNotFoundError, match="give --profile, or set AWS_PROFILE"):
        resolve(stack_name="prod", region="eu-west-1")


@pytest.mark.usefixtures("in_aws")
def test_the_region_may_be_set_as_for_other_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("cloudformation", "eu-west-1").create_stack(
        StackName="prod", TemplateBody=TEMPLATE
    )
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert resolve(stack_name="prod").region == "eu-west-1"


@pytest.mark.usefixtures("in_aws")
def test_a_refusal_of_aws_is_a_sentence_that_ends_once() -> None:
    with pytest.raises(StackNotFoundError) as refused:
        resolve(stack_name="nowhere", region="eu-west-1")

    assert ".." not in str(refused.value)


@pytest.mark.usefixtures("in_aws")
def test_a_stack_that_is_not_there_is_named() -> None:
    with pytest.raises(StackNotFoundError, match="can't read the stack nowhere"):
        resolve(stack_name="nowhere", region="eu-west-1")
