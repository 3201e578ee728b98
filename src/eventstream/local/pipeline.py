"""The local pipeline: every part started in order, and stopped in the reverse order."""

import logging
import os
import re
import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from eventstream.local import (
    api_reader,
    deploy,
    emulator,
    executions,
    function_template,
    gaps,
    leftovers,
    reshard,
    template,
)
from eventstream.local.clock_guard import ClockGuard
from eventstream.local.gateway import Gateway
from eventstream.local.poller import Poller
from eventstream.local.ports import HOST
from eventstream.local.reshard_guard import ReshardGuard
from eventstream.local.scheduler import Scheduler
from eventstream.local.session import LocalSession
from eventstream.local.state import Running, StateFolder

logger = logging.getLogger(__name__)

STACK_NAME = "eventstream-local"
REGION = "us-east-1"
CODE_BUCKET = "eventstream-local-code"
EXECUTION_TIMEOUT_S = 20.0
_API_ADDRESS = re.compile(r"https://[a-z0-9]+\.execute-api\.[a-z0-9.-]+")


@dataclass(frozen=True)
class Options:
    """What a pipeline is started with.

    Attributes
    ----------
    project
        The work tree.
    state
        Its state folder.
    port
        The gateway's port; 0 for any that is free.
    parameters
        Template parameters other than the defaults.
    fresh
        Whether to begin with an empty store.
    endpoint_url
        An emulator that runs already and isn't ours to start or stop.
    """

    project: Path
    state: StateFolder
    port: int = 3000
    stack_name: str = STACK_NAME
    region: str = REGION
    parameters: Mapping[str, str] = field(default_factory=dict)
    fresh: bool = False
    endpoint_url: str | None = None


class Pipeline:
    """A pipeline on this machine.

    Parameters
    ----------
    options
        What to start.
    tell
        Tells a person what takes time.
    """

    def __init__(self, options: Options, tell: Callable[[str], None]) -> None:
        self._options = options
        self._tell = tell
        self._emulator: emulator.Emulator | None = None
        self._stack: deploy.Stack | None = None
        self._poller: Poller | None = None
        self._scheduler: Scheduler | None = None
        self._gateway: Gateway | None = None
        self._clock: ClockGuard | None = None
        self._left_out: Mapping[str, str] = {}
        self._open_session: LocalSession | None = None

    @property
    def left_out(self) -> Mapping[str, str]:
        """What of the template isn't simulated, and why."""
        return self._left_out

    def prepare(self) -> None:
        """Start everything but the gateway. Blocks."""
        options = self._options
        if options.fresh:
            self._empty_store()
        if options.endpoint_url is None:
            leftovers.clear(options.state, CODE_BUCKET)
            self._emulator = emulator.start(options.state, options.region)
            if self._emulator.adopted:
                self._tell(f"taking over the emulator that still runs (pid {self._emulator.pid})")
        code = function_template.package(options.project, CODE_BUCKET, self._environment())
        plan = template.adapt(
            options.project,
            stack_name=options.stack_name,
            region=options.region,
            code=code,
            overrides=options.parameters,
        )
        self._left_out = plan.left_out
        if self._emulator is not None:
            emulator.wait_until_healthy(self._emulator, options.state)
        session = self._session()
        stack = deploy.deploy(session, options.stack_name, plan, code)
        gaps.fill(session, plan.template, stack.resources)
        self._stack = stack
        self._poller = Poller(session, options.stack_name)
        self._poller.start()
        wanted = reshard.wanted_shards(plan.template, stack.resources)
        reshard.apply(session.client("kinesis"), wanted, self._poller.mappings, self._tell)
        self._scheduler = Scheduler(session, options.stack_name)
        self._scheduler.start()

    async def open(self, listener: socket.socket) -> Running:
        """Start the gateway on a listening socket; return what is running now."""
        stack, session = self._deployed(), self._session()
        api_id = stack.resources[_http_api(stack)]
        api = api_reader.read(session.client("apigatewayv2"), api_id)
        self._clock = ClockGuard(self._options.state.clock_file)
        self.watch_clock()
        self._gateway = Gateway(
            self._emulator_url(), api, self._options.region, self._clock, self._reshard_guard()
        )
        await self._gateway.start(listener)
        return self._running(listener.getsockname()[1])

    def watch_clock(self) -> None:
        """Look whether the clock was put back, and keep the latest time; to be called often."""
        if self._clock is not None:
            self._clock.look()
            self._clock.save()

    async def close(self) -> None:
        """Take no more requests; let those that came in be answered."""
        if self._gateway is not None:
            await self._gateway.stop()

    def stop(self) -> None:
        """Stop everything else; the emulator saves its state last. Blocks."""
        if self._scheduler is not None:
            self._scheduler.stop()
        if self._poller is not None:
            self._poller.stop()
        if self._stack is not None:
            states = self._session().client("stepfunctions")
            ended = executions.finish(states, self._stack.resources.values(), EXECUTION_TIMEOUT_S)
            if ended:
                self._tell(f"ended {ended} execution(s) that were still running")
        if self._emulator is not None:
            emulator.stop(self._options.state)

    def abandon(self) -> None:
        """Undo a start that failed: stop the emulator, unless others had started it."""
        if self._scheduler is not None:
            self._scheduler.stop()
        if self._poller is not None:
            self._poller.stop()
        if self._emulator is not None and not self._emulator.adopted:
            emulator.stop(self._options.state)

    def _empty_store(self) -> None:
        emulator.stop(self._options.state)
        shutil.rmtree(self._options.state.store, ignore_errors=True)
        self._options.state.clock_file.unlink(missing_ok=True)

    def _environment(self) -> dict[str, str]:
        """Return what functions must be told about an emulator that isn't ours."""
        url = self._options.endpoint_url
        return {} if url is None else {"AWS_ENDPOINT_URL": url}

    def _reshard_guard(self) -> ReshardGuard:
        if self._poller is None:
            raise RuntimeError("nothing is deployed yet")
        return ReshardGuard(self._poller.drained)

    def _deployed(self) -> deploy.Stack:
        if self._stack is None:
            raise RuntimeError("nothing is deployed yet")
        return self._stack

    def _emulator_url(self) -> str:
        if self._emulator is not None:
            return self._emulator.url
        return self._options.endpoint_url or ""

    def _session(self) -> LocalSession:
        # One for all: each session reads AWS's service descriptions anew.
        if self._open_session is None:
            self._open_session = LocalSession(self._emulator_url(), self._options.region)
        return self._open_session

    def _running(self, port: int) -> Running:
        url, stack = f"http://{HOST}:{port}", self._deployed()
        return Running(
            url=url,
            emulator_url=self._emulator_url(),
            pid=os.getpid(),
            emulator_pid=None if self._emulator is None else self._emulator.pid,
            region=self._options.region,
            stack_name=self._options.stack_name,
            project=str(self._options.project),
            started_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            parameters=dict(self._options.parameters),
            outputs={key: _API_ADDRESS.sub(url, text) for key, text in stack.outputs.items()},
            resources=dict(stack.resources),
        )


def _http_api(stack: deploy.Stack) -> str:
    """Return the logical id of the stack's HTTP API."""
    return "HttpApi" if "HttpApi" in stack.resources else "ServerlessHttpApi"
