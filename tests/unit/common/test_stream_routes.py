from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import AggregateConfig
from common.domain.partitions import pack
from common.domain.stream_routes import SEPARATORS, StreamRoutes, pack_by_stream
from common.errors import ConfigError

ROUTES = StreamRoutes.parse("order=orders-1, order.refund=refunds-1, page=pages-1")


@pytest.mark.parametrize(
    ("event_type", "stream"),
    [
        ("order", "orders-1"),
        ("order_created", "orders-1"),
        ("order:item:added", "orders-1"),
        ("order refunded", "orders-1"),
        ("order.refund", "refunds-1"),
        ("order.refund.sent", "refunds-1"),
        ("order.refunded", "orders-1"),
        ("page_view", "pages-1"),
    ],
)
def test_a_type_goes_to_the_stream_of_its_nearest_family(event_type: str, stream: str) -> None:
    assert ROUTES.stream_of(event_type) == stream


@pytest.mark.parametrize("event_type", ["orders", "Order", "ordered_list", "preorder", "click"])
def test_a_type_of_no_family_goes_to_the_default_stream(event_type: str) -> None:
    assert ROUTES.stream_of(event_type) is None


@given(st.text("abc_.:- ", min_size=1, max_size=12), st.text("abc_.:- ", max_size=12))
def test_a_family_takes_what_begins_with_it_and_a_separator_and_nothing_else(
    family: str, rest: str
) -> None:
    routes = StreamRoutes({family: "stream"})

    belongs = not rest or rest[0] in SEPARATORS
    assert routes.stream_of(family + rest) == ("stream" if belongs else None)


def test_json_says_the_same() -> None:
    assert StreamRoutes.parse('{"order": "orders-1", "page": "pages-1"}') == StreamRoutes.parse(
        "order=orders-1,page=pages-1"
    )


@pytest.mark.parametrize("text", ["", "  ", "{}", ","])
def test_nothing_routes_nothing(text: str) -> None:
    assert StreamRoutes.parse(text) == StreamRoutes()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("order", "'order' is not of the form family=stream"),
        ("=orders-1", "cannot begin an event type"),
        ("9=orders-1", "cannot begin an event type"),
        ("order=", "not a stream's name"),
        ("order=a b", "not a stream's name"),
        ("order=a,order=b", "order has two streams"),
        ('{"order": "a", "order": "b"}', "order has two streams"),
        ('{"order": 1}', "a JSON object of family and stream names"),
        ('{"order"', "no JSON object"),
    ],
)
def test_a_route_that_cannot_be_read_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        StreamRoutes.parse(text)


def test_a_pack_never_mixes_streams_and_loses_no_line() -> None:
    lines = [(None if at % 3 else "orders-1", at % 2, b"%d" % at) for at in range(20)]

    packs = pack_by_stream(lines)

    assert sorted(at for each in packs for at in each.pack.members) == list(range(20))
    for each in packs:
        streams = {lines[at][0] for at in each.pack.members}
        assert streams == {each.stream}
        assert each.pack.data == b"\n".join(lines[at][2] for at in each.pack.members)
        assert {lines[at][1] for at in each.pack.members} == {each.pack.bucket}


def test_without_routes_packs_are_as_they_always_were() -> None:
    lines = [(at % 3, b"x" * 9000) for at in range(12)]

    packs = pack_by_stream([(None, bucket, line) for bucket, line in lines])

    assert [each.pack for each in packs] == list(pack(lines))


def test_the_settings_hold_routes_and_flows() -> None:

    environment = {
        "LAKE_BUCKET": "lake",
        "AGGREGATES_TABLE": "aggregates",
        "ALERT_TOPIC_ARN": "arn",
        "STREAM_NAME": "stream",
        "PROCESS_FUNCTION_NAME": "process",
        "ANOMALY_THRESHOLD": "3",
        "BASELINE_HOURS": "168",
        "ETL_GRACE_MINUTES": "5",
        "MAX_HOURS_PER_RUN": "168",
        "DUCKDB_MEMORY_MB": "128",
    }

    def flows(text: str) -> object:
        return AggregateConfig.from_env({**environment, "FLOWS": text}).flows

    assert flows("") == ()
    assert flows("orders-1/orders-process, pages-1/pages-process") == (
        ("orders-1", "orders-process"),
        ("pages-1", "pages-process"),
    )
    with pytest.raises(ConfigError, match="FLOWS"):
        flows("orders-1")
