"""The function process: runs one function's handler from the work tree.

The emulator starts it as the bootstrap of a custom runtime. What a function sees is AWS's own
runtime interface client (``awslambdaric``): handler lookup, context, JSON, errors, log format.
Two things are ours:

* the transport. AWS's native one keeps its connection open, and the emulator's replies then wait
  40 ms for an acknowledgement. One connection per call avoids that.
* live edits. When an event arrives and a source file has changed, the process replaces itself,
  with the event in hand, and the new code handles it.
"""

import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from awslambdaric import bootstrap
from awslambdaric.lambda_runtime_client import InvocationRequest, LambdaRuntimeClient

RUNTIME_API = "/2018-06-01/runtime"
HELD_EVENT = "_EVENTSTREAM_HELD_EVENT"

_HEADERS = {
    "invoke_id": "Lambda-Runtime-Aws-Request-Id",
    "x_amzn_trace_id": "Lambda-Runtime-Trace-Id",
    "invoked_function_arn": "Lambda-Runtime-Invoked-Function-Arn",
    "deadline_time_in_ms": "Lambda-Runtime-Deadline-Ms",
    "client_context": "Lambda-Runtime-Client-Context",
    "cognito_identity": "Lambda-Runtime-Cognito-Identity",
    "tenant_id": "Lambda-Runtime-Aws-Tenant-Id",
    "content_type": "Content-Type",
    "invocation_id": "Lambda-Runtime-Invocation-Id",
}


class SourceFiles:
    """Notices edits of the source files that this process has imported.

    Parameters
    ----------
    roots
        Folders whose modules are watched.
    started_ns
        Start of the process: an edit after it may have been too late for an import.
    """

    def __init__(self, roots: Iterable[str], started_ns: int) -> None:
        self._roots = tuple(root + os.sep for root in roots)
        self._started_ns = started_ns
        self._modified_ns: dict[str, int] = {}
        self._modules_seen = 0

    def changed(self) -> bool:
        """Say whether an imported file was edited or removed since it was imported."""
        if len(sys.modules) != self._modules_seen:
            self._modules_seen = len(sys.modules)
            if self._note_new_files():
                return True
        return any(_modified_ns(path) != seen for path, seen in self._modified_ns.items())

    def _note_new_files(self) -> bool:
        now_ns = time.time_ns()
        edited = False
        for module in tuple(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if path and path.startswith(self._roots) and path not in self._modified_ns:
                self._modified_ns[path] = _modified_ns(path)
                edited = edited or self._started_ns < self._modified_ns[path] <= now_ns
        return edited


def _modified_ns(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0


class SourceClient(LambdaRuntimeClient):  # type: ignore[misc]  # awslambdaric has no types
    """Lambda's Runtime API over one connection per call, with the first event fetched early.

    The first event is fetched before the handler is imported: so an import that fails becomes
    that call's error, with its type and its stack trace.
    """

    def __init__(self, address: str, sources: SourceFiles) -> None:
        super().__init__(address)
        self._sources = sources
        self._first: dict[str, Any] | None = _held_event() or self._next()
        self._called_at = 0.0

    def wait_next_invocation(self) -> Any:  # noqa: ANN401 - awslambdaric has no types
        event, self._first = self._first or self._next(), None
        if self._sources.changed():
            _start_anew(event)
        self._called_at = time.perf_counter()
        body = event["body"].encode("utf-8", "surrogateescape")
        return InvocationRequest(event_body=body, **event["fields"])

    def post_invocation_result(
        self,
        invoke_id: str,
        result_data: str | bytes,
        content_type: str = "application/json",
        invocation_id: str | None = None,
    ) -> None:
        self._log_call(invoke_id, "ok")
        headers = {"Content-Type": content_type, **_invocation_header(invocation_id)}
        data = result_data if isinstance(result_data, bytes) else result_data.encode()
        self._request("POST", f"/invocation/{invoke_id}/response", data, headers)

    def post_invocation_error(
        self,
        invoke_id: str,
        error_response_data: str,
        xray_fault: str,  # noqa: ARG002 - there is no X-Ray here
        invocation_id: str | None = None,
    ) -> None:
        self._log_call(invoke_id, "error")
        headers = {"Content-Type": "application/json", **_invocation_header(invocation_id)}
        data = error_response_data.encode()
        self._request("POST", f"/invocation/{invoke_id}/error", data, headers)

    def _log_call(self, invoke_id: str, outcome: str) -> None:
        # The emulator waits 50 ms for a first log line; this one is always there.
        took_ms = (time.perf_counter() - self._called_at) * 1000
        sys.stdout.write(f"CALL RequestId: {invoke_id} {outcome} after {took_ms:.1f} ms\n")

    def _next(self) -> dict[str, Any]:
        body, headers = self._request("GET", "/invocation/next")
        fields: dict[str, Any] = {name: headers.get(header) for name, header in _HEADERS.items()}
        fields["deadline_time_in_ms"] = int(fields["deadline_time_in_ms"] or 0)
        return {"fields": fields, "body": body.decode("utf-8", "surrogateescape")}

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[bytes, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection(self.lambda_runtime_address)
        try:
            every = {"Connection": "close", **(headers or {})}
            connection.request(method, RUNTIME_API + path, body, every)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            # The emulator has ended, or has given this process up: nobody waits for an answer.
            sys.exit(0)
        finally:
            connection.close()
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            sys.exit(0)
        return content, response.headers


def _invocation_header(invocation_id: str | None) -> dict[str, str]:
    return {} if invocation_id is None else {_HEADERS["invocation_id"]: invocation_id}


def _start_anew(event: Mapping[str, Any]) -> None:
    """Replace this process by a new one that handles the event."""
    held = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - it outlives this code
    json.dump(event, held)
    held.flush()
    held.seek(0)
    os.set_inheritable(held.fileno(), True)
    os.environ[HELD_EVENT] = str(held.fileno())
    sys.stdout.write("RELOAD the source has changed\n")
    sys.stdout.flush()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same program again


def _held_event() -> dict[str, Any] | None:
    """Return the event that the process before this one held, if there was one."""
    number = os.environ.pop(HELD_EVENT, None)
    if number is None:
        return None
    with open(int(number), encoding="utf-8") as held:  # noqa: PTH123 - a descriptor has no path
        event: dict[str, Any] = json.load(held)
    return event


def main() -> None:
    """Serve events until the emulator ends."""
    roots = os.environ["PYTHONPATH"].split(os.pathsep)
    sources = SourceFiles(roots, time.time_ns())
    bootstrap.run(
        os.environ["_HANDLER"], SourceClient(os.environ["AWS_LAMBDA_RUNTIME_API"], sources)
    )


if __name__ == "__main__":
    main()
