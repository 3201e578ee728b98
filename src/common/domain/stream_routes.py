"""Which stream an event goes to: the default one, or that of its family's event flow.

A family is a word and every event type that begins with it and a separator: ``order`` is the
family of ``order``, ``order_created`` and ``order:item:added``, and not of ``orders``. Where
two families fit, the longer one does: ``order.refund`` is nearer to ``order.refund.sent`` than
``order`` is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from common.domain.partitions import Pack, pack
from common.errors import ConfigError

SEPARATORS = frozenset("_.:- ")
"""Characters of an event type that end the name of its family."""

_FAMILY = re.compile(r"[A-Za-z][A-Za-z0-9_.:\- ]{0,127}")
_STREAM = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True, slots=True)
class StreamRoutes:
    """Families and the streams they have to themselves.

    Attributes
    ----------
    families
        Stream name by family; none means that every event goes to the default stream.
    """

    families: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> StreamRoutes:
        """Read ``family=stream,family=stream``, or the same as a JSON object.

        Raises
        ------
        ConfigError
            Naming the entry that cannot be read.

        Examples
        --------
        >>> StreamRoutes.parse("order=orders-1, payment=payments-1").stream_of("order_paid")
        'orders-1'
        >>> StreamRoutes.parse("").stream_of("order_paid") is None
        True
        """
        families: dict[str, str] = {}
        for family, stream in _entries(text.strip()):
            if _FAMILY.fullmatch(family) is None:
                raise ConfigError(f"STREAM_ROUTES: {family!r} cannot begin an event type")
            if _STREAM.fullmatch(stream) is None:
                raise ConfigError(f"STREAM_ROUTES: the stream of {family} is not a stream's name")
            if family in families:
                raise ConfigError(f"STREAM_ROUTES: {family} has two streams")
            families[family] = stream
        return cls(families)

    def stream_of(self, event_type: str) -> str | None:
        """Return the stream of an event type's family; ``None`` stands for the default stream.

        The same type always has the same stream: a user's events of one type stay in order.
        """
        if not self.families:
            return None
        for end in range(len(event_type), 0, -1):
            if end == len(event_type) or event_type[end] in SEPARATORS:
                stream = self.families.get(event_type[:end])
                if stream is not None:
                    return stream
        return None


def _entries(text: str) -> Iterable[tuple[str, str]]:
    if text.startswith("{"):
        try:
            pairs = json.loads(text, object_pairs_hook=list)
        except ValueError:
            raise ConfigError("STREAM_ROUTES: this is no JSON object") from None
        if not all(isinstance(stream, str) for _, stream in pairs):
            raise ConfigError("STREAM_ROUTES: a JSON object of family and stream names is wanted")
        return [(str(family), stream) for family, stream in pairs]
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if "=" not in part:
            raise ConfigError(f"STREAM_ROUTES: {part!r} is not of the form family=stream")
    split = [part.rpartition("=") for part in parts]
    return [(family.strip(), stream.strip()) for family, _, stream in split]


@dataclass(frozen=True, slots=True)
class RoutedPack:
    """A pack and the stream that it goes to; ``None`` stands for the default stream."""

    stream: str | None
    pack: Pack


def pack_by_stream(lines: Sequence[tuple[str | None, int, bytes]]) -> Sequence[RoutedPack]:
    r"""Put lines of the same stream and bucket together, in the order they came.

    Parameters
    ----------
    lines
        Stream, bucket and line of each event, as :func:`common.domain.partitions.pack` takes them.

    Returns
    -------
    Sequence[RoutedPack]
        Every line is in exactly one pack; the members of a pack are positions in ``lines``.

    Examples
    --------
    >>> packs = pack_by_stream([(None, 0, b"a"), ("orders", 0, b"b"), (None, 0, b"c")])
    >>> [(each.stream, each.pack.data, each.pack.members) for each in packs]
    [(None, b'a\nc', (0, 2)), ('orders', b'b', (1,))]
    """
    positions: dict[str | None, list[int]] = {}
    for position, (stream, _, _) in enumerate(lines):
        positions.setdefault(stream, []).append(position)
    found = []
    for stream, own in positions.items():
        for each in pack((lines[position][1], lines[position][2]) for position in own):
            members = tuple(own[member] for member in each.members)
            found.append(RoutedPack(stream, Pack(each.bucket, each.data, members)))
    return found
