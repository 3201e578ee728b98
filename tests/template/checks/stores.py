"""What holds data: private, encrypted, bounded in time where it must be, and hard to lose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from template.checks.reading import Template, as_list, branches, of_type, target

Check = Callable[[Template], list[str]]

PUBLIC_ACCESS_BLOCKS = (
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
)
KEEPS_DATA = ("AWS::S3::Bucket", "AWS::DynamoDB::Table")
KEPT_FOR_GOOD = {"KeysTable"}
"""Tables whose items a person makes one by one; a revoked key stays, for those who audit."""


def open_buckets(template: Template) -> list[str]:
    """Find buckets that the public could reach, or that plain HTTP could."""
    findings = []
    policies = of_type(template, "AWS::S3::BucketPolicy").values()
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        block = bucket.get("PublicAccessBlockConfiguration", {})
        findings += [
            f"{name}: {b} is off" for b in PUBLIC_ACCESS_BLOCKS if block.get(b) is not True
        ]
        rules = bucket.get("OwnershipControls", {}).get("Rules", [])
        if [rule["ObjectOwnership"] for rule in rules] != ["BucketOwnerEnforced"]:
            findings.append(f"{name}: access lists are not off")
        own = [p["PolicyDocument"] for p in policies if target(p["Bucket"]) == name]
        if not any(_refuses_plain_http(s, name) for p in own for s in p["Statement"]):
            findings.append(f"{name}: plain HTTP is not refused")
    return findings


def _refuses_plain_http(statement: dict[str, Any], bucket: str) -> bool:
    arn, objects = {"Fn::GetAtt": [bucket, "Arn"]}, {"Fn::Sub": f"${{{bucket}.Arn}}/*"}
    return (
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement["Action"] == "s3:*"
        and all(resource in as_list(statement["Resource"]) for resource in (arn, objects))
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    )


def open_topics(template: Template) -> list[str]:
    """Find topics that take messages over plain HTTP."""
    refused = {
        target(topic)
        for policy in of_type(template, "AWS::SNS::TopicPolicy").values()
        for topic in policy["Topics"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement["Action"] == "sns:Publish"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    topics = of_type(template, "AWS::SNS::Topic")
    return [f"{name}: plain HTTP is not refused" for name in topics if name not in refused]


def plain_stores(template: Template) -> list[str]:
    """Find stores that are not encrypted, with and without an own key."""
    findings = []
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        kinds = {
            rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
            for each in rules
            for rule in branches(each)
        }
        if kinds != {"aws:kms", "AES256"}:
            findings.append(f"{name}: bucket encryption is {sorted(kinds)}")
    for name, stream in of_type(template, "AWS::Kinesis::Stream").items():
        if stream.get("StreamEncryption", {}).get("EncryptionType") != "KMS":
            findings.append(f"{name}: stream is not encrypted")
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        if table.get("SSESpecification", {}).get("SSEEnabled") is not True:
            findings.append(f"{name}: table is not encrypted")
    for name, group in of_type(template, "AWS::Athena::WorkGroup").items():
        results = group.get("WorkGroupConfiguration", {}).get("ResultConfiguration", {})
        if "EncryptionConfiguration" not in results:
            findings.append(f"{name}: query results are not encrypted")
    return findings


def unusable_topic_keys(template: Template) -> list[str]:
    """Find alarm topics whose key CloudWatch may not use, and plain alert topics."""
    findings = []
    alarmed = {
        target(action)
        for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
        for action in alarm.get("AlarmActions", [])
    }
    for name, topic in of_type(template, "AWS::SNS::Topic").items():
        keys = list(branches(topic.get("KmsMasterKeyId", {"Ref": "AWS::NoValue"})))
        if name in alarmed and "alias/aws/sns" in keys:
            findings.append(f"{name}: CloudWatch may not use alias/aws/sns, alarms would vanish")
        if name not in alarmed and len(keys) != 2:
            findings.append(f"{name}: topic is not encrypted")
    return findings


def losable_data(template: Template) -> list[str]:
    """Find stores whose data a mistake would take along."""
    findings = []
    for name, resource in template["Resources"].items():
        if resource["Type"] not in KEEPS_DATA:
            continue
        if resource.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate"):
            findings.append(f"{name}: deleting the stack deletes its data")
        if resource.get("UpdateReplacePolicy") != "Retain":
            findings.append(f"{name}: replacing it deletes its data")
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
            findings.append(f"{name}: objects have no versions")
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        recovery = table.get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled") is not True:
            findings.append(f"{name}: no point-in-time recovery")
        if table.get("DeletionProtectionEnabled") != {"Fn::If": ["IsProd", True, False]}:
            findings.append(f"{name}: not protected against deletion in prod")
    return findings


def endless_data(template: Template) -> list[str]:
    """Find what would pile up unseen: logs, unfinished uploads, old versions, expired items."""
    findings = []
    for name, group in of_type(template, "AWS::Logs::LogGroup").items():
        if group.get("RetentionInDays") != {"Ref": "LogRetentionDays"}:
            findings.append(f"{name}: log lines are kept for ever")
    for name, bucket in of_type(template, "AWS::S3::Bucket").items():
        rules = bucket.get("LifecycleConfiguration", {}).get("Rules", [])
        on = [rule for rule in rules if rule["Status"] == "Enabled" and "Prefix" not in rule]
        if not any("AbortIncompleteMultipartUpload" in rule for rule in on):
            findings.append(f"{name}: unfinished uploads are kept for ever")
        if not any("NoncurrentVersionExpiration" in rule for rule in on):
            findings.append(f"{name}: replaced versions are kept for ever")
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        time_to_live = table.get("TimeToLiveSpecification")
        if name in KEPT_FOR_GOOD:
            findings += [f"{name}: items expire"] if time_to_live else []
        elif time_to_live != {"AttributeName": "ttl", "Enabled": True}:
            findings.append(f"{name}: items never expire")
    return findings


def fixed_names(template: Template) -> list[str]:
    """Find physical names that would tie one deployment to another's."""
    attributes = {
        "AWS::S3::Bucket": "BucketName",
        "AWS::DynamoDB::Table": "TableName",
        "AWS::Kinesis::Stream": "Name",
        "AWS::SNS::Topic": "TopicName",
        "AWS::Lambda::Function": "FunctionName",
        "AWS::IAM::Role": "RoleName",
        "AWS::StepFunctions::StateMachine": "StateMachineName",
        "AWS::Scheduler::Schedule": "Name",
        "AWS::CloudWatch::Alarm": "AlarmName",
    }
    return [
        f"{name}: {attribute} is set"
        for kind, attribute in attributes.items()
        for name, properties in of_type(template, kind).items()
        if attribute in properties
    ]
