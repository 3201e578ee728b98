"""A front of Kinesis that fails as Kinesis does: some entries, whole calls, answers on their way.

How often a record fails is fixed by the id of its first event; it gets through in the end. One
record of each sender's first batch fails oftener than the function tries, whatever its id: so
every sender meets a batch that the stream took in part, and must send it again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from typing import Any

from aiohttp import web

from sdks.servers import Servers, hang_up, pass_on

FAILURES = (0,) * 20 + (1,) * 8 + (2,) * 3 + (4,)
MORE_THAN_TRIES = 4
THROTTLED = "ProvisionedThroughputExceededException"
SLOW_DOWN = {"ErrorCode": THROTTLED, "ErrorMessage": "Rate exceeded for shard"}
EVERY_NTH_ANSWER_IS_LOST = 7
EVERY_NTH_CALL_IS_REFUSED = 11


class StreamFront:
    """Stands between a function and the emulator; faults only while ``failing``."""

    def __init__(self, servers: Servers, upstream: str) -> None:
        self._servers = servers
        self._upstream = upstream
        self._failed: Counter[str] = Counter()
        self._met: set[str] = set()
        self._unlucky: set[str] = set()
        self.failing = False
        self.down = False
        self.counts: Counter[str] = Counter()
        self.url = servers.serve(self._handle)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        is_put = request.headers.get("X-Amz-Target", "").endswith(".PutRecords")
        if is_put and self.down:
            return self._refusal()
        if is_put and self.failing:
            return await self._fail(request, json.loads(body))
        return await pass_on(self._servers.client, self._upstream, request, body)

    def _refusal(self) -> web.Response:
        self.counts["calls refused"] += 1
        error = {"__type": THROTTLED, "message": "Rate exceeded"}
        return web.json_response(error, status=400, content_type="application/x-amz-json-1.1")

    async def _fail(self, request: web.BaseRequest, call: dict[str, Any]) -> web.Response:
        self.counts["calls"] += 1
        self._choose(call["Records"])
        if self.counts["calls"] % EVERY_NTH_CALL_IS_REFUSED == 0:
            return self._refusal()
        if self.counts["calls"] % EVERY_NTH_ANSWER_IS_LOST == 0:
            await self._put(request, call, call["Records"])
            self.counts["answers lost"] += 1
            return hang_up(request)
        fails = [self._shall_fail(record) for record in call["Records"]]
        self.counts["entries failed"] += sum(fails)
        kept = [record for record, failed in zip(call["Records"], fails, strict=True) if not failed]
        put = iter(await self._put(request, call, kept) if kept else [])
        results = [SLOW_DOWN if failed else next(put) for failed in fails]
        answer = {"FailedRecordCount": sum(fails), "Records": results}
        return web.json_response(answer, content_type="application/x-amz-json-1.1")

    async def _put(
        self, request: web.BaseRequest, call: dict[str, Any], records: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        body = json.dumps({**call, "Records": records}).encode()
        answer = await pass_on(self._servers.client, self._upstream, request, body)
        assert isinstance(answer.body, bytes)
        results: list[dict[str, Any]] = json.loads(answer.body)["Records"]
        return results

    def _choose(self, records: list[dict[str, Any]]) -> None:
        """Choose one record of the first batch of each sender."""
        first = _first_event(records[0])
        sender = str(first.get("user_id") or first.get("anonymous_id")).rsplit("-", 2)[0]
        if len(records) > 1 and sender not in self._met:
            self._met.add(sender)
            self._unlucky.add(str(first["event_id"]))

    def _shall_fail(self, record: dict[str, Any]) -> bool:
        name = str(_first_event(record)["event_id"])
        wanted = FAILURES[hashlib.sha256(name.encode()).digest()[0] % len(FAILURES)]
        failed = self._failed[name] < (MORE_THAN_TRIES if name in self._unlucky else wanted)
        self._failed[name] += failed
        return failed


def _first_event(record: dict[str, Any]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(base64.b64decode(record["Data"]).split(b"\n", 1)[0])
    return event
