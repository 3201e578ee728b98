"""What the Segment and RudderStack clients are made to send: their methods are the same."""

from __future__ import annotations

from typing import Any

from report import PLACES, Report, Sent, Task, past

TRACKS = 40


def send_all(client: Any, task: Task, report: Report, *, traits_in_context: bool) -> None:
    """Call every method of a client, then wait until it has nothing left to send.

    Half of the tracked events carry a time of their own, a quarter has no user.
    """
    for n in range(TRACKS):
        name = ("Order Completed", "Signed Up", "purchase")[n % 3]
        properties = {
            "n": n,
            "price": 9.5,
            "place": PLACES[n % len(PLACES)],
            "items": [1, {"a": 2}],
        }
        who = {"anonymous_id": task.visitor(n)} if n % 4 == 0 else {"user_id": task.user(n)}
        at = past(n) if n % 2 else None
        queued = client.track(event=name, properties=properties, timestamp=at, **who)
        _note(report, queued, name, properties)
    for n in range(2):
        user, traits = task.user(n), {"n": n, "plan": "pro"}
        kept = {} if traits_in_context else traits
        _note(report, client.identify(user, traits), "identify", kept)
        group = client.group(user, f"group-{n}", {"n": n})
        _note(report, group, "group", {"groupId": f"group-{n}"})
        page = client.page(user, "docs", "Pricing", {"n": n, "url": "https://shop.example/a?b=c"})
        _note(report, page, "page_view", {"n": n, "name": "Pricing", "category": "docs"})
        screen = client.screen(user, None, "Home", {"n": n})
        _note(report, screen, "screen_view", {"n": n, "name": "Home"})
        alias = client.alias(task.visitor(n), user)
        _note(report, alias, "alias", {"previousId": task.visitor(n)})
    client.shutdown()


def _note(
    report: Report, queued: tuple[bool, dict[str, Any]], name: str, properties: dict[str, Any]
) -> None:
    taken, message = queued
    if not taken:
        report.error("the queue is full")
    report.add(
        Sent(
            message["messageId"],
            name,
            message["timestamp"],
            message["userId"],
            message.get("anonymousId"),
            properties,
        )
    )
