"""What a data set is made of: the recipe of `viscodex-train data build`."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from training.data.record import KINDS, Kind
from training.data.sources import SOURCES
from training.data.sources.base import SourcePlan


class FilterPlan(BaseModel):
    """What is left out. None turns a filter off.

    `sides` are the least and greatest side of a picture in pixels, `aspect` the greatest ratio of
    its sides. `drawn` is the least share of pixels that are not the ground. `tokens` are the least
    and most of a completion; `tokenizer` the tokenizer.json that counts them (default: an
    estimate). `language` is the least share of Latin letters among the letters of prompt and
    text. `crowded` is the greatest share of texts that lie over each other or are cut off.
    `alike` is the Jaccard similarity from which code counts as a duplicate, `contained` the share
    of a record's token windows that may stand in one benchmark item.
    """

    model_config = ConfigDict(extra="forbid")

    sides: tuple[int, int] | None = (48, 4096)
    aspect: float | None = 12.0
    drawn: float | None = Field(default=0.004, ge=0, le=1)
    tokens: tuple[int, int] | None = (16, 4096)
    tokenizer: str | None = None
    language: float | None = Field(default=0.7, ge=0, le=1)
    crowded: float | None = Field(default=0.25, ge=0, le=1)
    alike: float | None = Field(default=0.8, gt=0, le=1)
    pictures_alike: bool = True
    contained: float | None = Field(default=0.5, gt=0, le=1)


class RewritePlan(BaseModel):
    """A pass through an OpenAI-compatible server; see `training.data.rewrite`.

    `share` of the records of each kind in `kinds` are sent; `requests` and `tokens` bound what is
    asked for over all runs of one data folder. The key comes from VISCODEX_API_KEY.
    """

    model_config = ConfigDict(extra="forbid")

    server: str
    model: str
    kinds: dict[Kind, Literal["new page", "cleaner code", "cleaner question"]] = {
        "html": "new page",
        "chart": "cleaner code",
        "qa": "cleaner question",
    }
    share: float = Field(1.0, ge=0, le=1)
    requests: int = Field(1000, ge=0)
    tokens: int | None = None
    max_tokens: int = 4096
    temperature: float = 0.7
    keep: bool = True


class DataRecipe(BaseModel):
    """Everything that decides a data set.

    `mixture` gives each kind its share of the set; without it all records are taken. `size` is
    the number of records wanted (default: as many as the shares allow). `hints` is the share of
    records with a picture that get text hints, `hints_from` whose: the renderer's own texts with
    the reader's kinds of error, or the reader's. `validation` is the share of groups held out.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    seed: int = 0
    sources: list[SerializeAsAny[SourcePlan]] = Field(min_length=1)
    filters: FilterPlan = FilterPlan()
    benchmarks: list[str] = []
    rewrite: RewritePlan | None = None
    hints: float = Field(0.0, ge=0, le=1)
    hints_from: Literal["renderer", "reader"] = "renderer"
    mixture: dict[Kind, float] | None = None
    size: int | None = Field(None, gt=0)
    validation: float = Field(0.0, ge=0, lt=1)
    chunk: int = Field(32, gt=0)
    shard: int = Field(5000, gt=0)
    format: Literal["jsonl", "parquet"] = "jsonl"

    @field_validator("sources", mode="before")
    @classmethod
    def _read_sources(cls, value: Any) -> Any:
        if not isinstance(value, list):
            raise ValueError("a list of sources is wanted")
        return [item if isinstance(item, SourcePlan) else _read_source(item) for item in value]

    @model_validator(mode="after")
    def _check(self) -> DataRecipe:
        names = [source.name for source in self.sources]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled:
            raise ValueError(f"two sources are called {doubled}; give one a name")
        shares = (self.mixture or {}).values()
        if any(share < 0 for share in shares):
            raise ValueError("mixture: a share is negative")
        if self.mixture and not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
            raise ValueError(f"mixture: the shares add up to {sum(shares):g}, not 1")
        return self


def _read_source(value: Any) -> SourcePlan:
    kind = str(value.get("type")) if isinstance(value, dict) else ""
    if kind not in SOURCES:
        raise ValueError(f"'{kind}' is no type of source; there are {', '.join(SOURCES)}")
    try:
        return SOURCES[kind].plan.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{kind}: {place}: {first['msg']}") from None


# Shares of the Multimodal Coding Dataset (arXiv 2508.09945, figure 3).
PAPER_MIXTURE: dict[Kind, float] = dict(zip(KINDS, (0.33, 0.35, 0.10, 0.22), strict=True))
