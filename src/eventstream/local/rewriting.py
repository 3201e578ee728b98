"""Putting other values in the place of what a template refers to."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eventstream.local.intrinsics import VARIABLE, is_intrinsic

Found = Callable[[str], Any]
"""Returns what takes the place of a name; ``None`` leaves it."""


@dataclass(frozen=True)
class Rewriter:
    """Rewrites the references of any part of a template.

    Attributes
    ----------
    ref
        What takes the place of ``Ref`` of a name.
    attribute
        What takes the place of ``Fn::GetAtt`` of a name and an attribute, joined by a dot.
    condition, mapping
        The new name of a condition and of a mapping.
    """

    ref: Found
    attribute: Found
    condition: Callable[[str], str] = str
    mapping: Callable[[str], str] = str

    def rewrite(self, value: Any) -> Any:  # noqa: ANN401 - a template holds anything
        """Return the same with its references rewritten; nothing is changed in place."""
        if isinstance(value, list):
            return [self.rewrite(each) for each in value]
        if not isinstance(value, dict):
            return value
        if is_intrinsic(value):
            [(name, argument)] = value.items()
            return self._intrinsic(name, argument)
        if set(value) == {"Condition"} and isinstance(value["Condition"], str):
            return {"Condition": self.condition(value["Condition"])}
        return {key: self.rewrite(each) for key, each in value.items()}

    def _intrinsic(self, name: str, argument: Any) -> Any:  # noqa: ANN401
        if name == "Ref":
            return self._or_else(self.ref(argument), {"Ref": argument})
        if name == "Fn::GetAtt":
            path = argument if isinstance(argument, str) else ".".join(argument)
            return self._or_else(self.attribute(path), {"Fn::GetAtt": path.split(".", 1)})
        if name == "Fn::Sub":
            return self._sub(argument)
        rewritten = self.rewrite(argument)
        if name == "Fn::If":
            return {name: [self.condition(argument[0]), *rewritten[1:]]}
        if name == "Fn::FindInMap" and isinstance(argument[0], str):
            return {name: [self.mapping(argument[0]), *rewritten[1:]]}
        return {name: rewritten}

    @staticmethod
    def _or_else(found: Any, other: Any) -> Any:  # noqa: ANN401
        return other if found is None else copy.deepcopy(found)

    def _sub(self, argument: Any) -> Any:  # noqa: ANN401
        text, given = argument if isinstance(argument, list) else (argument, {})
        variables = {key: self.rewrite(each) for key, each in given.items()}
        parts, end = [], 0
        for match in VARIABLE.finditer(text):
            parts += [text[end : match.start()], self._in_sub(match.group(0), variables)]
            end = match.end()
        rewritten = "".join([*parts, text[end:]])
        return {"Fn::Sub": [rewritten, variables] if variables else rewritten}

    def _in_sub(self, written: str, variables: dict[str, Any]) -> str:
        """Return what stands for ``${name}`` in the text; may add a variable."""
        name = written[2:-1].strip()
        if written.startswith("${!") or name in variables:
            return written
        found = self.attribute(name) if "." in name else self.ref(name)
        if found is None:
            return written
        if not isinstance(found, dict):
            text = str(found).lower() if isinstance(found, bool) else str(found)
            return text.replace("${", "${!")
        if set(found) == {"Ref"}:
            return f"${{{found['Ref']}}}"
        if set(found) == {"Fn::GetAtt"}:
            return f"${{{'.'.join(found['Fn::GetAtt'])}}}"
        variable = f"Value{len(variables)}"
        variables[variable] = copy.deepcopy(found)
        return f"${{{variable}}}"
