"""The process of the local pipeline: from the pid file to the last signal."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import ParamSpec

from eventstream.local import emulator, pidfile, ports
from eventstream.local.errors import AlreadyRunningError, EmulatorError
from eventstream.local.pipeline import Options, Pipeline
from eventstream.local.state import Running, StateFolder

logger = logging.getLogger(__name__)

_WATCH_S = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FORCED = 130
_Said = ParamSpec("_Said")


def serve(
    options: Options,
    ready: Callable[[Running, Pipeline], None],
    tell: Callable[[str], None],
) -> None:
    """Run the pipeline until a signal asks it to stop.

    SIGINT, SIGTERM or SIGHUP stops it cleanly; a SIGINT while it is stopping, at once. Its
    terminal may be gone by then: nothing that is said there can hold the stop up.

    Parameters
    ----------
    options
        What to start.
    ready
        Called when everything runs.
    tell
        Tells a person what takes time.

    Raises
    ------
    AlreadyRunningError
        A pipeline runs on this state folder.
    PortTakenError
        Another program has the port.
    EmulatorError
        The emulator ended by itself.
    LocalRuntimeError
        Any other reason why it can't start.
    """
    lock = pidfile.take(options.state.dev_pid)
    if lock is None:
        raise AlreadyRunningError(already_running(options.state))
    ready, tell = _despite_a_dead_terminal(ready), _despite_a_dead_terminal(tell)
    try:
        pidfile.write(lock, os.getpid())
        options.state.dev_file.unlink(missing_ok=True)
        with ports.listen(options.port) as listener:
            asyncio.run(_Server(options, ready, tell).run(listener))
    finally:
        options.state.dev_file.unlink(missing_ok=True)
        os.close(lock)


def already_running(state: StateFolder) -> str:
    """Say where the pipeline of a state folder runs."""
    running, pid = state.running(), pidfile.holder(state.dev_pid)
    if running is None:
        return f"the pipeline on {state.root} is starting or stopping (pid {pid})"
    return f"already running at {running.url} (pid {running.pid}); `eventstream stop` stops it"


def _despite_a_dead_terminal(say: Callable[_Said, None]) -> Callable[_Said, None]:
    """Return a function that says the same, and does nothing when the terminal is gone."""

    def saying(*arguments: _Said.args, **named: _Said.kwargs) -> None:
        with contextlib.suppress(OSError):
            say(*arguments, **named)

    return saying


class _Server:
    def __init__(
        self,
        options: Options,
        ready: Callable[[Running, Pipeline], None],
        tell: Callable[[str], None],
    ) -> None:
        self._options = options
        self._ready = ready
        self._tell = tell
        self._pipeline = Pipeline(options, tell)
        self._asked_to_stop = asyncio.Event()

    async def run(self, listener: socket.socket) -> None:
        """Start, wait and stop."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            # nohup ignores SIGHUP: then it stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._on_signal, number)
        try:
            await asyncio.to_thread(self._pipeline.prepare)
            if not self._asked_to_stop.is_set():
                running = await self._pipeline.open(listener)
                self._options.state.write_running(running)
                logger.info("ready at %s", running.url)
                self._ready(running, self._pipeline)
        except BaseException:
            await self._pipeline.close()
            await asyncio.to_thread(self._pipeline.abandon)
            raise
        died = await self._wait()
        logger.info("stopping")
        await self._pipeline.close()
        if died:
            last_words = " | ".join(emulator.tail(self._options.state.logs / emulator.LOG_NAME, 3))
            raise EmulatorError(
                "the emulator ended by itself: what was stored since the last clean stop may be "
                f"lost. Its last words: {last_words}"
            )
        await asyncio.to_thread(self._pipeline.stop)
        logger.info("stopped")

    async def _wait(self) -> bool:
        """Wait for a signal; say whether the emulator died first."""
        while not self._asked_to_stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked_to_stop.wait(), _WATCH_S)
            self._pipeline.watch_clock()
            ours = self._options.endpoint_url is None
            if ours and pidfile.holder(self._options.state.emulator_pid) is None:
                return True
        return False

    def _on_signal(self, number: signal.Signals) -> None:
        if not self._asked_to_stop.is_set():
            self._asked_to_stop.set()
            self._tell(
                "stopping: what is in flight is finished first; press Ctrl-C to stop at once"
            )
            return
        # A terminal that is closed sends more than one SIGHUP, and `eventstream stop` may come
        # twice: only a person who presses Ctrl-C again is in a hurry.
        if number != signal.SIGINT:
            return
        pid = pidfile.holder(self._options.state.emulator_pid)
        if pid is not None and self._options.endpoint_url is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        os._exit(_FORCED)
