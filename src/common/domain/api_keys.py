"""API keys: how they are spelled, what is kept of them, and when one fits.

A key is ``es_<id>_<secret>``. The id is no secret: it finds the record and is the ``source`` of
the events that came with the key. Of the secret only the SHA-256 is kept: with 256 random bits
there is nothing to guess, so a slow password hash would only make every request slower.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

Scope = Literal["ingest", "query"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""What a key may be for: sending events, or reading numbers."""

ID_BYTES = 8
SECRET_BYTES = 32
MAX_PORT = 65_535

_OURS = re.compile(r"es_[^_]+_.+", re.DOTALL)
_KEY = re.compile(r"es_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_NAMES = re.compile(_HOST)
_ORIGIN = re.compile(rf"(https?)://({_HOST}|\*\.{_LABEL}\.{_HOST})(?::([1-9]\d{{0,4}}))?", re.ASCII)
_USUAL_PORTS = {"http": 80, "https": 443}
_NO_SECRET_HASH = "0" * 64
"""Stands for the hash of an unknown key, so that comparing takes as long; nothing hashes to it."""

Compare = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class Presented:
    """A key as a client presents it; nothing says yet that it exists."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key."""

    id: str
    name: str
    secret_hash: str = field(repr=False)
    scopes: frozenset[Scope]
    origins: tuple[str, ...]
    """Web origins that it may be used from; from anywhere, also outside a browser, when empty."""
    created_at: datetime
    revoked_at: datetime | None = None

    def fits(self, origin: str | None) -> bool:
        """Whether a request from this ``Origin`` may use the key; ``None`` is one without."""
        if not self.origins:
            return True
        return origin is not None and any(_covers(each, origin) for each in self.origins)


def looks_like_a_key(text: str) -> bool:
    """Whether a credential has our form ``es_<id>_<secret>``, be it well spelled or not.

    >>> [looks_like_a_key(text) for text in ("es_1_x", "es_prod", "abc")]
    [True, False, False]
    """
    return _OURS.fullmatch(text) is not None


def parse(text: str) -> Presented | None:
    """Take a key apart; ``None`` when it is not spelled as :func:`make_key` does."""
    found = _KEY.fullmatch(text)
    return Presented(found[1], found[2]) if found else None


def make_key(entropy: Callable[[int], bytes]) -> tuple[str, Presented]:
    """Make a new key.

    Parameters
    ----------
    entropy
        A source of random bytes that nobody can foresee, such as ``os.urandom``.

    Returns
    -------
    tuple[str, Presented]
        The text for the client, and its parts.
    """
    made = Presented(
        entropy(ID_BYTES).hex(),
        base64.urlsafe_b64encode(entropy(SECRET_BYTES)).rstrip(b"=").decode(),
    )
    return f"es_{made.id}_{made.secret}", made


def hash_secret(secret: str) -> str:
    """Return what is kept of a secret: the SHA-256 of its text, in hex.

    Of the text, not of the bytes that it spells: four texts spell the same 32 bytes.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def is_valid(
    presented: Presented, record: ApiKey | None, compare: Compare = hmac.compare_digest
) -> bool:
    """Whether a presented key is this record's, and was not revoked.

    An unknown key is hashed and compared as well, so that the time taken tells nobody which ids
    there are.
    """
    kept = record.secret_hash if record is not None else _NO_SECRET_HASH
    same = compare(hash_secret(presented.secret), kept)
    return same and record is not None and record.revoked_at is None


def read_origin(text: str) -> str:
    """Read a web origin of a key's list: ``scheme://host[:port]`` or ``scheme://*.host[:port]``.

    The star stands for one name or more below the host, not for the host itself, and needs two
    names to its right: ``https://*.com`` would be half the web.

    Returns
    -------
    str
        In the form that browsers send: lower case, without the scheme's usual port.

    Raises
    ------
    ValueError
        It is no such origin.

    Examples
    --------
    >>> read_origin("HTTPS://Shop.Example.com:443")
    'https://shop.example.com'
    """
    found = _ORIGIN.fullmatch(text.lower())
    if found is None or int(found[3] or 1) > MAX_PORT:
        raise ValueError(
            "an origin is scheme://host or scheme://host:port as the browser's address line has "
            "it, without a path, such as https://shop.example.com or https://*.example.com"
        )
    scheme, host, port = found.groups()
    usual = port is None or int(port) == _USUAL_PORTS[scheme]
    return f"{scheme}://{host}" if usual else f"{scheme}://{host}:{port}"


def read_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Read the names of scopes.

    Raises
    ------
    ValueError
        There is none, or one that does not exist.
    """
    given = set(names)
    scopes = frozenset(each for each in SCOPES if each in given)
    if not given or len(scopes) != len(given):
        raise ValueError(f"a scope is one of {', '.join(SCOPES)}")
    return scopes


def _covers(allowed: str, origin: str) -> bool:
    """Whether an entry of a key's list covers an ``Origin`` header."""
    given = origin.lower()
    if "://*." not in allowed:
        return given == allowed
    scheme, _, below = allowed.partition("*")
    if not (given.startswith(scheme) and given.endswith(below)):
        return False
    return _NAMES.fullmatch(given[len(scheme) : len(given) - len(below)]) is not None
