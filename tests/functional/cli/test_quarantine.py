from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from eventstream.commands import failures, quarantine
from eventstream.local.batches import TOO_OLD
from fakes.process_builders import a_record, an_event, sequence_of
from functional.cli.replay_world import FAILURES, LAKE, World
from functional.cli.running import Run

ESCAPES = '{"name":"\x1b[2J\x1b]0;owned\x07\x9b31m \u202e\u200b tail'.encode()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with mock_aws():
        made = World()
        for command in (quarantine, failures):
            monkeypatch.setattr(command, "resolve", lambda *_: made)
        yield made


def is_safe(text: str) -> bool:
    """Say whether a terminal would obey nothing of a text."""
    return all(each.isprintable() for each in text.replace("\n", ""))


def rejected(**why: Any) -> bytes:
    told = {
        "rule": "bad_format",
        "field": "timestamp",
        "message": "timestamp must be RFC 3339",
        "surface": "segment",
        "source": "public",
        "received_at": "2026-11-20T10:06:31.000Z",
    } | why
    return json.dumps({"rejected": told, "raw": '{"type":"track"}'}).encode()


def test_nothing_in_quarantine_is_said_and_no_failure(world: World, run: Run) -> None:
    for command in (("list",), ("stats",), ("list", "--reason", "missing")):
        shown = run("quarantine", *command)
        assert (shown.code, shown.out) == (0, "")
        assert "nothing is in quarantine" in shown.err
    assert run("quarantine", "list", "--json").json == {"quarantined": [], "more": False}
    assert run("quarantine", "stats", "--json").json["lines"] == 0
    assert "no batch was given up" in run("failures", "list").err
    assert run("failures", "list", "--json").json == {"failures": [], "more": False}


def test_the_list_is_newest_first_and_bounded(world: World, run: Run) -> None:
    for at in range(3):
        world.quarantine(a_record(b"{", at=at))

    listed = run("quarantine", "list", "--limit", "2", "--json").json

    assert [row["id"] for row in listed["quarantined"]] == [
        f"{sequence_of(2)}-0",
        f"{sequence_of(1)}-0",
    ]
    assert listed["more"] is True
    assert "raise --limit" in run("quarantine", "list", "--limit", "2").err
    first = listed["quarantined"][0]
    assert (first["reason"], first["stream"], first["lines"]) == ("json_invalid", "events", 1)
    assert first["arrived_at"] == "2026-11-20T10:06:31.500Z"


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--reason", "utf8_invalid"), 1),
        (("--reason", "utf8_invalid", "--reason", "missing"), 2),
        (("--reason", "timestamp"), 0),
        (("--stream", "events"), 3),
        (("--stream", "other"), 0),
        (("--since", "2026-11-20T10"), 3),
        (("--since", "2026-11-20T11"), 0),
        (("--until", "2026-11-20"), 0),
        (("--until", "2026-11-20T10:06:32Z", "--since", "2026-11-20T10:06:31Z"), 3),
    ],
)
def test_the_list_can_be_narrowed(
    world: World, run: Run, options: tuple[str, ...], count: int
) -> None:
    event = an_event()
    del event["event_type"]
    world.quarantine(a_record(b"{", at=0), a_record(b"\xff", at=1), a_record(event, at=2))

    assert len(run("quarantine", "list", *options, "--json").json["quarantined"]) == count


def test_a_time_that_cannot_be_read_is_a_usage_error(world: World, run: Run) -> None:
    refused = run("quarantine", "list", "--since", "yesterday")

    assert refused.code == 2
    assert "an hour (2026-11-20T09)" in refused.err


def test_one_object_is_shown_with_its_line(world: World, run: Run) -> None:
    world.quarantine(a_record(b'{"event_id":', at=7))

    shown = run("quarantine", "show", f"{sequence_of(7)}-0")

    for word in ("json_invalid", "shardId-000000000000", sequence_of(7), '{"event_id":', LAKE):
        assert word in shown.out
    by_key = run("quarantine", "show", world.keys()[0], "--json").json
    assert by_key["content"] == [{"line": 0, "text": '{"event_id":'}]


def test_bytes_that_are_no_text_are_shown_in_hexadecimal(world: World, run: Run) -> None:
    world.quarantine(a_record(b"\xff\xfeabc"))

    shown = run("quarantine", "show", f"{sequence_of(0)}-0")

    assert "ff fe 61 62 63" in shown.out
    told = run("quarantine", "show", f"{sequence_of(0)}-0", "--json").json
    assert told["content"] == [{"line": 0, "base64": "//5hYmM="}]


def test_a_rejected_message_is_shown_with_what_its_client_was_told(world: World, run: Run) -> None:
    world.quarantine(a_record(rejected()))

    shown = run("quarantine", "show", f"{sequence_of(0)}-0")

    assert "rejected: timestamp must be RFC 3339" in shown.out
    assert '{"type":"track"}' in shown.out


def test_of_a_whole_record_only_the_bad_lines_are_shown(world: World, run: Run) -> None:
    lines = [b"{" if at % 3 else an_event(event_id=f"good-{at}") for at in range(180)]
    world.quarantine(a_record(*lines))

    shown = run("quarantine", "show", f"{sequence_of(0)}-1", "--json").json
    text = run("quarantine", "show", f"{sequence_of(0)}-1")

    assert shown["reason"] == "many_bad_lines"
    assert shown["lines"] == len(shown["content"]) == 120
    assert {one["line"] % 3 for one in shown["content"]} == {1, 2}
    assert "120 json_invalid" in text.out
    assert "good-" not in text.out
    assert "100 more bad lines" in text.err


