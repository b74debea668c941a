"""What the refine box offers: quick actions as a table, and the instructions given before."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.i18n import N_, _

LONGEST = 50  # instructions remembered
NO_INSTRUCTIONS = N_("This model takes no instructions. Some quick actions need none.")


@dataclass(frozen=True)
class QuickAction:
    """A row of the menu; one with an empty instruction is another try and works with any model.

    Models are told the instruction in English; people read it in their language. One that is
    `measured` needs no model: the engine has a way to do it by the picture, of the same key.
    """

    key: str
    text: str
    instruction: str = ""
    measured: bool = False


QUICK_ACTIONS: tuple[QuickAction, ...] = (
    QuickAction("again", N_("Another try")),
    QuickAction(
        "text",
        N_("Fix the text"),
        N_(
            "Correct every word so that the text is exactly that of the picture. Change nothing "
            "else."
        ),
        measured=True,
    ),
    QuickAction(
        "colours",
        N_("Match the colours"),
        N_(
            "Take every colour from the picture: grounds, texts, borders, lines and areas. "
            "Change nothing else."
        ),
        measured=True,
    ),
    QuickAction(
        "layout",
        N_("Match the layout"),
        N_(
            "Give every part the place and the size that it has in the picture. Change nothing "
            "else."
        ),
    ),
    QuickAction(
        "simplify",
        N_("Simplify the code"),
        N_(
            "Write the same with less code: no needless elements, no rules said twice. "
            "It must look the same."
        ),
    ),
    QuickAction(
        "responsive",
        N_("Make it responsive"),
        N_("Let the page fit every width from 360 to 1920 pixels, without scrolling sideways."),
    ),
)


INSTRUCTIONS = frozenset(one.instruction for one in QUICK_ACTIONS)


def shown(instruction: str) -> str:
    """An instruction as people read it: those of the quick actions in their language."""
    return _(instruction) if instruction in INSTRUCTIONS else instruction


@dataclass
class InstructionHistory:
    """What was typed, walked with up and down like a shell's history."""

    past: list[str] = field(default_factory=list)
    _place: int | None = None  # None: at the line being typed
    _typed: str = ""

    def add(self, instruction: str) -> None:
        """Remember an instruction; one that was there already moves to the end."""
        self.past = [one for one in self.past if one != instruction] + [instruction]
        self.past = self.past[-LONGEST:]
        self._place = None

    def up(self, typed: str) -> str:
        """The instruction before; `typed` is what stands there and comes back with `down`."""
        if not self.past:
            return typed
        if self._place is None:
            self._typed, self._place = typed, len(self.past)
        self._place = max(0, self._place - 1)
        return self.past[self._place]

    def down(self, typed: str) -> str:
        """The instruction after, and at last what was typed."""
        if self._place is None:
            return typed
        self._place += 1
        if self._place >= len(self.past):
            self._place = None
            return self._typed
        return self.past[self._place]
