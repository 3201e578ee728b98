"""From the free text that client libraries name events by to an event type."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from common.models import EVENT_TYPE_PATTERN

MAX_ORIGINAL = 512
"""Characters of a name, or of another text no column can hold, that are kept beside the event."""

_MAX_LENGTH = 128
_DIGEST_LENGTH = 12
_EVENT_TYPE = re.compile(EVENT_TYPE_PATTERN)
_MARKED = re.compile(rf":[0-9a-f]{{{_DIGEST_LENGTH}}}$")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.:\- ]+")
_BEFORE_LETTER = re.compile(r"^[^A-Za-z]+")
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def event_name(free_text: str) -> tuple[str, str | None]:
    """Turn a name that may be any text into an event type; no two names share one.

    Parameters
    ----------
    free_text
        The name as the client gave it, of any length.

    Returns
    -------
    tuple of str and (str or None)
        The event type. When the name is not one as it stands: what is left of it in the alphabet,
        a colon and twelve digits of its hash; and then, second, the name itself, to be kept. A
        name that ends as if it had been through this is hashed as well, so that it is no other's.

    Examples
    --------
    >>> event_name("Order Completed")
    ('Order Completed', None)
    >>> event_name("Panier validé")
    ('Panier valide:9f7f3a0f2f53', 'Panier validé')
    """
    if _EVENT_TYPE.fullmatch(free_text) and not _MARKED.search(free_text):
        return free_text, None
    digest = hashlib.sha256(free_text.encode("utf-8", "surrogatepass")).hexdigest()
    room = _MAX_LENGTH - 1 - _DIGEST_LENGTH
    return f"{_stem(free_text[:room])}:{digest[:_DIGEST_LENGTH]}", storable(free_text)


def _stem(text: str) -> str:
    """Return what the alphabet has of a text: letters without their accents, ``_`` for the rest."""
    parts = unicodedata.normalize("NFKD", text)
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    known = _BEFORE_LETTER.sub("", _FOREIGN.sub("_", bare)).rstrip("_ ")
    return known[: _MAX_LENGTH - 1 - _DIGEST_LENGTH] or "event"


def storable(text: str) -> str:
    r"""Return a text as it can be stored with an event: without control characters, and not long.

    >>> storable("a\x00b") == "a\ufffdb"
    True
    """
    return _UNWANTED.sub("\ufffd", text[:MAX_ORIGINAL])
