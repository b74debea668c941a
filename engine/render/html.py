"""HTML to PNG through a warm QtWebEngine process (see `engine.render.html_worker`)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from engine.errors import ErrorCode, VisCodexError
from engine.render.policy import NO_SANDBOX_VARIABLE

MAX_HTML_BYTES = 8_000_000


@dataclass(frozen=True)
class RenderedPage:
    """A drawn page: PNG bytes, size in pixels, and what the DOM says where it was asked for.

    `description` holds `texts` (text, box, font_px, family, color, weight, kind) and `elements`
    (tag, cls, type, box, background, border, radius); boxes are x0, y0, x1, y1 in CSS pixels.
    """

    png: bytes
    width: int
    height: int
    description: Mapping[str, Any] | None


class HtmlRenderer:
    """Owns the drawing process; starts it at the first page and again after a crash.

    Safe to use from several threads: pages are drawn one after another.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._serial = 0

    def __enter__(self) -> HtmlRenderer:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the process ahead of the first page."""
        with self._lock:
            self._running()

    def close(self) -> None:
        """End the process. A page asked for later starts a new one."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                # A process that died with a request unread leaves it in the buffer.
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def render(
        self,
        html: str,
        width: int,
        height: int | None = None,
        *,
        max_height: int = 4096,
        describe: bool = False,
        scripts: bool = True,
        timeout: float = 10.0,
    ) -> RenderedPage:
        """Draw `html` in a viewport of `width` CSS pixels.

        `height` None means as high as the content, at most `max_height`. `scripts` False draws
        the page as it is before any script of its own. Raises VisCodexError with code
        `render_failed` or `timeout`.
        """
        fields, png = self._ask(
            {
                "html": html,
                "width": width,
                "height": height,
                "max_height": max_height,
                "describe": describe,
                "scripts": scripts,
                "probe": None,
            },
            timeout,
        )
        return RenderedPage(png, fields["width"], fields["height"], fields["description"])

    def probe(
        self, html: str, width: int, height: int, script: str, *, timeout: float = 10.0
    ) -> str:
        """What `script` says of a page laid out in a window of that many CSS pixels.

        The page's own scripts do not run; `script` runs in a world apart once the page stands, and
        may change the page. Returns its result where that is a text, "" where it is none or the
        script fails. Nothing is drawn. Raises VisCodexError as `render` does.
        """
        fields, _ = self._ask(
            {
                "html": html,
                "width": width,
                "height": height,
                "max_height": height,
                "describe": False,
                "scripts": False,
                "probe": script,
            },
            timeout,
        )
        return str(fields["description"])

    def _ask(self, request: dict[str, Any], timeout: float) -> tuple[dict[str, Any], bytes]:
        """The answer to a request, in turn. Raises VisCodexError where it tells of an error."""
        if len(request["html"]) > MAX_HTML_BYTES:
            raise VisCodexError(
                ErrorCode.render_failed, "The page is too large to draw.", "Make it shorter."
            )
        with self._lock:
            self._serial += 1
            fields, png = self._exchange(
                {"id": self._serial, "timeout": timeout, **request}, timeout
            )
        if "error" in fields:
            raise VisCodexError(
                ErrorCode(fields["error"]), fields["message"], "Check the page's code."
            )
        return fields, png

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        command = [sys.executable, "-m", "engine.render.html_worker"]
        if os.environ.get(NO_SANDBOX_VARIABLE) == "1":
            command.append("--no-sandbox")
        elif hasattr(os, "geteuid") and os.geteuid() == 0:
            raise VisCodexError(
                ErrorCode.render_failed,
                "Chromium's sandbox does not work for root.",
                f"Use another user, or set {NO_SANDBOX_VARIABLE}=1 to draw without it.",
            )
        environment = {k: v for k, v in os.environ.items() if not k.startswith("QTWEBENGINE_")}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        return self._process

    def _exchange(self, request: dict[str, Any], timeout: float) -> tuple[dict[str, Any], bytes]:
        """Send one request and read its answer; one new try where the process had died before."""
        fresh = self._process is None or self._process.poll() is not None
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        # The worker keeps the time itself; this timer is for a worker that hangs as a whole.
        guard = threading.Timer(timeout + 15.0, process.kill)
        guard.daemon = True
        guard.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            return _read_answer(process.stdout)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            if not fresh:
                return self._exchange(request, timeout)
            raise VisCodexError(
                ErrorCode.render_failed,
                "The page renderer stopped.",
                "Try again; if it happens again, run `viscodex doctor`.",
            ) from error
        finally:
            guard.cancel()


def _read_answer(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    line = stream.readline()
    if not line:
        raise EOFError
    fields: dict[str, Any] = json.loads(line)
    size = int(fields["png_bytes"])
    png = stream.read(size)
    if len(png) != size:
        raise EOFError
    return fields, png
