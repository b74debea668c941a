"""The card of a model: viscodex.json, or what stands in for it where there is none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from engine.models.check import ModelFacts
from engine.tasks import TASKS

FILE_NAME = "viscodex.json"
HINTS = ("always", "auto", "never")
PROMPTS = ("short", "full")
SAMPLING = ("temperature", "top_k", "top_p", "min_p", "max_tokens")


@dataclass(frozen=True)
class ModelCard:
    """What the engine must know of a model, and what it says of itself.

    `prompt` is "short" for models trained on the short instructions, "full" for general ones;
    `context` is in cells; `best_of` how many answers are written where nothing else is asked for:
    a small model is quick and often wrong, so that choosing pays. `corrected` says whether words
    and colours are then corrected by the picture (`engine.matching`). `sha256` maps file names to
    hexadecimal sums. With an empty `system` the prompt has no turn of the system.
    """

    name: str
    family: str = ""
    targets: tuple[str, ...] = tuple(TASKS)
    hints: str = "auto"
    prompt: str = "full"
    system: str = ""
    image: ImageLimits = field(default_factory=ImageLimits)
    context: int = 8192
    best_of: int = 1
    corrected: bool = False
    sampling: Mapping[str, float] = field(default_factory=dict)
    licence: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The content of viscodex.json."""
        return {
            "name": self.name,
            "family": self.family,
            "targets": list(self.targets),
            "hints": self.hints,
            "prompt": self.prompt,
            "system": self.system,
            "image": {
                "factor": self.image.factor,
                "min_tokens": self.image.min_tokens,
                "max_tokens": self.image.max_tokens,
                **({"longest": self.image.longest} if self.image.longest else {}),
            },
            "context": self.context,
            "best_of": self.best_of,
            "corrected": self.corrected,
            "sampling": dict(self.sampling),
            "licence": self.licence,
            "sha256": dict(self.sha256),
            "training": dict(self.training),
            "evaluation": dict(self.evaluation),
        }

    @classmethod
    def from_json(cls, data: Any) -> ModelCard:
        """Check and take over. Unknown keys are left out. Raises VisCodexError(model_broken)."""
        if not isinstance(data, dict) or not isinstance(data.get("name"), str) or not data["name"]:
            raise _unusable("it needs at least a name")
        values: dict[str, Any] = {"name": data["name"]}
        for key in ("family", "system", "licence"):
            values[key] = _of_type(data, key, str, "")
        for key in ("sha256", "training", "evaluation"):
            values[key] = _of_type(data, key, dict, {})
        values["hints"] = _one_of(data, "hints", HINTS, "auto")
        values["prompt"] = _one_of(data, "prompt", PROMPTS, "full")
        targets = _of_type(data, "targets", list, list(TASKS))
        values["targets"] = tuple(name for name in targets if name in TASKS)
        if not values["targets"]:
            raise _unusable("none of its targets is known to this version")
        values["context"] = _count(data, "context", 8192, 256, 1_048_576)
        values["best_of"] = _count(data, "best_of", 1, 1, 8)
        values["corrected"] = _of_type(data, "corrected", bool, False)
        image = _of_type(data, "image", dict, {})
        least = _count(image, "min_tokens", ImageLimits.min_tokens, 1, 16_384)
        values["image"] = ImageLimits(
            factor=_count(image, "factor", ImageLimits.factor, 4, 128),
            min_tokens=least,
            max_tokens=_count(
                image, "max_tokens", max(ImageLimits.max_tokens, least), least, 16_384
            ),
            longest=_count(image, "longest", 0, 0, 8192),
        )
        sampling = _of_type(data, "sampling", dict, {})
        for key, value in sampling.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value < math.inf:
                raise _unusable(f"'sampling.{key}' is no number from 0 on")
        values["sampling"] = {key: value for key, value in sampling.items() if key in SAMPLING}
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """The card in a file. Raises VisCodexError(model_broken)."""
        try:
            if path.stat().st_size > 1_000_000:
                raise _unusable("it has over a million bytes")
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError) as error:
            raise _unusable(f"it cannot be read ({type(error).__name__})") from error

    @classmethod
    def of_facts(cls, facts: ModelFacts) -> ModelCard:
        """For files without a card: a general model, with picture sizes that suit a laptop."""
        return cls(
            name=facts.name,
            family=facts.projector.removesuffix("_merger"),
            system="You are a helpful assistant.",
            image=ImageLimits(
                factor=facts.token_side, min_tokens=256, max_tokens=1536, longest=facts.longest
            ),
            context=min(8192, facts.context),
        )


def _unusable(why: str) -> VisCodexError:
    return VisCodexError(
        ErrorCode.model_broken,
        f"The model's {FILE_NAME} cannot be used: {why}.",
        "Get the model again, or mend the file.",
    )


def _of_type(data: Mapping[str, Any], key: str, kind: type, default: Any) -> Any:
    value = data.get(key, default)
    if not isinstance(value, kind):
        raise _unusable(f"'{key}' is of the wrong kind")
    return value


def _one_of(data: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str) -> str:
    value = data.get(key, default)
    if value not in choices:
        raise _unusable(f"'{key}' is none of {', '.join(choices)}")
    return str(value)


def _count(data: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _unusable(f"'{key}' is no number from {low} to {high}")
    return value
