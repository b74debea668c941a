"""What a run leaves for the next: state.json in the work folder, and the lock of the folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from engine.errors import ErrorCode, VisCodexError
from engine.models.part import lock_file
from training.sums import Known
from training.tensors import write_beside

STATE, LOCK = "state.json", "lock"
PATIENCE = 2.0  # seconds that the children of a killed run have to end
FORMAT = 1  # a state of another one is not read: all stages would run anew
Status = Literal["running", "failed", "done"]


@dataclass
class Record:
    """How a stage last went. `settings` is its section, `inputs` and `outputs` are sums of files by
    name; `seconds` the time of the last go alone, where it was stopped and gone on with."""

    status: Status
    settings: Any
    inputs: dict[str, str]
    began: str
    outputs: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""


@dataclass
class State:
    """All stages that were ever begun, and the sums of the files that were read for them."""

    file: Path
    stages: dict[str, Record] = field(default_factory=dict)
    sums: Known = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> State:
        """The state of a work folder; an empty one where nothing was begun.

        Raises VisCodexError(bad_input) for a file that is none.
        """
        state = cls(folder / STATE)
        try:
            content = json.loads(state.file.read_text(encoding="utf-8"))
            if content["format"] == FORMAT:
                state.stages = {name: Record(**row) for name, row in content["stages"].items()}
                state.sums = {path: tuple(row) for path, row in content["sums"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise VisCodexError(
                ErrorCode.bad_input,
                f"'{state.file}' cannot be read.",
                "Delete it to run all stages anew, or choose another folder with --work.",
            ) from None
        return state

    def write(self) -> None:
        """Beside its place, then renamed."""
        stages = {name: asdict(record) for name, record in self.stages.items()}
        content = {"format": FORMAT, "stages": stages, "sums": self.sums}
        write_beside(self.file, json.dumps(content, indent=1) + "\n")


@contextmanager
def locked(folder: Path) -> Iterator[IO[bytes]]:
    """Make the folder and hold it for this process, until the end or its death; gives the file that
    is locked, which a child may inherit. VisCodexError(bad_input) where another run holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as file:
        if not _is_locked(file):
            raise VisCodexError(
                ErrorCode.bad_input,
                f"Another run is at work in '{folder}'.",
                "Wait for it, or choose another folder with --work.",
            )
        yield file


def _is_locked(file: IO[bytes]) -> bool:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            lock_file(file)
            return True
        except OSError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
