"""Who may call: the API key of a request, looked up, compared, and held to scope and origin.

Checked here and not by an authorizer of the API, because client SDKs put their key into headers,
Basic authentication, the query string or the body, and an authorizer sees no body.

A function keeps what it read of a key for :data:`FRESH_FOR`, so a revoked key is refused
everywhere within that time. While the store does not answer, a key that was valid when it was
last read is served on for :data:`STALE_FOR`; everybody else is asked to come back (503). Nobody
is ever let in because a check could not be made.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from common.domain.api_keys import ApiKey, Compare, Scope, is_valid, looks_like_a_key, parse
from common.errors import ForbiddenError, StoreError, ThrottledError, UnauthorizedError
from common.http import Request
from common.ports.api_keys import ApiKeyStore

PUBLIC = "public"
"""Source of what comes without a key; no key has this id."""

FRESH_FOR = timedelta(seconds=60)
"""How long a record, or that there is none, is believed without asking again."""
STALE_FOR = timedelta(minutes=15)
"""How long after it was read a valid key's record serves while the store is down. Longer would
put off a revocation by as much; shorter would lose events in an outage that ingest survives."""
PAUSE = timedelta(seconds=5)
"""How long a store that failed is left alone: waiting for it would hold up each request."""
MAX_CACHED = 1000
"""Records kept of each kind: a flood of invented keys must not fill the memory."""

QUERY_NAMES = ("writeKey", "write_key", "api_key")
"""Parameters of the query string that may hold a key, for beacons, which can set no header."""

_MAKE_ONE = "`eventstream keys create` makes one"
_WANTED = (
    "this API takes requests with an API key only: send it in the header Authorization, as "
    f"'Authorization: Bearer es_...'; {_MAKE_ONE}"
)
_NOT_A_KEY = f"is not a key of the form es_<id>_<secret>; {_MAKE_ONE}"
_REFUSED = (
    "is unknown, misspelt or revoked: `eventstream keys list` shows the keys there are, "
    + _MAKE_ONE
)
_ACTS: Mapping[Scope, str] = {"ingest": "send events", "query": "read"}


class Access:
    """Judges the requests of one function.

    Parameters
    ----------
    store
        Where keys are looked up.
    required
        Whether a request without a key is refused. A key of our form is always checked.
    now
        The clock. A wall clock: while a function is frozen, a monotonic one may stand still.
    compare
        Compares two hashes in a time that does not depend on where they differ.
    """

    def __init__(
        self,
        store: ApiKeyStore,
        *,
        required: bool,
        now: Callable[[], datetime],
        compare: Compare = hmac.compare_digest,
    ) -> None:
        self._records = _Records(store, now)
        self._required = required
        self._compare = compare

    def source(self, request: Request, scope: Scope, body_key: str | None = None) -> str:
        """Return who sent a request: the id of its key, or :data:`PUBLIC`.

        The first credential of our form decides. One of another form, such as the ``abc`` that
        an SDK under test sends, counts as none.

        Parameters
        ----------
        request
            Its headers and query string are looked through.
        scope
            What the route needs.
        body_key
            The key that the body holds, where its form has a place for one.

        Raises
        ------
        UnauthorizedError
            There is no key and one is required, or it is not valid.
        ForbiddenError
            The key is valid, and lacks the scope or is for other origins.
        ThrottledError, StoreError
            The keys cannot be read.
        """
        credentials = _credentials(request, body_key)
        given = next((each for each in credentials if looks_like_a_key(each.text)), None)
        if given is None:
            if self._required:
                raise _without_a_key(_credentials(request, body_key))
            return PUBLIC
        key = self._valid(given)
        if scope not in key.scopes:
            may = " and ".join(_ACTS[each] for each in sorted(key.scopes))
            raise ForbiddenError(
                f"this API key may {may}: to {_ACTS[scope]} takes one of scope {scope}"
            )
        if not key.fits(request.headers.get("origin")):
            raise ForbiddenError(
                "this API key is for pages of certain web origins, and the request's Origin "
                "header is none of them: servers need a key without origins"
            )
        return key.id

    def _valid(self, given: _Credential) -> ApiKey:
        presented = parse(given.text)
        if presented is None:
            raise UnauthorizedError(f"what {given.place} holds {_NOT_A_KEY}")
        key = self._records.find(presented.id)
        if not is_valid(presented, key, self._compare) or key is None:
            raise UnauthorizedError(f"the API key in {given.place} {_REFUSED}")
        return key


def without_credentials(query: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a query string that say something else than who asks."""
    return {name: value for name, value in query.items() if name not in QUERY_NAMES}


