from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from common.domain.enrich import Arrival, Client
from common.domain.partitions import bucket_of, explicit_hash_key
from common.errors import FieldError
from common.http import Request
from eventstream.commands import replay
from eventstream.replay import pipeline
from eventstream.replay.sending import Pace, Sender
from fakes.process_builders import a_record, an_event, sequence_of
from fakes.stream import Hourglass
from functional.cli.replay_world import BUCKETS, FAILURES, LAKE, KilledError, World
from functional.cli.running import Run
from ingest.delivery import Waiting
from ingest.receipts import Result
from ingest.rejected import packs
from ingest.routes import Target
from ingest.surfaces import segment


@pytest.fixture
def clock() -> Hourglass:
    return Hourglass()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, clock: Hourglass) -> Iterator[World]:
    waiting = Waiting(clock.clock, clock.sleep, lambda: 0.5)
    monkeypatch.setattr(pipeline, "Sender", partial(Sender, waiting=waiting))
    monkeypatch.setattr(pipeline, "Pace", partial(Pace, waiting=waiting))
    with mock_aws():
        made = World()
        monkeypatch.setattr(replay, "resolve", lambda *_: made)
        yield made


def a_message(**changes: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "purchase",
        "messageId": "m-1",
        "userId": "ada",
        "timestamp": "2026-11-20T10:06:30.000Z",
        "properties": {"total": -1},
    } | changes


def rejected(message: dict[str, Any], **why: Any) -> bytes:
    told = {
        "rule": "schema:minimum",
        "field": "properties.total",
        "message": "properties.total must be at least 0",
        "surface": "segment",
        "source": "k1",
        "received_at": "2026-11-20T10:06:31.000Z",
    } | why
    return json.dumps({"rejected": told, "raw": json.dumps(message)}).encode()


def mended(tmp_path: Path, run: Run, **changes: Any) -> str:
    """Export what waits, and put other contents into each line."""
    file = tmp_path / "lines.ndjson"
    file.unlink(missing_ok=True)
    assert run("replay", "quarantine", "--export", str(file)).code == 0
    items = [json.loads(line) for line in file.read_text().splitlines()]
    for item in items:
        for name in ("event", "message", "text", "base64"):
            item.pop(name, None)
    file.write_text("\n".join(json.dumps(item | changes) for item in items))
    return str(file)


def an_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let $EDITOR run a program over the text of the file."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import json, pathlib, sys\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "text = path.read_text()\n"
        f"{program}\n"
        "path.write_text(text)\n"
    )
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")


@pytest.mark.parametrize("source", ["quarantine", "failures"])
def test_nothing_to_replay_is_no_failure(world: World, run: Run, source: str) -> None:
    done = run("replay", source)

    assert (done.code, done.out) == (0, "")
    assert "0 objects looked at: nothing to do" in done.err
    assert run("replay", source, "--json").json["sent"] == 0


def test_a_rejected_message_that_is_valid_by_now_is_put_as_its_event(
    world: World, run: Run
) -> None:
    world.quarantine(a_record(rejected(a_message())))

    done = run("replay", "quarantine", "--json")

    [event] = world.stream()
    assert (done.code, done.json["sent"], done.json["moved"]) == (0, 1, 1)
    assert (event["event_id"], event["event_type"], event["source"]) == ("m-1", "purchase", "k1")
    assert event["replayed"] is True
    assert event["received_at"] == "2026-11-20T10:06:31Z"
    assert event["timestamp"] == "2026-11-20T10:06:30Z"
    assert world.process().events() == ["m-1"]


def test_what_is_replayed_goes_where_ingest_would_put_it(world: World, run: Run) -> None:
    world.quarantine(a_record(rejected(a_message())))

    done = run("replay", "quarantine")

    assert "1 object looked at: 1 line, 1 sent, 1 object moved" in done.err
    [call] = world.kinesis.named("put_records")
    [record] = call["Records"]
    bucket = bucket_of("ada", BUCKETS)
    assert record["PartitionKey"] == str(bucket)
    assert record["ExplicitHashKey"] == explicit_hash_key(bucket, BUCKETS)


def test_a_replayed_object_moves_and_its_version_stays(world: World, run: Run) -> None:
    world.quarantine(a_record(rejected(a_message())))
    [key] = world.keys()

    run("replay", "quarantine")

    assert world.keys() == [f"replayed/{key}"]
    versions = world.s3.list_object_versions(Bucket=LAKE, Prefix=key)
    assert [one["Key"] for one in versions["Versions"]] == [key]


