from __future__ import annotations

import json

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from template.checks.reading import Template, with_value

RESOLVED_BY_THE_TRANSFORM = "Parameter CorsAllowedOrigins not used."
"""The SAM transform puts the parameter's value in its place, so plain CloudFormation has no use
of it."""


def findings(template: Template) -> list[str]:
    matches = lint(json.dumps(template), config=ManualArgs(regions=["eu-west-1"]))
    found = [f"{match.rule.id}: {match.message}" for match in matches]
    return [line for line in found if not line.endswith(RESOLVED_BY_THE_TRANSFORM)]


def test_the_translated_template_is_clean(translated: Template) -> None:
    assert findings(translated) == []


@pytest.mark.parametrize(
    ("value", "path", "rule"),
    [
        pytest.param(
            {"Fn::GetAtt": ["Nowhere", "Arn"]},
            ("IngestFunction", "Properties", "Role"),
            "E1010",
            id="no-such-resource",
        ),
        pytest.param(1200, ("IngestFunction", "Properties", "Timeout"), "E3717", id="timeout"),
        pytest.param("x", ("HotTable", "Properties", "Misspelt"), "E3002", id="no-such-property"),
    ],
)
def test_a_mistake_that_only_the_translation_shows_is_found(
    value: object, path: tuple[str, ...], rule: str, translated: Template
) -> None:
    assert rule in str(findings(with_value(translated, value, *path)))
