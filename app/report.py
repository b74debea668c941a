"""What helps to find a fault, and nothing private: for a file, the clipboard, or a stranger.

    report = make_report(list(examine()))   # off the GUI thread: the checks take seconds
    report.text()                           # for people; report.to_json() for programs

What is told of the settings is named one by one in `PUBLIC`, so that a new setting is private until
somebody decides otherwise. All text goes through `app.redact`.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from app.finding import Finding
from app.log import last_lines
from app.redact import Redactor
from app.store import settings as store
from engine.models.store import BUNDLED

LINES = 60  # of the log
PACKAGES = (
    "viscodex", "PySide6-Essentials", "PySide6-WebEngine", "llama-cpp-python", "rapidocr",
    "onnxruntime", "matplotlib", "numpy", "pillow", "httpx", "mss", "keyring",
)  # fmt: skip
PUBLIC = (
    "theme", "language", "target", "auto_start", "best_of", "hints", "repair", "correct", "split",
    "hotkey", "capture_delay", "scripts", "unwalled", "preview_width", "history", "history_days",
    "history_count", "private", "tray", "notifications", "first_run_done", "version",
)  # fmt: skip
# Variables that change how things run; only whether they are set is told.
VARIABLES = (
    "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "HTTPS_PROXY", "SSL_CERT_FILE", "HF_ENDPOINT",
    "HF_TOKEN", "VISCODEX_API_KEY", "VISCODEX_MODELS", "VISCODEX_RENDER_NO_SANDBOX",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """Sections by name; each a table or a list of lines."""

    sections: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return self.sections

    def text(self) -> str:
        """For people."""
        lines = []
        for title, content in self.sections.items():
            lines += [title, "-" * len(title)]
            if isinstance(content, dict):
                lines += [f"{name}: {value}" for name, value in content.items()]
            else:
                lines += [str(line) for line in content]
            lines.append("")
        return "\n".join(lines)

    def for_file(self, path: Path) -> str:
        """JSON for a .json file, text for any other."""
        if path.suffix.lower() == ".json":
            return json.dumps(self.to_json(), ensure_ascii=False, indent=2) + "\n"
        return self.text()


def make_report(
    findings: Sequence[Finding],
    settings: store.Settings | None = None,
    log_folder: Path | None = None,
    engine: Mapping[str, str] | None = None,
) -> Report:
    """`findings` are those of `app.doctor.examine`, with devices and the state of the sandbox;
    settings and log are this user's unless others are given. `engine` is what is known of the
    model that is loaded; it is cleaned like everything else."""
    chosen = store.peek(store.default_path()) if settings is None else settings
    names = [
        part for server in chosen.servers for part in (server.name, server.model, *_host(server))
    ]
    names.append("" if _is_known(chosen.model) else chosen.model)
    clean = Redactor.of_this_machine(names).clean
    return Report(
        {
            "VisCodex": {name: _version(name) for name in PACKAGES},
            "System": _system(),
            "Checks": [_line(finding, clean(finding.detail)) for finding in findings],
            **({"Engine": _engine(engine, clean)} if engine else {}),
            "Settings": {name: clean(str(value)) for name, value in _settings(chosen).items()},
            "Environment": [name for name in VARIABLES if os.environ.get(name)],
            "Log": [clean(line) for line in last_lines(LINES, log_folder)],
        }
    )


def _host(server: store.RemoteServer) -> tuple[str, ...]:
    parts = urlsplit(server.url)
    return parts.netloc, parts.hostname or ""


def _line(finding: Finding, detail: str) -> str:
    mark = "ok" if finding.ok else ("FAILED" if finding.needed else "missing")
    return f"{mark:8} {finding.name:14} {detail}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _system() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {
        "system": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "frozen": bool(getattr(sys, "frozen", False)),
        "cores": os.cpu_count(),
        "memory": f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
    }


def _engine(facts: Mapping[str, str], clean: Callable[[str], str]) -> dict[str, str]:
    shown = {key: clean(text) for key, text in facts.items()}
    model = facts.get("Model", "")
    return {**shown, "Model": model if not model or _is_known(model) else "one of their own"}


def _is_known(model: str) -> bool:
    """Whether a model's name tells nothing of its user."""
    from engine.models.catalogue import load_catalogue

    return model in {BUNDLED, *(entry.name for entry in load_catalogue())}


def _settings(settings: store.Settings) -> dict[str, Any]:
    shown = {name: getattr(settings, name) for name in PUBLIC}
    model = settings.model or BUNDLED
    shown["model"] = model if _is_known(model) else "one of their own"
    schemes = sorted(urlsplit(server.url).scheme for server in settings.servers)
    shown["servers"] = f"{len(schemes)} ({', '.join(schemes)})" if schemes else "none"
    shown["server chosen"] = settings.remote is not None
    return shown
