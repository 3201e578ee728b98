from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eventstream.load.mapping import FileMapping, event_id, read_mapping
from eventstream.load.rules import RowError, parse_condition
from eventstream.output import UsageProblemError

GOOD = "event = {type = 'a'}\ntimestamp = {column = 'at'}\n"
RETAIL = Path(__file__).parents[3] / "examples" / "online-retail.toml"

LINE = {
    "InvoiceNo": "573744",
    "StockCode": "21314",
    "Description": "SMALL GLASS HEART TRINKET POT",
    "Quantity": "8",
    "InvoiceDate": "2011-11-01 08:16:00",
    "UnitPrice": "2.1",
    "CustomerID": "17733.0",
    "Country": "United Kingdom",
}


def a_mapping(**over: Any) -> FileMapping:
    base: dict[str, Any] = {"event": {"type": "seen"}, "timestamp": {"column": "at"}}
    return FileMapping.model_validate({**base, **over})


def a_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    return path


def test_an_invoice_line_becomes_a_purchase_with_typed_properties() -> None:
    event = read_mapping(RETAIL).to_event(LINE)

    assert event == {
        "event_type": "purchase",
        "timestamp": "2011-11-01T08:16:00.000Z",
        "user_id": "17733",
        "properties": {
            "InvoiceNo": "573744",
            "StockCode": "21314",
            "Description": "SMALL GLASS HEART TRINKET POT",
            "Quantity": 8,
            "UnitPrice": 2.1,
            "Country": "United Kingdom",
        },
    }


def test_a_negative_quantity_is_a_return() -> None:
    assert read_mapping(RETAIL).to_event({**LINE, "Quantity": "-3"})["event_type"] == "return"


def test_an_empty_customer_is_nobody_and_an_empty_cell_no_property() -> None:
    event = read_mapping(RETAIL).to_event({**LINE, "CustomerID": "", "Description": ""})

    assert "user_id" not in event
    assert "Description" not in event["properties"]


@pytest.mark.parametrize(
    ("column", "cell", "rule"),
    [
        ("Quantity", "many", "must be a number"),
        ("Quantity", "1.5", "must be a whole number of at most 64 bits"),
        ("Quantity", "9223372036854775808", "must be a whole number of at most 64 bits"),
        ("UnitPrice", "NaN", "must be a number"),
        ("UnitPrice", "1e999999999", "must be a number"),
        ("InvoiceDate", "", "is empty; every event needs its time"),
        ("InvoiceDate", "01/11/2011", "is no time of the format 'iso8601'"),
    ],
)
def test_a_cell_that_does_not_fit_names_its_column_and_the_rule(
    column: str, cell: str, rule: str
) -> None:
    with pytest.raises(RowError) as refused:
        read_mapping(RETAIL).to_event({**LINE, column: cell})

    assert (refused.value.column, refused.value.rule) == (column, rule)


@pytest.mark.parametrize(
    ("given", "text", "instant"),
    [
        ({}, "2026-02-20T14:30:00+02:00", "2026-02-20T12:30:00.000Z"),
        ({"zone": "Europe/Berlin"}, "2026-07-20 14:30", "2026-07-20T12:30:00.000Z"),
        ({"format": "epoch_s"}, "1771597800.25", "2026-02-20T14:30:00.250Z"),
        ({"format": "epoch_ms"}, "1771597800250", "2026-02-20T14:30:00.250Z"),
        ({"format": "%d.%m.%Y %H:%M"}, "20.02.2026 14:30", "2026-02-20T14:30:00.000Z"),
        (
            {"format": "%d/%b/%Y:%H:%M:%S %z"},
            "20/Feb/2026:14:30:00 -0500",
            "2026-02-20T19:30:00.000Z",
        ),
    ],
)
def test_times_are_read_by_their_format_and_zone(
    given: dict[str, str], text: str, instant: str
) -> None:
    mapping = a_mapping(timestamp={"column": "at", **given})

    assert mapping.to_event({"at": text})["timestamp"] == instant


def test_a_shift_moves_the_time_and_nothing_else() -> None:
    mapping = read_mapping(RETAIL)

    moved = mapping.to_event(LINE, shift=timedelta(hours=24))

    assert moved["timestamp"] == "2011-11-02T08:16:00.000Z"
    assert {**moved, "timestamp": None} == {**mapping.to_event(LINE), "timestamp": None}


def test_the_type_may_come_from_a_column_and_the_first_rule_that_holds_wins() -> None:
    mapping = a_mapping(
        event={
            "column": "kind",
            "rules": [
                {"when": "kind is empty", "type": "unknown"},
                {"when": "score >= 10 and kind == 'game'", "type": "win"},
                {"when": "score >= 5", "type": "draw"},
            ],
        }
    )
    rows = [("", "1"), ("game", "12"), ("quiz", "12"), ("quiz", "1")]

    types = [
        mapping.to_event({"at": "2026-02-20", "kind": kind, "score": score})["event_type"]
        for kind, score in rows
    ]

    assert types == ["unknown", "win", "draw", "quiz"]


