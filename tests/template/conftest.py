from __future__ import annotations

from typing import Any

import pytest

from template.checks.reading import Template, read_definition, read_template, translate


@pytest.fixture(scope="session")
def template() -> Template:
    return read_template()


@pytest.fixture(scope="session")
def translated(template: Template) -> Template:
    return translate(template)


@pytest.fixture(scope="session")
def definition() -> dict[str, Any]:
    return read_definition()
