"""Browser, system, device and robot from a user agent; the rules are ua-parser's.

Its RE2 engine answers in linear time, whatever a client sends; the pure Python one can be made
to backtrack. ``docs/decisions/0031-user-agents-by-ua-parser.md`` has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ua_parser import Parser

LONGEST = 512
"""Characters that are read; browsers' own have up to about 250."""
REMEMBERED = 2_048
"""User agents whose facts are kept: 512 characters each, so about 3 MB at most."""
_ROBOT = "Spider"
"""What ua-parser calls the device of a robot."""
_UNKNOWN: Mapping[str, Any] = MappingProxyType({})


class UserAgents:
    """Reads user agents, and remembers those it read.

    The rules take a tenth of a second to load, so this is done when the first one comes, and not
    for a function that only starts. :meth:`warm` does it earlier.
    """

    def __init__(self) -> None:
        self._facts = lru_cache(REMEMBERED)(self._read)

    def warm(self) -> None:
        """Load the rules now."""
        self._parser  # noqa: B018 - made by being asked for

    def facts(self, user_agent: str) -> Mapping[str, Any]:
        """Tell what a user agent says of its program, system and device.

        Returns
        -------
        Mapping
            ``ua_family``, ``ua_os``, ``ua_device`` (``None`` where the rules know nothing) and
            ``is_bot``, which is ``False`` unless the rules say so; nothing for an empty text. Not
            to be changed: it is remembered.
        """
        told = user_agent[:LONGEST].strip()
        return self._facts(told) if told else _UNKNOWN

    @cached_property
    def _parser(self) -> Parser:
        # Imported here: see above.
        from ua_parser import Parser, load_lazy_builtins
        from ua_parser.re2 import Resolver

        return Parser(Resolver(load_lazy_builtins()))

    def _read(self, user_agent: str) -> Mapping[str, Any]:
        found = self._parser.parse(user_agent)
        device = found.device.family if found.device else None
        return MappingProxyType(
            {
                "ua_family": found.user_agent.family if found.user_agent else None,
                "ua_os": found.os.family if found.os else None,
                "ua_device": device,
                "is_bot": device == _ROBOT,
            }
        )
