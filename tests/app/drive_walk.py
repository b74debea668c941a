"""Run by test_end_to_end on a real X server: from a page on the screen to its code in a file.

Arguments: "first" or "again", a folder for pictures and the saved file, the place of the page on
the screen (x, y, width, height). Prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from app.hotkeys.main import HotkeyState
from app.resident import Resident
from app.views.models_window import ModelsWindow
from app.views.overlay import Overlay
from app.views.windows import Windows
from tests.app.walker import User, colours, walk

MODEL = "writes-what-is-written"
TYPED, TYPED_COLOUR = "typed by hand", "#c2185b"
LINE = f'<p style="position:fixed;top:0;left:0;background:{TYPED_COLOUR}">{TYPED}</p>'
INSTRUCTION = "make the header green"
REFINED_COLOUR = "#0a7d32"
LEAST_COLOURS = 8  # letters have more shades than that
RESTS, REST_SECONDS = 60, 0.5
CLIPBOARD = """
import sys
from PySide6.QtGui import QGuiApplication
application = QGuiApplication(["clipboard"])
sys.stdout.write(application.clipboard().text())
"""


@dataclass(frozen=True)
class Plan:
    """Where things are: the folder for what is written, the page on the screen."""

    folder: Path
    page: tuple[int, int, int, int]


def first(user: User, plan: Plan) -> dict[str, Any]:
    """Snip, convert, edit, refine, save, copy."""
    window = user.window
    session = window.controller.session
    snip(user, plan)
    facts: dict[str, Any] = {"snip": [session.picture.width, session.picture.height]}  # type: ignore[union-attr]
    user.until_done()
    facts["model"] = session.model
    facts["converted"] = user.look(lambda: window.code.edit.code)
    facts["preview"] = preview(user, plan, "converted")
    facts["instructions"] = user.look(window.features.refining.bar.edit.isEnabled)
    edit_by_hand(user)
    user.until(lambda: TYPED_COLOUR in colours_of_preview(user), "the preview of what was typed")
    facts["edited"] = user.look(lambda: window.code.edit.code)
    facts["edited_preview"] = preview(user, plan, "edited")
    take_other_model(user)
    refine(user)
    facts["refined"] = user.look(lambda: window.code.edit.code)
    user.until(lambda: REFINED_COLOUR in colours_of_preview(user), "the preview of the refinement")
    facts["refined_preview"] = preview(user, plan, "refined")
    facts["versions"] = user.look(lambda: [(one.kind, one.instruction) for one in picked(user)])
    save(user, plan.folder / "saved.html")
    user.press("ctrl+shift+c")
    user.until(lambda: QGuiApplication.clipboard().text() != "", "the copy")
    reader = [sys.executable, "-c", CLIPBOARD]
    facts["clipboard"] = subprocess.run(reader, capture_output=True, text=True, check=True).stdout
    user.press("alt+F4")
    return facts


def again(user: User, plan: Plan) -> dict[str, Any]:
    """Open the result of the run before from the history and walk its versions."""
    window = user.window
    archive = window.parts.archive
    assert archive is not None
    user.until(lambda: archive.open_, "the history")
    user.press("ctrl+h")
    panel = window.features.archiving.panel
    assert panel is not None
    user.until(panel.search.hasFocus, "the search")
    user.write("welcome")
    user.until(lambda: panel.model.rowCount() == 1, "what was found")
    user.press("Return", "Return")
    user.until(lambda: window.code.edit.code != "", "the entry")
    facts: dict[str, Any] = {"state": window.controller.session.state.value}
    user.until(lambda: REFINED_COLOUR in colours_of_preview(user), "the preview of the entry")
    facts["preview"] = preview(user, plan, "again")
    facts["versions"] = user.look(lambda: [(one.kind, one.instruction) for one in picked(user)])
    codes = [user.look(lambda: window.code.edit.code)]
    for _ in range(2):
        user.press("alt+Left")
        user.until(lambda: window.code.edit.code != codes[-1], "the version before")
        codes.append(user.look(lambda: window.code.edit.code))
    facts["codes"] = codes
    user.until(lambda: TYPED_COLOUR not in colours_of_preview(user), "the first preview")
    user.press("alt+F4")
    return facts


# Steps ----------------------------------------------------------------------


def snip(user: User, plan: Plan) -> None:
    """By the hotkey of the whole system and a drag over the page."""
    x, y, width, height = plan.page
    (resident,) = user.look(lambda: user.window.findChildren(Resident))
    user.until(lambda: resident.hotkey.state is HotkeyState.ACTIVE, "the hotkey")
    user.press("ctrl+shift+F8")
    flow = user.window.flow
    user.until(lambda: flow.snip is not None and overlay_of(flow.snip).isActiveWindow(), "overlay")
    user.drag((x, y), (x + width, y + height))
    user.until(lambda: user.window.controller.session.picture is not None, "the snip")
    user.until(lambda: not user.window.source.view.image.isNull(), "the picture in its pane")
    user.look(lambda: user.window.source.view.image.save(str(plan.folder / "snip.png")))


def overlay_of(snip: Any) -> Overlay:
    (overlay,) = snip.overlays
    assert isinstance(overlay, Overlay)
    return overlay


def edit_by_hand(user: User) -> None:
    """Type one line at the end of the code."""
    user.press("ctrl+2")
    user.until(user.window.code.edit.hasFocus, "the focus in the code")
    user.press("ctrl+End", "Return")
    user.write(LINE)
    user.until(lambda: user.window.code.edit.code.endswith(LINE), "what was typed")


def take_other_model(user: User) -> None:
    """In the model manager: one that takes instructions."""
    user.press("ctrl+shift+m")
    (windows,) = user.look(lambda: user.window.findChildren(Windows))
    user.until(lambda: windows.window("models") is not None, "the model manager")
    manager = windows.window("models")
    assert isinstance(manager, ModelsWindow)
    key = ("here", MODEL)
    user.until(lambda: key in manager.cards and "use" in manager.cards[key].buttons, "the card")
    user.until(manager.isActiveWindow, "the manager in front")
    use = manager.cards[key].buttons["use"]
    user.look(lambda: manager.page.ensureWidgetVisible(use))
    user.click(use)
    session = user.window.controller.session
    user.until(lambda: session.model == MODEL, "the other model")
    user.press("Escape")
    user.until(lambda: not manager.isVisible(), "the end of the manager")
    user.until(user.window.isActiveWindow, "the window in front")


def refine(user: User) -> None:
    user.press("ctrl+l")
    user.until(user.window.features.refining.bar.edit.hasFocus, "the line of the instruction")
    user.write(INSTRUCTION)
    user.press("Return")
    user.until(lambda: user.window.controller.session.result.kind == "refine", "the refinement")
    user.until_done()


def save(user: User, place: Path) -> None:
    """Through the dialog, by its line for the name."""
    user.press("ctrl+s")

    def dialog() -> QFileDialog | None:
        modal = user.window.findChildren(QFileDialog)
        return next((one for one in modal if one.isVisible() and one.isActiveWindow()), None)

    user.until(dialog, "the dialog")
    user.press("ctrl+a")
    user.write(str(place))
    user.press("Return")
    user.until(place.exists, "the file")
    user.until(user.window.isActiveWindow, "the window in front")


# What is seen ---------------------------------------------------------------


def web(user: User) -> QWidget:
    shown = user.window.preview.web
    assert shown is not None
    return shown


def grabbed(widget: QWidget) -> QImage:
    """The pixels of the screen where a widget stands; on the thread of the window."""
    corner = widget.mapToGlobal(widget.rect().topLeft())
    grab = widget.screen().grabWindow(0, corner.x(), corner.y(), widget.width(), widget.height())
    return grab.toImage()


def colours_of_preview(user: User) -> dict[str, float]:
    return colours(grabbed(web(user)))


def preview(user: User, plan: Plan, name: str) -> dict[str, float]:
    """What share of the preview its commonest colours have, once it has come to rest.

    A picture of the window is kept.
    """
    user.until(web(user).isVisible, "the preview")
    found: dict[str, float] = {}
    for _ in range(RESTS):
        before, found = found, user.look(lambda: colours_of_preview(user))
        if found == before and len(found) > LEAST_COLOURS:
            break
        time.sleep(REST_SECONDS)
    user.look(lambda: grabbed(user.window).save(str(plan.folder / f"{name}.png")))
    return dict(sorted(found.items(), key=lambda one: -one[1])[:12])


def picked(user: User) -> list[Any]:
    return [one for one in user.window.controller.session.versions if one.picked]


def main() -> None:
    part, folder, *place = sys.argv[1:]
    x, y, width, height = (int(number) for number in place)
    plan = Plan(Path(folder), (x, y, width, height))
    steps = {"first": first, "again": again}[part]
    walk(lambda user: print(json.dumps(steps(user, plan)), flush=True))


if __name__ == "__main__":
    main()