def test_no_text_of_a_stranger_moves_the_terminal(world: World, run: Run) -> None:
    world.quarantine(a_record(ESCAPES, at=0), a_record(b"\xff\x1b[2J", at=1))
    world.quarantine(a_record(rejected(field="\x1b[31m", message="\x9b2J"), at=2))
    world.give_up(a_record(ESCAPES), requestContext={"condition": "\x1b[2J"})

    said = [run("quarantine", "list"), run("quarantine", "list", "--json")]
    said += [run("quarantine", "stats"), run("failures", "list")]
    for more in ((), ("--json",)):
        said += [run("quarantine", "show", f"{sequence_of(at)}-0", *more) for at in range(3)]
        said.append(run("failures", "show", world.keys(FAILURES)[0], *more))

    assert all(one.code == 0 for one in said)
    assert all(is_safe(one.out) and is_safe(one.err) for one in said)
    assert "\\x1b[2J" in said[4].out
    assert said[8].json["content"][0]["text"].encode() == ESCAPES
    assert not is_safe(ESCAPES.decode()), "the control: printed as it is, it would"


def test_lines_are_counted_by_day_and_reason(world: World, run: Run) -> None:
    world.quarantine(*(a_record(b"{", at=at) for at in range(3)), a_record(b"\xff", at=3))
    world.quarantine(a_record(*[b"{"] * 150, at=4))

    told = run("quarantine", "stats", "--json").json

    assert (told["lines"], told["objects"]) == (154, 5)
    assert told["rows"] == [
        {"day": "2026-11-20", "reason": "utf8_invalid", "lines": 1, "objects": 1},
        {"day": "2026-11-20", "reason": "json_invalid", "lines": 153, "objects": 4},
    ]
    assert "json_invalid" in run("quarantine", "stats").out


def test_an_object_that_is_none_is_told_of_and_hides_no_other(world: World, run: Run) -> None:
    world.quarantine(a_record(b"{"))
    world.s3.put_object(Bucket=LAKE, Key="quarantine/notes.txt", Body=b"hello")

    listed = run("quarantine", "list")
    failed = run("quarantine", "show", "quarantine/notes.txt")

    assert listed.code == 0
    assert "json_invalid" in listed.out
    assert "quarantine/notes.txt is no object of the quarantine" in listed.err
    assert failed.code == 1


@pytest.mark.parametrize("command", ["quarantine", "failures"])
def test_an_object_that_is_not_there_is_an_error(world: World, run: Run, command: str) -> None:
    failed = run(command, "show", "123-0")

    assert (failed.code, failed.out) == (1, "")
    assert "there is no object 123-0" in failed.err


def test_a_given_up_batch_is_listed_and_shown_with_its_lines(world: World, run: Run) -> None:
    world.give_up(a_record(an_event(event_id="one"), b"{"), a_record(an_event(), at=1))

    [row] = run("failures", "list", "--json").json["failures"]
    listed = run("failures", "list")
    shown = run("failures", "show", row["id"])
    told = run("failures", "show", row["key"], "--json").json

    assert (row["condition"], row["invocations"], row["records"]) == (
        "RetryAttemptsExhausted",
        3,
        2,
    )
    assert (row["function_error"], row["has_payload"]) == ("Unhandled", True)
    assert "RetryAttemptsExhausted" in listed.out
    assert '"event_id": "one"' in shown.out
    assert "(json_invalid)" in shown.out
    assert [one["reason"] for one in told["content"]] == [None, "json_invalid", None]


def test_a_batch_without_its_records_says_what_that_means(world: World, run: Run) -> None:
    key = world.give_up(a_record(an_event()), payload=False)

    shown = run("failures", "show", key)

    assert "as queues and topics get it" in shown.out
    assert run("failures", "list", "--json").json["failures"][0]["has_payload"] is False
    assert "(not kept)" in run("failures", "list").out


def test_the_bad_lines_of_a_whole_record_are_shown_one_by_one(world: World, run: Run) -> None:
    key = world.give_up(a_record(*[b"{"] * 101, an_event()))

    told = run("failures", "show", key, "--json").json["content"]
    shown = run("failures", "show", key)

    assert [each["line"] for each in told] == list(range(102))
    assert {each["reason"] for each in told[:101]} == {"many_bad_lines"}
    assert told[101]["reason"] is None
    assert "82 more lines" in shown.err


@pytest.mark.parametrize("condition", ["RetryAttemptsExhausted", TOO_OLD, "OfAnotherYear"])
def test_batches_can_be_narrowed_by_whichever_condition_lambda_writes(
    world: World, run: Run, condition: str
) -> None:
    for number, name in enumerate(("RetryAttemptsExhausted", TOO_OLD, "OfAnotherYear")):
        why = {"condition": name}
        world.give_up(a_record(an_event(), at=number), number=number, requestContext=why)

    found = run("failures", "list", "--condition", condition, "--json").json

    assert [one["condition"] for one in found["failures"]] == [condition]


@pytest.mark.parametrize("command", [("failures", "list"), ("replay", "failures")])
def test_the_help_names_the_conditions_that_the_mapping_writes(
    run: Run, command: tuple[str, ...]
) -> None:
    told = " ".join(run(*command, "--help").out.split())

    assert "RetryAttemptsExhausted or RecordAgeExceeded" in told
