"""Sending the alerts that wait, at least once each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aggregate.deps import Deps
from common.errors import EventStreamError
from common.models import AnomalyAlert


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the alerts that waited."""

    sent: int
    pending: int
    """Those that wait still: another sender has them, publishing failed, or their hour is not
    final any more."""
    failure: EventStreamError | None = None
    """Why the first of those that failed did; the others were tried all the same."""


def notify(deps: Deps) -> Sent:
    """Send every alert that waits and still holds, and mark it as sent.

    An alert is published before it is marked, so that none is lost; one is repeated only when
    this dies in between, or when the topic's answer is lost. An alert whose publishing fails
    gives its lease back and keeps no other from being sent.
    """
    sent, pending, failure = 0, 0, None
    for alert in deps.alerts.pending():
        try:
            fate = _settle(alert, deps)
        except EventStreamError as error:
            fate, failure = "waits", failure or error
        sent += fate == "sent"
        pending += fate == "waits"
    return Sent(sent, pending, failure)


def _settle(alert: AnomalyAlert, deps: Deps) -> Literal["sent", "gone", "waits"]:
    """Send one alert, unless the result it came from is another by now.

    An overtaken run may record an alert after the newer one looked for those that are gone.
    """
    result = deps.store.result(alert.event_type, alert.window_start)
    if result is None or result.status != "final":
        return "waits"
    kinds = {(finding.metric, finding.direction) for finding in result.anomalies}
    now = deps.now()
    if (alert.finding.metric, alert.finding.direction) not in kinds:
        deps.alerts.resolve_one(alert, result.attempt, now)
        return "gone"
    if not deps.alerts.lease(alert, now):
        return "waits"
    try:
        deps.publisher.publish(alert)
    except EventStreamError:
        deps.alerts.release(alert, now)
        raise
    deps.alerts.mark_sent(alert, deps.now())
    return "sent"
