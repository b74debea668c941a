"""The guard against endless repetition, for tokens of our own and for text from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Hashable

LOOP_TOKENS = 128
LOOP_COPIES = 4
LONGEST_PERIOD = 256

# About what a tokenizer makes of code: stretches of letters, of digits, of spaces, of signs.
_LONGEST_PIECE = 12
_PIECE = re.compile(r"[^\W\d_]{1,12}|\d{1,12}|\s{1,12}|(?:[^\w\s]|_){1,12}")


class LoopGuard:
    """Notices when the tail of an answer is the same few tokens again and again.

    Tables and data rows repeat too, so a loop is only what repeats with one period for
    LOOP_TOKENS tokens and LOOP_COPIES further copies. Costs LONGEST_PERIOD comparisons a token.
    """

    def __init__(self) -> None:
        self._tokens: list[Hashable] = []
        self._runs = [0] * (LONGEST_PERIOD + 1)

    def repeats(self, token: Hashable) -> bool:
        """Take the next token; whether the answer is now in a loop."""
        tokens, runs = self._tokens, self._runs
        tokens.append(token)
        last = len(tokens) - 1
        looping = False
        for period in range(1, min(last, LONGEST_PERIOD) + 1):
            if tokens[last - period] == token:
                runs[period] += 1
                if runs[period] >= max(LOOP_TOKENS, LOOP_COPIES * period):
                    looping = True
            else:
                runs[period] = 0
        return looping


class TextLoopGuard:
    """The same for text that comes in messages of any length: its pieces stand for tokens."""

    def __init__(self) -> None:
        self._guard = LoopGuard()
        self._rest = ""

    def repeats(self, text: str) -> bool:
        """Take the next text; whether the answer is now in a loop."""
        held = self._rest + text
        place = 0
        while len(held) - place >= _LONGEST_PIECE:  # what follows cannot change this piece
            piece = _PIECE.match(held, place)
            assert piece is not None
            place = piece.end()
            if self._guard.repeats(piece[0]):
                return True
        self._rest = held[place:]
        return False
