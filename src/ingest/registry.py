"""The registered schemas of event types, one JSON Schema (2020-12) file per type and version.

``schemas/<type>/<version>.json`` describes the ``properties`` of an event. The validator is the
``jsonschema-rs`` library; it is only loaded when there is a schema to hold an event against.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from common.domain.enrich import UNCHECKED, Checked
from common.errors import ConfigError, FieldError
from common.models import EVENT_TYPE_PATTERN, IngestEvent
from ingest.violations import as_error

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

SchemaMode = Literal["off", "observe", "strict"]
"""``observe`` accepts and counts what breaks a schema, ``strict`` rejects it."""

SCHEMAS = Path(__file__).parent / "schemas"
"""The schemas that are packaged with the function."""

VERSION_FIELD = "schema_version"
"""Member of an event's ``context`` that names the version it was written for."""

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_TYPE = re.compile(EVENT_TYPE_PATTERN)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the registry says of one event."""

    schema: str | None = None
    """The schema it was held against, ``purchase/2``; ``None`` when its type has none."""
    violation: FieldError | None = None
    """What it breaks first; never carries the client's value."""
    refused: bool = False
    """Whether it is to be rejected for that."""

    @property
    def checked(self) -> Checked:
        """The same as the stored event tells it."""
        if self.schema is None:
            return UNCHECKED
        broken = self.violation
        keyword = broken.rule.removeprefix("schema:") if broken else ""
        return Checked(self.schema, f"{broken.field}: {keyword}" if broken else None)


_NOTHING = Verdict()


def _uncounted(_schema: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Registry:
    """Schemas by type and version. Types without one are not checked, in any mode."""

    schemas: Mapping[str, Mapping[int, Draft202012Validator]] = field(default_factory=dict)
    mode: SchemaMode = "observe"
    violated: Callable[[str], None] = _uncounted
    """Is told the schema that an event breaks, such as ``purchase/2``, for each such event."""

    @classmethod
    def load(
        cls,
        folder: Path = SCHEMAS,
        mode: SchemaMode = "observe",
        violated: Callable[[str], None] = _uncounted,
    ) -> Registry:
        """Read and compile every schema of a folder; none of them may fetch another.

        Raises
        ------
        ConfigError
            Naming each file that is no schema or is not where one belongs, and why.
        """
        if mode == "off":
            return cls({}, mode, violated)
        files, problems = find_schemas(folder)
        schemas: dict[str, dict[int, Draft202012Validator]] = {}
        for (event_type, version), path in files.items():
            try:
                schemas.setdefault(event_type, {})[version] = _compiled(path)
            except ValueError as error:
                problems.append(f"{path.relative_to(folder)}: {_flaw(error)}")
        if problems:
            raise ConfigError(f"the schemas in {folder} do not fit: {'; '.join(problems)}")
        return cls(schemas, mode, violated)

    def check(self, event: IngestEvent) -> Verdict:
        """Hold an event's properties against the schema of its type.

        The newest version rules, or the one that ``context.schema_version`` names. An event
        without properties is one with no property in them.
        """
        versions = self.schemas.get(event.event_type)
        if not versions:
            return _NOTHING
        newest = max(versions)
        version = _asked(event.context, newest)
        if version not in versions:
            return self._verdict(f"{event.event_type}/{newest}", _unknown_version(event.event_type))
        schema, validator = f"{event.event_type}/{version}", versions[version]
        properties = event.properties or {}
        if validator.is_valid(properties):
            return Verdict(schema)
        return self._verdict(schema, as_error(next(validator.iter_errors(properties)), schema))

    def _verdict(self, schema: str, violation: FieldError) -> Verdict:
        self.violated(schema)
        return Verdict(schema, violation, refused=self.mode == "strict")


def find_schemas(folder: Path) -> tuple[dict[tuple[str, int], Path], list[str]]:
    """Find the files of a registry by type and version, and say what is not one of them.

    Files that lie directly in the folder, such as a README, are none of its business, and neither
    is what begins with a dot.
    """
    files: dict[tuple[str, int], Path] = {}
    problems: list[str] = []
    spelled: dict[str, str] = {}
    for of_type in (path for path in _shown(folder) if path.is_dir()):
        event_type = type_of(of_type.name)
        if event_type is None:
            problems.append(f"{of_type.name}: is the name of no event type")
            continue
        other = spelled.setdefault(event_type.lower(), event_type)
        if other != event_type:
            problems.append(f"{of_type.name}: differs from {other} in upper and lower case only")
        for path in _shown(of_type):
            if path.suffix == ".json" and _VERSION.fullmatch(path.stem):
                files[event_type, int(path.stem)] = path
            else:
                problems.append(
                    f"{of_type.name}/{path.name}: must be called by its version, such as 1.json"
                )
    return files, problems


def _shown(folder: Path) -> list[Path]:
    """Return what lies in a folder, without what systems and editors hide there."""
    there = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in there if not path.name.startswith("."))


def folder_of(event_type: str) -> str:
    """Return the folder of a type: its name, with what not every disk takes as ``%XX``.

    >>> folder_of("Order Completed"), folder_of("checkout:done")
    ('Order Completed', 'checkout%3Adone')
    """
    name = event_type.replace(":", "%3A")
    return name if name[-1] not in " ." else f"{name[:-1]}%{ord(name[-1]):02X}"


def type_of(folder: str) -> str | None:
    """Return the type that a folder is named after, or ``None``.

    >>> type_of("checkout%3Adone"), type_of("checkout:done"), type_of("9lives")
    ('checkout:done', None, None)
    """
    event_type = unquote(folder, errors="strict") if folder.isascii() else ""
    if not _TYPE.fullmatch(event_type) or folder_of(event_type) != folder:
        return None
    return event_type


def _compiled(path: Path) -> Draft202012Validator:
    """Compile one file.

    Raises
    ------
    ValueError
        It is no JSON, no schema of the draft, or refers to something outside itself.
    """
    # Imported here: most functions have no schema, and the library is not small.
    from jsonschema_rs import Draft202012Validator, RegexOptions

    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 - as any other flaw of the file
    if str(document.get("$schema", _DRAFT)).rstrip("#") != _DRAFT:
        raise ValueError(
            f"must be of JSON Schema 2020-12: leave $schema out, or set it to {_DRAFT}"
        )
    return Draft202012Validator(
        document,
        validate_formats=True,
        ignore_unknown_formats=False,
        offline=True,
        # Linear in time, whatever text a client sends; look-arounds are refused.
        pattern_options=RegexOptions(),
    )


def _flaw(error: ValueError) -> str:
    """Say what is wrong with a schema, and where in it when the validator knows."""
    said = str(error).partition("\n")[0]
    path = ".".join(str(step) for step in getattr(error, "instance_path", ()))
    return f"{path}: {said}" if path else said


def _asked(context: dict[str, Any] | None, newest: int) -> int:
    """Return the version that an event asks for; 0 when it names none that could be."""
    told = (context or {}).get(VERSION_FIELD)
    if told is None:
        return newest
    if isinstance(told, str) and _VERSION.fullmatch(told):
        return int(told)
    return told if type(told) is int else 0


def _unknown_version(event_type: str) -> FieldError:
    return FieldError(
        f"context.{VERSION_FIELD}",
        "schema:version",
        f"context.{VERSION_FIELD} must be the number of a registered version of {event_type}",
    )
