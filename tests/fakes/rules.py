"""The rules that the code can tell a client it broke, read from its text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ingest import receipts, validation
from ingest.surfaces import cloudevents

PLACES = {"FieldError": 1, "refuse": 1, "_error": 1, "Refused": 0}
"""What makes an error of a rule, and where the rule stands among its arguments."""

NAMED = {
    "EVENT_TOO_LARGE": {receipts.EVENT_TOO_LARGE},
    "_RULES[kind]": {rule for rule, _ in validation._RULES.values()},
    "_OWN_WORDS[kind]": set(validation._OWN_WORDS.values()),
    "_INSTANT_RULES[error.type]": set(cloudevents._INSTANT_RULES.values()),
    "result.failure": {"throttled", "store_failed"},
    "f'schema:{keyword}'": {"schema:"},
}
"""Rules that are not spelled where they are used."""
PASSED_ON = frozenset(
    {"rule", "refused.rule", "value.rule", "refused", "self", "_TOO_MANY", "_TOO_DEEP"}
)
"""A rule that was named when its ``Refused`` was made, or by who calls."""


@dataclass
class Found:
    """What was read."""

    rules: set[str] = field(default_factory=set)
    unknown: dict[str, str] = field(default_factory=dict)
    """What says a rule in a way that is not known here, by where it stands."""


def in_files(files: Iterable[Path]) -> Found:
    found = Found()
    for path in files:
        for call, place in _calls(ast.parse(path.read_text(encoding="utf-8"))):
            _note(found, f"{path.name}:{call.lineno}", _argument(call, place))
    return found


def _calls(tree: ast.AST) -> Iterator[tuple[ast.Call, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            name = node.func.id if isinstance(node.func, ast.Name) else called
            place = PLACES.get(name or "")
            if place is not None and len(node.args) + len(node.keywords) > 1:
                yield node, place


def _argument(call: ast.Call, place: int) -> ast.expr:
    named = [each.value for each in call.keywords if each.arg == "rule"]
    return named[0] if named else call.args[place]


def _note(found: Found, where: str, said: ast.expr) -> None:
    text = ast.unparse(said)
    if isinstance(said, ast.Constant) and isinstance(said.value, str):
        found.rules.add(said.value)
    elif text in NAMED:
        found.rules |= NAMED[text]
    elif text not in PASSED_ON:
        found.unknown[where] = text