def test_what_is_bad_still_stays_and_is_told_with_field_and_rule(world: World, run: Run) -> None:
    world.quarantine(a_record(rejected(a_message(timestamp="2026-01-01T00:00:00Z")), b"{"))
    before = world.keys()

    done = run("replay", "quarantine")
    told = run("replay", "quarantine", "--json").json

    assert done.code == 1
    assert "(outside_time_limits)" in done.err
    assert "line is not JSON (json_invalid)" in done.err
    assert "2 lines are bad still, and left in place. Mend them with --edit" in done.err
    assert {each["rule"] for each in told["problems"]} == {"outside_time_limits", "json_invalid"}
    assert world.keys() == before
    assert world.stream() == []


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TWO_HOURS_BEHIND = "2026-11-20T08:06:30.000Z"


@pytest.mark.parametrize("surface", ["segment", "segment of a kind", "amplitude"])
def test_what_the_request_said_is_used_as_when_it_came(
    world: World, run: Run, surface: str
) -> None:
    message = a_message(timestamp=TWO_HOURS_BEHIND)
    if surface == "amplitude":
        at_ms = 1_795_161_990_000
        message = {"event_type": "purchase", "insert_id": "m-1", "user_id": "ada", "time": at_ms}
    kind = {"kind": "track"} if surface == "segment of a kind" else {}
    told = {"sent_at": "2026-11-20T08:06:31.000Z", "user_agent": FIREFOX}
    world.quarantine(a_record(rejected(message, surface=surface.partition(" ")[0], **told, **kind)))

    assert run("replay", "quarantine").code == 0

    [event] = world.stream()
    assert event["original_timestamp"] == "2026-11-20T08:06:30Z"
    assert (event["timestamp"], event["timestamp_source"]) == (
        "2026-11-20T10:06:30Z",
        "skew_corrected",
    )
    assert (event["ua_family"], event["is_bot"]) == ("Firefox", False)


def test_what_ingest_kept_of_a_request_is_what_a_replay_reads(world: World, run: Run) -> None:
    received_at = datetime(2026, 11, 20, 10, 6, 31, tzinfo=UTC)
    arrival = Arrival(received_at, received_at, "k1", frozenset(), Client(FIREFOX))
    document = {
        "batch": [a_message(timestamp=TWO_HOURS_BEHIND)],
        "sentAt": "2026-11-20T08:06:31.000Z",
    }
    target, request = Target("segment", batch=True), Request("POST", "/", b"", received_at, "r-1")
    [sent] = segment.read(document, target, request).events
    why = Result("m-1", errors=[FieldError("properties.total", "schema:minimum", "is too little")])
    [pack] = packs([(sent, why)], target, arrival, request_id="r-1", buckets=BUCKETS)
    world.quarantine(a_record(pack.data))

    assert run("replay", "quarantine").code == 0

    [event] = world.stream()
    assert (event["timestamp"], event["timestamp_source"], event["ua_family"]) == (
        "2026-11-20T10:06:30Z",
        "skew_corrected",
        "Firefox",
    )


def test_a_servers_clock_is_believed_in_a_replay_too(world: World, run: Run) -> None:
    told = {"sent_at": "2026-11-20T08:06:31.000Z", "own_clock": True}
    world.quarantine(a_record(rejected(a_message(timestamp=TWO_HOURS_BEHIND), **told)))

    run("replay", "quarantine")

    [event] = world.stream()
    assert (event["timestamp"], event["timestamp_source"]) == ("2026-11-20T08:06:30Z", "client")


@pytest.mark.parametrize("told", [{}, {"sent_at": 7, "user_agent": ["x"], "own_clock": "yes"}])
def test_a_message_of_which_no_more_was_kept_is_replayed_without(
    world: World, run: Run, told: dict[str, Any]
) -> None:
    world.quarantine(a_record(rejected(a_message(), **told)))

    assert run("replay", "quarantine").code == 0

    [event] = world.stream()
    assert (event["timestamp"], event["timestamp_source"]) == ("2026-11-20T10:06:30Z", "client")
    assert "ua_family" not in event


