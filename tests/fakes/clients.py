"""One event as each kind of client sends it, with room for any JSON text among its values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Post:
    """What a client posts."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Client = Callable[[str], Post]
"""Makes a request of one event; the text is the JSON of one of its properties."""

_JSON = {"content-type": "application/json"}
_PLAIN = {"content-type": "text/plain"}
_CLOUD = '"specversion":"1.0","id":"1","source":"/s","type":"x"'


def _native(path: str, before: str = "", after: str = "", **headers: str) -> Client:
    def post(value: str) -> Post:
        event = f'{{"event_type":"x","event_id":"1","properties":{{"v":{value}}}}}'
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return Post(path, f"{before}{event}{after}".encode(), _JSON | named)

    return post


def _segment(path: str, *, batch: bool = False, headers: Mapping[str, str] = _JSON) -> Client:
    def post(value: str) -> Post:
        message = (
            '{"type":"track","event":"x","messageId":"1","userId":"u",'
            f'"properties":{{"v":{value}}}}}'
        )
        return Post(path, (f'{{"batch":[{message}]}}' if batch else message).encode(), headers)

    return post


def _amplitude(value: str) -> Post:
    event = f'{{"event_type":"x","insert_id":"1","user_id":"u","event_properties":{{"v":{value}}}}}'
    return Post("/2/httpapi", f'{{"api_key":"k","events":[{event}]}}'.encode(), _JSON)


def _records(value: str) -> Post:
    event = f'{{"event_id":"1","v":{value}}}'
    escaped = event.replace("\\", "\\\\").replace('"', '\\"')
    return Post("/events/batch/x", f'{{"records":[{{"data":"{escaped}"}}]}}'.encode(), _JSON)


def _structured(value: str) -> Post:
    headers = {"content-type": "application/cloudevents+json"}
    return Post("/events", f'{{{_CLOUD},"data":{{"v":{value}}}}}'.encode(), headers)


def _batched(value: str) -> Post:
    headers = {"content-type": "application/cloudevents-batch+json"}
    return Post("/events", f'[{{{_CLOUD},"data":{{"v":{value}}}}}]'.encode(), headers)


def _binary(value: str) -> Post:
    named = {"specversion": "1.0", "id": "1", "source": "/s", "type": "x"}
    headers = {f"ce-{name}": text for name, text in named.items()}
    return Post("/events", f'{{"v":{value}}}'.encode(), _JSON | headers)


NATIVE: Mapping[str, Client] = {
    "object": _native("/events"),
    "array": _native("/events", "[", "]"),
    "lines": _native("/events", "", "\n", content_type="application/x-ndjson"),
    "batch": _native("/events/batch", '{"events":[', "]}"),
    "typed": _native("/events/x"),
    "typed batch": _native("/events/batch/x", "[", "]"),
    "records": _records,
    "structured": _structured,
    "batched": _batched,
    "binary": _binary,
}
"""Clients of our own routes, CloudEvents among them."""
LIBRARIES: Mapping[str, Client] = {
    "track": _segment("/v1/track"),
    "short": _segment("/v1/t", headers=_PLAIN),
    "messages": _segment("/v1/batch", batch=True),
    "import": _segment("/v1/import", batch=True),
    "beacon": _segment("/beacon/v1/batch", batch=True, headers=_PLAIN),
    "jitsu": _segment("/api/s/track"),
    "amplitude": _amplitude,
}
"""Client libraries of others."""
CLIENTS: Mapping[str, Client] = {**NATIVE, **LIBRARIES}
