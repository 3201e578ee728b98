from __future__ import annotations

from pathlib import Path

import pytest

from functional.cli.running import Run

EXAMPLES = Path(__file__).parents[3] / "examples" / "schemas"


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_examples_are_listed_by_type_and_version(run: Run) -> None:
    shown = run("schemas", "check", str(EXAMPLES))

    assert shown.code == 0
    assert "purchase" in shown.out
    told = run("schemas", "check", str(EXAMPLES), "--json").json
    assert {"event_type": "purchase", "versions": [1]} in told["schemas"]


def test_the_packaged_schemas_are_checked_when_no_folder_is_named(run: Run) -> None:
    shown = run("schemas", "check", "--json")

    assert shown.code == 0
    assert shown.json["folder"].endswith("src/ingest/schemas")


def test_an_empty_folder_says_how_to_register_a_type(run: Run, tmp_path: Path) -> None:
    shown = run("schemas", "check", str(tmp_path))

    assert (shown.code, shown.out) == (0, "")
    assert "<type>/1.json" in shown.err


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("order/1.json", "{", "order/1.json"),
        ("order/1.json", '{"type": "strnig"}', "order/1.json: type: "),
        (
            "order/1.json",
            '{"properties": {"total": {"type": "strnig"}}}',
            'order/1.json: properties.total.type: "strnig" is not',
        ),
        ("order/1.json", '{"allOf": [{"minimum": "x"}]}', "order/1.json: allOf.0.minimum: "),
        ("order/1.json", '{"$ref": "https://schemas.example/x"}', "https://schemas.example/x"),
        ("order/first.json", "{}", "must be called by its version"),
    ],
)
def test_a_schema_that_would_stop_the_function_is_named_and_fails(
    run: Run, tmp_path: Path, name: str, text: str, reason: str
) -> None:
    put(tmp_path, "fine/1.json", "{}")
    put(tmp_path, name, text)

    shown = run("schemas", "check", str(tmp_path))

    assert (shown.code, shown.out) == (1, "")
    assert reason in shown.err
    assert f"the schemas in {tmp_path} do not fit" in shown.err
    assert "fine/1.json" not in shown.err


def test_a_folder_that_is_not_there_is_said_to_be_none(run: Run, tmp_path: Path) -> None:
    shown = run("schemas", "check", str(tmp_path / "gone"))

    assert shown.code == 1
    assert "is no folder" in shown.err
