from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.enrich import UNCHECKED, Checked
from common.errors import ConfigError
from common.models import EVENT_TYPE_PATTERN, IngestEvent
from ingest.registry import SCHEMAS, Registry, SchemaMode, Verdict, find_schemas, folder_of, type_of

EXAMPLES = Path(__file__).parents[3] / "examples" / "schemas"
ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["total"],
    "properties": {
        "total": {"type": "number", "minimum": 0},
        "items": {"type": "array", "items": {"required": ["sku"]}},
    },
}


def put(folder: Path, name: str, schema: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))


def an_event(properties: object = None, context: object = None, kind: str = "order") -> IngestEvent:
    return IngestEvent.model_validate(
        {"event_type": kind, "properties": properties, "context": context}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, "order/1.json", ORDER)
    put(tmp_path, "order/2.json", ORDER | {"required": ["total", "currency"]})
    return tmp_path


def test_the_newest_version_rules(folder: Path) -> None:
    put(folder, "order/10.json", {"required": ["ten"]})

    verdict = Registry.load(folder).check(an_event({"total": 1, "currency": "EUR"}))

    assert verdict.schema == "order/10"
    assert verdict.violation is not None
    assert verdict.violation.field == "properties.ten"


def test_the_path_to_what_breaks_a_schema_is_cut_by_its_bytes(folder: Path) -> None:
    nested = {"$defs": {"n": {"type": "object", "additionalProperties": {"$ref": "#/$defs/n"}}}}
    put(folder, "deep/1.json", nested | {"$ref": "#/$defs/n"})
    value: object = 7
    for _ in range(9):
        value = {"\N{GRINNING FACE}" * 15: value}

    violation = Registry.load(folder, "strict").check(an_event(value, kind="deep")).violation

    assert violation is not None
    assert violation.field.endswith("\N{GRINNING FACE}...")
    assert len(violation.field.encode()) <= 128


@pytest.mark.parametrize("named", [1, "1"])
def test_an_event_may_name_its_version(folder: Path, named: object) -> None:
    registry = Registry.load(folder)

    assert registry.check(an_event({"total": 1}, {"schema_version": named})) == Verdict("order/1")
    assert registry.check(an_event({"total": 1}, {"schema_version": None})).violation is not None


@pytest.mark.parametrize("named", [3, 0, -1, True, 1.0, "01", "1-0-0", "", [1], {"a": 1}])
def test_a_version_that_is_not_registered_is_a_violation(folder: Path, named: object) -> None:
    verdict = Registry.load(folder).check(an_event({"total": 1}, {"schema_version": named}))

    assert verdict.schema == "order/2"
    assert verdict.violation is not None
    assert (verdict.violation.field, verdict.violation.rule) == (
        "context.schema_version",
        "schema:version",
    )


@pytest.mark.parametrize(
    ("properties", "field", "rule", "message"),
    [
        (
            {"total": -5},
            "properties.total",
            "schema:minimum",
            "properties.total must be at least 0 (schema order/1)",
        ),
        (
            None,
            "properties.total",
            "schema:required",
            "properties.total is required (schema order/1)",
        ),
        (
            {"total": "5"},
            "properties.total",
            "schema:type",
            "properties.total must be of type number (schema order/1)",
        ),
        (
            {"total": 5, "items": [{"sku": 1}, {}]},
            "properties.items[1].sku",
            "schema:required",
            "properties.items[1].sku is required (schema order/1)",
        ),
    ],
)
def test_a_violation_names_path_rule_and_remedy(
    tmp_path: Path, properties: object, field: str, rule: str, message: str
) -> None:
    put(tmp_path, "order/1.json", ORDER)

    violation = Registry.load(tmp_path).check(an_event(properties)).violation

    assert violation is not None
    assert (violation.field, violation.rule, violation.message) == (field, rule, message)


@pytest.mark.parametrize(("mode", "refused"), [("observe", False), ("strict", True)])
def test_only_strict_refuses_and_both_count(folder: Path, mode: SchemaMode, refused: bool) -> None:
    broken: list[str] = []
    registry = Registry.load(folder, mode, broken.append)

    bad, good = registry.check(an_event({})), registry.check(an_event({"total": 1, "currency": ""}))

    assert (bad.refused, good.refused) == (refused, False)
    assert broken == ["order/2"]
    assert bad.checked == Checked("order/2", "properties.total: required")
    assert good.checked == Checked("order/2", None)


