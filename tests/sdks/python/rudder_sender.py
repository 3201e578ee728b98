"""Sends with rudder-sdk-python."""

from __future__ import annotations

from report import Report, Task
from rudderstack.analytics import Client
from segment_family import send_all


def main() -> None:
    task, report = Task.given(), Report()
    client = Client(
        task.key,
        host=task.url,
        gzip=task.gzip,
        upload_size=15,
        on_error=report.error,
    )
    send_all(client, task, report, traits_in_context=True)
    report.print()


main()
