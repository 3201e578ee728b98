"""The Python on the pages about client libraries runs as it stands, with another address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from common.domain.event_names import event_name
from common.domain.strict_json import decode
from fakes.sdk_messages import events_of
from fakes.sdk_recorder import recording
from ingest.routes import PATHS, find
from ingest.surfaces import amplitude, cloudevents, segment

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "sdks.md").read_text()
OVERVIEW = (DOCS / "api.md").read_text()
_PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
SNIPPETS = _PYTHON.findall(PAGE)
SHORT = _PYTHON.findall(OVERVIEW)
ADDRESS = "http://127.0.0.1:3000"
SURFACES = {"segment": segment, "amplitude": amplitude}


def test_there_is_one_for_each_python_library() -> None:
    assert len(SNIPPETS) == 4


def test_the_overview_shows_every_family_and_links_to_it() -> None:
    table = PAGE.partition("## ")[0]
    families = re.findall(r"^\| \[(\w+)\]\((#[\w-]+)\)", table, re.MULTILINE)
    blocks = "".join(re.findall(r"```(?:python|js|sh)\n(.*?)```", OVERVIEW, re.DOTALL)).lower()

    assert len(families) == 5
    for name, anchor in families:
        assert f"](sdks.md{anchor})" in OVERVIEW
        assert name.lower() in blocks


@pytest.mark.parametrize("snippet", [*SNIPPETS, *SHORT], ids=lambda text: text.split()[1])
def test_a_snippet_sends_events_that_are_valid(snippet: str) -> None:
    assert ADDRESS in snippet
    with recording() as recorder:
        exec(snippet.replace(ADDRESS, recorder.url), {})  # noqa: S102 - our own page

    events = []
    for request in recorder.requests:
        target, document = find(request.method, request.path), decode(request.body)
        if target.surface == "native":
            submission = cloudevents.read(document, "structured", request)
        else:
            submission = SURFACES[target.surface].read(document, target, request)
        events += events_of(submission)

    assert "total" in (events[-1].properties or {})


def test_the_page_names_every_path_of_a_library() -> None:
    named = PAGE.replace("{type}", "track")
    for path, target in PATHS.items():
        if target.surface != "native" and path.rpartition("/")[0] != "/v1":
            assert path.replace(target.kind or "track", "track") in named


def test_the_page_s_example_of_a_name_is_what_it_becomes() -> None:
    event_type, original = event_name("Panier validé")

    assert f"`{original}` becomes `{event_type}`" in PAGE
