"""An answer while it grows: tokens to text, and when it is complete."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from engine.llama.vocabulary import TextDecoder
from engine.loops import LoopGuard

_CLOSING = re.compile(r"\n[ \t]*```")
_LOOK_BACK = 64  # characters: a closing fence may come in several tokens


@dataclass
class Answer:
    """Takes the bytes of one token after the other; `reason` is set when it should stop.

    `opening` is the start of the answer that the prompt already holds. Reasons: stop (the model
    ended its turn), fence (the code block is closed), loop (it repeats itself), length, grammar (no
    token fits it any more).
    """

    opening: str
    longest: int
    tokens: int = 0
    reason: str = ""
    _tail: str = ""
    _decoder: TextDecoder = field(default_factory=TextDecoder)
    _guard: LoopGuard = field(default_factory=LoopGuard)

    def __post_init__(self) -> None:
        self._tail = self.opening[-_LOOK_BACK:]

    @property
    def complete(self) -> bool:
        """Whether nothing more should be drawn."""
        return bool(self.reason)

    def take(self, token: int, piece: bytes) -> str:
        """The text that the token adds, up to and with the closing fence."""
        self.tokens += 1
        text = self._decoder.feed(piece)
        known = len(self._tail)
        joined = self._tail + text
        # The opening fence has no newline before it, so the first one that has is the closing one.
        closing = _CLOSING.search(joined)
        if closing:
            self.reason = "fence"
            return joined[known : closing.end()]
        self._tail = joined[-_LOOK_BACK:]
        if self._guard.repeats(token):
            self.reason = "loop"
        elif self.tokens >= self.longest:
            self.reason = "length"
        return text

    def end(self, reason: str) -> str:
        """Stop for `reason`; what is left of an incomplete character."""
        self.reason = reason
        return self._decoder.finish()
