"""Say whether AWS can be reached, before something long or dangerous begins.

Usage: account.py [--region REGION] [--profile PROFILE]: exits 1 with what to do, else 0.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def session_of(region: str | None, profile: str | None) -> boto3.Session:
    """Return a session, or stop with one sentence when the profile does not exist."""
    try:
        return boto3.Session(region_name=region, profile_name=profile)
    except BotoCoreError as error:
        raise SystemExit(f"AWS profile: {error}") from None


def require(session: Any) -> str:  # noqa: ANN401 - a boto3 session, or a test's
    """Return the account's number, or stop with one sentence that says what to set."""
    if session.region_name is None:
        raise SystemExit("no AWS region: set AWS_DEFAULT_REGION, or run `aws configure`")
    if session.get_credentials() is None:
        raise SystemExit("no AWS credentials: set AWS_PROFILE, or run `aws configure`")
    try:
        return str(session.client("sts").get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(f"AWS does not take these credentials: {error}") from None


def main(arguments: list[str]) -> None:
    """Check, and print where a deployment would go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--region")
    parser.add_argument("--profile")
    options = parser.parse_args(arguments)
    session = session_of(options.region, options.profile)
    print(f"AWS account {require(session)}, region {session.region_name}")


if __name__ == "__main__":
    main(sys.argv[1:])
