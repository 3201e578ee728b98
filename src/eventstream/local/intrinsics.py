"""CloudFormation's functions, worked out as far as they hang on parameters alone.

What needs a resource (``Ref`` and ``Fn::GetAtt`` of a logical id) is left for the emulator's
CloudFormation, which knows physical names.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eventstream.local.errors import TemplateError

VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
_DROP = object()


def is_intrinsic(value: object) -> bool:
    """Say whether a value is a call of one of CloudFormation's functions."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    [name] = value
    return isinstance(name, str) and (name == "Ref" or name.startswith("Fn::"))


@dataclass
class Evaluator:
    """Resolves values of one template.

    Attributes
    ----------
    parameters
        Value of every parameter.
    pseudo
        Value of other names that are known beforehand: ``AWS::Region`` and its like.
    conditions, mappings
        The template's own sections.
    """

    parameters: Mapping[str, str]
    pseudo: Mapping[str, str]
    conditions: Mapping[str, Any] = field(default_factory=dict)
    mappings: Mapping[str, Any] = field(default_factory=dict)
    _known: dict[str, bool | None] = field(default_factory=dict)

    def resolve(self, value: Any, where: str) -> Any:  # noqa: ANN401 - a template holds anything
        """Work a value out.

        Parameters
        ----------
        value
            Any part of a template.
        where
            Its place, for error messages: the logical id and what follows.

        Returns
        -------
        Any
            The same with functions replaced by their results, or by themselves with resolved
            arguments when they need a resource. ``AWS::NoValue`` is gone.
        """
        found = self._walk(value, where)
        return None if found is _DROP else found

    def condition(self, name: str) -> bool:
        """Decide a condition of the template.

        Raises
        ------
        TemplateError
            There is no such condition, or it refers to itself.
        """
        if name not in self.conditions:
            raise TemplateError(f"the template has no condition {name}")
        if name not in self._known:
            self._known[name] = None
            self._known[name] = self._decide(self.conditions[name], f"condition {name}")
        decided = self._known[name]
        if decided is None:
            raise TemplateError(f"condition {name} refers to itself")
        return decided

    def _walk(self, value: Any, where: str) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            if is_intrinsic(value):
                [(name, argument)] = value.items()
                return self._call(name, argument, where)
            pairs = {key: self._walk(each, f"{where}.{key}") for key, each in value.items()}
            return {key: each for key, each in pairs.items() if each is not _DROP}
        if isinstance(value, list):
            items = [self._walk(each, f"{where}[{at}]") for at, each in enumerate(value)]
            return [each for each in items if each is not _DROP]
        return value

    def _call(self, name: str, argument: Any, where: str) -> Any:  # noqa: ANN401
        functions: dict[str, Callable[[Any, str], Any]] = {
            "Ref": self._ref,
            "Fn::If": self._if,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self._get_att,
            "Fn::Base64": self._base64,
        }
        if name not in functions:
            raise TemplateError(f"{where}: the local runtime doesn't know the function {name}")
        return functions[name](argument, where)

    def _ref(self, name: Any, where: str) -> Any:  # noqa: ANN401, ARG002 - one signature for all
        if name == "AWS::NoValue":
            return _DROP
        if name in self.parameters:
            return self.parameters[name]
        return self.pseudo.get(name, {"Ref": name})

    def _get_att(self, argument: Any, where: str) -> Any:  # noqa: ANN401, ARG002
        parts = argument.split(".", 1) if isinstance(argument, str) else list(argument)
        return {"Fn::GetAtt": parts}

    def _if(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        name, when_true, when_false = argument
        return self._walk(when_true if self.condition(name) else when_false, where)

    def _join(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        delimiter, items = argument
        resolved = self._walk(items, where)
        if isinstance(resolved, list) and all(_is_constant(each) for each in resolved):
            return delimiter.join(_text(each) for each in resolved)
        return {"Fn::Join": [delimiter, resolved]}

    def _split(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        delimiter, text = argument
        resolved = self._walk(text, where)
        if _is_constant(resolved):
            return _text(resolved).split(delimiter)
        return {"Fn::Split": [delimiter, resolved]}

    def _select(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        index, items = argument
        resolved = self._walk(items, where)
        if isinstance(resolved, list):
            return resolved[int(_text(self._walk(index, where)))]
        return {"Fn::Select": [index, resolved]}

    def _find_in_map(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        name, first, second = (self._walk(each, where) for each in argument)
        try:
            return self.mappings[name][first][second]
        except (KeyError, TypeError):
            raise TemplateError(f"{where}: there is no mapping {name}.{first}.{second}") from None

    def _base64(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        resolved = self._walk(argument, where)
        if _is_constant(resolved):
            return base64.b64encode(_text(resolved).encode()).decode()
        return {"Fn::Base64": resolved}

    def _sub(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        text, variables = argument if isinstance(argument, list) else (argument, {})
        local = {key: self._walk(each, f"{where}.{key}") for key, each in variables.items()}
        left: dict[str, Any] = {}
        needs_resource = False

        def replace(match: re.Match[str]) -> str:
            nonlocal needs_resource
            escaped, name = match.group(1), match.group(2).strip()
            if escaped:
                return match.group(0)
            value = local[name] if name in local else self._ref(name, where)
            if _is_constant(value):
                return _text(value).replace("${", "${!")
            needs_resource = True
            if name in local:
                left[name] = value
            return match.group(0)

        replaced = VARIABLE.sub(replace, text)
        if not needs_resource:
            return VARIABLE.sub(lambda match: f"${{{match.group(2)}}}", replaced)
        return {"Fn::Sub": [replaced, left] if left else replaced}

    def _decide(self, value: Any, where: str) -> bool:  # noqa: ANN401
        if not isinstance(value, dict) or len(value) != 1:
            raise TemplateError(f"{where}: this is no condition: {value!r}")
        [(name, argument)] = value.items()
        if name == "Condition":
            return self.condition(argument)
        if name == "Fn::Equals":
            first, second = (self.resolve(each, where) for each in argument)
            return _text(first) == _text(second)
        if name == "Fn::Not":
            return not self._decide(argument[0], where)
        if name == "Fn::And":
            return all(self._decide(each, where) for each in argument)
        if name == "Fn::Or":
            return any(self._decide(each, where) for each in argument)
        raise TemplateError(f"{where}: the local runtime doesn't know the function {name}")


def _is_constant(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _text(value: object) -> str:
    """Spell a value as CloudFormation does where it wants a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def references(value: Any) -> set[str]:  # noqa: ANN401 - a template holds anything
    """Return every name that a resolved value refers to: logical ids and ``AWS::`` names."""
    if isinstance(value, list):
        return set().union(*(references(each) for each in value))
    if not isinstance(value, dict):
        return set()
    if is_intrinsic(value):
        [(name, argument)] = value.items()
        if name == "Ref":
            return {argument}
        if name == "Fn::GetAtt":
            return {argument[0]}
        if name == "Fn::Sub":
            return _sub_references(argument)
    return set().union(*(references(each) for each in value.values()))


def _sub_references(argument: Any) -> set[str]:  # noqa: ANN401
    text, variables = argument if isinstance(argument, list) else (argument, {})
    names = {match.group(2).split(".")[0] for match in VARIABLE.finditer(text) if not match[1]}
    return (names - set(variables)) | references(list(variables.values()))
