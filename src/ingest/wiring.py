"""The outside world of the ingest function, from its settings. No other module knows AWS here."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import botocore.session

from common.access import Access
from common.adapters.api_keys import KEYS_CLIENT_CONFIG, DynamoApiKeys
from common.adapters.kinesis import CLIENT_CONFIG, KinesisSink
from common.config import IngestConfig
from common.domain.enrich import Enrichment, TimeLimits
from common.ports.stream import EventSink
from ingest.delivery import Waiting
from ingest.judging import Rules
from ingest.registry import Registry
from ingest.service import Deps
from ingest.user_agents import UserAgents


def build(
    config: IngestConfig, count: Callable[[str], Callable[[str], None]], note: Callable[[str], None]
) -> Deps:
    """Make clients and everything that is made once.

    Parameters
    ----------
    count
        Returns what counts one for the metric of that name, whatever it is told.
    note
        Is told why a call to a stream failed.
    """
    # Without boto3, whose import alone takes longer than all else here: it adds nothing to these.
    client: Callable[..., Any] = botocore.session.get_session().create_client
    now = partial(datetime.now, UTC)
    keys = DynamoApiKeys(client("dynamodb", config=KEYS_CLIENT_CONFIG), config.keys_table)
    return Deps(
        sink=_sink(client("kinesis", config=CLIENT_CONFIG), config, note),
        access=Access(keys, required=config.require_api_key, now=now),
        rules=_rules(config, count),
        now=now,
        entropy=os.urandom,
        waiting=Waiting(time.monotonic, time.sleep, random.random),
        note=note,
    )


def _sink(kinesis: Any, config: IngestConfig, note: Callable[[str], None]) -> EventSink:  # noqa: ANN401
    default = KinesisSink(kinesis, config.stream_name)
    families = config.stream_routes.families
    if not families:
        return default
    from common.adapters.routed_streams import RoutedSink  # brings threads, for several streams

    flows = {name: KinesisSink(kinesis, name) for name in families.values()}
    return RoutedSink(default, flows, note)


def _rules(config: IngestConfig, count: Callable[[str], Callable[[str], None]]) -> Rules:
    return Rules(
        limits=TimeLimits(config.max_event_age_hours, config.max_event_future_minutes),
        error_types=config.error_types,
        buckets=config.partition_buckets,
        registry=Registry.load(mode=config.schema_mode, violated=count("SchemaViolations")),
        enrichment=Enrichment(
            UserAgents().facts, config.store_client_ip, failed=count("EnrichmentsFailed")
        ),
        routes=config.stream_routes,
    )
