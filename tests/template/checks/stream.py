"""The event source mapping: what exact counters and a shard that never blocks depend on."""

from __future__ import annotations

from typing import Any

from template.checks.reading import Template, of_type, target

EXPECTED: dict[str, Any] = {
    "StartingPosition": "TRIM_HORIZON",
    "BatchSize": {"Ref": "BatchSize"},
    "MaximumBatchingWindowInSeconds": {"Ref": "BatchWindowSeconds"},
    "BisectBatchOnFunctionError": True,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MaximumRetryAttempts": {"Ref": "MaximumRetryAttempts"},
    "MaximumRecordAgeInSeconds": {"Ref": "MaximumRecordAgeSeconds"},
    "MetricsConfig": {"Metrics": ["EventCount"]},
}


def unsafe_mappings(template: Template) -> list[str]:
    """Find settings under which events could be lost, counted twice or block their shard."""
    findings = []
    for name, mapping in of_type(template, "AWS::Lambda::EventSourceMapping").items():
        for key, wanted in EXPECTED.items():
            if mapping.get(key) != wanted:
                findings.append(f"{name}: {key} is {mapping.get(key)}, not {wanted}")
        if mapping.get("ParallelizationFactor", 1) != 1:
            findings.append(f"{name}: ParallelizationFactor breaks the counters' high-water mark")
        if "FilterCriteria" in mapping or "TumblingWindowInSeconds" in mapping:
            findings.append(f"{name}: filters or windows records that the lake must have")
        if _failure_bucket(mapping) not in of_type(template, "AWS::S3::Bucket"):
            findings.append(f"{name}: failed batches do not go to a bucket of this template")
    if len(of_type(template, "AWS::Lambda::EventSourceMapping")) != 1:
        findings.append("the stream must have one mapping")
    return findings


def _failure_bucket(mapping: dict[str, Any]) -> str | None:
    destination = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return target(destination)


def wrong_streams(template: Template) -> list[str]:
    """Find streams that ignore partition keys, or that are not what the parameters say."""
    findings = []
    for name, stream in of_type(template, "AWS::Kinesis::Stream").items():
        if "RecordDistributionStrategy" in str(stream):
            findings.append(f"{name}: would not keep a user on one shard")
        if stream.get("RetentionPeriodHours") != {"Ref": "StreamRetentionHours"}:
            findings.append(f"{name}: retention is not the parameter's")
        if stream.get("StreamModeDetails") != {"StreamMode": {"Ref": "StreamMode"}}:
            findings.append(f"{name}: mode is not the parameter's")
        shards = {"Fn::If": ["IsProvisioned", {"Ref": "ShardCount"}, {"Ref": "AWS::NoValue"}]}
        if stream.get("ShardCount") != shards:
            findings.append(f"{name}: shards are not the parameter's, or set on demand")
    return findings
