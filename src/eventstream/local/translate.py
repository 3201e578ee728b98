"""SAM's own translation, offline: no account, no upload, no `sam build`."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from eventstream.local.errors import TemplateError
from eventstream.local.session import ACCESS_KEY, ACCOUNT_ID, SECRET_KEY

_PLACEHOLDER = {"Bucket": "not-built", "Key": "not-built"}
_LOCAL_PATHS = ("CodeUri", "ContentUri", "DefinitionUri")
_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Fastest):  # type: ignore[misc]  # one of two classes
    """Reads YAML with CloudFormation's short forms of functions, such as ``!Ref``."""


def _function(loader: Any, name: str, node: yaml.Node) -> dict[str, Any]:  # noqa: ANN401
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)


def load(path: Path) -> dict[str, Any]:
    """Read a SAM template.

    Raises
    ------
    TemplateError
        There is no such file, or it isn't YAML with resources.
    """
    try:
        found: Any = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
    except FileNotFoundError:
        raise TemplateError(f"there is no {path}: run this inside the project") from None
    except yaml.YAMLError as error:
        raise TemplateError(f"{path} can't be read as YAML: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict):
        raise TemplateError(f"{path} has no Resources")
    return found


def definition_paths(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the local definition file of every state machine, by logical id."""
    return {
        name: resource["Properties"]["DefinitionUri"]
        for name, resource in template["Resources"].items()
        if isinstance(resource.get("Properties", {}).get("DefinitionUri"), str)
    }


def translate(
    template: Mapping[str, Any], values: Mapping[str, str], region: str
) -> dict[str, Any]:
    """Turn a SAM template into a plain CloudFormation template.

    Parameters
    ----------
    template
        The SAM template; it is not changed.
    values
        A value per parameter: SAM makes resources that depend on them.
    region
        Region to translate for.

    Returns
    -------
    dict[str, Any]
        The same stack without SAM; code and definitions are placeholders.

    Raises
    ------
    TemplateError
        SAM refuses the template.
    """
    # Importing SAM takes half a second; only a deployment pays for it.
    import boto3
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    work = copy.deepcopy(dict(template))
    _put_placeholders(work)
    session = boto3.Session(
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=region
    )
    translator = Translator({}, Parser(), boto_session=session)
    try:
        translated: dict[str, Any] = translator.translate(
            sam_template=work,
            parameter_values={**values, "AWS::AccountId": ACCOUNT_ID, "AWS::Region": region},
        )
    except InvalidDocumentException as error:
        reasons = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"SAM refuses the template: {reasons}") from error
    translated.pop("Transform", None)
    return translated


def _put_placeholders(template: dict[str, Any]) -> None:
    for name, resource in template["Resources"].items():
        if resource.get("Type") == "AWS::Serverless::Application":
            raise TemplateError(
                f"{name}: the local runtime doesn't run nested applications "
                "(AWS::Serverless::Application) within nested ones"
            )
        _put_placeholder(resource.get("Properties", {}))
    for defaults in template.get("Globals", {}).values():
        _put_placeholder(defaults)


def _put_placeholder(properties: dict[str, Any]) -> None:
    for key in _LOCAL_PATHS:
        if isinstance(properties.get(key), str):
            properties[key] = dict(_PLACEHOLDER)
