"""Sends with cloudevents, in the three modes of its HTTP binding.

The package makes messages and leaves the sending to an HTTP client: here requests, told to repeat
what CloudEvents' own document tells senders to repeat.
"""

from __future__ import annotations

import gzip
import json

import requests
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from report import PLACES, Report, Sent, Task, past
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

SINGLES = 6
BATCH = 20
SOURCE = "/shops/7"
STUBBORN = Retry(
    total=10, backoff_factor=0.2, status_forcelist=(429, 503), allowed_methods=("POST",)
)


def an_event(task: Task, n: int, report: Report) -> CloudEvent:
    data = {"n": n, "price": 9.5, "place": PLACES[n % len(PLACES)]}
    attributes = {
        "type": ("com.example.order.created", "purchase")[n % 2],
        "source": SOURCE,
        "subject": task.user(n),
        "datacontenttype": "application/json",
    }
    if n % 2:
        attributes["time"] = past(n)
    event = CloudEvent(attributes, data)
    at = event.get_time()
    assert at is not None
    report.add(
        Sent(
            f"{SOURCE}#{event.get_id()}",
            event.get_type(),
            at.isoformat(),
            event.get_subject(),
            properties=data,
        )
    )
    return event


def batched(events: list[CloudEvent]) -> HTTPMessage:
    """Write the batched mode, which the package lacks, from its structured one."""
    members = [json.loads(to_structured_event(event).body) for event in events]
    headers = {"content-type": "application/cloudevents-batch+json"}
    return HTTPMessage(headers, json.dumps(members).encode())


def main() -> None:
    task, report = Task.given(), Report()
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=STUBBORN))
    messages = [to_structured_event(an_event(task, n, report)) for n in range(SINGLES)]
    messages += [to_binary_event(an_event(task, SINGLES + n, report)) for n in range(SINGLES)]
    messages.append(batched([an_event(task, 2 * SINGLES + n, report) for n in range(BATCH)]))
    for message in messages:
        body, headers = message.body, dict(message.headers)
        if task.gzip:
            body, headers["content-encoding"] = gzip.compress(body), "gzip"
        try:
            answer = session.post(f"{task.url}/events", data=body, headers=headers, timeout=30)
        except requests.RequestException as error:
            report.error(error)
            continue
        if answer.status_code != 200:
            report.error(answer.status_code, answer.text)
    report.print()


main()
