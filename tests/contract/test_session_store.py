"""People's sessions in memory and in DynamoDB behave alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from common.adapters.calls import CLIENT_CONFIG
from common.adapters.patience import LIMIT_S, Waiting
from common.adapters.session_items import key_of, to_item
from common.adapters.session_readings import DynamoSessionReadings
from common.adapters.session_store import DynamoSessionStore
from common.domain.sessions import MAX_SESSIONS, Person, Session, SessionRules
from common.domain.timelines import Mark, Timeline
from common.domain.windows import to_ms
from common.errors import StoreError, ThrottledError
from common.ports.sessions import (
    ActiveSlot,
    Change,
    PersonSessions,
    SessionReadings,
    SessionStore,
    Written,
)
from contract.tables import create_sessions_table
from fakes.aws_answers import Answer, answer_with, skip_waits
from fakes.sessions import MemorySessionReadings, MemorySessionStore
from fakes.stream import Hourglass
from faults.limits import check_request

TABLE = "sessions"
NOON = datetime(2026, 11, 20, 12, 3, tzinfo=UTC)
NOON_MS = to_ms(NOON)
RULES = SessionRules.of(30, 7)
ADA = Person("user", "ada \u00e9\u4e16\U0001f600")
ANON = Person("anonymous", "ada")
MARK = Mark("056" + "1" * 56, NOON_MS)


def a_timeline(version: int = 1, end_ms: int = NOON_MS, **more: Any) -> Timeline:
    sessions = (Session(end_ms - 60_000, end_ms, 3), Session(end_ms - 5, end_ms - 5, 0, 'a"b\\'))
    return Timeline(sessions, {"events#shard": MARK}, NOON_MS, version=version, **more)


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1", config=CLIENT_CONFIG)
        dynamodb.meta.events.register_first(
            "before-send", lambda request, **_: check_request(request)
        )
        create_sessions_table(dynamodb, TABLE)
        yield dynamodb


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> SessionStore:
    if request.param == "memory":
        return MemorySessionStore()
    return a_store(request.getfixturevalue("client"))


def a_store(client: Any, time: Hourglass | None = None) -> DynamoSessionStore:
    time = time or Hourglass()
    return DynamoSessionStore(client, TABLE, RULES, Waiting(time.clock, time.sleep, lambda: 0.5))


def put(store: SessionStore, person: Person, timeline: Timeline, over: int | None = None) -> None:
    assert store.write([Change(person, timeline, over)]) == Written(frozenset({person}), {})


def test_what_is_written_is_read_as_it_was(store: SessionStore) -> None:
    timeline = a_timeline(7, overflow=4)
    put(store, ADA, timeline)

    found = store.read([ADA, ANON])

    assert found == {ADA: timeline}
    assert found[ADA].version == 7


def test_nobody_is_read_for_nobody(store: SessionStore) -> None:
    assert store.read([]) == {}
    assert store.write([]) == Written(frozenset(), {})


def test_more_people_than_a_call_takes_are_read_and_written(store: SessionStore) -> None:
    people = [Person("user", f"u{number}") for number in range(230)]

    written = store.write([Change(person, a_timeline(), None) for person in people])

    assert written == Written(frozenset(people), {})
    assert store.read(people) == {person: a_timeline() for person in people}


@pytest.mark.parametrize("neighbours", [0, 2])
def test_a_write_over_another_version_is_lost_and_tells_what_is_stored(
    store: SessionStore, neighbours: int
) -> None:
    put(store, ADA, a_timeline(5))
    others = [Person("user", f"u{number}") for number in range(neighbours)]

    for over in (None, 4, 6):
        written = store.write(
            [
                *(Change(person, a_timeline(), None) for person in others),
                Change(ADA, a_timeline(9), over),
            ]
        )

        assert written == Written(frozenset(), {ADA: a_timeline(5)})
        assert written.lost[ADA].version == 5  # type: ignore[union-attr]
    assert store.read([*others, ADA]) == {ADA: a_timeline(5)}


@pytest.mark.parametrize("neighbours", [0, 1])
def test_a_write_over_a_version_where_nothing_is_stored_is_lost(
    store: SessionStore, neighbours: int
) -> None:
    others = [Change(ANON, a_timeline(), None)] * neighbours

    assert store.write([*others, Change(ADA, a_timeline(3), 2)]) == Written(
        frozenset(), {ADA: None}
    )


@pytest.mark.parametrize("neighbours", [0, 1])
def test_a_write_that_is_sent_twice_is_lost_to_itself(store: SessionStore, neighbours: int) -> None:
    changes = [Change(ADA, a_timeline(2), None), Change(ANON, a_timeline(3), None)]
    store.write(changes[: 1 + neighbours])

    again = store.write(changes[: 1 + neighbours])

    assert again.done == frozenset()
    assert again.lost == {change.person: change.timeline for change in changes[: 1 + neighbours]}


def test_the_item_is_as_readers_expect_it(client: Any) -> None:
    put(a_store(client), ADA, a_timeline(2, overflow=3))

    [item] = client.scan(TableName=TABLE)["Items"]

    assert json.loads(item.pop("sessions")["S"]) == [
        [NOON_MS - 60_000, NOON_MS, 3],
        [NOON_MS - 5, NOON_MS - 5, 0, 'a"b\\'],
    ]
    assert json.loads(item.pop("state")["S"]) == {
        "newest": NOON_MS,
        "overflow": 3,
        "marks": {"events#shard": [MARK.last, NOON_MS]},
    }
    assert item == {
        "pk": {"S": f"PERSON#{ADA.key}"},
        "user_id": {"S": ADA.name},
        "version": {"N": "2"},
        "ttl": {"N": str(NOON_MS // 1000 + 9 * 86_400 + 1_800 + 1)},
        "active": {"S": f"2026-11-20T12:00#{int(ADA.key[:4], 16) % 4}"},
    }


def test_the_fullest_timelines_fit_into_items_and_transactions(client: Any) -> None:
    sessions = tuple(
        Session(NOON_MS + n, NOON_MS + n, 10**12, f"{n:04d}" + "\U0001f600" * 252)
        for n in range(MAX_SESSIONS)
    )
    marks = {f"{'s' * 128}#shardId-{n:012d}": MARK for n in range(100)}
    fullest = Timeline(sessions, marks, NOON_MS, version=1)
    people = [Person("user", "\U0001f600" * 252 + f"{n:04d}") for n in range(30)]

    written = a_store(client).write([Change(person, fullest, None) for person in people])

    assert written.done == frozenset(people)
    assert a_store(client).read(people) == dict.fromkeys(people, fullest)


def test_one_person_needs_no_transaction_and_many_share_one(client: Any) -> None:
    calls: list[str] = []
    client.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))

    put(a_store(client), ADA, a_timeline())
    people = [Person("user", f"u{number}") for number in range(100)]
    a_store(client).write([Change(person, a_timeline(), None) for person in people])

    assert calls == ["PutItem", "TransactWriteItems"]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param(
            [(400, "ProvisionedThroughputExceededException")] * 99, ThrottledError, id="1"
        ),
        pytest.param([(400, "ValidationException")], StoreError, id="refused"),
        pytest.param([(500, "InternalServerError")] * 3, StoreError, id="internal error"),
        pytest.param([ReadTimeoutError(endpoint_url="x")] * 3, StoreError, id="no answer"),
    ],
)
@pytest.mark.parametrize("call", ["read", "write one", "write many"])
def test_dynamodbs_errors_become_ours(
    client: Any,
    answers: list[Answer],
    error: type[Exception],
    call: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skip_waits(monkeypatch)
    answer_with(client, *answers)
    changes = [Change(ADA, a_timeline(), None), Change(ANON, a_timeline(), None)]

    calls: dict[str, Callable[[], object]] = {
        "read": lambda: a_store(client).read([ADA]),
        "write one": lambda: a_store(client).write(changes[:1]),
        "write many": lambda: a_store(client).write(changes),
    }

    with pytest.raises(error, match="dynamodb:") as raised:
        calls[call]()

    assert type(raised.value) is error
    assert "ada" not in str(raised.value)


class Leaves:
    """A client that answers so many keys a call, and is throttled now and then."""

    def __init__(self, answered: int, *throttled: int) -> None:
        self._answered = answered
        self._throttled = throttled
        self.calls = 0

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - botocore's name
        self.calls += 1
        if self.calls in self._throttled:
            error = {"Error": {"Code": "ThrottlingException", "Message": ""}}
            raise ClientError(error, "BatchGetItem")  # type: ignore[arg-type]
        [(table, wanted)] = RequestItems.items()
        found, rest = wanted["Keys"][: self._answered], wanted["Keys"][self._answered :]
        left = {table: {"Keys": rest}} if rest else {}
        return {"Responses": {table: [self._item(key) for key in found]}, "UnprocessedKeys": left}

    def _item(self, key: Any) -> Any:
        [of] = [person for person in PEOPLE if key == key_of(person.key)]
        return to_item(of, a_timeline(), RULES)


PEOPLE = [Person("user", str(number)) for number in range(30)]


def test_keys_that_were_left_are_asked_for_at_once_and_after_a_pause_if_the_table_is_busy() -> None:
    client, time = Leaves(1, 2, 3, 17), Hourglass()

    assert a_store(client, time).read(PEOPLE) == dict.fromkeys(PEOPLE, a_timeline())
    assert client.calls == len(PEOPLE) + 3
    assert len(time.pauses) == 3


def test_a_long_read_that_gets_on_is_no_waiting() -> None:
    class Slow(Leaves):
        def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - botocore's name
            time.now_s += 2.0
            return super().batch_get_item(RequestItems)

    client, time = Slow(1, 2, 10, 20, 25), Hourglass()

    assert len(a_store(client, time).read(PEOPLE)) == len(PEOPLE)
    assert time.now_s > 4 * LIMIT_S


@pytest.mark.parametrize("client", [Leaves(0), Leaves(1, *range(2, 10_000))])
def test_keys_that_are_left_again_and_again_are_no_answer(client: Leaves) -> None:
    time = Hourglass()

    with pytest.raises(ThrottledError, match="BatchGetItem"):
        a_store(client, time).read(PEOPLE)
    assert LIMIT_S - 2 <= time.now_s <= LIMIT_S


def test_who_waits_for_an_answer_is_told_within_a_second_that_there_is_none() -> None:
    time = Hourglass()
    waiting = Waiting(time.clock, time.sleep, lambda: 0.5)
    found = DynamoSessionReadings(Leaves(0), TABLE, lambda: NOON, waiting)  # type: ignore[arg-type]

    for again in range(1, 3):
        with pytest.raises(ThrottledError):
            found.of_person(ADA.key)
        assert 0.5 * again < time.now_s <= again


@pytest.fixture(params=["memory", "dynamodb"])
def readings(request: pytest.FixtureRequest) -> Callable[[dict[Person, Timeline]], SessionReadings]:
    if request.param == "memory":
        return MemorySessionReadings
    client = request.getfixturevalue("client")

    def stored(timelines: dict[Person, Timeline]) -> SessionReadings:
        a_store(client).write([Change(person, of, None) for person, of in timelines.items()])
        return DynamoSessionReadings(client, TABLE, lambda: NOON)

    return stored


def test_a_person_is_found_by_their_key(
    readings: Callable[[dict[Person, Timeline]], SessionReadings],
) -> None:
    found = readings({ADA: a_timeline(), ANON: a_timeline(overflow=1)})

    assert found.of_person(ANON.key) == PersonSessions(ANON, a_timeline(overflow=1))
    assert found.of_person(Person("user", "eve").key) is None
    assert [each.person for each in found.of_people([ANON.key, "0" * 32, ADA.key])] == [ANON, ADA]


def test_the_active_of_a_slot_are_found_page_by_page(
    readings: Callable[[dict[Person, Timeline]], SessionReadings],
) -> None:
    people = {Person("user", f"u{number}"): a_timeline() for number in range(40)}
    earlier = {Person("user", "early"): a_timeline(end_ms=NOON_MS - 5 * 60_000)}
    found = readings(people | earlier)

    listed = []
    for part in range(4):
        [page] = found.active([ActiveSlot(NOON, part)], 5)
        while page:
            listed += page
            [page] = found.active([ActiveSlot(NOON, part, page[-1])], 5)

    assert len(listed) == len(set(listed))
    assert set(listed) == {person.key for person in people}
    before = [ActiveSlot(NOON - timedelta(minutes=5), part) for part in range(4)]
    assert sorted(map(len, found.active(before, 5))) == [0, 0, 0, 1]


def test_an_expired_item_is_not_there(client: Any) -> None:
    put(a_store(client), ADA, a_timeline())
    late = NOON + timedelta(days=9, minutes=31)

    assert DynamoSessionReadings(client, TABLE, lambda: late).of_person(ADA.key) is None


def test_a_check_tells_whether_table_and_index_answer(client: Any) -> None:
    assert DynamoSessionReadings(client, TABLE, lambda: NOON).check()
    assert not DynamoSessionReadings(client, "other", lambda: NOON).check()
