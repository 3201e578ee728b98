"""The lake as Athena sees it: the same columns, partitions and text as in the repository."""

from __future__ import annotations

import json
import re
from typing import Any

import sqlglot
from sqlglot.optimizer.qualify_columns import quote_identifiers

from common.domain.lake_schema import COLUMNS, PARTITIONS
from eventstream.lake import ddl as athena_ddl
from template.checks.reading import ROOT, Template, of_type, target

PRESTO_TYPES = {"string": "varchar", "int": "integer", "timestamp": "timestamp(3)"}
"""A view names its types as the query engine does, a table as Hive does."""

DATABASE = "lake_db"


def _table(template: Template, name: str) -> dict[str, Any]:
    table: dict[str, Any] = of_type(template, "AWS::Glue::Table")[name]["TableInput"]
    return table


def wrong_table(template: Template) -> list[str]:
    """Find where the declared table differs from the columns and from the repository's text."""
    table = _table(template, "EventsTable")
    storage = table["StorageDescriptor"]
    declared = [(c["Name"], c["Type"], c["Comment"]) for c in storage["Columns"]]
    wanted = [(c.name, c.athena, athena_ddl.COMMENTS[c.name]) for c in COLUMNS]
    findings = [
        f"column {number}: {found or 'nothing'} instead of {right or 'nothing'}"
        for number, (found, right) in enumerate(_side_by_side(declared, wanted))
        if found != right
    ]
    keys = [(key["Name"], key["Type"]) for key in table["PartitionKeys"]]
    if keys != [(name, "int") for name in PARTITIONS]:
        findings.append(f"partitions: {keys}")
    findings += _wrong_properties(table["Parameters"])
    if storage["Location"] != {"Fn::Sub": "s3://${LakeBucket}/events/"}:
        findings.append(f"location: {storage['Location']}")
    if f".`{table['Name']}`" not in athena_ddl.table():
        findings.append(f"name: {table['Name']}")
    return findings


def _side_by_side(left: list[Any], right: list[Any]) -> list[tuple[Any, Any]]:
    length = max(len(left), len(right))
    return [
        (left[i] if i < len(left) else None, right[i] if i < len(right) else None)
        for i in range(length)
    ]


def _wrong_properties(given: dict[str, Any]) -> list[str]:
    location = given["storage.location.template"]
    joined = "".join(
        athena_ddl.BUCKET if part == {"Ref": "LakeBucket"} else str(part)
        for part in location["Fn::Join"][1]
    )
    found = {**given, "storage.location.template": joined}
    wanted = {**athena_ddl.PROPERTIES, "EXTERNAL": "TRUE"}
    names = sorted(set(found) | set(wanted))
    return [
        f"{name}: {found.get(name)} instead of {wanted.get(name)}"
        for name in names
        if found.get(name) != wanted.get(name)
    ]


def read_view(template: Template, name: str = "EventsView") -> dict[str, Any]:
    """Decode a declared view for a database of a known name and the default gap of sessions."""
    text = _table(template, name)["ViewOriginalText"]["Fn::Join"]
    separator, [head, encoded, tail] = text
    assert (separator, head, tail) == ("", "/* Presto View: ", " */")
    view: dict[str, Any] = json.loads(
        encoded["Fn::Base64"]["Fn::Sub"]
        .replace("${GlueDatabase}", DATABASE)
        .replace("${SessionGapMinutes}", str(athena_ddl.GAP_MINUTES))
    )
    return view


