"""Grammars (GBNF) that an answer has to keep to.

What a person writes describes the code alone, from the rule `root`. Around it stands what no one
should have to think of: the fence that opens the answer, where the model still has to write it
itself, and the one that may close it. Syntax:
https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from engine.errors import ErrorCode, VisCodexError
from engine.tasks import FENCE

LONGEST = 100_000  # characters
ROOT = "root"
# Texts, sets, tokens and comments are stepped over; what is left of words are names of rules.
_WORDS = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|<[^>\n]*>|#[^\n]*|([A-Za-z0-9-]+)')
_RULE = re.compile(r"\s*::=")


def unusable(why: str) -> VisCodexError:
    """The error for a grammar that cannot be used."""
    return VisCodexError(
        ErrorCode.bad_input,
        f"The grammar cannot be used: {why}.",
        "It is GBNF as llama.cpp has it, with a rule named root for the code.",
    )


def fenced(grammar: str, openings: Sequence[str] = ()) -> str:
    """The grammar of a whole answer: one of `openings`, the code, and a closing fence or none.

    `openings` is empty where the opening already stands in the prompt. Raises
    VisCodexError(bad_input) where there is no rule named root, or far too much of it.
    """
    if len(grammar) > LONGEST:
        raise unusable(f"it has more than {LONGEST} characters")
    if "\0" in grammar:
        raise unusable("it is no text")
    code = "code"
    while code in grammar:
        code += "-x"
    found = False

    def renamed(match: re.Match[str]) -> str:
        nonlocal found
        if match[1] != ROOT:
            return match[0]
        found = found or _RULE.match(grammar, match.end()) is not None
        return code

    body = _WORDS.sub(renamed, grammar)
    if not found:
        raise unusable("it has no rule named root")
    start = " | ".join(map(json.dumps, openings))
    whole = f"({start}) {code}" if start else code
    return f"{ROOT} ::= {whole} ({json.dumps(chr(10) + FENCE)})?\n{body}\n"