def test_age_is_judged_as_of_the_receipt_and_may_be_waived(world: World, run: Run) -> None:
    recent = rejected(
        a_message(messageId="recent", timestamp="2025-01-01T11:00:00Z"),
        received_at="2025-01-01T12:00:00.000Z",
    )
    old = rejected(a_message(messageId="old", timestamp="2025-01-01T11:00:00Z"))
    world.quarantine(a_record(recent), a_record(old, at=1))

    first = run("replay", "quarantine", "--json")
    second = run("replay", "quarantine", "--any-age")

    assert (first.json["sent"], first.json["bad"]) == (1, 1)
    assert "--any-age takes those that were only too old" in first.err
    assert second.code == 0
    assert "1 line, 1 sent" in second.err
    assert "`eventstream etl run` counts them" in second.err
    assert [event["event_id"] for event in world.stream()] == ["recent", "old"]


def test_a_dry_run_says_what_it_would_do_and_does_nothing(world: World, run: Run) -> None:
    world.quarantine(a_record(rejected(a_message()), b"\xff"))
    world.give_up(a_record(an_event(), b"{", at=1))
    before = world.keys(), world.keys(FAILURES)

    lines = run("replay", "quarantine", "--dry-run")
    batches = run("replay", "failures", "--dry-run", "--json")

    assert lines.code == 1
    assert "1 would be sent, 1 still bad" in lines.err
    assert (batches.code, batches.json["ready"], batches.json["quarantined"]) == (0, 1, 1)
    assert (world.keys(), world.keys(FAILURES)) == before
    assert world.kinesis.named("put_records") == []


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (("--reason", "schema:minimum"), 2),
        (("--reason", "other"), 0),
        (("--since", "2026-11-21"), 0),
        (("--stream", "events", "--limit", "1"), 1),
        ((f"{sequence_of(1)}-0",), 1),
    ],
)
def test_a_replay_can_be_narrowed(
    world: World, run: Run, options: tuple[str, ...], sent: int
) -> None:
    for at in range(2):
        world.quarantine(a_record(rejected(a_message(messageId=f"m-{at}")), at=at))

    assert run("replay", "quarantine", *options, "--json").json["sent"] == sent


def test_a_record_that_the_stream_refuses_is_offered_again_alone(world: World, run: Run) -> None:
    events = [an_event(event_id=f"e-{at}", user_id=f"u-{at}") for at in range(40)]
    world.give_up(a_record(*events[:20]), number=1)
    world.give_up(a_record(*events[20:], at=1), number=2)
    refused: list[str] = []

    def refuse_the_first(name: str, answer: Any) -> Any:
        if name == "put_records" and not refused:
            answer["Records"][0]["ErrorCode"] = "InternalFailure"
            refused.append(world.kinesis.calls[-1][1]["Records"][0]["PartitionKey"])
        return answer

    world.kinesis.after = refuse_the_first
    done = run("replay", "failures", "--json")

    first, second = world.kinesis.named("put_records")
    assert len(first["Records"]) > 1
    assert [record["PartitionKey"] for record in second["Records"]] == refused
    assert (done.json["sent"], done.json["moved"], done.json["unacknowledged"]) == (40, 2, 0)
    assert world.process().events() == sorted(event["event_id"] for event in events)


def test_what_the_stream_never_takes_stays_and_the_same_command_goes_on(
    world: World, run: Run
) -> None:
    events = [an_event(event_id=f"e-{at}", user_id=f"u-{at}") for at in range(12)]
    first = world.give_up(a_record(*events[:6]), number=1)
    world.give_up(a_record(*events[6:], at=1), number=2)
    world.kinesis.refused = {str(bucket_of("u-3", BUCKETS))}

    stopped = run("replay", "failures", "--give-up-after", "5", "--json")
    left = world.keys(FAILURES, "aws/")
    there = len(world.stream())
    world.kinesis.refused = set()
    done = run("replay", "failures", "--json")

    assert stopped.code == 1
    assert "the same command goes on" in stopped.err
    assert stopped.json["unacknowledged"] >= 1
    assert stopped.json["sent"] + stopped.json["unacknowledged"] == 12
    assert there == stopped.json["sent"]
    assert first in left
    assert len(left) == 2 - stopped.json["moved"]
    assert (done.code, world.keys(FAILURES, "aws/")) == (0, [])
    assert world.process().events() == sorted(event["event_id"] for event in events)


