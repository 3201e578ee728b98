"""The query function behind a real socket on the loopback interface, over stores in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from common.http import answer
from query import handler


@contextmanager
def serving() -> Iterator[str]:
    """Serve the query function's routes and give their address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            event = {
                "rawPath": unquote(url.path),  # as the gateway hands it over
                "queryStringParameters": dict(parse_qsl(url.query)),
                "requestContext": {"http": {"method": "GET", "path": url.path}},
            }
            said = answer(event, handler.route)
            body = said["body"].encode()
            self.send_response(said["statusCode"])
            self.send_header("content-type", said["headers"]["content-type"])
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
