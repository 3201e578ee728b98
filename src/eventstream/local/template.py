"""The template adapter: ``template.yaml`` in, a plain template the emulator can deploy out.

It fails on everything it doesn't know (`eventstream.local.support`), so that what runs on the
laptop is what the template says, or nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventstream.local import (
    handover,
    http_template,
    mappings,
    nested,
    parameters,
    support,
    translate,
)
from eventstream.local.errors import TemplateError
from eventstream.local.function_template import Package, in_source_mode, with_definition
from eventstream.local.intrinsics import Evaluator, references
from eventstream.local.session import ACCOUNT_ID

MAPPING_TYPE = "AWS::Lambda::EventSourceMapping"
SCHEDULE_TYPE = "AWS::Scheduler::Schedule"


@dataclass(frozen=True)
class Plan:
    """What will be deployed.

    Attributes
    ----------
    template
        Plain CloudFormation, without parameters and conditions.
    parameters
        The value of every parameter of the SAM template.
    left_out
        What isn't simulated on purpose, and why, by logical id.
    """

    template: dict[str, Any]
    parameters: dict[str, str]
    left_out: dict[str, str]


def adapt(
    project: Path,
    *,
    stack_name: str,
    region: str,
    code: Package,
    overrides: Mapping[str, str] | None = None,
    template_file: Path | None = None,
) -> Plan:
    """Turn the project's template into one that the emulator can deploy.

    Parameters
    ----------
    project
        Folder that file names in the template are relative to.
    stack_name, region
        Of the stack to be.
    code
        The package of every function.
    overrides
        Parameter values other than the defaults.
    template_file
        The template, when it isn't the project's ``template.yaml``.

    Returns
    -------
    Plan
        The template to deploy.

    Raises
    ------
    TemplateError
        The template asks for something that the local runtime doesn't know.
    """
    file = template_file or project / "template.yaml"
    sam = translate.load(file)
    values = parameters.resolve(sam.get("Parameters", {}), overrides or {})
    pseudo = {
        "AWS::Region": region,
        "AWS::AccountId": ACCOUNT_ID,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack_name,
    }
    plain, definitions = _flat(sam, file, values, pseudo)
    evaluator = Evaluator(
        parameters=values,
        pseudo={**pseudo, **_mapping_ids(plain["Resources"], stack_name)},
        conditions=plain.get("Conditions", {}),
        mappings=plain.get("Mappings", {}),
    )
    resources = _existing(plain["Resources"], evaluator)
    paths = {name: project / path for name, path in translate.definition_paths(sam).items()}
    paths |= definitions
    left_out: dict[str, str] = {}
    adapter = _Adapter(stack_name, code, paths, left_out)
    adapted: dict[str, Any] = {}
    for name, resource in resources.items():
        adapted.update(adapter.adapted(name, resource))
    _check_references(adapted, left_out)
    deployable: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": adapted,
        "Outputs": _outputs(plain.get("Outputs", {}), evaluator, adapted),
    }
    return Plan(deployable, values, left_out)


def _flat(
    sam: dict[str, Any], file: Path, values: Mapping[str, str], pseudo: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Translate a template, its nested applications put flat into it, and find their definitions.

    Their outputs go in before SAM has its turn: it would take them for resources that are missing.
    """
    root, applications = nested.take_out(sam, file.parent)
    around = Evaluator(
        parameters=values,
        pseudo=pseudo,
        conditions=sam.get("Conditions", {}),
        mappings=sam.get("Mappings", {}),
    )
    flat = nested.flatten(applications, around, pseudo["AWS::StackName"])
    root = nested.outputs_put_in(root, flat, [each.name for each in applications])
    plain = translate.translate(root, values, pseudo["AWS::Region"])
    for section, found in (
        ("Resources", flat.resources),
        ("Conditions", flat.conditions),
        ("Mappings", flat.mappings),
    ):
        if found:
            plain[section] = {**plain.get(section, {}), **found}
    return plain, flat.definitions


