"""The state machine's definition: whole, reachable, and safe when a step fails.

Neither the linters nor the local emulator look into a definition, so this does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Machine = dict[str, Any]

ENDS = ("Succeed", "Fail")
KNOWN_TYPES = ("Task", "Map", "Choice", "Pass", "Wait", "Parallel", *ENDS)


def machines(definition: Machine, name: str = "workflow") -> Iterator[tuple[str, Machine]]:
    """Yield a machine and every machine inside it."""
    yield name, definition
    for state_name, state in definition["States"].items():
        inner = [state["ItemProcessor"]] if "ItemProcessor" in state else []
        for machine in inner + state.get("Branches", []):
            yield from machines(machine, f"{name}.{state_name}")


def targets(state: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the states that a state can lead to."""
    for rule in [state, *state.get("Choices", []), *state.get("Catch", [])]:
        if "Next" in rule:
            yield rule["Next"]
    if "Default" in state:
        yield state["Default"]


def broken_structure(definition: Machine) -> list[str]:
    """Find what makes a definition invalid: missing, unreachable or endless states."""
    findings = []
    for place, machine in machines(definition):
        states = machine["States"]
        start = machine.get("StartAt")
        if start not in states:
            findings.append(f"{place}: StartAt names {start}, which is no state")
        for name, state in states.items():
            findings += [f"{place}.{name}: {why}" for why in _broken_state(state, states)]
        reached = _reachable(start, states)
        findings += [f"{place}.{name}: is never reached" for name in states if name not in reached]
    return findings


def _broken_state(state: dict[str, Any], states: dict[str, Any]) -> Iterator[str]:
    kind = state.get("Type")
    if kind not in KNOWN_TYPES:
        yield f"has the type {kind}, which does not exist"
    for name in targets(state):
        if name not in states:
            yield f"leads to {name}, which is no state"
    ways_on = ("Next" in state) + (state.get("End") is True)
    if kind in (*ENDS, "Choice"):
        if ways_on:
            yield f"is a {kind} and cannot have Next or End"
    elif ways_on != 1:
        yield "needs either Next or End"
    if kind == "Choice" and "Default" not in state:
        yield "has no Default"


def _reachable(start: object, states: dict[str, Any]) -> set[object]:
    reached: set[object] = set()
    new = {start}
    while new:
        reached |= new
        new = {t for name in new if name in states for t in targets(states[str(name)])} - reached
    return reached


def unsafe_failures(definition: Machine) -> list[str]:
    """Find tasks whose failure would go unrecorded, or whose retries would be a stampede."""
    findings = []
    for name, state in definition["States"].items():
        if state["Type"] not in ("Task", "Map"):
            continue
        caught = [rule["ErrorEquals"] for rule in state.get("Catch", [])]
        if caught[-1:] != [["States.ALL"]]:
            findings.append(f"{name}: not every failure is caught")
        into = {rule["Next"] for rule in state.get("Catch", [])}
        wanted = "Failed" if name == "RecordFailure" else "RecordFailure"
        if into != {wanted}:
            findings.append(f"{name}: failures do not lead to {wanted}")
    for place, machine in machines(definition):
        for name, state in machine["States"].items():
            if state["Type"] == "Task":
                findings += [f"{place}.{name}: {why}" for why in _bad_retries(state)]
    return findings


def _bad_retries(state: dict[str, Any]) -> Iterator[str]:
    if not state.get("Retry"):
        yield "is not retried"
    for rule in state.get("Retry", []):
        if "States.ALL" in rule["ErrorEquals"]:
            yield "retries what can never succeed"
        if rule.get("JitterStrategy") != "FULL" or rule.get("BackoffRate", 0) < 2:
            yield "retries without backoff and jitter"
        if "MaxDelaySeconds" not in rule:
            yield "may wait for hours between retries"
    if state["Resource"].endswith("lambda:invoke") and "TimeoutSeconds" not in state:
        yield "may wait for ever"


def substitutions(definition: Machine) -> set[str]:
    """Name the ``${placeholders}`` of a definition."""
    return set(re.findall(r"\$\{(\w+)\}", json.dumps(definition)))


def unsupported(definition: Machine) -> list[str]:
    """Find features that the local emulator gets wrong or lacks."""
    text = json.dumps(definition)
    findings = [
        f"{word} is not understood" for word in (".sync", "waitForTaskToken") if word in text
    ]
    if "QueryLanguage" in text:
        findings.append("JSONata is not understood by every interpreter")
    return findings
