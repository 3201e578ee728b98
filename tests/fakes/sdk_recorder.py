"""A server on the loopback that client libraries talk to, and that keeps what they sent."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.http import Request
from fakes.ingest_builders import NOON

ANSWER = {"success": True, "status": 1, "code": 200, "accepted": 1, "rejected": []}


class Recorder:
    """The requests that came, bodies without their compression."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[Request] = []


@contextmanager
def recording() -> Iterator[Recorder]:
    """Serve until the block ends; every request is answered as ingest answers a good one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.recorder = Recorder(server.server_port)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.recorder  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        recorder: Recorder = self.server.recorder  # type: ignore[attr-defined]
        recorder.requests.append(Request("POST", self.path, body, NOON, "r", headers=headers))
        answer = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass
