"""llama.cpp's own programs on the same files, picture and words: the multimodal command, a server.

Both are measured by what they tell of themselves (the command) or by what a client sees (the
server), and beside it the most memory the process ever held.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from engine.images import ImageLimits
from engine.models.store import ModelFiles
from engine.remote.chat import data_url

START_SECONDS = 120.0
_ENCODED = re.compile(r"batch encoding done in (\d+) ms")
_PROMPT = re.compile(r"prompt eval time = +([\d.]+) ms / +(\d+) tokens")
_WRITTEN = re.compile(r" eval time = +([\d.]+) ms / +(\d+) runs")


@dataclass(frozen=True)
class Run:
    """Seconds from picture and prompt to the first token, tokens a second after it."""

    first: float
    speed: float
    prompt_tokens: int


@dataclass(frozen=True)
class Setting:
    """What is the same for all: the files, threads, cells, length of the answer in tokens."""

    files: ModelFiles
    threads: int
    context: int
    tokens: int

    def options(self, limits: ImageLimits) -> list[str]:
        """The same as options of llama.cpp's programs."""
        values = {
            "-m": self.files.model,
            "--mmproj": self.files.mmproj,
            "-t": self.threads,
            "-tb": self.threads,
            "-c": self.context,
            "-b": 512,
            "-ub": 512,
            "-np": 1,
            "--image-min-tokens": limits.min_tokens,
            "--image-max-tokens": limits.max_tokens,
        }
        return [str(part) for pair in values.items() for part in pair]


class Command:
    """llama-mtmd-cli: loads the model for every picture; loading is left out of the figures."""

    def __init__(self, program: Path, setting: Setting) -> None:
        self._program, self._setting = program, setting
        self.peak = 0

    def run(self, picture: Path, words: str) -> Run:
        """Convert a picture once. Raises RuntimeError where its log lacks a figure."""
        setting = self._setting
        command = [
            str(self._program), *setting.options(setting.files.card.image), "--image",
            str(picture), "-p", words, "-n", str(setting.tokens), "--temp", "0", "--perf",
            "-lv", "4", "--no-warmup",
        ]  # fmt: skip
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        ) as process:
            assert process.stderr is not None
            lines = []
            for line in process.stderr:
                lines.append(line)
                self.peak = max(self.peak, peak_memory(process.pid))
        log = "".join(lines)
        found = [pattern.search(log) for pattern in (_ENCODED, _PROMPT, _WRITTEN)]
        if not all(found):
            raise RuntimeError(f"{self._program.name} tells no times: {log[-300:]}")
        encoded, prompt, written = (match for match in found if match)
        first = (float(encoded[1]) + float(prompt[1])) / 1000
        return Run(first, 1000 * int(written[2]) / float(written[1]), int(prompt[2]))


class Server:
    """llama-server with one slot, asked as any client would; a context manager."""

    def __init__(self, program: Path, setting: Setting) -> None:
        self._setting = setting
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = [*setting.options(setting.files.card.image), "--jinja", "--port", str(port)]
        self._process = subprocess.Popen(
            [str(program), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            timeout=600,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self.peak = 0

    def __enter__(self) -> Server:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if self._client.get("/health").status_code == 200:
                    return self
            time.sleep(0.2)
        self.__exit__()
        raise RuntimeError("llama-server did not start")

    def __exit__(self, *ignored: object) -> None:
        self.peak = max(self.peak, peak_memory(self._process.pid))
        self._process.terminate()
        self._process.wait(30)
        self._client.close()

    def run(self, url: str, words: str, **more: Any) -> Run:
        """Convert a picture (as a data URL), streaming."""
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": words},
        ]
        body = {
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self._setting.tokens,
            "temperature": 0,
            "stream": True,
            "timings_per_token": True,
            **more,
        }
        began, first, timings = time.perf_counter(), None, {}
        with self._client.stream("POST", "/v1/chat/completions", json=body) as answer:
            answer.raise_for_status()
            for event in _events(answer):
                if (
                    first is None
                    and event["choices"]
                    and event["choices"][0]["delta"].get("content")
                ):
                    first = time.perf_counter() - began
                timings = event.get("timings", timings)
        if first is None:
            raise RuntimeError("llama-server answered nothing")
        self.peak = max(self.peak, peak_memory(self._process.pid))
        prompt = timings["prompt_n"] + timings.get("cache_n", 0)
        return Run(first, timings["predicted_per_second"], prompt)


def _events(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line.startswith("data: {"):
            yield json.loads(line[6:])


def peak_memory(pid: int) -> int:
    """The most bytes a process ever held in memory; 0 where that cannot be told."""
    with contextlib.suppress(OSError, psutil.Error):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


__all__ = ["Command", "Run", "Server", "Setting", "data_url", "peak_memory"]
