"""The local pipeline as the SDK tests need it: its ingest function can be cut off its stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from e2e.local_pipeline import LocalPipeline
from eventstream.lake.cache import LakeCache
from eventstream.lake.sql import run
from fakes.waiting import wait_for
from sdks.servers import Servers
from sdks.stream_front import StreamFront

LINES = """
SELECT count(*) AS n FROM (SELECT DISTINCT stream, shard, sequence, line FROM events_raw) AS lines
"""
ROWS = """
SELECT event_id, event_type, user_id, anonymous_id, timestamp, properties, source
FROM {table} WHERE coalesce(user_id, anonymous_id) LIKE '{prefix}-%'
"""


class World:
    """A running pipeline, with a front between its ingest function and Kinesis."""

    def __init__(self, pipeline: LocalPipeline, servers: Servers) -> None:
        self.pipeline = pipeline
        self.servers = servers
        self.stream = StreamFront(servers, str(pipeline.started["emulator_url"]))
        target = pipeline.target()
        self._lake = LakeCache(
            target.client("s3"), target.resource("LakeBucket"), pipeline.folder / "lake-cache"
        )
        self._redirect()

    @property
    def url(self) -> str:
        return self.pipeline.url

    def _redirect(self) -> None:
        """Send the function's Kinesis calls through the front, by the SDK's own setting."""
        target = self.pipeline.target()
        functions, name = target.client("lambda"), target.resource("IngestFunction")
        deployed = functions.get_function_configuration(FunctionName=name)["Environment"]
        functions.update_function_configuration(
            FunctionName=name,
            Environment={
                "Variables": {
                    **deployed["Variables"],
                    "AWS_ENDPOINT_URL_KINESIS": self.stream.url,
                }
            },
        )

    def make_key(self, *options: str) -> tuple[str, str]:
        """Make an API key; return its id and itself."""
        made = self.pipeline.must("keys", "create", "--name", "sdks", *options, "--json").json
        key = str(made["key"])
        return key.split("_")[1], key

    def drain(self) -> None:
        """Wait until every line of the stream is in the lake."""
        lines = len(self.pipeline.stream_lines())
        wait_for("drained stream", lambda: self._sql(LINES)[0]["n"] >= lines, every_s=0.2)

    def rows(self, prefix: str, table: str = "events") -> dict[str, list[Mapping[str, Any]]]:
        """Return what the lake holds of the runs with a prefix, by run."""
        found = self._sql(ROWS.format(table=table, prefix=prefix))
        by_run: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in found:
            who = row["user_id"] or row["anonymous_id"]
            by_run[who.rsplit("-", 2)[0]].append(row)
        return by_run

    def _sql(self, statement: str) -> list[dict[str, Any]]:
        with run(statement, self._lake) as result:
            return [dict(zip(result.columns, row, strict=True)) for row in result.rows]
