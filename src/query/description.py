"""``GET /openapi.json``: the description of the whole API, as ``make openapi`` wrote it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from common.http import Response

PATH = "/openapi.json"

_HEADERS = {"cache-control": "public, max-age=300"}
"""It changes when a new version is deployed, and readers may learn of that minutes later."""


@cache
def response() -> Response:
    """Return the answer, read once per execution environment, when it is first asked for."""
    file = Path(__file__).with_name("openapi.json")
    return Response(200, json.loads(file.read_text(encoding="utf-8")), _HEADERS)
