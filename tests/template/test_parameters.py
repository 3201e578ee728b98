from __future__ import annotations

import copy

import pytest

from template.checks import parameters
from template.checks.reading import Template

ENVIRONMENTS = parameters.read_environments()


def test_every_parameter_is_described_bounded_and_grouped(template: Template) -> None:
    assert parameters.vague_parameters(template) == []


@pytest.mark.parametrize(
    ("key", "finding"),
    [
        ("Description", "no Description"),
        ("ConstraintDescription", "no ConstraintDescription"),
        ("Default", "no default"),
        ("MaxValue", "takes anything"),
    ],
)
def test_a_parameter_without_a_word_is_found(key: str, finding: str, template: Template) -> None:
    vague = copy.deepcopy(template)
    del vague["Parameters"]["ShardCount"][key]

    assert finding in str(parameters.vague_parameters(vague))


def test_a_default_that_the_template_would_refuse_is_found(template: Template) -> None:
    refused = copy.deepcopy(template)
    refused["Parameters"]["ShardCount"]["Default"] = 0

    assert "its default is not between 1 and 200" in str(parameters.vague_parameters(refused))


def test_a_parameter_in_no_group_is_found(template: Template) -> None:
    lonely = copy.deepcopy(template)
    lonely["Parameters"]["Lonely"] = lonely["Parameters"]["ShardCount"]

    assert "Lonely: is in 0 groups" in parameters.vague_parameters(lonely)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CorsAllowedOrigins", "*"),
        ("CorsAllowedOrigins", "https://example.com,http://localhost:8080"),
        ("ErrorTypes", ""),
        ("ErrorTypes", "error,checkout failed"),
        ("AlarmEmail", "ops@example.com"),
        ("KmsKeyArn", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd"),
        ("KmsKeyArn", "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd"),
    ],
)
def test_a_sensible_value_is_taken(name: str, value: str, template: Template) -> None:
    assert parameters.refusal(template["Parameters"][name], value) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Environment", "Production"),
        ("CorsAllowedOrigins", ""),
        ("CorsAllowedOrigins", "https://example.com, https://example.org"),
        ("CorsAllowedOrigins", "*,https://example.com"),
        ("CorsAllowedOrigins", "https://example.com/path"),
        ("ErrorTypes", "error,"),
        ("AlarmEmail", "ops"),
        ("KmsKeyArn", "alias/my-key"),
        ("LogRetentionDays", "8"),
        ("MetricRetentionDays", "8"),
        ("StreamRetentionHours", "169"),
    ],
)
def test_a_value_that_cannot_work_is_refused(name: str, value: str, template: Template) -> None:
    assert parameters.refusal(template["Parameters"][name], value) is not None


def test_there_is_a_default_a_staging_and_a_prod_environment() -> None:
    assert set(ENVIRONMENTS) == {"default", "staging", "prod"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_sets_values_that_the_template_takes(
    environment: str, template: Template
) -> None:
    section = ENVIRONMENTS[environment]

    assert parameters.wrong_overrides(template, section) == []
    assert parameters.clashes(parameters.values_in(template, section)) == []


def test_each_environment_has_a_stack_of_its_own() -> None:
    stacks = [section["global"]["parameters"]["stack_name"] for section in ENVIRONMENTS.values()]

    assert len(set(stacks)) == len(stacks)


def test_prod_asks_before_it_changes_and_keeps_logs_for_a_month() -> None:
    prod = ENVIRONMENTS["prod"]

    assert prod["deploy"]["parameters"]["confirm_changeset"] is True
    assert parameters.overrides(prod)["Environment"] == "prod"
    assert parameters.overrides(prod)["LogRetentionDays"] == "30"


def test_prod_wants_api_keys_and_a_stack_of_ones_own_does_not(template: Template) -> None:
    def required(environment: str) -> str:
        return parameters.values_in(template, ENVIRONMENTS[environment])["RequireApiKey"]

    assert (required("prod"), required("default")) == ("true", "false")


@pytest.mark.parametrize(
    ("pair", "finding"),
    [
        ("ShardCout=2", "no such parameter"),
        ("ShardCount=0", "is not between"),
        ("LogRetentionDays=8", "is none of"),
        ("Environment=Prod", "does not match"),
    ],
)
def test_a_wrong_override_is_found(pair: str, finding: str, template: Template) -> None:
    section = copy.deepcopy(ENVIRONMENTS["prod"])
    section["deploy"]["parameters"]["parameter_overrides"].append(pair)

    assert finding in str(parameters.wrong_overrides(template, section))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MaximumRecordAgeSeconds", "604800"),
        ("MetricRetentionDays", "2"),
        ("EtlGraceMinutes", "9"),
        ("EtlGraceMinutes", "1"),
        ("BatchWindowSeconds", "300"),
        ("ShardCount", "17"),
        ("LakeExpireDays", "30"),
    ],
)
def test_values_that_are_wrong_together_are_found(
    name: str, value: str, template: Template
) -> None:
    values = parameters.values_in(template, ENVIRONMENTS["default"])

    assert len(parameters.clashes(values | {name: value})) == 1


def test_no_allowed_age_outlives_the_stream(template: Template) -> None:
    assert parameters.records_dropped_first(template) == []


@pytest.mark.parametrize(
    ("name", "bound", "value"),
    [
        ("MaximumRecordAgeSeconds", "MaxValue", 604_800),
        ("MaximumRecordAgeSeconds", "MaxValue", 86_400),
        ("StreamRetentionHours", "MinValue", 22),
    ],
)
def test_an_age_that_outlives_the_stream_is_found(
    name: str, bound: str, value: int, template: Template
) -> None:
    wider = copy.deepcopy(template)
    wider["Parameters"][name][bound] = value

    assert len(parameters.records_dropped_first(wider)) == 1


def test_the_marks_of_sessions_outlive_the_stream_by_a_day(template: Template) -> None:
    assert parameters.marks_dropped_first(template) == []


@pytest.mark.parametrize(
    ("name", "bound", "value"),
    [("SessionRetentionDays", "MinValue", 6), ("StreamRetentionHours", "MaxValue", 8760)],
)
def test_marks_that_the_stream_outlives_are_found(
    name: str, bound: str, value: int, template: Template
) -> None:
    other = copy.deepcopy(template)
    other["Parameters"][name][bound] = value

    assert len(parameters.marks_dropped_first(other)) == 1


def test_owners_of_events_outlive_the_stream_by_a_day(template: Template) -> None:
    assert parameters.owners_dropped_first(template) == []


@pytest.mark.parametrize(
    ("name", "bound", "value"),
    [("EventIndexDays", "MinValue", 8), ("StreamRetentionHours", "MaxValue", 192)],
)
def test_owners_that_the_stream_outlives_are_found(
    name: str, bound: str, value: int, template: Template
) -> None:
    other = copy.deepcopy(template)
    other["Parameters"][name][bound] = value

    assert parameters.owners_dropped_first(other) != []


def test_the_grace_is_held_against_the_timeout_that_the_function_has(template: Template) -> None:
    properties = template["Resources"]["ProcessFunction"]["Properties"]

    assert properties["Timeout"] == parameters.PROCESS_TIMEOUT_S


def test_no_allowed_retention_lets_a_redelivery_count_twice(template: Template) -> None:
    shortest_days = template["Parameters"]["MetricRetentionDays"]["MinValue"]
    longest_hours = template["Parameters"]["StreamRetentionHours"]["MaxValue"]

    assert shortest_days * 24 > longest_hours + 24
