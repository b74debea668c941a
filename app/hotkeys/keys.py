"""The keys a hotkey may use and the names that each system has for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import Qt


@dataclass(frozen=True)
class KeyCodes:
    """One key: X keysym, virtual key of Windows, key code of macOS, name for the portal.

    The code of macOS is None where its keyboards have no such key.
    """

    keysym: int
    windows: int
    macos: int | None
    portal: str


_MAC_LETTERS = dict(
    zip(
        "asdfhgzxcvbqweryt",
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17),
        strict=True,
    )
) | dict(zip("ouipljknm", (31, 32, 34, 35, 37, 38, 40, 45, 46), strict=True))
_MAC_DIGITS = dict(zip("1234657980", (18, 19, 20, 21, 22, 23, 26, 25, 28, 29), strict=True))
_MAC_FUNCTION = (
    122, 120, 99, 118, 96, 97, 98, 100, 101, 109, 103, 111, 105, 107, 113, 106, 64, 79, 80, 90,
)  # fmt: skip


def _table() -> dict[Qt.Key, KeyCodes]:
    table = {
        Qt.Key.Key_Space: KeyCodes(0x20, 0x20, 49, "space"),
        Qt.Key.Key_Print: KeyCodes(0xFF61, 0x2C, None, "Print"),
        Qt.Key.Key_Pause: KeyCodes(0xFF13, 0x13, None, "Pause"),
        Qt.Key.Key_Insert: KeyCodes(0xFF63, 0x2D, None, "Insert"),
        Qt.Key.Key_Home: KeyCodes(0xFF50, 0x24, 115, "Home"),
        Qt.Key.Key_End: KeyCodes(0xFF57, 0x23, 119, "End"),
        Qt.Key.Key_PageUp: KeyCodes(0xFF55, 0x21, 116, "Page_Up"),
        Qt.Key.Key_PageDown: KeyCodes(0xFF56, 0x22, 121, "Page_Down"),
    }
    for letter, code in _MAC_LETTERS.items():
        key = Qt.Key(ord(letter.upper()))
        table[key] = KeyCodes(ord(letter), ord(letter.upper()), code, letter)
    for digit, code in _MAC_DIGITS.items():
        table[Qt.Key(ord(digit))] = KeyCodes(ord(digit), ord(digit), code, digit)
    for number in range(24):
        mac = _MAC_FUNCTION[number] if number < len(_MAC_FUNCTION) else None
        key = Qt.Key(Qt.Key.Key_F1.value + number)
        table[key] = KeyCodes(0xFFBE + number, 0x70 + number, mac, f"F{number + 1}")
    return table


KEYS: Mapping[Qt.Key, KeyCodes] = _table()


@dataclass(frozen=True)
class ModifierCodes:
    """One modifier: its bit on X11 (Mod1 is Alt, Mod4 the logo key), Windows and in Carbon."""

    x11: int
    windows: int
    macos: int
    portal: str


# Qt calls the Command key of macOS Control and its Control key Meta.
MODIFIERS: Mapping[Qt.KeyboardModifier, ModifierCodes] = {
    Qt.KeyboardModifier.ControlModifier: ModifierCodes(1 << 2, 2, 0x0100, "CTRL"),
    Qt.KeyboardModifier.AltModifier: ModifierCodes(1 << 3, 1, 0x0800, "ALT"),
    Qt.KeyboardModifier.ShiftModifier: ModifierCodes(1 << 0, 4, 0x0200, "SHIFT"),
    Qt.KeyboardModifier.MetaModifier: ModifierCodes(1 << 6, 8, 0x1000, "LOGO"),
}