def wrong_view(template: Template) -> list[str]:
    """Find where the declared view differs from the repository's text or from the table."""
    view, findings = read_view(template), []
    text = re.sub(r"^CREATE OR REPLACE VIEW .* AS\n", "", athena_ddl.view(DATABASE))
    if _normal(view["originalSql"]) != _normal(text.rstrip(";\n")):
        findings.append("the query is not the one in athena/create_tables.sql")
    hive = [(c.name, c.athena) for c in COLUMNS] + [(name, "int") for name in PARTITIONS]
    table = _table(template, "EventsView")
    columns = [(c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"]]
    if columns != hive:
        findings.append("its columns are not the table's")
    presto = [(name, PRESTO_TYPES.get(kind, kind)) for name, kind in hive]
    if [(c["name"], c["type"]) for c in view["columns"]] != presto:
        findings.append("its columns for the query engine are not the table's")
    if view["schema"] != DATABASE or table["TableType"] != "VIRTUAL_VIEW":
        findings.append("it is no view of this database")
    if target(of_type(template, "AWS::Glue::Table")["EventsView"]["DatabaseName"]) is None:
        findings.append("its database is not in this template")
    return findings


def wrong_sessions_view(template: Template) -> list[str]:
    """Find where the declared view of sessions differs from the repository's text."""
    view, findings = read_view(template, "SessionsView"), []
    text = re.sub(r"^CREATE OR REPLACE VIEW .* AS\n", "", athena_ddl.sessions_view(DATABASE))
    if _normal(view["originalSql"]) != _normal(text.rstrip(";\n")):
        findings.append("the query is not the one in athena/create_tables.sql")
    table = _table(template, "SessionsView")
    hive = [(name, kind) for name, (kind, _) in athena_ddl.SESSION_COLUMNS.items()]
    if [(c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"]] != hive:
        findings.append("its columns are not those of the query")
    presto = [(name, PRESTO_TYPES.get(kind, kind)) for name, kind in hive]
    if [(c["name"], c["type"]) for c in view["columns"]] != presto:
        findings.append("its columns for the query engine are not those of the query")
    if (table["Name"], table["TableType"]) != ("sessions", "VIRTUAL_VIEW"):
        findings.append("it is no view of that name")
    sub = table["ViewOriginalText"]["Fn::Join"][1][1]["Fn::Base64"]["Fn::Sub"]
    gap = template["Parameters"]["SessionGapMinutes"]["Default"]
    if "${SessionGapMinutes} * 60000" not in sub or gap != athena_ddl.GAP_MINUTES:
        findings.append("its gap is not the parameter's")
    return findings


def _normal(sql: str) -> str:
    tree = sqlglot.parse_one(sql, read="athena")
    return quote_identifiers(tree, dialect="athena").sql(dialect="athena")


def read_sample_queries() -> dict[str, str]:
    """Return the repository's sample queries by the title in their ``-- name:`` line."""
    text = (ROOT / "athena" / "sample_queries.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (.+)$", text, flags=re.MULTILINE)[1:]
    return {
        title.strip(): body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def wrong_queries(template: Template) -> list[str]:
    """Find saved queries that are not the repository's, and the other way round."""
    findings = []
    saved = {}
    for name, query in of_type(template, "AWS::Athena::NamedQuery").items():
        saved[query["Name"]] = query["QueryString"].strip()
        if target(query["Database"]) != "GlueDatabase":
            findings.append(f"{name}: is not for this database")
        if target(query["WorkGroup"]) != "AthenaWorkGroup":
            findings.append(f"{name}: would run without the bytes limit")
        if not query.get("Description"):
            findings.append(f"{name}: has no description")
    samples = read_sample_queries()
    findings += [f"{title}: is not saved" for title in samples if title not in saved]
    findings += [f"{title}: is no sample query" for title in saved if title not in samples]
    common = sorted(set(saved) & set(samples))
    return findings + [
        f"{title}: texts differ" for title in common if saved[title] != samples[title]
    ]


def loose_workgroup(template: Template) -> list[str]:
    """Find what a query could do beyond its limits."""
    findings = []
    for name, group in of_type(template, "AWS::Athena::WorkGroup").items():
        rules = group["WorkGroupConfiguration"]
        if rules.get("EnforceWorkGroupConfiguration") is not True:
            findings.append(f"{name}: a client can set its own rules")
        if rules.get("BytesScannedCutoffPerQuery") != {"Ref": "AthenaBytesLimit"}:
            findings.append(f"{name}: a query can scan without limit")
        location = rules.get("ResultConfiguration", {}).get("OutputLocation")
        if location != {"Fn::Sub": "s3://${LakeBucket}/athena-results/"}:
            findings.append(f"{name}: results go to {location}")
        if group.get("RecursiveDeleteOption") is not True:
            findings.append(f"{name}: keeps the stack from being deleted once it was used")
    return findings
