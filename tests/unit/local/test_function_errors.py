"""A handler that fails is one line that says what broke and where."""

import json
import logging
from dataclasses import dataclass

import pytest

from eventstream.local.function_errors import LONGEST_MESSAGE, REPEAT_S, FunctionErrors, summary

TRACE = [
    '  File "/src/ingest/handler.py", line 12, in lambda_handler\n    return serve(event)\n',
    '  File "/src/ingest/service.py", line 34, in serve\n    raise KeyError("a")\n',
]
ERROR = {"errorType": "KeyError", "errorMessage": "'a'", "stackTrace": TRACE}


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    # The command line switches this off in processes that ran it.
    monkeypatch.setattr(logging.getLogger("eventstream"), "propagate", True)
    caplog.set_level(logging.INFO, "eventstream.local.function_errors")
    return caplog.messages


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def test_the_line_names_function_error_and_the_last_frame() -> None:
    assert summary("Ingest", ERROR) == (
        "Ingest failed: KeyError: 'a' at /src/ingest/service.py:34 (whole trace: logs/dev.log)"
    )


def test_a_syntax_error_is_placed_though_its_entry_is_spelled_otherwise() -> None:
    entry = '  File "/src/ingest/handler.py" Line 3\n    x = = 1\n'
    error = {
        "errorType": "Runtime.UserCodeSyntaxError",
        "errorMessage": "invalid syntax",
        "stackTrace": [entry],
    }

    assert "invalid syntax at /src/ingest/handler.py:3 " in summary("Ingest", error)


def test_a_message_of_many_lines_is_one_line_and_is_cut() -> None:
    line = summary("Ingest", {"errorType": "E", "errorMessage": "a\n b" + "c" * 1000})

    assert line.startswith("Ingest failed: E: a bccc")
    assert len(line) < LONGEST_MESSAGE + 40


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"{}", b'{"stackTrace": 5}'])
def test_an_answer_that_is_no_error_document_is_reported_all_the_same(
    body: bytes, caplog: pytest.LogCaptureFixture, logged: list[str]
) -> None:
    FunctionErrors().tell("Ingest", body)

    assert warnings(caplog) == ["Ingest failed: Unhandled: no message"]


def test_the_terminal_gets_the_line_and_the_log_file_the_trace(
    caplog: pytest.LogCaptureFixture, logged: list[str]
) -> None:
    FunctionErrors().tell("Ingest", json.dumps(ERROR).encode())

    [line] = warnings(caplog)
    assert "\n" not in line
    [trace] = [each.getMessage() for each in caplog.records if each.levelno == logging.INFO]
    assert all(entry.rstrip() in trace for entry in TRACE)


def test_the_same_error_is_said_once_until_a_while_has_passed(
    caplog: pytest.LogCaptureFixture, logged: list[str]
) -> None:
    clock = Clock()
    errors = FunctionErrors(clock)
    body, other = json.dumps(ERROR).encode(), json.dumps({"errorType": "Other"}).encode()

    for each in (body, body, other, body):
        errors.tell("Ingest", each)
    assert len(warnings(caplog)) == 2

    clock.now = REPEAT_S
    errors.tell("Ingest", body)
    assert len(warnings(caplog)) == 3
