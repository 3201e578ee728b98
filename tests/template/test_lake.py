from __future__ import annotations

import pytest

from template.checks import lake
from template.checks.reading import Template, with_value, without
from template.checks.stores import Check

TABLE = ("EventsTable", "Properties", "TableInput")
VIEW = ("EventsView", "Properties", "TableInput")
RULES = ("AthenaWorkGroup", "Properties", "WorkGroupConfiguration")


@pytest.mark.parametrize(
    "check",
    [
        lake.wrong_table,
        lake.wrong_view,
        lake.wrong_sessions_view,
        lake.wrong_queries,
        lake.loose_workgroup,
    ],
)
def test_athena_sees_the_lake_as_it_is(check: Check, translated: Template) -> None:
    assert check(translated) == []


@pytest.mark.parametrize(
    ("check", "value", "path"),
    [
        pytest.param(
            lake.wrong_table,
            "bigint",
            (*TABLE, "StorageDescriptor", "Columns", 7, "Type"),
            id="type",
        ),
        pytest.param(
            lake.wrong_table, "31", (*TABLE, "Parameters", "projection.day.range"), id="range"
        ),
        pytest.param(lake.wrong_table, "x", (*TABLE, "Parameters", "skip"), id="property"),
        pytest.param(lake.wrong_table, [], (*TABLE, "PartitionKeys"), id="partitions"),
        pytest.param(lake.wrong_table, "events", (*TABLE, "Name"), id="table-name"),
        pytest.param(
            lake.wrong_view,
            [],
            (*VIEW, "StorageDescriptor", "Columns"),
            id="view-columns",
        ),
        pytest.param(lake.wrong_view, "EXTERNAL_TABLE", (*VIEW, "TableType"), id="no-view"),
        pytest.param(
            lake.loose_workgroup, False, (*RULES, "EnforceWorkGroupConfiguration"), id="unenforced"
        ),
    ],
)
def test_a_difference_is_found(
    check: Check, value: object, path: tuple[str | int, ...], translated: Template
) -> None:
    assert check(with_value(translated, value, *path)) != []


def test_a_column_that_is_not_declared_is_found(translated: Template) -> None:
    columns = translated["Resources"]["EventsTable"]["Properties"]["TableInput"][
        "StorageDescriptor"
    ]["Columns"]

    shorter = with_value(translated, columns[:-1], *TABLE, "StorageDescriptor", "Columns")

    assert "instead of ('session_source', 'string'" in str(lake.wrong_table(shorter))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("source, event_id", "event_id", id="merges-sources"),
        pytest.param("ORDER BY received_at", "ORDER BY ingested_at", id="keeps-another-copy"),
        pytest.param("WHERE copy = 1", "WHERE copy > 0", id="keeps-all"),
        pytest.param('"type":"double"', '"type":"real"', id="engine-type"),
    ],
)
def test_a_view_that_says_something_else_is_found(old: str, new: str, translated: Template) -> None:
    path = (*VIEW, "ViewOriginalText", "Fn::Join")
    _, [head, encoded, tail] = translated["Resources"]["EventsView"]["Properties"]["TableInput"][
        "ViewOriginalText"
    ]["Fn::Join"]
    text = encoded["Fn::Base64"]["Fn::Sub"]
    assert old in text

    other = {"Fn::Base64": {"Fn::Sub": text.replace(old, new)}}

    assert lake.wrong_view(with_value(translated, ["", [head, other, tail]], *path)) != []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("user_id, anonymous_id, client_id", "user_id, client_id", id="merges-people"),
        pytest.param("${SessionGapMinutes}", "30", id="fixed-gap"),
        pytest.param("month = month", "month >= month", id="other-months"),
        pytest.param('"type":"bigint"', '"type":"integer"', id="engine-type"),
    ],
)
def test_a_view_of_other_sessions_is_found(old: str, new: str, translated: Template) -> None:
    path = ("SessionsView", "Properties", "TableInput", "ViewOriginalText", "Fn::Join")
    text = translated["Resources"]["SessionsView"]["Properties"]["TableInput"]["ViewOriginalText"]
    _, [head, encoded, tail] = text["Fn::Join"]
    sql = encoded["Fn::Base64"]["Fn::Sub"]
    assert old in sql

    other = {"Fn::Base64": {"Fn::Sub": sql.replace(old, new)}}

    assert lake.wrong_sessions_view(with_value(translated, ["", [head, other, tail]], *path)) != []


@pytest.mark.parametrize(
    "path",
    [
        pytest.param((*RULES, "BytesScannedCutoffPerQuery"), id="no-limit"),
        pytest.param((*RULES, "ResultConfiguration", "OutputLocation"), id="results-anywhere"),
        pytest.param(
            ("AthenaWorkGroup", "Properties", "RecursiveDeleteOption"), id="cannot-be-deleted"
        ),
    ],
)
def test_a_workgroup_without_a_rule_is_found(path: tuple[str, ...], translated: Template) -> None:
    assert lake.loose_workgroup(without(translated, *path)) != []