class _Credential(NamedTuple):
    """What may be a key, and where in the request it stands."""

    text: str
    place: str


def _without_a_key(credentials: Iterable[_Credential]) -> UnauthorizedError:
    """Say what is wrong with a request whose credentials have not our form, if it has any."""
    ours = next((each for each in credentials if each.text.startswith("es_")), None)
    return UnauthorizedError(f"what {ours.place} holds {_NOT_A_KEY}" if ours else _WANTED)


def _credentials(request: Request, body_key: str | None) -> Iterator[_Credential]:
    """Yield what may be a key, the places that say so most clearly first."""
    headers = request.headers
    kind, _, value = headers.get("authorization", "").strip().partition(" ")
    if kind.lower() == "bearer":
        yield _Credential(value.strip(), "the header Authorization")
    elif kind.lower() == "basic":
        yield _Credential(_basic_user(value.strip()), "the header Authorization")
    yield _Credential(headers.get("x-api-key", "").strip(), "the header X-Api-Key")
    # Jitsu's library takes no key but "name:secret"; ours, which has no colon, may be the secret.
    written = headers.get("x-write-key", "").strip().rpartition(":")[2]
    yield _Credential(written, "the header X-Write-Key")
    yield _Credential(body_key or "", "the body")
    for name in QUERY_NAMES:
        yield _Credential(request.query.get(name, ""), f"the query parameter {name}")


def _basic_user(encoded: str) -> str:
    """Return the user of Basic authentication: SDKs send ``key:``, without a password."""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return decoded.partition(":")[0]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the store said of a key, and when."""

    key: ApiKey | None
    read_at: datetime


class _Records:
    """The store behind a cache that is bounded in time and size."""

    def __init__(self, store: ApiKeyStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        # Apart, so that invented keys cannot push out the real ones.
        self._valid: dict[str, _Reading] = {}
        self._refused: dict[str, _Reading] = {}
        self._failure: tuple[StoreError | ThrottledError, datetime] | None = None

    def find(self, key_id: str) -> ApiKey | None:
        """Return a record, or ``None`` when there is none, as it was at most a while ago."""
        now = self._now()
        known = self._valid.get(key_id) or self._refused.get(key_id)
        if known is not None and _within(known.read_at, now, FRESH_FOR):
            return known.key
        try:
            key = self._read(key_id, now)
        except (StoreError, ThrottledError):
            last = self._valid.get(key_id)
            if last is not None and _within(last.read_at, now, STALE_FOR):
                return last.key
            raise
        self._keep(key_id, _Reading(key, now))
        return key

    def _read(self, key_id: str, now: datetime) -> ApiKey | None:
        if self._failure is not None and _within(self._failure[1], now, PAUSE):
            raise type(self._failure[0])(self._failure[0].message)
        try:
            key = self._store.find(key_id)
        except (StoreError, ThrottledError) as error:
            self._failure = (error, self._now())
            raise
        self._failure = None
        return key

    def _keep(self, key_id: str, reading: _Reading) -> None:
        self._valid.pop(key_id, None)
        self._refused.pop(key_id, None)
        valid = reading.key is not None and reading.key.revoked_at is None
        kept = self._valid if valid else self._refused
        if len(kept) >= MAX_CACHED:
            del kept[next(iter(kept))]
        kept[key_id] = reading


def _within(since: datetime, now: datetime, span: timedelta) -> bool:
    """Whether less than a span has passed; not when the clock was set back, to be safe."""
    return timedelta(0) <= now - since < span
