"""Parameters: described, bounded, grouped; and the values that each environment gives them."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from common.domain import event_index, sessions
from template.checks.reading import ROOT, Template

Parameter = dict[str, Any]

PROCESS_TIMEOUT_S = 60
_DAY_MS = 86_400_000


def default_of(parameter: Parameter) -> str:
    """Return a parameter's default as CloudFormation passes it on."""
    return str(parameter["Default"])


def extremes_of(parameter: Parameter) -> list[str]:
    """Return the outermost values that a parameter allows."""
    allowed = parameter.get("AllowedValues", [])
    bounds = [parameter[key] for key in ("MinValue", "MaxValue") if key in parameter]
    return [str(value) for value in [*allowed, *bounds]]


def vague_parameters(template: Template) -> list[str]:
    """Find parameters without a word of what they are, what they allow and where they belong."""
    findings = []
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    for name, parameter in template["Parameters"].items():
        words = ("Description", "ConstraintDescription")
        findings += [f"{name}: no {key}" for key in words if not parameter.get(key)]
        if "Default" not in parameter:
            findings.append(f"{name}: no default for a development stack")
        elif why := refusal(parameter, default_of(parameter)):
            findings.append(f"{name}: its default {why}")
        if not _bounded(parameter):
            findings.append(f"{name}: takes anything")
        if grouped.count(name) != 1:
            findings.append(f"{name}: is in {grouped.count(name)} groups")
    unknown = sorted(set(grouped) - set(template["Parameters"]))
    return findings + [f"{name}: grouped, but no parameter" for name in unknown]


def _bounded(parameter: Parameter) -> bool:
    if "AllowedValues" in parameter:
        return True
    if parameter["Type"] == "Number":
        return {"MinValue", "MaxValue"} <= set(parameter)
    return "AllowedPattern" in parameter


def refusal(parameter: Parameter, value: str) -> str | None:
    """Say why CloudFormation would refuse a value, or nothing."""
    allowed = [str(each) for each in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        return f"is none of {', '.join(allowed)}"
    if parameter["Type"] == "Number":
        low, high = parameter.get("MinValue", "-inf"), parameter.get("MaxValue", "inf")
        if not float(low) <= float(value) <= float(high):
            return f"is not between {low} and {high}"
    pattern = parameter.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        return f"does not match {pattern}"
    return None


def read_environments() -> dict[str, dict[str, Any]]:
    """Return ``samconfig.toml`` by environment."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    return {name: section for name, section in config.items() if isinstance(section, dict)}


def overrides(section: dict[str, Any]) -> dict[str, str]:
    """Return the parameters that an environment sets."""
    pairs = section["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in pairs)


def values_in(template: Template, section: dict[str, Any]) -> dict[str, str]:
    """Return every parameter as it is in an environment."""
    defaults = {name: default_of(p) for name, p in template["Parameters"].items()}
    return defaults | overrides(section)


def wrong_overrides(template: Template, section: dict[str, Any]) -> list[str]:
    """Find what an environment sets that the template does not take."""
    findings = []
    for name, value in overrides(section).items():
        parameter = template["Parameters"].get(name)
        if parameter is None:
            findings.append(f"{name}: no such parameter")
        elif why := refusal(parameter, value):
            findings.append(f"{name}: {value} {why}")
    return findings


def clashes(values: dict[str, str]) -> list[str]:
    """Find values that are right alone and wrong together."""
    number = {name: float(value) for name, value in values.items() if _is_number(value)}
    rules = {
        "a record must leave the stream for the failure bucket before the stream drops it": (
            number["MaximumRecordAgeSeconds"] < number["StreamRetentionHours"] * 3600
        ),
        "counters must outlive the stream by a day, or a redelivery counts twice": (
            number["MetricRetentionDays"] * 24 > number["StreamRetentionHours"] + 24
        ),
        # A minute that the lag is counted from its start, one until it is over, two until
        # CloudWatch shows it.
        "the ETL must start four minutes after the grace, or every hour waits for the next run": (
            number["EtlMinute"] >= number["EtlGraceMinutes"] + 4
        ),
        "the grace must cover a batch's window and its call, whose age no metric tells": (
            number["EtlGraceMinutes"] * 60 >= number["BatchWindowSeconds"] + PROCESS_TIMEOUT_S
        ),
        "there must be four times as many buckets as shards": (
            number["PartitionBuckets"] >= 4 * number["ShardCount"]
        ),
        "objects cannot expire before they move to Glacier": (
            0 in (number["LakeExpireDays"], number["GlacierAfterDays"])
            or number["LakeExpireDays"] > number["GlacierAfterDays"]
        ),
    }
    return [rule for rule, holds in rules.items() if not holds]


def records_dropped_first(template: Template) -> list[str]:
    """Find a record age that some retention is too short for.

    CloudFormation can't compare two parameters, so the bounds alone must rule it out.
    """
    oldest_s = int(template["Parameters"]["MaximumRecordAgeSeconds"]["MaxValue"])
    kept_s = int(template["Parameters"]["StreamRetentionHours"]["MinValue"]) * 3600
    if oldest_s < kept_s:
        return []
    return [f"a record may be {oldest_s} s old, and the stream drops it after {kept_s} s"]


def marks_dropped_first(template: Template) -> list[str]:
    """Find session marks that could expire while the stream still has their records.

    A mark is kept for the sessions' retention and a margin after its newest record was received.
    """
    kept_ms = _least_days(template, "SessionRetentionDays") * _DAY_MS + sessions.MARGIN_MS
    streamed_ms = _streamed_ms(template)
    if kept_ms > streamed_ms + _DAY_MS:
        return []
    return [f"marks are kept for {kept_ms} ms, and records come again for {streamed_ms} ms"]


def owners_dropped_first(template: Template) -> list[str]:
    """Find entries of the event index that could go while the stream still has their lines.

    An owner can be replaced once the window is over. An entry is kept for the window and a margin
    after its line arrived; a line that is left out for its sake arrives within the window.
    """
    longest_ms = _streamed_ms(template) + _DAY_MS
    window_ms = _least_days(template, "EventIndexDays") * _DAY_MS
    findings = []
    if window_ms <= longest_ms:
        findings.append(f"an owner can be replaced after {window_ms} ms")
    if longest_ms > event_index.MARGIN_MS:
        findings.append(f"an entry can go {event_index.MARGIN_MS} ms after a line was left out")
    return findings


def _least_days(template: Template, parameter: str) -> int:
    return int(template["Parameters"][parameter]["MinValue"])


def _streamed_ms(template: Template) -> int:
    return int(template["Parameters"]["StreamRetentionHours"]["MaxValue"]) * 3_600_000


def _is_number(value: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
