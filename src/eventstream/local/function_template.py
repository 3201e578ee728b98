"""Functions in source mode, and state machines with their definition.

A function is deployed as a custom runtime whose package is nothing but a two-line shell script.
The script starts the function process (`eventstream.local.runtime`), which imports the handler
from the work tree: no build, and an edit is live on the next call.
"""

import hashlib
import io
import os
import shlex
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eventstream.local.errors import TemplateError

_EPOCH = (1980, 1, 1, 0, 0, 0)
_EXECUTABLE = 0o100755 << 16


@dataclass(frozen=True)
class Package:
    """The package that all functions share.

    Attributes
    ----------
    bucket
        Bucket it is uploaded to.
    environment
        Variables that every function gets besides its own.
    """

    bucket: str
    content: bytes
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Object key: the content's hash, so that an unchanged package changes no function."""
        return f"{hashlib.sha256(self.content).hexdigest()}.zip"


def package(project: Path, bucket: str, environment: Mapping[str, str] | None = None) -> Package:
    """Build the package that starts the function process of this work tree."""
    # The second is the same folder, unless the project isn't the one this package lies in.
    roots = dict.fromkeys((project / "src", Path(__file__).resolve().parents[2]))
    script = (
        "#!/bin/sh\n"
        f"PYTHONPATH={shlex.quote(os.pathsep.join(map(str, roots)))} "
        f"exec {shlex.quote(sys.executable)} -P -m eventstream.local.runtime\n"
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("bootstrap", date_time=_EPOCH)
        entry.external_attr = _EXECUTABLE
        archive.writestr(entry, script)
    return Package(bucket, content.getvalue(), environment or {})


def in_source_mode(logical_id: str, function: Mapping[str, Any], code: Package) -> dict[str, Any]:
    """Return a function that runs from the work tree.

    Raises
    ------
    TemplateError
        It isn't a Python function in a zip package.
    """
    properties = dict(function["Properties"])
    runtime = properties.get("Runtime", "")
    if properties.get("PackageType", "Zip") != "Zip" or not str(runtime).startswith("python"):
        raise TemplateError(
            f"{logical_id}: the local runtime runs Python functions in zip packages, "
            f"not Runtime {runtime or 'of an image'}"
        )
    properties.pop("Layers", None)
    properties.pop("SnapStart", None)
    logging = properties.get("LoggingConfig", {})
    given = properties.get("Environment", {}).get("Variables", {})
    variables = {
        # Lambda sets these two from LoggingConfig; the emulator doesn't.
        "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text"),
        "AWS_LAMBDA_LOG_LEVEL": logging.get("ApplicationLogLevel", "INFO"),
        **code.environment,
        **{name: _as_text(value) for name, value in given.items()},
    }
    return {
        **function,
        "Properties": {
            **properties,
            "Runtime": "provided.al2023",
            "Code": {"S3Bucket": code.bucket, "S3Key": code.key},
            "Environment": {"Variables": variables},
        },
    }


def _as_text(value: Any) -> Any:  # noqa: ANN401 - text, or a function that becomes text
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def with_definition(
    logical_id: str, machine: Mapping[str, Any], path: Path | None
) -> dict[str, Any]:
    """Return a state machine that carries its definition file and its substitutions.

    Parameters
    ----------
    logical_id
        Logical id of the state machine.
    machine
        The resource.
    path
        The file its ``DefinitionUri`` names; ``None`` when the definition is inline.

    Raises
    ------
    TemplateError
        The file is missing, or uses a placeholder that nothing substitutes.
    """
    if path is None:
        return dict(machine)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TemplateError(f"{logical_id}: there is no {path}") from None
    properties = dict(machine["Properties"])
    properties.pop("DefinitionS3Location", None)
    substitutions = properties.pop("DefinitionSubstitutions", {})
    missing = sorted(_placeholders(text) - set(substitutions))
    if missing:
        raise TemplateError(
            f"{logical_id}: {path.name} uses ${{{missing[0]}}}, "
            "which DefinitionSubstitutions doesn't define"
        )
    properties["DefinitionString"] = {"Fn::Sub": [text, substitutions]}
    return {**machine, "Properties": properties}


def _placeholders(text: str) -> set[str]:
    found = set()
    for part in text.split("${")[1:]:
        found.add(part.split("}", 1)[0])
    return found
