"""Code corrected by a picture, for the command line: what `viscodex match` does."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from engine.hints import read
from engine.matching import MATCHES
from engine.matching.scene import Scene
from engine.render.drawing import Drawer


def match(
    picture: Image.Image, code: str, target: str, kinds: Sequence[str], *, unwalled: bool = False
) -> tuple[str, float, float]:
    """The code after changes of these kinds (keys of MATCHES), with its likeness to the picture
    (0 to 1) before and after.

    Raises VisCodexError where the code draws nothing, or a script would run unwalled.
    """
    with Drawer(allow_unwalled=unwalled) as drawer:
        scene = Scene(drawer, picture, read(picture), target)
        before = _likeness(scene, code)
        for kind in kinds:
            code = MATCHES[kind].change(code, scene)
        return code, before, _likeness(scene, code)


def _likeness(scene: Scene, code: str) -> float:
    drawn = scene.judge(code)
    if drawn.likeness is None:
        assert drawn.problem is not None
        raise drawn.problem
    return drawn.likeness.total
