"""Read the template, translate it to plain CloudFormation offline, and take it apart."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[3]

Template = dict[str, Any]


def read_template() -> Template:
    """Parse ``template.yaml`` as it is written."""
    parsed: Template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return parsed


def read_definition() -> dict[str, Any]:
    """Parse the state machine's definition as it is written."""
    text = (ROOT / "step-functions" / "etl-workflow.json").read_text(encoding="utf-8")
    definition: dict[str, Any] = json.loads(text)
    return definition


def translate(template: Template) -> Template:
    """Do what the SAM transform does on deployment, without an account or a network.

    Local code paths stand for uploaded objects; their content plays no part.
    """
    uploaded = copy.deepcopy(template)
    for resource in uploaded["Resources"].values():
        properties = resource.get("Properties", {})
        for key in ("CodeUri", "ContentUri", "DefinitionUri"):
            if isinstance(properties.get(key), str):
                properties[key] = {"Bucket": "uploaded-code", "Key": properties[key]}
    session = boto3.Session(region_name="eu-west-1")
    translator = Translator({}, Parser(), boto_session=session)
    translated: Template = translator.translate(uploaded, {})
    return json.loads(json.dumps(translated))


def of_type(template: Template, *types: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of some types, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] in types
    }


def branches(value: object) -> Iterator[Any]:
    """Yield what a value can be, whichever way its outer ``Fn::If`` goes, but ``NoValue``."""
    if isinstance(value, dict) and set(value) == {"Fn::If"}:
        for branch in value["Fn::If"][1:]:
            yield from branches(branch)
    elif value != {"Ref": "AWS::NoValue"}:
        yield value


def as_list(value: object) -> list[Any]:
    """Return a list as it is and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def target(value: object) -> str | None:
    """Name the resource or parameter that a ``Ref`` or ``Fn::GetAtt`` points at."""
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return str(value["Ref"])
    if isinstance(value, dict) and set(value) == {"Fn::GetAtt"}:
        found = value["Fn::GetAtt"]
        return str(found.split(".")[0] if isinstance(found, str) else found[0])
    return None


def without(template: Template, *path: str) -> Template:
    """Copy a template and leave one thing out of ``Resources``."""
    changed = copy.deepcopy(template)
    place = changed["Resources"]
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return changed


def with_value(template: Template, value: object, *path: str | int) -> Template:
    """Copy a template and set one thing in ``Resources``."""
    changed = copy.deepcopy(template)
    place = changed["Resources"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed
