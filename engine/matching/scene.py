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
        self, drawer: Drawer, picture: Image.Image, lines: Sequence[TextLine], target: str
    ) -> None:
        self.picture = picture.convert("RGB")
        self.lines = tuple(lines)
        self.target = target
        self._drawer = drawer
        self._judge = Judge(drawer, self.picture, self.lines)

    def draw(self, code: str) -> Drawing:
        """What code draws at the size of the picture. Raises VisCodexError as Drawer.draw."""
        return self._drawer.draw(code, self.target, self.picture.size)

    def judge(self, code: str) -> Drawn:
        """What code draws, compared with the picture; `problem` says why it draws nothing."""
        return self._judge.judge(code, self.target)
