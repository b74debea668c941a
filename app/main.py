"""Starts the desktop application: first paint first, everything heavy afterwards."""

from __future__ import annotations

import logging
import sys
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QProcess, QSettings, Qt, QTimer
from PySide6.QtWidgets import QApplication

from app import bootstrap, highlight, instance, language
from app.archive import Archive
from app.autostart import own_command, system_autostart
from app.bridge import EngineBridge
from app.capture.main import default_handlers
from app.controller import Controller
from app.ending import Ending
from app.hotkeys.main import Hotkey, default_handler
from app.log import start_log
from app.preview.chart import default_runner
from app.resident import Resident
from app.session import Failure
from app.store import settings as store
from app.theme import CHOICES, Theme
from app.views.hotkey_box import hotkey_dialog
from app.views.main_window import MainWindow
from app.views.parts import Parts
from app.views.windows import Windows
from app.wiring import Engine

_LOG = logging.getLogger(__name__)
MODEL_FAULTS = frozenset({"model_missing", "model_broken", "model_unsupported", "model_mismatch"})


def main(image: Path | None = None, capture: bool = False, hidden: bool = False) -> int:
    """Open the window, with `image` loaded or the snip started, or wait `hidden` in the tray.

    Where an instance is already running the wish is handed to it and this process ends. Returns
    the exit status.
    """
    application = bootstrap.make_application(sys.argv[:1])
    ending = Ending()
    name = instance.server_name()
    wish = {
        "image": str(image.resolve()) if image is not None else "",
        "capture": capture,
        "hidden": hidden,
    }
    if instance.forward(name, wish):
        ending.status = 0
        return 0
    server = instance.InstanceServer(name)
    start_log()
    _LOG.info("started")
    window = make_window(application)
    window.controller.trouble.connect(lambda failure: _LOG.warning("told: %s", failure.code))
    resident = Resident(window, Hotkey(default_handler(), window), system_autostart(), application)
    server.requested.connect(partial(take_wish, window))
    window.hotkey_wanted.connect(partial(_change_hotkey, window, resident.hotkey))
    window.reopen.connect(partial(_reopen, window, server))
    # Overlays and dialogs come and go; the application ends when its window says so.
    application.setQuitOnLastWindowClosed(False)
    window.closed.connect(application.quit)
    if hidden:
        resident.begin(hidden=True)
        QTimer.singleShot(0, partial(take_wish, window, wish, False))
    else:
        window.painted.connect(resident.begin)
        window.painted.connect(partial(take_wish, window, wish, False))
        window.show()
    ending.status = application.exec()
    server.close()
    window.parts.state.sync()
    return ending.status


def make_window(application: QApplication, settings_path: Path | None = None) -> MainWindow:
    """The main window with its real parts; nothing heavy has started yet."""
    path = settings_path or store.default_path()
    language.install(application, store.peek(path).language)  # before anything is put into words
    loaded = store.load(path)
    settings = loaded.settings
    theme = Theme(application, settings.theme if settings.theme in CHOICES else "system")
    engine = Engine(settings)
    bridge = EngineBridge(engine.make_client)
    controller = Controller(bridge, engine.make_request)
    archive = Archive(
        private=settings.private or not settings.history,
        days=settings.history_days,
        count=settings.history_count,
    )
    parts = Parts(
        make_runner=default_runner,
        handlers=default_handlers(),
        web_allowed=bootstrap.preview_allowed(),
        state=QSettings(),
        save_settings=partial(_save_settings, path),
        archive=archive,
    )
    window = MainWindow(controller, theme, settings, parts)
    window.painted.connect(bridge.start)
    window.painted.connect(window.preview.create_web)
    window.painted.connect(archive.open)
    window.painted.connect(highlight.warm_up)
    window.flow.selecting.connect(bridge.start)  # a hidden start has loaded no model yet
    window.kept.connect(partial(_follow, engine, bridge))
    windows = Windows(window, lambda: archive.history)
    windows.shelf.server_changed.connect(lambda: bridge.change_client(engine.make_client))
    controller.trouble.connect(partial(_back_to_bundled, window))
    if loaded.notice:
        failure = Failure("settings_broken", loaded.notice)
        window.painted.connect(partial(controller.trouble.emit, failure))
    return window


def take_wish(window: MainWindow, wish: dict[str, Any], come_up: bool = True) -> None:
    """Do what a start asked for: show the window, load a picture, snip."""
    if wish.get("capture") is True:
        window.flow.start()
        return
    image = wish.get("image")
    if isinstance(image, str) and image:
        window.controller.offer_path(Path(image))
    if come_up and wish.get("hidden") is not True:
        window.come_up()


def _change_hotkey(window: MainWindow, hotkey: Hotkey) -> None:
    dialog, box = hotkey_dialog(window, hotkey, window.settings.hotkey)
    box.chosen.connect(lambda text: window.keep(hotkey=text))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def _reopen(window: MainWindow, server: instance.InstanceServer) -> None:
    """Start again: the new process must not find this one."""
    server.close()
    program, *arguments = own_command()
    QProcess.startDetached(program, arguments)
    window.quit()


def _follow(engine: Engine, bridge: EngineBridge, settings: store.Settings) -> None:
    if engine.follow(settings):
        bridge.change_client(engine.make_client)


def _back_to_bundled(window: MainWindow, failure: Failure) -> None:
    """A chosen model that cannot be used gives way to the bundled one; the banner says why."""
    if failure.code in MODEL_FAULTS and window.settings.model:
        window.keep(model="")


def _save_settings(path: Path, settings: store.Settings) -> None:
    try:
        store.save(settings, path)
    except OSError as error:
        _LOG.warning("settings could not be saved: %s", error)
