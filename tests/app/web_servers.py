"""A real web server on this machine that says what it was asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """Answers with `pages` (path -> type and body, or an address to go to); counts connections."""

    def __init__(self, pages: Mapping[str, tuple[str, bytes] | str], address: str = "127.0.0.1"):
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_GET(self) -> None:
                outer.asked.append(f"{self.command} {self.path}")
                outer.headers.append({key.lower(): value for key, value in self.headers.items()})
                found = pages.get(self.path, ("text/plain", b"nothing"))
                self.send_response(302 if isinstance(found, str) else 200)
                self.send_header("Access-Control-Allow-Origin", "*")
                if isinstance(found, str):
                    self.send_header("Location", found)
                    self.end_headers()
                    return
                self.send_header("Content-Type", found[0])
                self.send_header("Content-Length", str(len(found[1])))
                self.end_headers()
                self.wfile.write(found[1])

            do_POST = do_PUT = do_OPTIONS = do_HEAD = do_GET

            def log_message(self, *ignored: Any) -> None:
                return

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.host = f"{address}:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
