from eventstream.local.throttle import TokenBucket
from unit.local.streams import Clock


def test_a_burst_passes_and_the_request_after_it_does_not() -> None:
    bucket = TokenBucket(rate=10, burst=3, now_s=Clock(0.0))

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_tokens_come_back_at_the_rate_and_no_more_than_the_burst() -> None:
    clock = Clock(0.0)
    bucket = TokenBucket(rate=10, burst=3, now_s=clock)
    for _ in range(3):
        bucket.take()

    clock.now_s = 0.1
    assert [bucket.take(), bucket.take()] == [True, False]

    clock.now_s = 1000.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
