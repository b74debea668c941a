"""What a change is measured with: the picture, the text read in it, and what code draws."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from engine.hints import TextLine
from engine.improve import Drawn, Judge
from engine.render.drawing import Drawer, Drawing


class Scene:
    """A picture (RGB), the `lines` read in it, and the means to draw code for a `target`."""

    def __init__(
        self,
        drawer: Drawer,
        picture: Image.Image,
        lines: Sequence[TextLine],
        target: str,
        judge: Judge | None = None,
    ) -> None:
        """`judge` is one of the same picture that has drawn some of the code already."""
        self.picture = picture.convert("RGB")
        self.lines = tuple(lines)
        self.target = target
        self._judge = judge or Judge(drawer, self.picture, self.lines)

    def draw(self, code: str) -> Drawing:
        """What code draws at the size of the picture. Raises VisCodexError as Drawer.draw."""
        return self._judge.draw(code, self.target)

    def judge(self, code: str) -> Drawn:
        """What code draws, compared with the picture; `problem` says why it draws nothing."""
        return self._judge.judge(code, self.target)
