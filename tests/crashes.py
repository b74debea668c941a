"""A plugin: where a worker of pytest-xdist died, the report ends with the stacks of its threads.

They are in its error output too, but far above, between the dots of the other tests.
"""

from __future__ import annotations

import faulthandler
import shutil
import tempfile
from pathlib import Path
from typing import Any, TextIO

import pytest

FOLDER = pytest.StashKey[Path]()
OPEN = pytest.StashKey[TextIO]()


class Controller:
    """Gives each worker a folder to write to, and reads it at the end."""

    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["stacks"] = str(node.config.stash[FOLDER])

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        for path in sorted(config.stash[FOLDER].glob("*.txt")):
            if stacks := path.read_text(errors="replace").strip():
                terminalreporter.section(f"how worker {path.stem} died")
                terminalreporter.write_line(stacks)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        shutil.rmtree(config.stash[FOLDER])


@pytest.hookimpl(trylast=True)  # after pytest's own, which writes to the error output
def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        path = Path(worker["stacks"]) / f"{worker['workerid']}.txt"
        config.stash[OPEN] = path.open("w")
        faulthandler.enable(config.stash[OPEN])
    elif config.pluginmanager.hasplugin("xdist"):
        config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="viscodex-stacks-"))
        config.pluginmanager.register(Controller())
