"""The whole document: what the API is, where it wants its key, every operation and schema."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from common.access import QUERY_NAMES
from eventstream.openapi import examples, problems, reading, schemas, sending

Json = dict[str, Any]

COPIES = ("docs/openapi.json", "src/query/openapi.json")
"""Where it is kept: to be read, and to be served."""

_DESCRIPTION = """\
Takes events and answers questions about them. A slash at the end of a path that takes events \
changes nothing.

Where the stack has `RequireApiKey=true`, every route but `GET /health` and `GET /openapi.json` \
wants an API key: of scope `ingest` to send, of scope `query` to read. A key can be put wherever a \
client library puts it; on the routes of client libraries also into the body (`writeKey`, \
Amplitude's `api_key`).

Browsers may call from the origins that `CorsAllowedOrigins` lists.
"""


def build(project: Path) -> Json:
    """Make the document.

    Parameters
    ----------
    project
        The project's folder; the version is in its ``pyproject.toml``, the examples are in its
        ``docs/api.md``.
    """
    page = (project / "docs" / "api.md").read_text(encoding="utf-8")
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    schemes, exchanges = _security_schemes(), examples.exchanges(page)
    shared = sending.components(exchanges)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "EventStream",
            "version": about["version"],
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The address this document came from."}],
        "security": [*({name: []} for name in schemes), {}],
        "tags": [
            {"name": "Sending events"},
            {"name": "Client libraries", "description": "docs/sdks.md has the details."},
            {"name": "Reading"},
        ],
        "paths": joined(sending.paths(exchanges), reading.paths(examples.readings(page))),
        "components": {
            **shared,
            "schemas": schemas.components(),
            "responses": shared["responses"] | problems.components(),
            "securitySchemes": schemes,
        },
    }


def unnamed(path: str) -> str:
    """Return a path without the names of its parameters, which make no difference to OpenAPI."""
    return re.sub(r"\{\w+\}", "{}", path)


def joined(*parts: Json) -> Json:
    """Join path items. Paths that differ by the names of their parameters become one of `{name}`.

    Examples
    --------
    >>> list(joined({"/a/{x}": {"get": {}}}, {"/a/{y}": {"post": {}}, "/b/{y}": {"get": {}}}))
    ['/a/{name}', '/b/{y}']
    """
    found: dict[str, list[tuple[str, Json]]] = {}
    for path, item in (each for part in parts for each in part.items()):
        found.setdefault(unnamed(path), []).append((path, item))
    made: Json = {}
    for bare, items in found.items():
        operations = {method: each for _, item in items for method, each in item.items()}
        if len({path for path, _ in items}) == 1:
            made[items[0][0]] = operations
        else:
            renamed = {method: _renamed(each) for method, each in operations.items()}
            made[bare.replace("{}", "{name}")] = renamed
    return made


def _renamed(operation: Json) -> Json:
    parameters = [
        {**each, "name": "name"} if each.get("in") == "path" else each
        for each in operation.get("parameters", ())
    ]
    return {**operation, "parameters": parameters}


def text(document: Json) -> str:
    """Return the document as its files hold it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def stale(project: Path) -> list[str]:
    """Name the copies that are missing or not what the code says."""
    made = text(build(project))
    return [name for name in COPIES if _read(project / name) != made]


def write(project: Path) -> list[str]:
    """Write the copies, and name those that changed."""
    changed = stale(project)
    made = text(build(project))
    for name in changed:
        (project / name).write_text(made, encoding="utf-8")
    return changed


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _security_schemes() -> Json:
    key = "An API key, `es_...`"
    return {
        "bearer": {"type": "http", "scheme": "bearer", "description": f"{key}: the best way."},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": key},
        "writeKey": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Write-Key",
            "description": f"{key}, or a name, a colon and the key, as Jitsu's library wants it.",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": f"{key} as the user, without a password.",
        },
        **{
            f"query_{name}": {
                "type": "apiKey",
                "in": "query",
                "name": name,
                "description": f"{key}, for beacons, which can set no header.",
            }
            for name in QUERY_NAMES
        },
    }
