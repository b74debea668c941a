"""The processes that a frozen application starts out of its one executable, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

WORKERS: Mapping[str, str] = {
    "--engine": "engine.worker",
    "--allowed-page": "app.preview.allowed",
}
"""First argument -> module whose `main` takes the rest."""


def run_worker(arguments: Sequence[str]) -> int:
    """Be the process that the first argument names. Returns its exit status."""
    return int(import_module(WORKERS[arguments[0]]).main(list(arguments[1:])) or 0)
