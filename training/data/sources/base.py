"""What a source is: a plan, the items it goes through, and what it makes of one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.errors import ErrorCode, VisCodexError
from training.data.draft import Draft, Tools


class SourcePlan(BaseModel):
    """What all sources have: `limit` items at most, the licence of what comes out, and a name
    that ids begin with (default: the type)."""

    model_config = ConfigDict(extra="forbid")

    type: str
    name: str = ""
    license: str = "unknown"
    limit: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _name_it(self) -> SourcePlan:
        self.name = self.name or self.type
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"'{self.name}' is no name: use letters, digits, - and _")
        return self

    def inputs(self) -> list[Path]:
        """Files and folders it is made from: a change in them makes it anew."""
        return []


@dataclass(frozen=True)
class Source:
    """A row of the table of sources.

    `items` goes through what there is, lazily and in a fixed order; an item can be pickled.
    `make` turns one into drafts, and counts in `tools.counts` what it leaves out; it may raise
    Dropped for the whole item. Ids, groups and pictures depend on the plan and the item alone.
    """

    plan: type[SourcePlan]
    items: Callable[[Any], Iterator[Any]]
    make: Callable[[Any, Any, Tools], Iterator[Draft]]


def must_exist(path: str) -> Path:
    """A path of a plan. VisCodexError(bad_input) where there is nothing."""
    found = Path(path).expanduser()
    if not found.exists():
        raise VisCodexError(ErrorCode.bad_input, f"There is no '{path}'.", "Check the recipe.")
    return found


def short_hash(*parts: object) -> str:
    """Twelve hexadecimal digits that stand for the parts."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=6).hexdigest()
