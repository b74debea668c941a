"""Real pages: sanitised, cut into snips by the DOM, drawn at several widths.

The cutting is done by `web_script` inside the renderer, where layout, cascade and media queries
are those of a browser; here pages are read, stylesheets put in, and the snips drawn again.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, model_validator

from engine.errors import ErrorCode, VisCodexError
from engine.tasks import FENCE, TASKS
from training.data.draft import Draft, Dropped, Tools
from training.data.record import Record
from training.data.sources.base import Source, SourcePlan, must_exist, short_hash
from training.data.sources.web_files import whole_page
from training.data.sources.web_script import cutting_script

SUFFIXES = {".html", ".htm", ".xhtml"}
MAX_FILE = 2_000_000  # bytes
LAYOUT_HEIGHT = 900  # pixels of the window in which a page is laid out to be cut
DEBIAN_DOCS = Path("/usr/share/doc")


class WebPlan(SourcePlan):
    """Pages of a folder, or of an installed package: Debian's documentation of that name, or what
    a Python package brings.

    `widths` are the viewports in CSS pixels; sections and components are cut at the first, the
    page is taken at each at which it is not higher than `max_height`. `snips` bounds what is taken
    of a page, `parts` says what: pages, sections, components.
    """

    folder: str | None = None
    package: str | None = None
    widths: tuple[int, ...] = Field((1280, 768, 390), min_length=1)
    max_height: int = Field(1400, ge=200, le=4096)
    snips: int = Field(8, gt=0)
    parts: tuple[str, ...] = ("page", "section", "component")

    @model_validator(mode="after")
    def _one_place(self) -> WebPlan:
        if (self.folder is None) == (self.package is None):
            raise ValueError("give either a folder or a package")
        wrong = set(self.parts) - {"page", "section", "component"}
        if wrong:
            raise ValueError(f"'{min(wrong)}' is no part; there are page, section and component")
        return self

    @property
    def root(self) -> Path:
        """Where the pages are. VisCodexError(bad_input) where there is nothing."""
        if self.folder is not None:
            return must_exist(self.folder)
        assert self.package is not None
        docs = DEBIAN_DOCS / self.package
        if docs.is_dir():
            return docs
        name = self.package.replace("-", "_")
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"There is no installed package '{self.package}' with documentation.",
                "Give a folder instead.",
            )
        return Path(spec.submodule_search_locations[0])

    def inputs(self) -> list[Path]:
        """The folder of the pages."""
        return [self.root]


def items(plan: WebPlan) -> Iterator[str]:
    """Paths of the pages, relative to the root."""
    root = plan.root
    found = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
    yield from sorted(str(path.relative_to(root)) for path in found if path.is_file())


def make(item: str, plan: WebPlan, tools: Tools) -> Iterator[Draft]:
    """The snips of a page."""
    path = plan.root / item
    if path.stat().st_size > MAX_FILE:
        raise Dropped("page too large")
    page = whole_page(path, plan.root)
    group = short_hash(plan.name, item)
    seen: set[str] = set()
    left = plan.snips
    for place, width in enumerate(plan.widths):
        parts = plan.parts if place == 0 else tuple(p for p in plan.parts if p == "page")
        if not parts or left <= 0:
            break
        script = cutting_script(parts, plan.max_height, left)
        try:
            told = tools.pages.probe(page, width, LAYOUT_HEIGHT, script)
        except VisCodexError:
            tools.counts["page does not load"] += 1
            continue
        snips = json.loads(told) if told else []
        if not snips and place == 0:
            tools.counts["page without snips"] += 1
        for number, snip in enumerate(snips):
            code = str(snip["html"])
            # One picture a width for the page itself; the same part twice is one too many.
            key = f"{width} {code}"
            if key in seen:
                continue
            seen.add(key)
            try:
                yield _draft(item, plan, tools, group, snip, f"{width}-{number}")
                left -= 1
            except Dropped as reason:
                tools.counts[str(reason)] += 1


def _draft(
    item: str, plan: WebPlan, tools: Tools, group: str, snip: dict[str, object], place: str
) -> Draft:
    code, width = str(snip["html"]), int(str(snip["width"]))
    picture, texts = tools.draw_page(code, width, plan.max_height)
    task = TASKS["html"]
    record = Record(
        id=f"{plan.name}/{group}-{place}",
        source=plan.name,
        kind="html",
        prompt=task.instruction,
        completion=f"{task.prefill}{code}{FENCE}",
        license=plan.license,
        origin=f"{item} ({snip['part']} at {width} px)",
        group=group,
    )
    return Draft(record, [picture], texts)


WEB = Source(WebPlan, items, make)
