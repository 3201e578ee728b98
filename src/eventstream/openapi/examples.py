"""Examples out of docs/api.md, where tests hold each to what the functions answer."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import Any

from ingest.routes import find

Json = dict[str, Any]

_EXCHANGE = re.compile(
    r"```sh\n(curl -X POST .*?)```\n\nAnswer `(\d+)`[^\n]*:\n\n```json\n(.*?)```", re.DOTALL
)
_READING = re.compile(r"^### `GET (\S+)`$(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
_JSON = re.compile(r"```json\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of the page and its answer."""

    path: str
    """As the document spells it."""
    sent: str
    status: int
    answer: Json
    media_type: str = "application/json"

    @property
    def is_model(self) -> bool:
        """Whether all of it was accepted: an example of what to send."""
        return self.status == 200 and not self.answer.get("rejected")

    @property
    def document(self) -> Any:  # noqa: ANN401 - any JSON
        """The body as JSON; ``None`` when it is not one JSON text."""
        try:
            return json.loads(self.sent)
        except ValueError:
            return None


def exchanges(page: str) -> list[Exchange]:
    """Return what the page sends, and how it is answered, in its order."""
    return [
        _exchange(command, int(status), json.loads(answer))
        for command, status, answer in _EXCHANGE.findall(page)
    ]


def _exchange(command: str, status: int, answer: Json) -> Exchange:
    words = shlex.split(command)
    [address] = [word for word in words if word.startswith("$API/")]
    path = address.removeprefix("$API")
    if find("POST", path).event_type is not None:
        path = f"{path.rpartition('/')[0]}/{{type}}"
    sent = words[words.index("-d") + 1]
    if "-H" not in words:
        return Exchange(path, sent, status, answer)
    name, _, value = words[words.index("-H") + 1].partition(": ")
    if name.lower() != "content-type":
        raise ValueError(f"an example may set Content-Type only, not {name}")
    return Exchange(path, sent, status, answer, value)


def readings(page: str) -> dict[str, Json]:
    """Return the answer that the page shows of each reading route."""
    shown = {path: _JSON.search(text) for path, text in _READING.findall(page)}
    return {path: json.loads(found[1]) for path, found in shown.items() if found}


def named(values: list[Any]) -> Json:
    """Return examples as OpenAPI wants them: by a name."""
    return {f"example-{number}": {"value": value} for number, value in enumerate(values, 1)}