@pytest.mark.parametrize("killed_at", ["copy_object", "delete_object"])
@pytest.mark.parametrize("source", ["quarantine", "failures"])
def test_killed_between_put_and_move_the_next_run_is_exact(
    world: World, run: Run, source: str, killed_at: str
) -> None:
    original = a_record(an_event(event_id="known"))
    if source == "quarantine":
        message = a_message(messageId=None)
        world.quarantine(a_record(rejected(message), at=1))
    else:
        world.give_up(a_record(an_event(event_id="given-up"), at=1))

    def kill(name: str, _request: Any) -> None:
        if name == killed_at:
            raise KilledError

    world.s3.before = kill
    with pytest.raises(KilledError):
        run("replay", source)
    world.s3.before = lambda _name, _request: None
    again = run("replay", source, "--json")

    done = world.process([original])
    assert again.code == 0
    assert len(done.events()) == 2
    assert done.counted() == 1, "a replayed line is in no hot counter"
    assert len(world.stream()) == (2 if killed_at == "copy_object" else 1)
    assert not world.keys(FAILURES, "aws/")
    assert not world.keys(LAKE, "quarantine/")


def test_a_line_that_the_stream_delivers_once_more_after_its_replay_is_dropped(
    world: World, run: Run, tmp_path: Path
) -> None:
    world.quarantine(a_record(b"{"))
    file = mended(tmp_path, run, message={"event_type": "purchase", "event_id": "mine"})
    assert run("replay", "quarantine", "--from-file", file).code == 0
    world.quarantine(a_record(b"{"))

    again = run("replay", "quarantine", "--json")

    assert (again.code, again.json["replayed_before"], again.json["sent"]) == (0, 1, 0)
    assert not world.keys(LAKE, "quarantine/")
    assert world.process().events() == ["mine"]


def test_the_bad_lines_of_a_whole_record_are_replayed_and_its_good_ones_not(
    world: World, run: Run, tmp_path: Path
) -> None:
    good = [an_event(event_id=f"good-{at}") for at in range(5)]
    bad = [rejected(a_message(messageId=f"m-{at}")) for at in range(110)]
    record = a_record(*good, *bad, b"{")
    world.quarantine(record)

    first = run("replay", "quarantine", "--json").json
    second = run("replay", "quarantine", "--json").json
    file = mended(tmp_path, run, message={"event_type": "late", "event_id": "mended"})
    third = run("replay", "quarantine", "--from-file", file, "--json")

    assert (first["sent"], first["bad"], first["moved"]) == (110, 1, 0)
    assert (second["sent"], second["bad"]) == (0, 1), "lines are not sent each time"
    assert (third.code, third.json["sent"], third.json["moved"]) == (0, 1, 1)
    assert len(world.stream()) == 111
    events = world.process([record]).events()
    assert events == sorted(
        ["mended", *(e["event_id"] for e in good), *(f"m-{at}" for at in range(110))]
    )


def test_a_whole_record_stays_while_a_file_leaves_out_some_of_its_lines(
    world: World, run: Run, tmp_path: Path
) -> None:
    world.quarantine(a_record(*[b"{"] * 120))
    file = Path(mended(tmp_path, run, message={"event_type": "purchase"}))
    lines = file.read_text().splitlines()

    file.write_text("\n".join(lines[:50]))
    first = run("replay", "quarantine", "--from-file", str(file), "--json")
    left = world.keys(LAKE, "quarantine/")
    file.write_text("\n".join(lines))
    second = run("replay", "quarantine", "--from-file", str(file), "--json")

    assert (first.code, first.json["sent"], first.json["moved"], len(left)) == (0, 50, 0, 1)
    assert (second.code, second.json["sent"], second.json["moved"]) == (0, 70, 1)
    assert second.json["replayed_before"] == 50
    assert len(world.process().events()) == 120


def test_lines_are_exported_mended_with_any_tool_and_replayed(
    world: World, run: Run, tmp_path: Path
) -> None:
    event = an_event(event_id="mine", event_type="1st")
    world.quarantine(a_record(event), a_record(b"\xff", at=1), a_record(b'{"a":', at=2))
    file = tmp_path / "lines.ndjson"

    exported = run("replay", "quarantine", "--export", str(file))
    items = [json.loads(line) for line in file.read_text().splitlines()]

    assert "wrote 3 lines of 3 objects" in exported.err
    assert [item["problem"]["rule"] for item in items] == [
        "string_pattern_mismatch",
        "utf8_invalid",
        "json_invalid",
    ]
    assert (items[1]["base64"], items[2]["text"]) == ("/w==", '{"a":')
    items[0]["event"]["event_type"] = "first"
    file.write_text(json.dumps(items[0]) + "\n\n# a comment\n")
    done = run("replay", "quarantine", "--from-file", str(file), "--json")

    assert (done.code, done.json["sent"]) == (0, 1)
    assert world.process().events() == ["mine"]
    assert len(world.keys(LAKE, "quarantine/")) == 2, "what the file leaves out stays"
    assert run("replay", "quarantine", "--export", str(file)).code == 2, "never over another file"


