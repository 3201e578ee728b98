"""What becomes of a stream batch, before and after its invocation. Pure: no clock, no AWS.

These are Lambda's rules for stream event source mappings. Sources, both in the Lambda developer
guide: "Retain discarded batch records for a Kinesis Data Streams event source in Lambda"
(retries, age, bisect) and "Configuring partial batch response with Kinesis Data Streams and
Lambda" (checkpoints). Where they are silent, as LocalStack's tests recorded it on AWS in November
2025: a batch whose head is done continues as a new batch, with all its retries, and an answer that
asks for the first record again is an attempt like any other.
"""

from dataclasses import dataclass
from typing import Any

from eventstream.local.records import Record

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"
_FIRST_BACKOFF_S = 0.1
_LONGEST_BACKOFF_S = 10.0


@dataclass(frozen=True)
class Policy:
    """How a mapping treats failures.

    Attributes
    ----------
    retries
        Retries of the same batch; -1 without end.
    max_age_s
        Oldest a record may be when it is sent to the function; -1 for any age.
    retention_s
        Age at which the stream itself forgets a record.
    bisect
        Whether a failing batch is cut in two.
    partial
        Whether the function's ``batchItemFailures`` count.
    """

    retries: int = -1
    max_age_s: float = -1
    retention_s: float = 24 * 3600
    bisect: bool = False
    partial: bool = False

    @property
    def give_up_age_s(self) -> float:
        """Age at which a record isn't sent any more."""
        return self.retention_s if self.max_age_s < 0 else min(self.max_age_s, self.retention_s)


@dataclass(frozen=True)
class Batch:
    """Records that are sent together, in order.

    Attributes
    ----------
    attempts
        Invocations with exactly these records so far. Cutting makes a new batch: "splitting
        batches doesn't consume the retry quota".
    """

    records: tuple[Record, ...]
    attempts: int = 0

    @property
    def last_sequence(self) -> str:
        """Sequence number of the last record."""
        return self.records[-1].sequence


@dataclass(frozen=True)
class Verdict:
    """What became of a batch.

    Attributes
    ----------
    checkpoint
        Sequence number up to which everything is done; ``None`` when nothing is.
    discarded
        A batch that is given up, and must go to the on-failure destination.
    condition
        Why it was given up.
    left
        Batches that are still to be sent, in this order.
    backoff_s
        How long to wait before the next one.
    """

    checkpoint: str | None = None
    discarded: Batch | None = None
    condition: str = ""
    left: tuple[Batch, ...] = ()
    backoff_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """How an invocation went.

    Attributes
    ----------
    done
        Records, from the first on, that are done.
    failed
        Whether the whole batch failed, as opposed to a function that asks for a part again.
    """

    done: int = 0
    failed: bool = False


def outcome(batch: Batch, answer: Any, policy: Policy) -> Outcome:  # noqa: ANN401
    """Read what a function answered about a batch.

    Parameters
    ----------
    batch
        What was sent.
    answer
        What the function returned, read from JSON.
    policy
        The mapping's.

    Returns
    -------
    Outcome
        Everything up to the lowest failed record is done. An identifier that is empty, missing
        or not of this batch fails the whole batch, as does an answer that isn't an object.
    """
    everything = Outcome(done=len(batch.records))
    if not policy.partial or not answer:
        return everything
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else [None]
    if not failures:
        return everything
    positions = {record.sequence: at for at, record in enumerate(batch.records)}
    found = [positions.get(_identifier(failure)) for failure in _as_list(failures)]
    known = [at for at in found if at is not None]
    return Outcome(failed=True) if len(known) < len(found) else Outcome(done=min(known))


def _as_list(failures: Any) -> list[Any]:  # noqa: ANN401
    return failures if isinstance(failures, list) else [failures]


def _identifier(failure: Any) -> str:  # noqa: ANN401
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return identifier if isinstance(identifier, str) else ""


def judge(batch: Batch, result: Outcome, policy: Policy) -> Verdict:
    """Decide what becomes of a batch after its invocation.

    Parameters
    ----------
    batch
        What was sent, with its attempts before this one.
    result
        How it went.
    policy
        The mapping's.
    """
    done, rest = batch.records[: result.done], batch.records[result.done :]
    if done:
        # Progress was made: what is left is a batch of its own, with retries of its own.
        left = (Batch(rest),) if rest else ()
        wait_s = _FIRST_BACKOFF_S if rest else 0.0
        return Verdict(checkpoint=done[-1].sequence, left=left, backoff_s=wait_s)
    if result.failed and policy.bisect and len(rest) > 1:
        middle = len(rest) // 2
        return Verdict(left=(Batch(rest[:middle]), Batch(rest[middle:])))
    tried = Batch(rest, batch.attempts + 1)
    if 0 <= policy.retries < tried.attempts:
        return Verdict(checkpoint=tried.last_sequence, discarded=tried, condition=RETRIES_EXHAUSTED)
    return Verdict(left=(tried,), backoff_s=backoff_s(tried.attempts))


def backoff_s(attempts: int) -> float:
    """Return how long to wait after so many failed attempts."""
    return float(min(_FIRST_BACKOFF_S * 2 ** min(attempts - 1, 16), _LONGEST_BACKOFF_S))


def give_up_old(batch: Batch, policy: Policy, now_s: float) -> Verdict | None:
    """Take from a batch the records that have become too old to be sent.

    Returns
    -------
    Verdict | None
        The old ones as discarded and the others as left; ``None`` when none is too old.
    """
    oldest_s = now_s - policy.give_up_age_s
    young = next(
        (at for at, record in enumerate(batch.records) if record.arrived_at_s >= oldest_s),
        len(batch.records),
    )
    if young == 0:
        return None
    old, rest = batch.records[:young], batch.records[young:]
    return Verdict(
        checkpoint=old[-1].sequence,
        discarded=Batch(old, batch.attempts),
        condition=TOO_OLD,
        left=(Batch(rest),) if rest else (),
    )
