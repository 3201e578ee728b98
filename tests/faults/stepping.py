"""Runs ordinary blocking code step by step, so that several invocations interleave at will.

Each job has a thread of its own, but only one thread ever runs: it hands over at each pause.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Runner:
    """A thread that runs one job after another, a step at a time."""

    def __init__(self) -> None:
        self._go = threading.Lock()
        self._back = threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._job: Callable[[], Any] | None = None
        self.done = True
        self.result: Any = None
        self.error: BaseException | None = None
        threading.Thread(target=self._loop, daemon=True).start()

    def begin(self, job: Callable[[], Any]) -> None:
        """Take a job; nothing of it runs before the first step."""
        self._job, self.done, self.result, self.error = job, False, None, None

    def step(self) -> None:
        """Let the job run up to its next pause or its end."""
        self._go.release()
        self._back.acquire()

    def pause(self) -> None:
        """Hand over; called by the job."""
        self._back.release()
        self._go.acquire()

    def _loop(self) -> None:
        self._go.acquire()
        while self._job is not None:
            try:
                self.result = self._job()
            except BaseException as error:
                self.error = error
            self.done = True
            self.pause()

    def end(self) -> None:
        """End the thread; the job must be done."""
        self._job = None
        self._go.release()


class Runners:
    """A stock of runners, kept from one schedule to the next."""

    def __init__(self) -> None:
        self._all: list[Runner] = []
        self._idle: list[Runner] = []

    def take(self) -> Runner:
        if not self._idle:
            self._idle.append(Runner())
            self._all.append(self._idle[-1])
        return self._idle.pop()

    def give_back(self, runner: Runner) -> None:
        self._idle.append(runner)

    def end(self) -> None:
        for runner in self._all:
            if runner.done:
                runner.end()
