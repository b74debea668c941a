"""A combination of keys, and what a way to listen for one offers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence

from app.hotkeys.keys import KEYS, MODIFIERS, KeyCodes, ModifierCodes
from app.i18n import N_, _

COMMAND = "viscodex --capture"
BY_COMMAND = N_("Give the command `{command}` a key in the system's keyboard settings.")
_ALONE = frozenset(
    {Qt.Key.Key_Print, Qt.Key.Key_Pause, *(Qt.Key(Qt.Key.Key_F1.value + n) for n in range(24))}
)
"""Keys that no text needs, so that they may go without a modifier."""


def by_command(reason: str) -> str:
    """A reason, and what helps where no key can be heard: a key for our command."""
    advice = _(BY_COMMAND).format(command=COMMAND)
    return f"{_(reason)} {advice}"


class HotkeyError(Exception):
    """A combination cannot be used; the text, one line, is for people."""


@dataclass(frozen=True)
class Combination:
    """A key with its modifiers."""

    modifiers: Qt.KeyboardModifier
    key: Qt.Key

    @classmethod
    def parse(cls, text: str, platform: str = sys.platform) -> Combination:
        """Read the portable text of a QKeySequence. Raises HotkeyError for what cannot work."""
        sequence = QKeySequence(text, QKeySequence.SequenceFormat.PortableText)
        if sequence.count() != 1:
            raise HotkeyError(_("Press one key together with Ctrl, Alt or Shift."))
        both = sequence[0]  # type: ignore[index]
        made = cls(both.keyboardModifiers(), both.key())
        _check(made, platform)
        return made

    @property
    def text(self) -> str:
        """As people of this system write it."""
        both = QKeySequence(self.modifiers.value | self.key.value)
        return both.toString(QKeySequence.SequenceFormat.NativeText)

    @property
    def codes(self) -> KeyCodes:
        return KEYS[self.key]

    def modifier_codes(self) -> list[ModifierCodes]:
        """The codes of its modifiers, in the order of the table."""
        return [codes for one, codes in MODIFIERS.items() if self.modifiers & one]


def _check(made: Combination, platform: str) -> None:
    control, alt = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
    strong = control | alt | Qt.KeyboardModifier.MetaModifier
    if made.key not in KEYS:
        raise HotkeyError(
            _("{keys} cannot be used: take a letter, a digit or F1 to F24.").format(keys=made.text)
        )
    if made.key not in _ALONE and not made.modifiers & strong:
        raise HotkeyError(_("{keys} is needed for typing: add Ctrl or Alt.").format(keys=made.text))
    types = made.key not in _ALONE and made.key.value < 0x100
    if platform != "darwin" and types and (made.modifiers & strong) == (control | alt):
        raise HotkeyError(
            _("{keys} is AltGr on many keyboards and types a letter: add or change a key.").format(
                keys=made.text
            )
        )


@dataclass(frozen=True)
class Told:
    """Where a handler tells what happens; each may be called on any thread."""

    pressed: Callable[[], None]
    active: Callable[[str], None]
    """It is registered; the text says how, as the system puts it, "" where it says nothing."""
    failed: Callable[[str], None]


class HotkeyHandler(Protocol):
    """One way to hear a key. Holds one combination at a time."""

    method: str
    """What it does, said plainly in the settings."""

    def reason(self) -> str:
        """Why it does not work here; "" where it does."""
        ...

    def register(self, combination: Combination, told: Told) -> None:
        """Begin to listen; the outcome goes to `told`, at once or later."""
        ...

    def unregister(self) -> None:
        """Stop listening and give the key back. May be called at any time."""
        ...