def test_a_file_that_was_replayed_before_does_nothing(
    world: World, run: Run, tmp_path: Path
) -> None:
    world.quarantine(a_record(b"{"))
    file = mended(tmp_path, run, message={"event_type": "purchase"})
    run("replay", "quarantine", "--from-file", file)

    again = run("replay", "quarantine", "--from-file", file, "--json")

    assert (again.code, again.json["replayed_before"]) == (0, 1)
    assert len(world.stream()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "isn't JSON at line 1"),
        ("[]", "must be a JSON object"),
        ('{"event": {}}', 'needs the "key" and "line"'),
        ('{"key": "k", "line": 0}', "needs exactly one of event, message, text, base64"),
        ('{"key": "k", "line": 0, "event": 1}', "event must be a JSON object"),
        ('{"key": "k", "line": 0, "text": "x"}\n' * 2, "names the same bad line twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_usage_error(
    world: World, run: Run, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "lines.ndjson"
    file.write_text(text)

    refused = run("replay", "quarantine", "--from-file", str(file))

    assert refused.code == 2
    assert said in refused.err


def test_a_line_of_a_file_that_is_nowhere_is_told(world: World, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "lines.ndjson"
    file.write_text('{"key": "quarantine/events/s/1-0.json", "line": 0, "text": "x"}')

    failed = run("replay", "quarantine", "--from-file", str(file))

    assert failed.code == 1
    assert "no such line is in quarantine (not_found)" in failed.err


@pytest.mark.parametrize(
    "options",
    [("--edit", "--export", "x"), ("--from-file", "x", "--reason", "missing"), ("--since", "x")],
)
def test_options_that_do_not_fit_are_usage_errors(
    world: World, run: Run, options: tuple[str, ...]
) -> None:
    assert run("replay", "quarantine", *options).code == 2


def test_lines_are_mended_in_the_editor(
    world: World, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.quarantine(a_record(rejected(a_message(timestamp="yesterday", event=""))))
    an_editor(tmp_path, monkeypatch, """text = text.replace('"event":""', '"event":"purchase"')""")

    done = run("replay", "quarantine", "--edit")

    [event] = world.stream()
    assert (done.code, event["event_type"], event["source"]) == (0, "purchase", "k1")
    assert event["timestamp"] == event["received_at"] == "2026-11-20T10:06:31Z"


def test_without_a_terminal_no_editor_is_opened_that_nobody_asked_for(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.quarantine(a_record(b"{"))
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)

    failed = run("replay", "quarantine", "--edit")

    assert failed.code == 1
    assert "use --export and --from-file" in failed.err


def test_an_edit_that_is_bad_still_is_kept(
    world: World, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.quarantine(a_record(b"{"))
    an_editor(tmp_path, monkeypatch, """text = text.replace('"text":"{"', '"text":"[}"')""")

    failed = run("replay", "quarantine", "--edit")

    kept = Path(failed.err.split("your edit is kept in ")[1].split("\n")[0])
    assert failed.code == 1
    assert '"text":"[}"' in kept.read_text()
    kept.unlink()


@pytest.mark.parametrize(
    "case",
    [("pass", "nothing was changed"), ("sys.exit(3)", "the editor ended with code 3")],
)
def test_an_edit_that_is_given_up_replays_nothing(
    world: World,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[str, str],
) -> None:
    program, said = case
    world.quarantine(a_record(rejected(a_message())))
    an_editor(tmp_path, monkeypatch, program)

    failed = run("replay", "quarantine", "--edit")

    assert failed.code == 1
    assert said in failed.err
    assert world.stream() == []


def test_a_given_up_batch_is_replayed_as_it_was_and_flagged(world: World, run: Run) -> None:
    event = an_event(event_id="one", source="k1", properties={"big": 1.5, "later": "Ω"})
    world.give_up(a_record(event | {"field_of_a_later_version": 7}))

    done = run("replay", "failures", "--json")

    assert (done.code, done.json["sent"], done.json["moved"]) == (0, 1, 1)
    assert world.stream() == [event | {"field_of_a_later_version": 7, "replayed": True}]
    assert world.keys(FAILURES)[0].startswith("replayed/aws/lambda/")


def test_the_bad_lines_of_a_given_up_batch_are_quarantined_once(world: World, run: Run) -> None:
    batch = a_record(an_event(event_id="good"), b"{", at=3)
    world.quarantine(batch)
    there = world.keys()
    world.give_up(batch)

    done = run("replay", "failures", "--json").json

    assert (done["sent"], done["quarantined"], done["moved"]) == (1, 1, 1)
    assert (
        world.keys() == there == [f"quarantine/events/shardId-000000000000/{sequence_of(3)}-1.json"]
    )


def test_a_bad_line_that_was_replayed_is_not_quarantined_again(
    world: World, run: Run, tmp_path: Path
) -> None:
    batch = a_record(b"{", at=3)
    world.quarantine(batch)
    file = mended(tmp_path, run, message={"event_type": "purchase", "event_id": "mine"})
    run("replay", "quarantine", "--from-file", file)
    world.give_up(batch)

    run("replay", "failures")

    assert not world.keys(LAKE, "quarantine/")
    assert world.process().events() == ["mine"]


def test_a_batch_without_its_records_is_refused_and_stays(world: World, run: Run) -> None:
    world.give_up(a_record(an_event()), payload=False)
    world.give_up(a_record(an_event(event_id="other")), number=1)

    failed = run("replay", "failures")

    assert failed.code == 1
    assert "holds no records, only which ones they were" in failed.err
    assert "(no_payload)" in failed.err
    assert len(world.keys(FAILURES, "aws/")) == 1
    assert len(world.stream()) == 1, "the others are replayed all the same"


@pytest.mark.parametrize("payload", ['{"Records": 1}', '{"Records": [{"Sns": {}}]}', "{"])
def test_a_payload_of_something_else_is_refused(world: World, run: Run, payload: str) -> None:
    world.give_up(a_record(an_event()), payload=payload)

    failed = run("replay", "failures", "--json")

    assert (failed.code, failed.json["refused"], failed.json["moved"]) == (1, 1, 0)


def test_the_rate_is_kept(world: World, run: Run, clock: Hourglass) -> None:
    world.give_up(a_record(*(an_event(event_id=f"e-{at}") for at in range(50))))

    run("replay", "failures", "--rate", "10")

    assert clock.now_s >= 4.0
    assert len(world.stream()) == 50


def test_families_go_to_their_own_stream(world: World, run: Run) -> None:
    world.kinesis.create_stream(StreamName="orders", ShardCount=1)
    world.settings["STREAM_ROUTES"] = "order=orders"
    world.give_up(a_record(an_event(event_type="order_created"), an_event(event_id="other")))

    assert run("replay", "failures").code == 0
    assert {call["StreamName"] for call in world.kinesis.named("put_records")} == {
        "events",
        "orders",
    }
    assert len(world.stream()) == 1


def test_a_value_that_was_not_kept_is_not_made_up(world: World, run: Run) -> None:
    message = a_message(properties={"deep": {"refused": "too_deep"}})
    world.quarantine(a_record(rejected(message, rule="too_deep")))

    failed = run("replay", "quarantine")

    assert failed.code == 1
    assert "(value_not_kept)" in failed.err
    assert world.stream() == []


def test_a_message_that_was_cut_says_so(world: World, run: Run) -> None:
    told = json.loads(rejected(a_message()))
    told["raw"] = '{"event":"' + "x" * 199_990
    world.quarantine(a_record(json.dumps(told).encode()))

    assert "(cut)" in run("replay", "quarantine").err


def test_ctrl_c_ends_with_the_account_and_the_same_command_goes_on(world: World, run: Run) -> None:
    for number in range(2):
        world.give_up(a_record(an_event(event_id=f"e-{number}"), at=number), number=number)

    def interrupt(name: str, _request: Any) -> None:
        if name == "put_records":
            raise KeyboardInterrupt

    world.kinesis.before = interrupt
    stopped = run("replay", "failures", "--json")
    world.kinesis.before = lambda _name, _request: None

    assert (stopped.code, stopped.json["interrupted"]) == (130, True)
    assert run("replay", "failures").code == 0
    assert world.process().events() == ["e-0", "e-1"]
