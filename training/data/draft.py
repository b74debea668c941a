"""What a source hands on: a record with its pictures still in memory, and the tools to make it."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from PIL import Image

from engine.errors import VisCodexError
from engine.images import load_picture
from engine.render.html import HtmlRenderer
from engine.render.python import PlotResult, PlotRunner
from training.data.record import Record
from training.nano.truth import true_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.hints import TextLine


@dataclass(frozen=True)
class Picture:
    """Bytes of a picture file and its ending; `data` is written as it is."""

    data: bytes
    suffix: str = ".png"

    @cached_property
    def image(self) -> Image.Image:
        """Decoded, RGB. Raises VisCodexError where it is broken."""
        return load_picture(self.data)


@dataclass
class Draft:
    """A record on its way. `texts` are the renderer's own text boxes, None where it drew none."""

    record: Record
    pictures: list[Picture] = field(default_factory=list)
    texts: Sequence[Mapping[str, object]] | None = None

    @cached_property
    def lines(self) -> list[TextLine] | None:
        """Lines of text as a perfect reader would give them, from the renderer's boxes."""
        if self.texts is None or not self.pictures:
            return None
        return true_lines(self.pictures[0].image, self.texts)

    def changed(self, **values: object) -> None:
        """Change fields of the record."""
        self.record = replace(self.record, **values)  # type: ignore[arg-type]


class Dropped(Exception):
    """An item that gives no record; the argument is the reason as it is counted."""


class Tools:
    """The renderers of a worker, started when first needed. A context manager."""

    def __init__(self, *, unwalled: bool = False) -> None:
        self.pages = HtmlRenderer()
        self.plots = PlotRunner(allow_unwalled=unwalled)
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Tools:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.pages.close()
        self.plots.close()

    def draw_page(
        self, html: str, width: int, max_height: int
    ) -> tuple[Picture, Sequence[Mapping[str, object]]]:
        """A page as high as its content, and its texts. Raises Dropped."""
        try:
            # One pixel more than allowed tells what was cut off.
            shot = self.pages.render(
                html, width, max_height=max_height + 1, describe=True, scripts=False
            )
        except VisCodexError:
            raise Dropped("does not render") from None
        if shot.height > max_height:
            raise Dropped("too high")
        assert shot.description is not None
        return Picture(packed(shot.png)), shot.description["texts"]

    def run_script(self, code: str, *, describe: bool = True, timeout: float = 20.0) -> PlotResult:
        """Run a script behind the wall; raises VisCodexError only where none may run at all."""
        return self.plots.run(code, describe=describe, timeout=timeout)

    def draw_chart(self, code: str) -> tuple[Picture, Sequence[Mapping[str, object]]]:
        """A chart and its texts. Raises Dropped."""
        shot = self.run_script(code)
        if shot.png is None or shot.description is None:
            raise Dropped("does not render")
        return Picture(packed(shot.png)), shot.description["texts"]


def packed(png: bytes) -> bytes:
    """PNG at a third of the size that the renderers, which are in a hurry, give it."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(out, "PNG", compress_level=4)
    return out.getvalue()
