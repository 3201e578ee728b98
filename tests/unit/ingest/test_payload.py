from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib

import pytest

from common.errors import InvalidRequestError, TooLargeError
from ingest.payload import MAX_BODY_BYTES, MAX_DECODED_BYTES, MAX_MEMBERS, read

PLAIN = b'{"event_type": "x"}'


def refused(body: bytes) -> tuple[type, str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        read(body)
    [error] = caught.value.errors
    assert error.field == "body"
    assert error.message == caught.value.message
    return type(caught.value), error.rule, error.message


def outcome(body: bytes) -> bytes | str:
    try:
        return read(body)
    except InvalidRequestError as error:
        return error.errors[0].rule


def test_what_is_not_compressed_stays_as_it_is() -> None:
    assert read(PLAIN) == PLAIN
    assert read(b"") == b""
    assert read(b"\x1f") == b"\x1f"


def test_gzip_is_known_by_its_first_bytes() -> None:
    assert read(gzip.compress(PLAIN)) == PLAIN


@pytest.mark.parametrize("level", [0, 1, 9])
def test_every_level_of_compression_is_read(level: int) -> None:
    assert read(gzip.compress(PLAIN * 1000, level)) == PLAIN * 1000


def test_the_members_of_a_body_are_read_one_after_another() -> None:
    lines = [b'{"event_type": "a"}\n', b"", b'{"event_type": "b"}\n']

    assert read(b"".join(map(gzip.compress, lines))) == b"".join(lines)


def test_zeros_after_the_data_are_padding() -> None:
    assert read(gzip.compress(PLAIN) + bytes(512)) == PLAIN


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"\x1f\x8b", "cut short", id="only the magic"),
        pytest.param(gzip.compress(PLAIN)[:12], "cut short", id="cut in the data"),
        pytest.param(gzip.compress(PLAIN)[:-1], "cut short", id="cut in the checksum"),
        pytest.param(gzip.compress(PLAIN) + gzip.compress(PLAIN)[:9], "cut short", id="second cut"),
        pytest.param(gzip.compress(PLAIN)[:-8] + bytes(8), "damaged", id="wrong checksum"),
        pytest.param(b"\x1f\x8b" + b"x" * 99, "damaged", id="no gzip after the magic"),
        pytest.param(gzip.compress(PLAIN) + b"{}", "something else", id="text behind it"),
        pytest.param(gzip.compress(b"") * (MAX_MEMBERS + 1), "members", id="too many members"),
    ],
)
def test_damaged_gzip_is_named(body: bytes, words: str) -> None:
    kind, rule, message = refused(body)

    assert (kind, rule) == (InvalidRequestError, "bad_gzip")
    assert words in message


@pytest.mark.parametrize("flip", range(len(gzip.compress(PLAIN))))
def test_no_flipped_byte_changes_what_is_read(flip: int) -> None:
    body = bytearray(gzip.compress(PLAIN, mtime=0))
    body[flip] ^= 0x55

    assert outcome(bytes(body)) in {PLAIN, bytes(body), "bad_gzip"}


def test_the_limit_on_the_wire_is_exact_and_told() -> None:
    assert len(read(b" " * MAX_BODY_BYTES)) == MAX_BODY_BYTES
    kind, rule, message = refused(b" " * (MAX_BODY_BYTES + 1))
    assert (kind, rule) == (TooLargeError, "body_too_large")
    assert "4194304 bytes" in message


@pytest.mark.parametrize("parts", [1, 3])
def test_the_limit_once_decompressed_is_exact_and_told(parts: int) -> None:
    sizes = [MAX_DECODED_BYTES // parts] * (parts - 1)
    sizes.append(MAX_DECODED_BYTES - sum(sizes))
    fits = b"".join(gzip.compress(bytes(size)) for size in sizes)

    assert len(read(fits)) == MAX_DECODED_BYTES
    kind, rule, message = refused(fits + gzip.compress(b" "))
    assert (kind, rule) == (TooLargeError, "body_too_large")
    assert "8388608 bytes" in message


def test_a_bomb_takes_little_memory() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(1000)) + packer.flush()

    tracemalloc.start()
    refused(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 3 * MAX_DECODED_BYTES


def test_a_reader_without_a_bound_unpacks_the_bomb() -> None:
    bomb = gzip.compress(bytes(4 * MAX_DECODED_BYTES))

    assert len(zlib.decompress(bomb, wbits=31)) == 4 * MAX_DECODED_BYTES
    assert refused(bomb)[0] is TooLargeError


def test_no_bytes_at_all_do_more_than_be_refused() -> None:
    rng = random.Random(3)
    for _ in range(2000):
        body = b"\x1f\x8b\x08" + rng.randbytes(rng.randrange(60))

        assert outcome(body) == "bad_gzip"
