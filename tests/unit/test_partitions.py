from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.partitions import MAX_PACK_BYTES, bucket_of, explicit_hash_key, pack

LINES = st.lists(
    st.tuples(
        st.integers(0, 5), st.binary(min_size=1, max_size=40).filter(lambda b: b"\n" not in b)
    )
)


@given(LINES, st.integers(1, 100))
def test_every_line_is_in_exactly_one_pack(lines: list[tuple[int, bytes]], most: int) -> None:
    packs = pack(lines, most)

    assert sorted(m for each in packs for m in each.members) == list(range(len(lines)))
    for each in packs:
        assert each.data.split(b"\n") == [lines[m][1] for m in each.members]


@given(LINES, st.integers(1, 100))
def test_a_pack_holds_one_bucket_and_keeps_its_size(
    lines: list[tuple[int, bytes]], most: int
) -> None:
    for each in pack(lines, most):
        assert {lines[m][0] for m in each.members} == {each.bucket}
        assert len(each.data) <= most or len(each.members) == 1


@given(LINES, st.integers(1, 100))
def test_the_packs_of_a_bucket_give_its_lines_in_order(
    lines: list[tuple[int, bytes]], most: int
) -> None:
    packs = pack(lines, most)

    for bucket in range(6):
        members = [m for each in packs if each.bucket == bucket for m in each.members]
        assert members == [m for m, (b, _) in enumerate(lines) if b == bucket]


@given(LINES, st.integers(1, 100))
def test_no_pack_could_have_taken_the_line_after_it(
    lines: list[tuple[int, bytes]], most: int
) -> None:
    packs = pack(lines, most)

    for bucket in range(6):
        of_bucket = [each for each in packs if each.bucket == bucket]
        for each, after in pairwise(of_bucket):
            assert len(each.data) + 1 + len(after.data.split(b"\n")[0]) > most


def test_a_line_over_the_size_goes_alone() -> None:
    big = b"x" * (MAX_PACK_BYTES + 1)

    packs = pack([(0, b"a"), (0, big), (0, b"b"), (0, b"c")])

    assert [each.members for each in packs] == [(0,), (1,), (2, 3)]


def test_no_lines_make_no_packs() -> None:
    assert list(pack([])) == []


def test_500_common_events_take_few_put_units() -> None:
    lines = [(bucket_of(f"user-{n % 8}", 4), b"x" * 389) for n in range(500)]

    assert len(pack(lines)) <= 12


@given(st.integers(1, 4096), st.integers(1, 64))
def test_hash_keys_lie_within_the_range_and_spread_evenly_over_shards(
    buckets: int, shards: int
) -> None:
    keys = [int(explicit_hash_key(bucket, buckets)) for bucket in range(buckets)]

    assert keys == sorted(set(keys))
    assert 0 <= keys[0] <= keys[-1] < 2**128
    per_shard = Counter(key * shards // 2**128 for key in keys)
    counts = [per_shard[shard] for shard in range(shards)]
    assert max(counts) - min(counts) <= 1


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(1, 4096))
def test_a_bucket_is_within_its_number(identity: str, buckets: int) -> None:
    assert 0 <= bucket_of(identity, buckets) < buckets


@pytest.mark.parametrize(
    "shape", ["user{}", "user-{:06d}", "{:08x}", "visitor{}@example.com", "{}00", "{:036d}"]
)
def test_users_as_applications_number_them_spread_over_the_buckets(shape: str) -> None:
    counts = Counter(bucket_of(shape.format(n), 64) for n in range(6400))

    assert len(counts) == 64
    assert max(counts.values()) < 200


def test_a_bucket_is_the_same_in_another_process() -> None:
    code = "from common.domain.partitions import bucket_of; print(bucket_of('user-1', 64))"
    path = os.pathsep.join(sys.path)
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": path, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert seen == {str(bucket_of("user-1", 64))}
