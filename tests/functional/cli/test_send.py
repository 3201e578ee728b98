from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path

import pytest

from eventstream.load.client import Patience
from fakes.event_api import EventApi, answer, receipt
from functional.cli.running import Run

REFUSAL = {
    "code": "invalid_request",
    "detail": "user_id must not be empty",
    "errors": [{"field": "user_id", "rule": "too_short", "message": "user_id must not be empty"}],
}


def test_one_event_is_sent_with_its_fields_and_the_receipt_is_printed(
    run: Run, api: EventApi, url: str
) -> None:
    result = run(
        *("send", "purchase", "--user", "ada", "--latency", "12.5", "--session", "s1"),
        *("--prop", "total=19.9", "--prop", "sku=A7", "--prop", 'code="007"', "--url", url),
    )

    [event] = api.accepted
    assert api.paths == ["/events"]
    assert {**event, "event_id": ""} == {
        "event_type": "purchase",
        "event_id": "",
        "user_id": "ada",
        "session_id": "s1",
        "latency_ms": 12.5,
        "properties": {"total": 19.9, "sku": "A7", "code": "007"},
    }
    assert result.code == 0
    assert event["event_id"] in result.out


def test_json_prints_the_receipt_as_it_came(run: Run, api: EventApi, url: str) -> None:
    result = run("send", "page_view", "--event-id", "mine", "--json", "--url", url)

    assert result.json == {"event_id": "mine", "status": "accepted", "request_id": "r"}


def test_a_refusal_names_the_field_and_the_rule_and_fails(
    run: Run, api: EventApi, url: str
) -> None:
    api.script = lambda _number, _events: answer(400, REFUSAL)

    result = run("send", "purchase", "--user", "", "--url", url)

    assert result.code == 1
    assert "  user_id must not be empty (too_short)" in result.err
    assert "error: the API answered 400: user_id must not be empty" in result.err
    assert result.out == ""


@pytest.mark.parametrize("given", ["page_view", "-f-"])
def test_an_api_that_wants_a_key_is_answered_with_where_to_put_it(
    run: Run, api: EventApi, url: str, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    refusal = {"code": "unauthorized", "message": "a key is wanted", "detail": "a key is wanted"}
    api.script = lambda _number, _events: answer(401, refusal)

    for key, advice in (
        ("", "put it into the environment variable EVENTSTREAM_API_KEY"),
        ("es_x", "EVENTSTREAM_API_KEY has the key that was sent"),
    ):
        monkeypatch.setenv("EVENTSTREAM_API_KEY", key)
        monkeypatch.setattr("sys.stdin", io.StringIO('[{"event_type": "a"}, {"event_type": "b"}]'))
        result = run("send", given, "--url", url)

        assert result.code == 1
        assert "a key is wanted" in result.err
        assert advice in result.err
        assert "is this an EventStream API" not in result.err


def test_a_lost_answer_is_asked_for_again_under_the_same_id(
    run: Run, api: EventApi, url: str
) -> None:
    api.script = lambda number, _events: answer(503, {"message": "busy"}) if number == 0 else None

    result = run("send", "page_view", "--url", url)

    first, second = api.requests
    assert result.code == 0
    assert first == second


def test_a_whole_event_can_be_given_as_json(run: Run, api: EventApi, url: str) -> None:
    run("send", "--json-body", '{"event_type": "a", "event_id": "x"}', "--url", url)

    assert api.accepted == [{"event_type": "a", "event_id": "x"}]


@pytest.mark.parametrize(
    "text",
    [
        '[{"event_type": "a"}, {"event_type": "b"}]',
        '{"event_type": "a"}\n{"event_type": "b"}\n',
        '{"event_type": "a"}\n\n{"event_type": "b"}',
    ],
)
def test_a_small_file_is_an_array_or_lines(
    run: Run, api: EventApi, url: str, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "events.json"
    path.write_text(text)

    result = run("send", "-f", str(path), "--json", "--url", url)

    assert [event["event_type"] for event in api.accepted] == ["a", "b"]
    assert (result.code, result.json["accepted"]) == (0, 2)


def test_events_come_from_stdin(
    run: Run, api: EventApi, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"event_type": "a"}'))

    assert run("send", "-f", "-", "--url", url).code == 0
    assert len(api.accepted) == 1


def test_a_file_with_rejected_events_fails_and_says_which(
    run: Run, api: EventApi, url: str, tmp_path: Path
) -> None:
    api.script = lambda _number, _events: receipt(["accepted", "rejected"])
    path = tmp_path / "events.json"
    path.write_text(json.dumps([{"event_type": "a"}, {"event_type": "b"}]))

    result = run("send", "-f", str(path), "--url", url)

    assert result.code == 1
    assert "event 1: timestamp is refused" in result.err
    assert "1 of 2 events were not accepted" in result.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "exactly one of TYPE, --json-body and --file: `eventstream send --help`"),
        (("a", "--json-body", "{}"), "exactly one of"),
        (("--json-body", "{}", "--user", "ada"), "go with TYPE only"),
        (("a", "--prop", "novalue"), "write KEY=VALUE"),
        (("--json-body", "[1]"), "must be a JSON object"),
        (("--json-body", '{"a": NaN}'), "the text isn't JSON: NaN is no number of JSON"),
        (("--json-body", '{"a": }'), "the text isn't JSON at line 1, column 7: expecting value"),
        (("--json-body", "[]"), "0 events"),
        (("-f", "no-such-file"), "can't read no-such-file"),
        (("a", "--url", "ftp://x"), "is no http(s) address"),
        (("a", "--latency", "-1"), "--latency"),
    ],
)
def test_wrong_use_exits_2_with_one_line_that_says_what(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = run("send", *arguments, "--state", str(tmp_path))

    assert result.code == 2
    assert told in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_without_a_pipeline_it_says_how_to_start_one(run: Run, tmp_path: Path) -> None:
    result = run("send", "page_view", "--state", str(tmp_path))

    assert result.code == 1
    assert "eventstream dev" in result.err


def test_an_address_that_is_no_events_api_is_told(run: Run, api: EventApi, url: str) -> None:
    api.script = lambda _number, _events: answer(404, "nothing")

    result = run("send", "page_view", "--url", url)

    assert result.code == 1
    assert "is it an EventStream API?" in result.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            '{"event_type": "a"}\n\n{"event_type": nil}\n',
            "isn't JSON at line 3, column 16",
            id="the line of a file of lines",
        ),
        pytest.param(
            '{\n  "event_type": "a",\n}\n', "isn't JSON at line 3, column 1", id="one document"
        ),
        pytest.param('[{"event_type": "a"]', "isn't JSON at line 1, column 20", id="one line"),
    ],
)
def test_where_a_text_stops_being_json_is_told_once_and_by_its_own_lines(
    run: Run, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "events.json"
    file.write_text(text)

    result = run("send", "-f", str(file), "--url", "http://127.0.0.1:1")

    assert result.code == 2
    assert told in result.err
    assert result.err.count("line ") == 1


def test_nobody_answering_is_told_with_the_address(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(Patience, sleep=lambda _s: None)
    monkeypatch.setattr(
        "eventstream.commands.send.Patience", lambda **_: impatient(give_up_after_s=0.0)
    )

    result = run("send", "a", "--url", "http://127.0.0.1:1/api")

    assert result.code == 1
    assert "nobody answers at http://127.0.0.1:1/api (Connection refused)" in result.err
    assert "`eventstream dev` starts it" in result.err
