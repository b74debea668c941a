"""One conversion without a window: events to progress, answer to code, code to picture."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from app.files import check_writable, write_whole
from app.rendering import draw
from engine import protocol
from engine.client import EngineClient
from engine.compare import Similarity, similarity
from engine.errors import ErrorCode, VisCodexError
from engine.images import load_picture
from engine.models.store import find_model
from engine.tasks import TASKS


@dataclass(frozen=True)
class Job:
    """What `viscodex convert` was asked for; `refine` is (instruction, code)."""

    image: Path
    target: str = "auto"
    hints: str = "auto"
    model: str = "viscodex-nano"
    mmproj: Path | None = None
    refine: tuple[str, str] | None = None
    max_tokens: int | None = None
    seed: int = 0
    temperature: float | None = None
    out: Path | None = None
    preview: Path | None = None


@dataclass
class Outcome:
    """What came of it; `timings` are seconds, but for `tokens` and `tokens_per_second`."""

    target: str
    code: str
    model: str = ""
    confidence: float | None = None
    finish_reason: str = ""
    timings: dict[str, float] = field(default_factory=dict)
    similarity: Similarity | None = None
    lines: list[Any] | None = None
    out: Path | None = None
    preview: Path | None = None

    def to_json(self) -> dict[str, Any]:
        fields = {
            "code": self.code,
            "target": self.target,
            "confidence": self.confidence,
            "model": self.model,
            "timings": self.timings,
            "finish_reason": self.finish_reason,
            "similarity": None if self.similarity is None else asdict(self.similarity),
            "out": None if self.out is None else str(self.out),
            "preview": None if self.preview is None else str(self.preview),
        }
        if self.lines is not None:
            fields["lines"] = self.lines
        return fields