def test_switched_off_nothing_is_looked_at_not_even_a_broken_file(folder: Path) -> None:
    put(folder, "order/3.json", "{")

    assert Registry.load(folder, "off").check(an_event({})) == Verdict()


@pytest.mark.parametrize("mode", ["observe", "strict"])
def test_a_type_without_a_schema_is_not_checked(folder: Path, mode: SchemaMode) -> None:
    verdict = Registry.load(folder, mode).check(an_event({}, {"schema_version": 7}, kind="other"))

    assert verdict == Verdict()
    assert verdict.checked == UNCHECKED


SECRET = "S3CR3T"
SCHEMAS_OF_EACH_KEYWORD: dict[str, Any] = {
    "type": {"type": "integer"},
    "enum": {"enum": ["a", 1]},
    "const": {"const": 7},
    "pattern": {"pattern": "^[0-9]+$"},
    "format": {"format": "email"},
    "maxLength": {"maxLength": 2},
    "minLength": {"minLength": 100},
    "not": {"not": {}},
    "anyOf": {"anyOf": [{"type": "integer"}, {"const": 1}]},
    "oneOf": {"oneOf": [{"type": "string"}, {"minLength": 1}]},
    "allOf": {"allOf": [{"type": "integer"}]},
    "if": {"if": {"type": "string"}, "then": {"const": 1}},
    "falseSchema": False,
    "contains": {"contains": {"const": 1}},
    "uniqueItems": {"uniqueItems": True},
    "maxItems": {"maxItems": 1},
    "items": {"items": False},
    "prefixItems": {"prefixItems": [{"type": "integer"}]},
    "unevaluatedItems": {"unevaluatedItems": False},
    "additionalProperties": {"additionalProperties": False},
    "unevaluatedProperties": {"unevaluatedProperties": False},
    "propertyNames": {"propertyNames": {"maxLength": 1}},
    "dependentRequired": {"dependentRequired": {"name": ["other"]}},
    "minProperties": {"minProperties": 9},
    "maxProperties": {"maxProperties": 0},
    "$ref": {"$ref": "#/$defs/none", "$defs": {"none": False}},
    "contentMediaType": {"contentMediaType": "application/json", "maxLength": 1},
}
VALUES: list[Any] = [SECRET, [SECRET, SECRET], {"name": SECRET, "other_name": [SECRET]}]


@pytest.mark.parametrize("keyword", SCHEMAS_OF_EACH_KEYWORD)
def test_no_message_holds_a_clients_value(tmp_path: Path, keyword: str) -> None:
    part = SCHEMAS_OF_EACH_KEYWORD[keyword]
    defs = part.get("$defs", {}) if isinstance(part, dict) else {}
    put(tmp_path, "order/1.json", {"properties": {"value": part}, "$defs": defs})
    registry = Registry.load(tmp_path)

    violations = [registry.check(an_event({"value": value})).violation for value in VALUES]

    assert any(violations)
    assert SECRET not in str(violations)


def test_the_validators_own_words_would_hold_it() -> None:
    import jsonschema_rs

    with pytest.raises(jsonschema_rs.ValidationError, match=SECRET):
        jsonschema_rs.validate({"type": "integer"}, SECRET)


def test_a_name_that_a_client_made_up_is_shown_short_and_printable(tmp_path: Path) -> None:
    put(tmp_path, "order/1.json", {"additionalProperties": {"type": "integer"}})
    name = '"\u200b' + "x" * 5_000

    violation = Registry.load(tmp_path).check(an_event({name: "x"})).violation

    assert violation is not None
    assert len(violation.field) <= 128
    assert violation.field.isprintable()
    assert '"' not in violation.field


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
PURCHASES = Registry.load(EXAMPLES, "strict")


