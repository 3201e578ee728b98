"""Nested applications (``AWS::Serverless::Application``), put flat into the template around them.

The emulator can't update a nested stack, so there is one stack only. Every logical id of a nested
application gets the application's own before it: ``Stream`` of ``OrderFlow`` is
``OrderFlowStream``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventstream.local import parameters, translate
from eventstream.local.errors import TemplateError
from eventstream.local.intrinsics import Evaluator
from eventstream.local.rewriting import Rewriter

APPLICATION = "AWS::Serverless::Application"
_KNOWN = frozenset({"Location", "Parameters", "Tags"})


@dataclass(frozen=True)
class Application:
    """A nested application as the template around it has it.

    Attributes
    ----------
    file
        Its template.
    given
        What the template around it gives for its parameters.
    condition
        Condition of the template around it; ``None`` without one.
    """

    name: str
    file: Path
    given: Mapping[str, Any]
    condition: str | None = None


@dataclass
class Flat:
    """What nested applications add to the template around them."""

    resources: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    mappings: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    """By ``Application.Outputs.Name``."""
    definitions: dict[str, Path] = field(default_factory=dict)
    """Definition file of every state machine."""


def take_out(template: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], list[Application]]:
    """Return a template without its nested applications, and these.

    Parameters
    ----------
    template
        A SAM template; it is not changed.
    folder
        Where it lies.

    Raises
    ------
    TemplateError
        An application isn't a file beside the template, or has a property that isn't known.
    """
    rest, found = {}, []
    for name, resource in template["Resources"].items():
        if resource.get("Type") == APPLICATION:
            found.append(_application(name, resource, folder))
        else:
            rest[name] = resource
    return {**template, "Resources": rest}, found


def _application(name: str, resource: Mapping[str, Any], folder: Path) -> Application:
    properties = resource.get("Properties", {})
    location = properties.get("Location")
    if not isinstance(location, str) or "://" in location:
        raise TemplateError(
            f"{name}: the local runtime runs nested applications whose Location is a file"
        )
    unknown = sorted(set(properties) - _KNOWN)
    if unknown:
        raise TemplateError(f"{name}: the local runtime doesn't know {unknown[0]} of {APPLICATION}")
    given = properties.get("Parameters", {})
    return Application(name, folder / location, given, resource.get("Condition"))


def flatten(applications: list[Application], around: Evaluator, stack_name: str) -> Flat:
    """Translate nested applications and rename everything in them.

    Parameters
    ----------
    applications
        The applications.
    around
        Resolves what the template around them gives for their parameters.
    stack_name
        The stack, whose name begins theirs.

    Raises
    ------
    TemplateError
        An application can't be read, or a parameter isn't as it declares; it is named.
    """
    flat = Flat()
    for each in applications:
        if each.condition is None or around.condition(each.condition):
            try:
                _flatten(each, around, stack_name, flat)
            except TemplateError as error:
                raise TemplateError(f"{each.name} ({each.file.name}): {error}") from error
    return flat


def _flatten(application: Application, around: Evaluator, stack_name: str, flat: Flat) -> None:
    prefix, sam = application.name, translate.load(application.file)
    known, deferred = _parameters(application, sam.get("Parameters", {}), around)
    plain = translate.translate(sam, known, around.pseudo["AWS::Region"])
    names = {**known, **deferred, "AWS::StackName": f"{stack_name}-{prefix}"}
    resources = plain["Resources"]

    def ref(name: str) -> Any:  # noqa: ANN401 - a parameter's value may be any function
        return names.get(name, {"Ref": prefix + name} if name in resources else None)

    def attribute(path: str) -> Any:  # noqa: ANN401
        name, _, rest = path.partition(".")
        return {"Fn::GetAtt": [prefix + name, rest]} if name in resources else None

    renamed = prefix.__add__
    rewriter = Rewriter(ref, attribute, condition=renamed, mapping=renamed)
    for name, resource in resources.items():
        flat.resources[prefix + name] = _resource(resource, rewriter, prefix)
    for name, condition in plain.get("Conditions", {}).items():
        flat.conditions[prefix + name] = rewriter.rewrite(condition)
    for name, mapping in plain.get("Mappings", {}).items():
        flat.mappings[prefix + name] = mapping
    for name, output in plain.get("Outputs", {}).items():
        flat.outputs[f"{prefix}.Outputs.{name}"] = rewriter.rewrite(output["Value"])
    for name, path in translate.definition_paths(sam).items():
        flat.definitions[prefix + name] = application.file.parent / path


def _resource(resource: Mapping[str, Any], rewriter: Rewriter, prefix: str) -> dict[str, Any]:
    found = {key: rewriter.rewrite(value) for key, value in resource.items()}
    if "Condition" in resource:
        found["Condition"] = rewriter.condition(resource["Condition"])
    depends = resource.get("DependsOn", [])
    if depends:
        every = [depends] if isinstance(depends, str) else depends
        found["DependsOn"] = [prefix + each for each in every]
    return found


def _parameters(
    application: Application, declared: Mapping[str, Any], around: Evaluator
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the values that are known now, and those that need a resource."""
    given = {
        name: value
        for name, value in around.resolve(dict(application.given), application.name).items()
        if value is not None
    }
    deferred = {
        name: value
        for name, value in given.items()
        if name in declared and isinstance(value, dict | list)
    }
    settled = {name: spec for name, spec in declared.items() if name not in deferred}
    constants = {name: _text(value) for name, value in given.items() if name not in deferred}
    return parameters.resolve(settled, constants), deferred


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def outputs_put_in(template: Mapping[str, Any], flat: Flat, names: list[str]) -> dict[str, Any]:
    """Return a template with the outputs of nested applications put where it refers to them.

    Raises
    ------
    TemplateError
        It refers to an output that isn't there, or to an application itself.
    """

    def ref(name: str) -> None:
        if name in names:
            raise TemplateError(f"Ref of the nested application {name} isn't known here")

    def attribute(path: str) -> Any:  # noqa: ANN401 - an output may be any function
        if path.split(".", maxsplit=1)[0] not in names:
            return None
        if path not in flat.outputs:
            raise TemplateError(f"there is no {path}")
        return flat.outputs[path]

    rewritten: dict[str, Any] = Rewriter(ref, attribute).rewrite(dict(template))
    return rewritten
