"""A run's recipe and its places: what lies where in the work folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import BaseModel

from training.hub import PATTERNS
from training.merge.report import REPORT
from training.pipeline.recipe import PipelineRecipe, filled_in

Report = Callable[[str], None]
# Why a stage runs: never begun; begun with these inputs and not finished; inputs that are not those
# of the last time; results that are gone or were changed; told to.
Reason = Literal["new", "stopped", "changed", "lost", "asked"]
VERIFIED, SCORES = "verify.json", "scores.json"


@dataclass(frozen=True)
class Work:
    """A recipe and the folder of its results. `lock` is the file that holds the folder."""

    recipe: PipelineRecipe
    folder: Path
    report: Report = print
    threads: int | None = None
    lock: IO[bytes] | None = None

    @property
    def base(self) -> Path:
        """The checkpoint of a packed run, laid out."""
        return self.folder / "base" / "checkpoint"

    @property
    def merged(self) -> Path:
        """The merged checkpoint."""
        return self.folder / "merged"

    @property
    def data(self) -> Path:
        """The data set."""
        return self.folder / "data"

    @property
    def trained(self) -> Path:
        """The checkpoint that is exported: of the last stage that makes one."""
        if self.recipe.sft is not None:
            return self.folder / "sft" / "model"
        return self.merged if self.recipe.merge is not None else self.base

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.folder / "model"

    def settings(self, section: str, leave_out: tuple[str, ...] = ()) -> Any:
        """What a section says, as plain values, without the places of earlier stages."""
        part = getattr(self.recipe, section)
        if not isinstance(part, BaseModel):
            return part
        out = {*filled_in(self.recipe).get(section, ()), *leave_out, "name"}
        return part.model_dump(mode="json", exclude=out)


def checkpoint_files(folder: Path, label: str) -> dict[str, Path]:
    """The files of a checkpoint that make it what it is, by name. A Hub id counts by its name:
    empty for what is no folder."""
    found = {path for pattern in PATTERNS for path in folder.glob(pattern) if path.name != REPORT}
    return {f"{label}/{path.name}": path for path in sorted(found)}


def files_in(folder: Path, *patterns: str) -> list[Path]:
    """The files in a folder that fit patterns, in order."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})
