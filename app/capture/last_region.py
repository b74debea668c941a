"""The region of the last snip, kept over restarts in the state of the window."""

from __future__ import annotations

from PySide6.QtCore import QSettings

from app.capture.geometry import NativeRect

KEY = "capture/last_region"


def load(state: QSettings) -> tuple[str, NativeRect] | None:
    """Name of the screen and region in its native pixels; None where nothing usable is kept."""
    stored = state.value(KEY)
    if not isinstance(stored, str):
        return None
    screen, _, numbers = stored.rpartition("|")
    try:
        x, y, width, height = (int(one) for one in numbers.split(","))
    except ValueError:
        return None
    rect = NativeRect(x, y, width, height)
    return (screen, rect) if rect.large_enough and min(x, y) >= 0 else None


def save(state: QSettings, screen: str, rect: NativeRect) -> None:
    """Keep the region of a snip."""
    state.setValue(KEY, f"{screen}|{rect.x},{rect.y},{rect.width},{rect.height}")
