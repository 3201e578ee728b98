"""Template parameters: defaults, overrides and the constraints of the template."""

import re
from collections.abc import Mapping
from typing import Any

from eventstream.local.errors import TemplateError

_KNOWN_TYPES = frozenset({"String", "Number", "CommaDelimitedList", "List<Number>"})


def resolve(declared: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, str]:
    """Give every declared parameter its value, as text.

    Parameters
    ----------
    declared
        The template's ``Parameters``.
    overrides
        Values by name that replace the defaults.

    Returns
    -------
    dict[str, str]
        A value per declared parameter.

    Raises
    ------
    TemplateError
        An override names no parameter, a value is missing or breaks its constraint.
    """
    unknown = sorted(set(overrides) - set(declared))
    if unknown:
        raise TemplateError(
            f"the template has no parameter {unknown[0]}; it has {', '.join(sorted(declared))}"
        )
    return {name: _value(name, spec, overrides.get(name)) for name, spec in declared.items()}


def _value(name: str, spec: Mapping[str, Any], override: str | None) -> str:
    kind = spec.get("Type", "String")
    if kind not in _KNOWN_TYPES:
        raise TemplateError(
            f"parameter {name}: the local runtime can't look up values of type {kind}; "
            f"it knows {', '.join(sorted(_KNOWN_TYPES))}"
        )
    if override is None and "Default" not in spec:
        raise TemplateError(f"parameter {name} has no default: give it with --param {name}=VALUE")
    value = str(spec["Default"]) if override is None else override
    broken = _broken_rule(kind, spec, value)
    if broken:
        rule = spec.get("ConstraintDescription", broken)
        raise TemplateError(f"parameter {name}={value!r} is refused: {rule}")
    return value


def _broken_rule(kind: str, spec: Mapping[str, Any], value: str) -> str | None:
    """Return the constraint that a value breaks, or ``None``."""
    items = value.split(",") if kind in {"CommaDelimitedList", "List<Number>"} else [value]
    for item in items:
        rule = _broken_item(kind, spec, item.strip() if len(items) > 1 else item)
        if rule:
            return rule
    return None


def _broken_item(kind: str, spec: Mapping[str, Any], value: str) -> str | None:
    allowed = spec.get("AllowedValues")
    if allowed is not None and value not in [str(each) for each in allowed]:
        return f"must be one of {', '.join(str(each) for each in allowed)}"
    pattern = spec.get("AllowedPattern")
    if pattern is not None and re.fullmatch(pattern, value) is None:
        return f"must match {pattern}"
    if len(value) < int(spec.get("MinLength", 0)):
        return f"must have at least {spec['MinLength']} characters"
    if "MaxLength" in spec and len(value) > int(spec["MaxLength"]):
        return f"must have at most {spec['MaxLength']} characters"
    return _broken_number(spec, value) if kind in {"Number", "List<Number>"} else None


def _broken_number(spec: Mapping[str, Any], value: str) -> str | None:
    try:
        number = float(value)
    except ValueError:
        return "must be a number"
    if "MinValue" in spec and number < float(spec["MinValue"]):
        return f"must be at least {spec['MinValue']}"
    if "MaxValue" in spec and number > float(spec["MaxValue"]):
        return f"must be at most {spec['MaxValue']}"
    return None
