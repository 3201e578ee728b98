"""What a developer does all day: edit, change parameters, look, call."""

import json

import pytest

from .conftest import Local, wait_until

pytestmark = pytest.mark.e2e


def edit(local: Local, name: str, old: str, new: str) -> None:
    path = local.project / "src" / "demo" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_edit_is_live_on_the_next_request(local: Local) -> None:
    local.start()
    assert local.request("GET", "/health").json["value"] == 1

    edit(local, "front.py", "VALUE = 1", "VALUE = 2")
    assert local.request("GET", "/health").json["value"] == 2

    edit(local, "front.py", "VALUE = 2", "VALUE = = 3")
    assert local.request("GET", "/health").status == 500
    edit(local, "front.py", "VALUE = = 3", "VALUE = 3")
    assert local.request("GET", "/health").json["value"] == 3


def test_an_error_has_its_own_type_and_the_trace_of_the_work_tree(shared: Local) -> None:
    target = shared.target
    event = {"routeKey": "GET /boom"}
    reply = target.client("lambda").invoke(
        FunctionName=target.resource("FrontFunction"), Payload=json.dumps(event)
    )

    error = json.loads(reply["Payload"].read())

    assert reply["FunctionError"] == "Unhandled"
    assert error["errorType"] == "ValueError"
    assert str(shared.project / "src" / "demo" / "front.py") in error["stackTrace"][0]


def test_a_function_process_survives_its_exceptions(local: Local) -> None:
    local.start()
    states, machine = local.target.client("stepfunctions"), local.target.resource("Flow")

    execution = states.start_execution(stateMachineArn=machine, input='{"fails": 2}')
    arn = execution["executionArn"]
    wait_until(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")

    done = states.describe_execution(executionArn=arn)
    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"]) == {"calls": 3}


def test_a_parameter_changes_the_stack_and_an_unchanged_start_does_not(local: Local) -> None:
    local.start()
    local.put({"id": "a"})
    wait_until(lambda: local.kept() == {"a": 1})
    local.stop()
    events = "Greeting=changed"

    local.start("--param", events)
    first = last_update(local)
    assert local.request("GET", "/health").json["greeting"] == "changed"
    assert local.running["outputs"]["Greeting"] == "changed"
    local.stop()
    local.start("--param", events)

    assert last_update(local) == first
    assert local.kept() == {"a": 1}


def last_update(local: Local) -> object:
    client = local.target.client("cloudformation")
    [stack] = client.describe_stacks(StackName=local.target.stack_name)["Stacks"]
    return stack.get("LastUpdatedTime")


def test_a_parameter_that_breaks_its_rule_is_refused_by_name(local: Local) -> None:
    done = local.run("dev", "--state", str(local.state), "--port", "0", "--param", "ShardCount=9")

    assert done.returncode == 1
    assert "parameter ShardCount='9' is refused: must be at most 4" in done.stderr


def test_more_shards_lose_no_record_and_every_shard_is_read(local: Local) -> None:
    local.start("--param", "WindowSeconds=300")
    local.put(*({"id": f"old-{number}"} for number in range(9)))
    local.stop()

    local.start("--param", "ShardCount=3")
    local.put(*({"id": f"new-{number}"} for number in range(30)))

    wait_until(lambda: len(local.kept()) == 39)
    stream = local.target.resource("Stream")
    shards = local.target.client("kinesis").list_shards(StreamName=stream)["Shards"]
    assert len(shards) == 3
    assert set(local.kept().values()) == {1}


def test_time_to_live_is_on_though_the_emulators_cloudformation_drops_it(shared: Local) -> None:
    found = shared.target.client("dynamodb").describe_time_to_live(
        TableName=shared.target.resource("Table")
    )

    assert found["TimeToLiveDescription"]["AttributeName"] == "ttl"
    assert found["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"


def test_logs_of_a_function_are_in_its_log_group(shared: Local) -> None:
    shared.put({"id": "logged"})
    wait_until(lambda: "logged" in shared.kept())
    name = shared.target.resource("StreamFunction")

    logs = shared.target.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]

    assert any(event["message"].startswith("CALL ") for event in events)


def test_invoke_calls_a_function_in_this_process_with_the_deployed_environment(
    shared: Local,
) -> None:
    event = json.dumps({"routeKey": "GET /health"})

    done = shared.run("invoke", "FrontFunction", "-", "--state", str(shared.state), input=event)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"status": "ours", "greeting": "hello", "value": 1}


@pytest.mark.parametrize(
    ("function", "event", "code", "named"),
    [
        ("NoFunction", "{}", 1, "there are FrontFunction, StreamFunction"),
        ("FrontFunction", "{", 2, "isn't JSON"),
    ],
)
def test_invoke_says_what_is_wrong_with_its_arguments(
    shared: Local, function: str, event: str, code: int, named: str
) -> None:
    done = shared.run("invoke", function, "-", "--state", str(shared.state), input=event)

    assert done.returncode == code
    assert named in done.stderr


def test_doctor_finds_a_running_pipeline_well(shared: Local) -> None:
    port = shared.running["url"].rsplit(":", 1)[-1]

    def checks() -> dict[str, str]:
        done = shared.run("doctor", "--json", "--state", str(shared.state), "--port", port)
        return {each["check"]: each["verdict"] for each in json.loads(done.stdout)["checks"]}

    wait_until(lambda: checks()["poller"] == "ok")
    found = checks()
    for check in ("python", "template", "disk", "port", "emulator", "stack"):
        assert found[check] == "ok", check


def test_doctor_names_a_taken_port_and_what_to_do(local: Local, shared: Local) -> None:
    port = shared.running["url"].rsplit(":", 1)[-1]

    done = local.run("doctor", "--json", "--state", str(local.state), "--port", port)

    [check] = [each for each in json.loads(done.stdout)["checks"] if each["check"] == "port"]
    assert done.returncode == 1
    assert (check["verdict"], check["fix"]) == ("problem", "choose one with --port")


def test_a_schedule_is_handed_to_the_local_scheduler(shared: Local) -> None:
    from eventstream.local.scheduler import Scheduler

    session = shared.target.session()
    [task] = Scheduler(session, shared.target.stack_name).tasks  # type: ignore[arg-type]

    assert task.schedule.expression == "cron(10 * * * ? *)"
    assert task.state_machine == shared.target.resource("Flow")
