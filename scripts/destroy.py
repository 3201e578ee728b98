"""Delete a deployed stack: empty its versioned buckets first, which CloudFormation will not do.

Usage: destroy.py [--config-env default] [--stack-name NAME] [--region REGION] [--keep-data] [--yes]
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

from account import require, session_of
from botocore.exceptions import ClientError


def settings(config_env: str) -> dict[str, Any]:
    """Return samconfig.toml's parameters for an environment, global ones first."""
    config = tomllib.loads(Path("samconfig.toml").read_text())
    if config_env not in config:
        raise SystemExit(f"samconfig.toml has no section [{config_env}]")
    merged: dict[str, Any] = {}
    for env in ("default", config_env):
        for command in ("global", "deploy"):
            merged |= config.get(env, {}).get(command, {}).get("parameters", {})
    return merged


def empty(bucket_name: str, s3: Any) -> int:  # noqa: ANN401 - boto3 resources have no types
    """Delete every version of every object of a bucket; return how many there were."""
    deleted = 0
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket_name)
    for page in pages:
        doomed = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for each in page.get(kind, [])
        ]
        if doomed:
            answer = s3.delete_objects(
                Bucket=bucket_name, Delete={"Objects": doomed, "Quiet": True}
            )
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise SystemExit(f"{bucket_name}: {first['Key']}: {first['Message']}")
            deleted += len(doomed)
    return deleted


def resources(stack: str, cloudformation: Any) -> list[dict[str, str]]:  # noqa: ANN401
    """List a stack's resources, or stop with a sentence when there is no such stack."""
    try:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        return [each for page in pages for each in page["StackResourceSummaries"]]
    except ClientError as error:
        raise SystemExit(f"stack {stack}: {error.response['Error']['Message']}") from None


def destroy(stack: str, session: Any, *, keep_data: bool) -> None:  # noqa: ANN401
    """Empty the buckets, delete the stack, and delete what it was told to retain."""
    cloudformation, s3 = session.client("cloudformation"), session.client("s3")
    found = resources(stack, cloudformation)
    buckets = [r["PhysicalResourceId"] for r in found if r["ResourceType"] == "AWS::S3::Bucket"]
    tables = [r["PhysicalResourceId"] for r in found if r["ResourceType"] == "AWS::DynamoDB::Table"]
    if not keep_data:
        for bucket in buckets:
            print(f"{bucket}: {empty(bucket, s3)} object versions deleted")
    cloudformation.delete_stack(StackName=stack)
    print(f"{stack}: deleting ...")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack)
    if keep_data:
        print("kept: " + ", ".join(buckets + tables))
        return
    for bucket in buckets:
        drop(lambda name=bucket: s3.delete_bucket(Bucket=name), "NoSuchBucket")
    dynamodb = session.client("dynamodb")
    for table in tables:
        unprotect(table, dynamodb)
        drop(lambda name=table: dynamodb.delete_table(TableName=name), "ResourceNotFoundException")
    print(f"{stack}: gone")


def unprotect(table: str, dynamodb: Any) -> None:  # noqa: ANN401
    """Lift the protection that production tables have; one that is gone needs none."""
    drop(
        lambda: dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False),
        "ResourceNotFoundException",
    )


def drop(delete: Any, gone_code: str) -> None:  # noqa: ANN401
    """Call ``delete``; that the stack already took the thing with it is fine."""
    try:
        delete()
    except ClientError as error:
        if error.response["Error"]["Code"] != gone_code:
            raise


def ask(question: str) -> str:
    """Ask at the terminal; where there is none, nobody agreed."""
    try:
        return input(question)
    except EOFError:
        raise SystemExit("nothing was deleted: nobody to ask (--yes answers)") from None


def main(arguments: list[str]) -> None:
    """Read the command line, ask once, destroy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config-env", default="default")
    parser.add_argument("--stack-name")
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--keep-data", action="store_true", help="leave buckets and tables")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    given = settings(options.config_env)
    stack = options.stack_name or given["stack_name"]
    session = session_of(options.region or given.get("region"), options.profile)
    account = require(session)
    resources(stack, session.client("cloudformation"))
    what = "" if options.keep_data else " and ALL its events"
    question = f"delete the stack {stack} in account {account}{what}? type its name: "
    if not options.yes and ask(question) != stack:
        raise SystemExit("nothing was deleted")
    destroy(stack, session, keep_data=options.keep_data)


if __name__ == "__main__":
    main(sys.argv[1:])