@given(st.dictionaries(st.sampled_from(["order_id", "total", "currency", "items", "x"]), JSON))
def test_whatever_the_properties_are_there_is_a_verdict(properties: dict[str, Any]) -> None:
    verdict = PURCHASES.check(an_event(properties, kind="purchase"))

    assert verdict.schema == "purchase/1"
    assert verdict.refused is (verdict.violation is not None)
    assert verdict.violation is None or verdict.violation.field.startswith("properties")


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        pytest.param("{", "Expecting property name", id="no json"),
        pytest.param("[]", "must be a JSON object", id="no object"),
        pytest.param({"type": "strnig"}, "strnig", id="no such type"),
        pytest.param({"minimum": "5"}, "is not of type", id="another kind of value"),
        pytest.param({"format": "emial"}, "Unknown format", id="no such format"),
        pytest.param({"pattern": "("}, "regex", id="broken pattern"),
        pytest.param({"pattern": "(?=a)b"}, "regex", id="look-ahead"),
        pytest.param({"$ref": "#/$defs/gone"}, "does not exist", id="dangling reference"),
        pytest.param(
            {"$schema": "http://json-schema.org/draft-07/schema#"},
            "2020-12",
            id="another draft",
        ),
    ],
)
def test_a_broken_schema_is_found_when_it_is_loaded(
    folder: Path, schema: object, reason: str
) -> None:
    put(folder, "refund/1.json", schema)

    with pytest.raises(ConfigError, match=reason) as caught:
        Registry.load(folder)

    assert "refund/1.json" in caught.value.message
    assert "order/1.json" not in caught.value.message


@pytest.mark.parametrize(
    "target", ["https://schemas.example/s.json", "file://{}", "2.json", "order/2.json"]
)
def test_a_schema_never_fetches_another(tmp_path: Path, target: str) -> None:
    put(tmp_path, "order/2.json", {})
    reference = target.format(tmp_path / "order" / "2.json")
    put(tmp_path, "order/1.json", {"$ref": reference})

    with pytest.raises(ConfigError, match=r"order/1.json: Resource .* is not present"):
        Registry.load(tmp_path)


def test_the_validator_left_to_itself_would_fetch(tmp_path: Path) -> None:
    import jsonschema_rs

    put(tmp_path, "order/2.json", {"type": "integer"})

    fetched = jsonschema_rs.Draft202012Validator({"$ref": f"file://{tmp_path}/order/2.json"})

    assert fetched.is_valid(1)
    assert not fetched.is_valid("1")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("order/v3.json", "must be called by its version"),
        ("order/0.json", "must be called by its version"),
        ("order/01.json", "must be called by its version"),
        ("order/3.yaml", "must be called by its version"),
        ("9lives/1.json", "is the name of no event type"),
        ("checkout:done/1.json", "is the name of no event type"),
        ("Order/1.json", "upper and lower case"),
    ],
)
def test_a_file_in_the_wrong_place_is_found(folder: Path, name: str, reason: str) -> None:
    put(folder, name, {})

    with pytest.raises(ConfigError, match=reason):
        Registry.load(folder)


def test_a_readme_beside_the_types_is_no_schema(folder: Path) -> None:
    put(folder, "README.md", "How to")
    put(folder, ".idea/x.json", "{")
    put(folder, "order/.DS_Store", "")

    assert set(Registry.load(folder).schemas) == {"order"}


@given(st.from_regex(EVENT_TYPE_PATTERN, fullmatch=True))
def test_every_type_has_one_folder_and_every_disk_takes_it(event_type: str) -> None:
    folder = folder_of(event_type)

    assert type_of(folder) == event_type
    assert not set('<>:"/\\|?*') & set(folder)
    assert folder[-1] not in " ."


@given(st.text(max_size=20))
def test_a_folder_is_of_one_type_or_of_none(folder: str) -> None:
    event_type = type_of(folder)

    assert event_type is None or folder_of(event_type) == folder


@pytest.mark.parametrize("shipped", [SCHEMAS, EXAMPLES], ids=["packaged", "examples"])
def test_the_schemas_in_the_repository_are_right(shipped: Path) -> None:
    Registry.load(shipped, "strict")


def test_no_schema_is_shipped_so_that_nobodys_events_break_one() -> None:
    assert find_schemas(SCHEMAS) == ({}, [])
