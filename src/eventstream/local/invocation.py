"""Calling a function in this process, with the environment it is deployed with."""

import contextlib
import importlib
import os
import sys
import time
import traceback
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import EventStreamError
from eventstream.local.errors import LocalRuntimeError
from eventstream.local.session import ACCESS_KEY, SECRET_KEY
from eventstream.target import Target


@dataclass(frozen=True)
class Context:
    """What a handler gets as its context (the fields of Lambda's)."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    deadline_s: float
    aws_request_id: str
    function_version: str = "$LATEST"
    log_group_name: str = "local"
    log_stream_name: str = "local"
    client_context: None = None
    identity: None = None
    tenant_id: None = None

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left of the function's timeout."""
        return max(0, int((self.deadline_s - time.time()) * 1000))


def invoke(target: Target, function: str, event: Any, project: Path) -> Any:  # noqa: ANN401
    """Call a function's handler here.

    Parameters
    ----------
    target
        The pipeline whose deployed function gives environment and handler.
    function
        Logical id of the function.
    event
        The event.
    project
        The work tree.

    Returns
    -------
    Any
        What the handler returned. What it prints goes to stderr.

    Raises
    ------
    LocalRuntimeError
        The pipeline isn't the one on this machine, it has no such function, or the function
        raised what is no error of EventStream.
    """
    if target.endpoint_url is None:
        raise LocalRuntimeError("functions are called in this process with the local pipeline only")
    if function not in target.resources:
        known = sorted(name for name in target.resources if name.endswith("Function"))
        raise LocalRuntimeError(f"there is no function {function}; there are {', '.join(known)}")
    deployed = target.client("lambda").get_function_configuration(
        FunctionName=target.resource(function)
    )
    module, _, name = deployed["Handler"].rpartition(".")
    sys.path.insert(0, str(project / "src"))
    os.environ.update(_environment(target, target.endpoint_url, deployed))
    context = Context(
        function_name=deployed["FunctionName"],
        invoked_function_arn=deployed["FunctionArn"],
        memory_limit_in_mb=deployed["MemorySize"],
        deadline_s=time.time() + deployed["Timeout"],
        aws_request_id=str(uuid.uuid4()),
    )
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        # A refusal measures nothing: that is no news to who calls the function by hand.
        warnings.filterwarnings("ignore", message="No application metrics to publish")
        handler = getattr(importlib.import_module(module), name)
        try:
            return handler(event, context)
        except (EventStreamError, OSError):
            raise
        except Exception as error:
            raise LocalRuntimeError(_raised(function, error, project)) from error


def _raised(function: str, error: Exception, project: Path) -> str:
    """Say in one line what a function raised, and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file = last.filename.removeprefix(f"{project}{os.sep}")
    return (
        f"{function} raised {type(error).__name__}: {error} ({file}:{last.lineno}); "
        "EVENTSTREAM_DEBUG=1 shows the whole trace. Is the event one that this function takes?"
    )


def _environment(target: Target, endpoint_url: str, deployed: Mapping[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = deployed.get("Environment", {}).get("Variables", {})
    return {
        **variables,
        "AWS_LAMBDA_FUNCTION_NAME": deployed["FunctionName"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployed["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_REGION": target.region,
        "AWS_DEFAULT_REGION": target.region,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
