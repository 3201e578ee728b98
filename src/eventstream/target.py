"""Which pipeline a command talks to: the one running on this machine, or a stack in AWS.

Every command takes the same four options (`StateOption`, `StackNameOption`, `RegionOption`,
`ProfileOption`) and hands them to `resolve`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import boto3
import botocore.exceptions
import typer

from eventstream.local.errors import LocalRuntimeError
from eventstream.local.session import LocalSession
from eventstream.local.state import STATE, Running, StateFolder, demo_folder, folder_in_use

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        envvar="EVENTSTREAM_STATE",
        metavar="FOLDER",
        help="Folder of the local pipeline.",
        show_default=".eventstream in the project",
    ),
]
StackNameOption = Annotated[
    str | None,
    typer.Option(
        "--stack-name", metavar="NAME", help="Talk to this CloudFormation stack in AWS instead."
    ),
]
RegionOption = Annotated[
    str | None, typer.Option("--region", help="AWS region of the stack.", show_default=False)
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="AWS profile to use.", show_default=False),
]


REGION_VARIABLE = "AWS_REGION"
"""Names a region to AWS's other tools; boto3 itself reads only AWS_DEFAULT_REGION."""


class NoPipelineError(LocalRuntimeError):
    """No pipeline runs here and no stack was named."""

    code = "no_pipeline"


class StackNotFoundError(LocalRuntimeError):
    """The named stack can't be read, or isn't ours."""

    code = "stack_not_found"


@dataclass(frozen=True)
class Target:
    """One deployed pipeline and how to reach it.

    Attributes
    ----------
    stack_name
        The CloudFormation stack, local or in AWS.
    region
        Its region.
    api_url
        Base address of the HTTP API, without a trailing slash.
    endpoint_url
        Where AWS calls go; ``None`` means AWS itself.
    outputs
        The stack's outputs.
    resources
        Physical names by logical id.
    """

    stack_name: str
    region: str
    api_url: str
    endpoint_url: str | None = None
    profile: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether this is the pipeline on this machine."""
        return self.endpoint_url is not None

    def session(self) -> boto3.Session:
        """Return a boto3 session for this pipeline; build one per thread."""
        if self.endpoint_url is not None:
            return LocalSession(self.endpoint_url, self.region)
        return boto3.Session(profile_name=self.profile, region_name=self.region)

    def client(self, service: str, **options: Any) -> Any:  # noqa: ANN401 - one of 400 client types
        """Return a boto3 client for this pipeline, such as ``client("dynamodb")``."""
        client: Any = self.session().client(service, **options)  # type: ignore[call-overload]
        return client

    def resource(self, logical_id: str) -> str:
        """Return the physical name of a resource of the template.

        Raises
        ------
        StackNotFoundError
            The stack has no such resource.
        """
        try:
            return self.resources[logical_id]
        except KeyError:
            raise StackNotFoundError(
                f"the stack {self.stack_name} has no resource {logical_id}: "
                "was it deployed from this template?"
            ) from None


def resolve(
    state: Path | None = None,
    stack_name: str | None = None,
    region: str | None = None,
    profile: str | None = None,
) -> Target:
    """Find the pipeline a command should talk to.

    Parameters
    ----------
    state
        State folder of the local pipeline; when not given ``.eventstream`` of the project, or
        the demo's where only the demo runs.
    stack_name
        A stack in AWS; the local pipeline is not looked at when given.
    region, profile
        For AWS only; the machine's own AWS configuration when not given.

    Returns
    -------
    Target
        The local pipeline, or the named stack.

    Raises
    ------
    NoPipelineError
        Nothing runs on the state folder and no stack was named.
    StackNotFoundError
        The named stack can't be read.
    """
    if stack_name is not None:
        return _in_aws(stack_name, region, profile)
    if region is not None or profile is not None:
        raise NoPipelineError("--region and --profile need --stack-name: name the stack in AWS")
    folder = folder_in_use(state)
    running = folder.running()
    if running is None:
        raise NoPipelineError(
            f"no local pipeline is running{_on(folder, state)}: start it with `eventstream dev`"
            f"{_or_the_demo(state)}, or name a stack with --stack-name"
        )
    return from_running(running)


def _on(folder: StateFolder, state: Path | None) -> str:
    return f" on {folder.root}" if state is not None else ""


def _or_the_demo(state: Path | None) -> str:
    """Say how to serve what the last demo left, where nothing else was asked for."""
    if state is not None or not demo_folder().store.is_dir():
        return ""
    return f" (what `make run` left: `eventstream dev --state {STATE / 'demo'}`)"


def from_running(running: Running) -> Target:
    """Return the target that a running local pipeline is."""
    return Target(
        stack_name=running.stack_name,
        region=running.region,
        api_url=running.url,
        endpoint_url=running.emulator_url,
        outputs=running.outputs,
        resources=running.resources,
    )


def _in_aws(stack_name: str, region: str | None, profile: str | None) -> Target:
    try:
        session = boto3.Session(
            profile_name=profile, region_name=region or os.environ.get(REGION_VARIABLE)
        )
        cloudformation = session.client("cloudformation")
        [stack] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
        resources = {
            row["LogicalResourceId"]: row.get("PhysicalResourceId", "")
            for page in pages
            for row in page["StackResourceSummaries"]
        }
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise StackNotFoundError(f"can't read the stack {stack_name}: {_why(error)}") from error
    outputs = {row["OutputKey"]: row["OutputValue"] for row in stack.get("Outputs", [])}
    return Target(
        stack_name=stack_name,
        region=session.region_name,
        api_url=_api_url(stack_name, session, outputs, resources),
        profile=profile,
        outputs=outputs,
        resources=resources,
    )


def _why(error: Exception) -> str:
    """Say what to do about what AWS's client can't do."""
    if isinstance(error, botocore.exceptions.NoRegionError):
        return f"in which region is it? Give --region, or set {REGION_VARIABLE}"
    if isinstance(error, botocore.exceptions.NoCredentialsError):
        return "there are no AWS credentials: give --profile, or set AWS_PROFILE"
    return f"{str(error).rstrip('.')}. Check --stack-name, --region and --profile"


def _api_url(
    stack_name: str,
    session: boto3.Session,
    outputs: Mapping[str, str],
    resources: Mapping[str, str],
) -> str:
    if "ApiUrl" in outputs:
        return outputs["ApiUrl"].rstrip("/")
    if "HttpApi" not in resources:
        raise StackNotFoundError(
            f"the stack {stack_name} has neither an output ApiUrl nor a resource HttpApi: "
            "was it deployed from this template?"
        )
    region = session.region_name
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://{resources['HttpApi']}.execute-api.{region}.{suffix}"
