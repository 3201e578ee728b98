"""What holds for every suite."""

from __future__ import annotations

import signal
import threading

from hypothesis import HealthCheck, settings

pytest_plugins = ["faults.summary"]

# Timings are no test's business: a slow machine must not fail an example.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_configure() -> None:
    """Let pipelines that tests start hear Ctrl-C and a closing terminal.

    A run in the background begins with these signals ignored, and so would its children; a
    handler here is the default there.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, lambda *_: None)