def test_names_with_dots_look_into_json() -> None:
    mapping = a_mapping(
        user_id="actor.id", properties={"city": {"column": "actor.home.city"}, "tags": "any"}
    )
    row = {"at": "2026-02-20", "actor": {"id": 7, "home": {"city": "Bonn"}}, "tags": ["a", 1]}

    event = mapping.to_event(row)

    assert event["user_id"] == "7"
    assert event["properties"] == {"city": "Bonn", "tags": ["a", 1]}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("Quantity < 0", False),
        ("Quantity <= 8", True),
        ("Quantity == 8.0", True),
        ("Quantity != 8", False),
        ("Missing < 0", False),
        ("Missing is empty", True),
        ("Country is not empty", True),
        ("Country == 'United Kingdom'", True),
        ('Country != "United Kingdom"', False),
        ("Description contains 'HEART'", True),
        ("InvoiceNo starts with 'C'", False),
        ('"Quantity" > 1 and InvoiceNo starts with "57"', True),
        ("Quantity>1 and Quantity<5", False),
    ],
)
def test_conditions(condition: str, holds: bool) -> None:
    assert parse_condition(condition)(LINE) is holds


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "Quantity",
        "Quantity <",
        "Quantity < few",
        "Quantity < 'few'",
        "Country contains 3",
        "Quantity < 1 or Quantity > 2",
        "Quantity < 1 and",
        "Quantity ~ 3",
    ],
)
def test_a_condition_that_can_not_be_read_is_refused(condition: str) -> None:
    with pytest.raises(ValueError, match=r"can't read|expected|no number|compares"):
        parse_condition(condition)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("event = 3", "event"),
        ("[event]\ntype = 'a'", "timestamp is missing"),
        ("[event]\ntype='a'\ncolumn='b'\n[timestamp]\ncolumn='at'", "either `type`"),
        ("[event]\ntype='1a'\n[timestamp]\ncolumn='at'", "event.type"),
        ("[event]\ntype='a'\n[timestamp]\ncolumn='at'\nzone='Mars'", "no time zone 'Mars'"),
        ("[event]\ntype='a'\n[timestamp]\ncolumn='at'\n[propertys]\nx='string'", "propertys"),
        (
            "[event]\ntype='a'\n[timestamp]\ncolumn='at'\n[properties]\nx='text'",
            "properties.x.type",
        ),
        (
            "[event]\ntype='a'\nrules=[{when='x <', type='b'}]\n[timestamp]\ncolumn='at'",
            "event.rules[0].when: can't read 'x <'",
        ),
        ("[event", "is no TOML"),
        ("event = {type = 'a'}", "timestamp is missing"),
        ("event = 1\n", "event must be a table"),
        (f"{GOOD}user_id = 3", "user_id must be the name of a column in quotes, or a table with"),
        (f"{GOOD}delimiter = 'ab'", "delimiter must be one character"),
        (f"{GOOD}format = 'xls'", "format must be 'csv' or 'ndjson'"),
        (f"{GOOD}formt = 'csv'", "formt is no key of a mapping: did you mean format?"),
        (f"{GOOD}colour = 'red'", "colour is no key of a mapping: there are format, delimiter"),
        (f"{GOOD}[properties]\nx = {{column = 'x', typ = 'any'}}", "did you mean type?"),
        (
            "event = {type = 'a', rules = [{when = 'x < 1', tpe = 'b'}]}",
            "event.rules[0].tpe is no key of a mapping: did you mean type?",
        ),
        ("event = {type = '1a'}", "event.type must be an event type: a letter, then"),
        ("timestamp = {column = 'a', zone = 'Mars'}", "timestamp.zone: no time zone 'Mars'"),
    ],
)
def test_a_mapping_file_is_refused_by_the_name_of_what_is_wrong(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(UsageProblemError) as refused:
        read_mapping(a_file(tmp_path, text))

    assert told in str(refused.value)
    assert not re.search("Value error|permitted|Input|Field required", str(refused.value))


def test_a_missing_mapping_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageProblemError, match="there is no mapping file"):
        read_mapping(tmp_path / "none.toml")


def test_a_header_that_lacks_a_column_is_told_what_it_has() -> None:
    with pytest.raises(UsageProblemError, match=r"no column Quantity.*it has InvoiceNo"):
        read_mapping(RETAIL).check_header([name for name in LINE if name != "Quantity"])


def test_ids_are_those_of_the_file_the_row_and_the_shift() -> None:
    same = event_id("digest", 7)

    assert same == event_id("digest", 7, timedelta(0))
    others = {
        event_id("digest", 8),
        event_id("other", 7),
        event_id("digest", 7, timedelta(hours=1)),
    }
    assert len(others | {same}) == 4


@pytest.mark.parametrize("given", ["ms", {"column": "ms"}, {"column": "ms", "type": "integer"}])
def test_a_latency_is_a_number_however_it_is_written(given: object) -> None:
    event = a_mapping(latency_ms=given).to_event({"at": "2026-11-20T09:00:00Z", "ms": "484"})

    assert event["latency_ms"] == 484
    assert not isinstance(event["latency_ms"], str)


def test_a_latency_can_be_no_text(tmp_path: Path) -> None:
    text = 'event = {type = "a"}\ntimestamp = {column = "at"}\n'
    path = a_file(tmp_path, text + 'latency_ms = {column = "ms", type = "string"}\n')

    with pytest.raises(UsageProblemError, match=r"latency_ms: .*must be `number` or `integer`"):
        read_mapping(path)


@pytest.mark.parametrize(
    ("header", "hint"),
    [
        (["at;n"], 'delimiter = ";"'),
        (["at\tn"], r'delimiter = "\\t"'),
        (["other"], None),
        (["a;b", "c"], None),
        ([], None),
    ],
)
def test_a_header_that_seems_to_be_one_column_gets_a_hint(
    header: list[str], hint: str | None
) -> None:
    with pytest.raises(UsageProblemError) as refused:
        a_mapping().check_header(header)

    assert ("delimiter" in str(refused.value)) is (hint is not None)
    assert (hint or "").replace("\\\\", "\\") in str(refused.value)
