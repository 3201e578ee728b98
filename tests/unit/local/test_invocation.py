from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import StoreError
from eventstream.local.errors import LocalRuntimeError
from eventstream.local.invocation import invoke
from eventstream.target import Target

SOURCE = """
import warnings
from common.errors import StoreError

def lambda_handler(event, context):
    if event.get("store"):
        raise StoreError("dynamodb:Query failed")
    warnings.warn(event.get("warning", "No application metrics to publish. And so on"))
    return {"kind": event["kind"]}
"""


class Lambda:
    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        return {
            "Handler": "a_function_to_invoke.lambda_handler",
            "FunctionName": FunctionName,
            "FunctionArn": "arn",
            "MemorySize": 128,
            "Timeout": 3,
        }


class Here(Target):
    def client(self, service: str, **options: Any) -> Any:
        return Lambda()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a_function_to_invoke.py").write_text(SOURCE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(os.environ)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)
    sys.modules.pop("a_function_to_invoke", None)


def call(project: Path, event: Any) -> Any:
    target = Here("s", "us-east-1", "http://x", "http://y", resources={"AFunction": "a"})
    return invoke(target, "AFunction", event, project)


def test_a_function_that_measured_nothing_says_nothing_of_it(project: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert call(project, {"kind": "x"}) == {"kind": "x"}
        call(project, {"kind": "x", "warning": "another"})

    assert [str(each.message) for each in caught] == ["another"]


def test_what_a_function_raises_is_told_with_its_name_and_place(project: Path) -> None:
    with pytest.raises(LocalRuntimeError) as raised:
        call(project, {})

    line = SOURCE.splitlines().index('    return {"kind": event["kind"]}') + 1
    assert "AFunction raised KeyError: 'kind'" in str(raised.value)
    assert f"(src/a_function_to_invoke.py:{line})" in str(raised.value)
    assert isinstance(raised.value.__cause__, KeyError)


def test_an_error_of_eventstream_speaks_for_itself(project: Path) -> None:
    with pytest.raises(StoreError, match="dynamodb:Query failed"):
        call(project, json.loads('{"store": true}'))
