from __future__ import annotations

import pytest

from common.domain.keys import ACTIVE_INDEX
from template.checks import stores
from template.checks.reading import Template, with_value, without

LAKE = ("LakeBucket", "Properties")
HOT = ("HotTable", "Properties")


@pytest.mark.parametrize(
    "check",
    [
        stores.open_buckets,
        stores.open_topics,
        stores.plain_stores,
        stores.unusable_topic_keys,
        stores.losable_data,
        stores.endless_data,
        stores.fixed_names,
    ],
)
def test_the_template_keeps_data_safe(check: stores.Check, translated: Template) -> None:
    assert check(translated) == []


@pytest.mark.parametrize(
    ("check", "path"),
    [
        pytest.param(
            stores.open_buckets,
            (*LAKE, "PublicAccessBlockConfiguration", "BlockPublicPolicy"),
            id="public-policy",
        ),
        pytest.param(stores.open_buckets, (*LAKE, "OwnershipControls"), id="access-lists"),
        pytest.param(stores.open_buckets, ("FailureBucketPolicy",), id="no-bucket-policy"),
        pytest.param(stores.open_topics, ("AlarmTopicPolicy",), id="no-topic-policy"),
        pytest.param(stores.plain_stores, (*LAKE, "BucketEncryption"), id="plain-bucket"),
        pytest.param(
            stores.plain_stores,
            ("EventStream", "Properties", "StreamEncryption"),
            id="plain-stream",
        ),
        pytest.param(stores.plain_stores, (*HOT, "SSESpecification"), id="plain-table"),
        pytest.param(
            stores.unusable_topic_keys,
            ("AlertTopic", "Properties", "KmsMasterKeyId"),
            id="plain-alerts",
        ),
        pytest.param(
            stores.losable_data, ("LakeBucket", "DeletionPolicy"), id="deleted-with-stack"
        ),
        pytest.param(stores.losable_data, ("HotTable", "UpdateReplacePolicy"), id="replaced"),
        pytest.param(stores.losable_data, (*LAKE, "VersioningConfiguration"), id="no-versions"),
        pytest.param(
            stores.losable_data, (*HOT, "PointInTimeRecoverySpecification"), id="no-recovery"
        ),
        pytest.param(stores.losable_data, (*HOT, "DeletionProtectionEnabled"), id="unprotected"),
        pytest.param(
            stores.endless_data, ("EtlLogGroup", "Properties", "RetentionInDays"), id="endless-log"
        ),
        pytest.param(stores.endless_data, (*LAKE, "LifecycleConfiguration"), id="no-lifecycle"),
        pytest.param(stores.endless_data, (*HOT, "TimeToLiveSpecification"), id="no-ttl"),
    ],
)
def test_leaving_a_protection_out_is_found(
    check: stores.Check, path: tuple[str, ...], translated: Template
) -> None:
    assert check(without(translated, *path)) != []


def test_keys_that_would_vanish_by_themselves_are_found(translated: Template) -> None:
    fading = {"AttributeName": "ttl", "Enabled": True}
    path = ("KeysTable", "Properties", "TimeToLiveSpecification")

    assert stores.endless_data(with_value(translated, fading, *path)) == ["KeysTable: items expire"]


def test_the_keys_of_the_keys_table_are_those_that_the_code_asks_for(translated: Template) -> None:
    properties = translated["Resources"]["KeysTable"]["Properties"]

    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]


def test_a_bucket_policy_that_spares_the_objects_is_found(translated: Template) -> None:
    path = ("LakeBucketPolicy", "Properties", "PolicyDocument", "Statement", 0, "Resource")

    only_the_bucket = with_value(translated, {"Fn::GetAtt": ["LakeBucket", "Arn"]}, *path)

    assert stores.open_buckets(only_the_bucket) == ["LakeBucket: plain HTTP is not refused"]


def test_an_alarm_topic_under_the_managed_key_is_found(translated: Template) -> None:
    silent = with_value(translated, "alias/aws/sns", "AlarmTopic", "Properties", "KmsMasterKeyId")

    assert "alarms would vanish" in str(stores.unusable_topic_keys(silent))


def test_a_stream_with_a_name_of_its_own_is_found(translated: Template) -> None:
    named = with_value(translated, "events", "EventStream", "Properties", "Name")

    assert stores.fixed_names(named) == ["EventStream: Name is set"]


def test_lake_objects_move_to_glacier_and_expire_as_the_parameters_say(
    translated: Template,
) -> None:
    rules = {
        rule["Id"]: rule
        for rule in translated["Resources"]["LakeBucket"]["Properties"]["LifecycleConfiguration"][
            "Rules"
        ]
    }
    [transition] = rules["EventsToGlacierInstantRetrieval"]["Transitions"]

    assert transition["StorageClass"] == "GLACIER_IR"
    assert transition["TransitionInDays"]["Fn::If"][1] == {"Ref": "GlacierAfterDays"}
    assert rules["ExpireEvents"]["ExpirationInDays"]["Fn::If"][1] == {"Ref": "LakeExpireDays"}
    assert rules["ExpireQueryResults"]["Prefix"] == "athena-results/"
    assert rules["ExpireQueryResults"]["Status"] == "Enabled"


def test_the_index_of_open_hours_is_the_one_that_the_code_reads(translated: Template) -> None:
    [index] = translated["Resources"]["AggregatesTable"]["Properties"]["GlobalSecondaryIndexes"]
    keys = {key["KeyType"]: key["AttributeName"] for key in index["KeySchema"]}

    assert index["IndexName"] == "OpenIndex"
    assert keys == {"HASH": "open", "RANGE": "sk"}
    assert index["Projection"] == {"ProjectionType": "ALL"}


def test_the_index_of_the_active_is_the_one_that_the_code_reads(translated: Template) -> None:
    [index] = translated["Resources"]["SessionsTable"]["Properties"]["GlobalSecondaryIndexes"]
    keys = {key["KeyType"]: key["AttributeName"] for key in index["KeySchema"]}

    assert index["IndexName"] == ACTIVE_INDEX
    assert keys == {"HASH": "active", "RANGE": "pk"}
    # With more in it, each event would be written into the index too.
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
