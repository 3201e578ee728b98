"""What the emulator's CloudFormation drops, set afterwards through each service's own interface."""

from collections.abc import Mapping
from typing import Any

from eventstream.local.session import LocalSession


def fill(
    session: LocalSession, template: Mapping[str, Any], resources: Mapping[str, str]
) -> list[str]:
    """Set what the deployed template asks for and the emulator left out.

    Parameters
    ----------
    session
        Session for the emulator.
    template
        The deployed template.
    resources
        Physical names by logical id.

    Returns
    -------
    list[str]
        What was set, one entry each; empty when all was in place.
    """
    tables = {
        resources[name]: resource["Properties"].get("TimeToLiveSpecification")
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
    }
    return _time_to_live(session.client("dynamodb"), tables)


def _time_to_live(dynamodb: Any, tables: Mapping[str, Any]) -> list[str]:  # noqa: ANN401
    done = []
    for table, wanted in tables.items():
        if wanted is None:
            continue
        found = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        enabled = found.get("TimeToLiveStatus") == "ENABLED"
        same = found.get("AttributeName") == wanted["AttributeName"]
        if enabled != bool(wanted["Enabled"]) or (enabled and not same):
            dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)
            done.append(f"time to live of {table}")
    return done
