from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from common.domain.decode import decode_batch
from common.http import Request
from eventstream.cli import main
from eventstream.sample_events import function_of, sample_events, samples_by_function
from eventstream.sample_files import file_text, stale_files, write_files

FOLDER = Path(__file__).parents[2] / "events"
SAMPLES = sample_events()


def test_the_files_are_current() -> None:
    assert stale_files(FOLDER) == [], "run `eventstream events write`"


def test_a_file_that_is_missing_changed_or_left_over_is_noticed_and_mended(
    tmp_path: Path,
) -> None:
    write_files(tmp_path)
    assert stale_files(tmp_path) == []

    (tmp_path / "query-runs.json").unlink()
    (tmp_path / "query-health.json").write_text("{}")
    (tmp_path / "old.json").write_text("{}")

    assert stale_files(tmp_path) == ["old.json", "query-health.json", "query-runs.json"]
    assert write_files(tmp_path) == ["old.json", "query-health.json", "query-runs.json"]
    assert stale_files(tmp_path) == []


def test_the_command_fails_when_files_are_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", "write", "--check", "--dir", str(tmp_path)]) == 1
    assert "run `eventstream events write`" in capsys.readouterr().err
    assert main(["events", "write", "--dir", str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["changed"]) == len(SAMPLES)
    assert main(["events", "write", "--check", "--dir", str(tmp_path)]) == 0


def test_samples_are_the_same_each_time() -> None:
    assert {name: file_text(each) for name, each in sample_events().items()} == {
        name: file_text(each) for name, each in SAMPLES.items()
    }


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.startswith(("http", "query"))])
def test_requests_are_as_a_gateway_hands_them_over(name: str) -> None:
    request = Request.from_gateway(SAMPLES[name])

    assert request.method == ("POST" if name.startswith("http") else "GET")
    assert request.path.startswith("/")
    assert bool(request.body) is name.startswith("http")


def test_the_poison_sample_has_good_lines_beside_the_bad_ones() -> None:
    poison = decode_batch(SAMPLES["kinesis-poison"]["Records"])
    good = decode_batch(SAMPLES["kinesis-batch"]["Records"])

    assert (len(poison.lines), len(poison.bad)) == (3, 2)
    assert (len(good.lines), len(good.bad)) == (3, 0)


@pytest.mark.parametrize("function", sorted(samples_by_function()))
def test_a_sample_given_to_another_function_is_refused_and_told_whose_it_is(
    function: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for owner, samples in samples_by_function().items():
        for name in samples:
            file = str(FOLDER / f"{name}.json")
            code = main(["invoke", function, file, "--state", str(tmp_path)])
            told = capsys.readouterr().err
            if owner == function:  # it goes on to look for a pipeline
                assert (code, "no local pipeline is running" in told) == (1, True)
            else:
                assert code == 2
                assert f"{name}.json is a sample for {owner}, not for {function}" in told


def test_a_sample_that_was_changed_may_go_to_any_function() -> None:
    assert function_of(SAMPLES["query-health"]) == "QueryFunction"
    assert function_of({**SAMPLES["query-health"], "rawPath": "/mine"}) is None
    assert function_of("text") is None


def test_the_list_says_which_function_each_sample_is_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["events", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"file": "events/kinesis-batch.json", "function": "ProcessFunction"} in rows
    assert {row["file"] for row in rows} == {f"events/{name}.json" for name in SAMPLES}

    assert main(["events", "list"]) == 0
    printed = capsys.readouterr().out
    assert re.search("events/kinesis-batch.json .*ProcessFunction", printed)


def test_the_functions_of_the_samples_are_those_of_the_template() -> None:
    template = (FOLDER.parent / "template.yaml").read_text()

    for function in samples_by_function():
        assert f"\n  {function}:\n    Type: AWS::Serverless::Function\n" in template


def test_there_is_a_sample_for_each_function_and_action() -> None:
    actions = {
        each.get("action", "direct") for name, each in SAMPLES.items() if "aggregate" in name
    }

    assert actions == {"determine", "aggregate", "notify", "direct"}
    assert {name.partition("-")[0] for name in SAMPLES} == {"http", "kinesis", "aggregate", "query"}
