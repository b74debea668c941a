"""A drawer that counts."""

from __future__ import annotations

from engine.render.drawing import Drawer, Drawing


class Counting(Drawer):
    """Draws as ever; `drawings` says how often it was asked."""

    drawings = 0

    def draw(self, code: str, target: str, size: tuple[int, int | None]) -> Drawing:
        self.drawings += 1
        return super().draw(code, target, size)
