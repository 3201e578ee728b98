"""Sends with amplitude-analytics."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from amplitude import Amplitude, BaseEvent, Config, EventOptions, Identify, Revenue
from report import PLACES, Report, Sent, Task, past

TRACKS = 40
ANSWER_TIMEOUT_S = 120.0


class Answers:
    """The SDK's callback: it says what became of each event, in its own threads."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._changed = threading.Condition()
        self._count = 0

    def __call__(self, event: BaseEvent, code: int, message: str | None = None) -> None:
        with self._changed:
            self._count += 1
            if code != 200:
                self._report.error(code, message)
            self._report.add(_sent(event))
            self._changed.notify()

    def wait_for(self, count: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._count >= count, ANSWER_TIMEOUT_S):
                self._report.error(f"{count - self._count} events were never answered for")


def _sent(event: BaseEvent) -> Sent:
    at = datetime.fromtimestamp(event.time / 1000, UTC).isoformat(timespec="milliseconds")
    kind = event.event_type.removeprefix("$")
    properties = dict(event.event_properties or {})
    return Sent(event.insert_id, kind, at, event.user_id, event.device_id, properties)


def main() -> None:
    task, report = Task.given(), Report()
    answers = Answers(report)
    config = Config(
        server_url=f"{task.url}/2/httpapi",
        flush_queue_size=15,
        flush_interval_millis=300,
        callback=answers,
    )
    client = Amplitude(task.key, config)
    for n in range(TRACKS):
        properties = {"n": n, "price": 9.5, "place": PLACES[n % len(PLACES)]}
        who = {"device_id": task.visitor(n)} if n % 4 == 0 else {"user_id": task.user(n)}
        at = {"time": int(past(n).timestamp() * 1000)} if n % 2 else {}
        name = ("Order Completed", "Signed Up", "purchase")[n % 3]
        client.track(BaseEvent(name, event_properties=properties, **who, **at))
    client.identify(Identify().set("plan", "pro"), EventOptions(user_id=task.user(0)))
    client.revenue(Revenue(price=3.5, quantity=2), EventOptions(user_id=task.user(1)))
    client.set_group("team", "red", EventOptions(user_id=task.user(2)))
    client.flush()
    answers.wait_for(TRACKS + 3)
    client.shutdown()
    report.print()


main()
