"""Deploying the adapted template into the emulator, through CloudFormation's interface."""

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from eventstream.local.errors import DeployError
from eventstream.local.function_template import Package
from eventstream.local.session import LocalSession
from eventstream.local.template import Plan

DEPLOY_TIMEOUT_S = 120.0
LONGEST_REASON = 600
"""Characters of an emulator's error that are shown: it may quote the whole template."""

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_NEVER_WORKED = frozenset(
    {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS", "DELETE_FAILED"}
)
_DEPLOYED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    Attributes
    ----------
    changed
        Whether this deployment changed it.
    outputs, resources
        Output values by key, physical names by logical id.
    """

    name: str
    changed: bool
    outputs: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)


def deploy(session: LocalSession, stack_name: str, plan: Plan, code: Package) -> Stack:
    """Create or update the stack so that it is as the plan says.

    Parameters
    ----------
    session
        Session for the emulator.
    stack_name
        The stack.
    plan
        The adapted template.
    code
        The functions' package; uploaded when it isn't there.

    Returns
    -------
    Stack
        The stack as it is now.

    Raises
    ------
    DeployError
        A resource failed; the message names it and gives the emulator's reason.
    """
    client = session.client("cloudformation")
    status = _settled(client, stack_name)
    if status in _NEVER_WORKED:
        client.delete_stack(StackName=stack_name)
        status = _settled(client, stack_name)
    if status is not None and status not in _DEPLOYED:
        raise DeployError(
            f"the stack {stack_name} is {status} and can't be updated: "
            "start with --fresh, which begins with an empty store"
        )
    changed = status is None or not _is_deployed(client, stack_name, plan)
    if changed:
        body = _upload(session, stack_name, plan, code)
        _apply(client, stack_name, body, update=status is not None)
    return describe(client, stack_name, changed=changed)


def describe(client: Any, stack_name: str, *, changed: bool = False) -> Stack:  # noqa: ANN401
    """Return a deployed stack's outputs and physical names."""
    [stack] = client.describe_stacks(StackName=stack_name)["Stacks"]
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    resources = {
        row["LogicalResourceId"]: row.get("PhysicalResourceId", "")
        for page in pages
        for row in page["StackResourceSummaries"]
    }
    outputs = {row["OutputKey"]: row["OutputValue"] for row in stack.get("Outputs", [])}
    return Stack(stack_name, changed, outputs, resources)


def _is_deployed(client: Any, stack_name: str, plan: Plan) -> bool:  # noqa: ANN401
    deployed = client.get_template(StackName=stack_name)["TemplateBody"]
    found = json.loads(deployed) if isinstance(deployed, str) else deployed
    return bool(found == plan.template)


def _upload(session: LocalSession, stack_name: str, plan: Plan, code: Package) -> str:
    """Upload package and template; return the template's address.

    The template goes by address because a request takes one of 51,200 bytes at most.
    """
    s3 = session.client("s3")
    # An emulator that died has kept the bucket's folder, whatever else it lost.
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=code.bucket)
    s3.put_object(Bucket=code.bucket, Key=code.key, Body=code.content)
    key = f"{stack_name}.json"
    s3.put_object(Bucket=code.bucket, Key=key, Body=json.dumps(plan.template).encode())
    return f"{s3.meta.endpoint_url}/{code.bucket}/{key}"


def _apply(client: Any, stack_name: str, template_url: str, *, update: bool) -> None:  # noqa: ANN401
    call = client.update_stack if update else client.create_stack
    try:
        call(StackName=stack_name, TemplateURL=template_url, Capabilities=_CAPABILITIES)
    except ClientError as error:
        if "No updates" in str(error):
            return
        raise DeployError(f"the emulator refuses the template: {_short(error)}") from error
    status = _settled(client, stack_name)
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise DeployError(
            f"deploying {stack_name} ended as {status}: {_reason(client, stack_name)}"
        )


def _short(error: ClientError) -> str:
    text = str(error)
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]} ..."


def _settled(client: Any, stack_name: str) -> str | None:  # noqa: ANN401
    """Wait while the stack is changing; return its status, ``None`` when there is no stack."""
    deadline = time.monotonic() + DEPLOY_TIMEOUT_S
    while True:
        try:
            [stack] = client.describe_stacks(StackName=stack_name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise DeployError(
                f"the emulator can't describe {stack_name}: {_short(error)}"
            ) from error
        status: str = stack["StackStatus"]
        if status == "DELETE_COMPLETE":
            return None
        if not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
            return status
        if time.monotonic() > deadline:
            raise DeployError(f"{stack_name} is still {status} after {DEPLOY_TIMEOUT_S:.0f} s")
        time.sleep(0.02)


def _reason(client: Any, stack_name: str) -> str:  # noqa: ANN401
    """Return the first failure of the last deployment: later ones only follow from it."""
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack_name)
    events = [event for page in pages for event in page["StackEvents"]]
    events.sort(key=lambda event: event["Timestamp"])
    started = max(
        (at for at, event in enumerate(events) if _is_start(event, stack_name)), default=0
    )
    for event in events[started:]:
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason"):
            return f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
    return "the emulator gives no reason"


def _is_start(event: Mapping[str, Any], stack_name: str) -> bool:
    return event["LogicalResourceId"] == stack_name and event["ResourceStatus"] in {
        "CREATE_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
    }