def _mapping_ids(resources: Mapping[str, Any], stack_name: str) -> dict[str, str]:
    """Return what ``Ref`` of each event source mapping is: its UUID."""
    return {
        name: mappings.mapping_uuid(stack_name, name)
        for name, resource in resources.items()
        if resource.get("Type") == MAPPING_TYPE
    }


def _existing(resources: Mapping[str, Any], evaluator: Evaluator) -> dict[str, Any]:
    """Resolve every resource and drop those whose condition doesn't hold."""
    found = {}
    for name, resource in resources.items():
        kind = resource.get("Type", "")
        if kind not in support.EMULATED and kind not in support.NOT_SIMULATED:
            raise TemplateError(
                f"{name}: the local runtime doesn't know the resource type {kind}. It must be "
                "listed in eventstream.local.support, as emulated or as left out with a reason"
            )
        condition = resource.get("Condition")
        if condition is None or evaluator.condition(condition):
            rest = {
                key: value
                for key, value in resource.items()
                if key not in {"Condition", "Metadata"}
            }
            found[name] = evaluator.resolve(rest, name)
    return found


@dataclass(frozen=True)
class _Adapter:
    """Puts other resources in the place of those that the emulator can't run as they are."""

    stack_name: str
    code: Package
    definitions: Mapping[str, Path]
    left_out: dict[str, str]

    def adapted(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        """Return what takes a resource's place: itself, others or nothing."""
        change = {
            "AWS::ApiGatewayV2::Api": http_template.expand,
            "AWS::ApiGatewayV2::Stage": self._stage,
            "AWS::Lambda::Function": self._function,
            "AWS::StepFunctions::StateMachine": self._state_machine,
            MAPPING_TYPE: self._mapping,
            SCHEDULE_TYPE: self._schedule,
        }.get(resource["Type"])
        if resource["Type"] in support.NOT_SIMULATED:
            self.left_out[name] = support.NOT_SIMULATED[resource["Type"]]
            return {}
        return {name: resource} if change is None else change(name, resource)

    def _stage(self, name: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        properties = http_template.camel_stage(resource["Properties"])
        return {name: {**resource, "Properties": properties}}

    def _function(self, name: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        return {name: in_source_mode(name, resource, self.code)}

    def _state_machine(self, name: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        return {name: with_definition(name, resource, self.definitions.get(name))}

    def _mapping(self, name: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        properties = resource["Properties"]
        for key, reason in mappings.check(name, properties).items():
            self.left_out[f"{name}.{key}"] = reason
        kind = handover.MAPPINGS
        return {name: handover.as_parameter(self.stack_name, kind, name, properties)}

    def _schedule(self, name: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        kind = handover.SCHEDULES
        return {name: handover.as_parameter(self.stack_name, kind, name, resource["Properties"])}


def _check_references(adapted: dict[str, Any], left_out: Mapping[str, str]) -> None:
    """Refuse a reference to what isn't there; forget dependencies on it."""
    for name, resource in adapted.items():
        depends = resource.pop("DependsOn", [])
        every = [depends] if isinstance(depends, str) else depends
        kept = [each for each in every if each in adapted]
        if kept:
            resource["DependsOn"] = kept
        for other in sorted(references(resource)):
            if other not in adapted and not other.startswith("AWS::"):
                reason = left_out.get(other, "it isn't in the template")
                raise TemplateError(f"{name} refers to {other}, which isn't deployed: {reason}")


def _outputs(
    outputs: Mapping[str, Any], evaluator: Evaluator, adapted: Mapping[str, Any]
) -> dict[str, Any]:
    """Resolve the outputs; those of resources that aren't there are left out."""
    found = {}
    for name, output in outputs.items():
        condition = output.get("Condition")
        if condition is not None and not evaluator.condition(condition):
            continue
        value = evaluator.resolve(output["Value"], f"Outputs.{name}")
        known = all(each in adapted or each.startswith("AWS::") for each in references(value))
        if known:
            found[name] = {"Value": value}
    return found
