"""CORS as an HTTP API does it: preflights answered, headers put on answers. Pure.

Source: "Configure CORS for HTTP APIs in API Gateway" in the API Gateway developer guide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PREFIX = "access-control-"


@dataclass(frozen=True)
class Cors:
    """An API's CORS configuration."""

    origins: tuple[str, ...]
    methods: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    expose: tuple[str, ...] = ()
    max_age_s: int | None = None
    credentials: bool = False

    @classmethod
    def parse(cls, configuration: Mapping[str, Any]) -> "Cors":
        """Read the ``CorsConfiguration`` of ``GetApi``."""
        return cls(
            origins=tuple(configuration.get("AllowOrigins", ())),
            methods=tuple(configuration.get("AllowMethods", ())),
            headers=tuple(configuration.get("AllowHeaders", ())),
            expose=tuple(configuration.get("ExposeHeaders", ())),
            max_age_s=configuration.get("MaxAge"),
            credentials=bool(configuration.get("AllowCredentials", False)),
        )

    def preflight(self, origin: str | None) -> dict[str, str]:
        """Return the headers of a preflight's answer; none for an origin that isn't allowed."""
        allowed = self._allowed(origin)
        if allowed is None:
            return {}
        found = {f"{_PREFIX}allow-origin": allowed}
        if self.methods:
            found[f"{_PREFIX}allow-methods"] = ",".join(self.methods)
        if self.headers:
            found[f"{_PREFIX}allow-headers"] = ",".join(self.headers)
        if self.max_age_s is not None:
            found[f"{_PREFIX}max-age"] = str(self.max_age_s)
        return {**found, **self._common()}

    def on_answer(self, origin: str | None) -> dict[str, str]:
        """Return the headers that an answer gets; none for an origin that isn't allowed."""
        allowed = self._allowed(origin)
        if allowed is None:
            return {}
        found = {f"{_PREFIX}allow-origin": allowed}
        if self.expose:
            found[f"{_PREFIX}expose-headers"] = ",".join(self.expose)
        return {**found, **self._common()}

    def _common(self) -> dict[str, str]:
        found = {} if self.origins == ("*",) else {"vary": "origin"}
        if self.credentials:
            found[f"{_PREFIX}allow-credentials"] = "true"
        return found

    def _allowed(self, origin: str | None) -> str | None:
        if origin is None:
            return None
        if "*" in self.origins:
            return "*"
        schemes = {f"{origin.split('://', 1)[0]}://*", origin}
        lower = {each.lower() for each in schemes}
        return origin if any(each.lower() in lower for each in self.origins) else None


def without_cors(headers: Mapping[str, str]) -> dict[str, str]:
    """Drop a function's own CORS headers: an API that has CORS settings ignores them."""
    return {name: value for name, value in headers.items() if not name.startswith(_PREFIX)}
