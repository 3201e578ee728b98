from __future__ import annotations

import random
from typing import Any

import pytest

from eventstream.load.client import Answer, Patience, UnexpectedAnswerError
from eventstream.load.delivery import deliver
from fakes.event_api import Event, EventApi, FakeClock, Script, answer, receipt


def some_events(count: int) -> list[Event]:
    return [{"event_type": "page_view", "event_id": f"e{number}"} for number in range(count)]


def ids(events: list[Event]) -> list[str]:
    return [event["event_id"] for event in events]


def patience(clock: FakeClock, **over: Any) -> Patience:
    return Patience(now=clock, sleep=clock.sleep, rng=random.Random(7), **over)


def first_time(then: Answer) -> Script:
    return lambda number, _events: then if number == 0 else None


def test_an_accepted_batch_takes_one_request() -> None:
    api = EventApi()

    outcome = deliver(api, some_events(3), patience(FakeClock()))

    assert (outcome.sent, outcome.accepted, outcome.requests) == (3, 3, 1)
    assert api.paths == ["/events/batch"]


def test_only_the_events_marked_retry_are_sent_again_under_their_own_ids() -> None:
    api = EventApi(first_time(receipt(["accepted", "retry", "rejected", "retry"])))

    outcome = deliver(api, some_events(4), patience(FakeClock()))

    assert ids(api.requests[1]) == ["e1", "e3"]
    assert (outcome.accepted, outcome.rejected, outcome.given_up, outcome.resent) == (3, 1, 0, 2)
    assert [rejection.position for rejection in outcome.rejections] == [2]


def test_a_rejection_keeps_its_place_when_it_comes_on_a_second_try() -> None:
    answers = [receipt(["accepted", "retry"]), receipt(["rejected"])]
    api = EventApi(lambda number, _events: answers[number])

    outcome = deliver(api, some_events(2), patience(FakeClock()))

    assert [rejection.position for rejection in outcome.rejections] == [1]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_api_is_asked_again_with_the_whole_batch(status: int) -> None:
    api = EventApi(first_time(answer(status, {"message": "busy"})))

    outcome = deliver(api, some_events(2), patience(FakeClock()))

    assert [ids(events) for events in api.requests] == [["e0", "e1"], ["e0", "e1"]]
    assert (outcome.accepted, outcome.resent) == (2, 2)


def test_no_try_comes_sooner_than_the_api_asked_for() -> None:
    clock = FakeClock()
    api = EventApi(first_time(answer(503, {"message": "busy"}, retry_after_s=4.0)))

    deliver(api, some_events(1), patience(clock))

    assert len(clock.waits) == 1
    assert clock.waits[0] >= 4.0


def test_waits_grow_and_stay_bounded() -> None:
    clock = FakeClock()
    api = EventApi(lambda number, _events: answer(503, {}) if number < 12 else None)

    deliver(api, some_events(1), patience(clock, first_s=0.2, longest_s=5.0))

    assert len(clock.waits) == 12
    assert clock.waits[0] <= 0.2
    assert 1.0 < max(clock.waits) <= 5.0


def test_a_lost_connection_is_tried_again() -> None:
    def drop_once(number: int, _events: list[Event]) -> Answer | None:
        if number == 0:
            raise ConnectionResetError("gone")
        return None

    outcome = deliver(EventApi(drop_once), some_events(2), patience(FakeClock()))

    assert (outcome.accepted, outcome.given_up) == (2, 0)


def test_what_is_never_answered_is_given_up_and_the_account_still_adds_up() -> None:
    clock = FakeClock()

    def only_the_first(number: int, events: list[Event]) -> Answer | None:
        return (
            receipt(["accepted", "rejected", *["retry"] * 3][: len(events)])
            if number == 0
            else (receipt(["retry"] * len(events)))
        )

    outcome = deliver(
        EventApi(only_the_first), some_events(5), patience(clock, give_up_after_s=20.0)
    )

    assert (outcome.accepted, outcome.rejected, outcome.given_up) == (1, 1, 3)
    assert outcome.accepted + outcome.rejected + outcome.given_up == outcome.sent
    assert outcome.unanswered == [2, 3, 4]
    assert clock.now_s <= 20.0


def test_a_batch_that_is_too_large_is_halved_until_it_fits() -> None:
    api = EventApi(lambda _n, events: answer(413, {"message": "big"}) if len(events) > 2 else None)

    outcome = deliver(api, some_events(7), patience(FakeClock()))

    assert outcome.accepted == 7
    assert sorted(ids(api.accepted)) == [f"e{number}" for number in range(7)]


def test_one_event_that_is_too_large_is_rejected_with_its_reason() -> None:
    refusal = {
        "message": "too large",
        "errors": [{"field": "event", "rule": "event_too_large", "message": "at most 256 KB"}],
    }

    outcome = deliver(EventApi(first_time(answer(413, refusal))), some_events(1), Patience())

    assert outcome.rejections[0].errors[0]["rule"] == "event_too_large"


def test_a_whole_request_that_is_refused_rejects_each_event() -> None:
    refusal = {"code": "invalid_request", "message": "the body must be an array", "errors": []}

    outcome = deliver(EventApi(first_time(answer(400, refusal))), some_events(2), Patience())

    assert outcome.rejected == 2
    assert outcome.rejections[0].errors[0]["message"] == "the body must be an array"


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param(answer(404, {"message": "Not Found"}), id="another API"),
        pytest.param(answer(403, {"message": "Forbidden"}), id="a key is asked for"),
        pytest.param(Answer(200, b"<html>"), id="a web page"),
        pytest.param(Answer(400, b"<html>"), id="a proxy's refusal"),
    ],
)
def test_an_address_that_is_no_events_api_is_named_as_such(strange: Answer) -> None:
    with pytest.raises(UnexpectedAnswerError, match="is this an EventStream API"):
        deliver(EventApi(first_time(strange)), some_events(1), Patience())


def test_a_stopped_sender_gives_up_at_the_next_turn() -> None:
    clock = FakeClock()
    api = EventApi(lambda _number, _events: answer(503, {}))

    outcome = deliver(api, some_events(1), patience(clock, stopped=lambda: True))

    assert (len(api.requests), outcome.given_up, clock.waits) == (1, 1, [])


def test_any_schedule_of_answers_is_accounted_for() -> None:
    rng = random.Random(20)
    for _ in range(200):
        clock = FakeClock()

        def moody(_number: int, events: list[Event]) -> Answer | None:
            mood = rng.random()
            if mood < 0.2:
                raise ConnectionError("gone")
            if mood < 0.4:
                return answer(429, {}, retry_after_s=1.0)
            choices = ["accepted", "rejected", "retry"]
            return receipt([rng.choice(choices) for _ in events])

        api = EventApi(moody)
        outcome = deliver(api, some_events(20), patience(clock, give_up_after_s=8.0))

        assert outcome.accepted + outcome.rejected + outcome.given_up == outcome.sent == 20
        assert len(api.accepted) == outcome.accepted
        assert len({event["event_id"] for event in api.accepted}) == outcome.accepted
