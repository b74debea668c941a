"""Code out of an answer that is still arriving.

The engine's own extractor judges complete answers; this one is for display between two tokens:
it must never show a fence, not even the first backtick of one, and only ever grow.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"\A\s*```[^\n`]*\n")
_PARTIAL_OPENING = re.compile(r"\A\s*`{1,3}[^\n`]*\Z")
_CLOSING = re.compile(r"\n[ \t]*```")
_PARTIAL_CLOSING = re.compile(r"\n[ \t]*`{0,2}\Z")


def live_code(answer: str) -> str:
    """The code in `answer` as far as it is certain, without fences."""
    if _PARTIAL_OPENING.match(answer):
        return ""
    opening = _OPENING.match(answer)
    body = answer[opening.end() :] if opening else answer
    closing = _CLOSING.search("\n" + body)
    if closing:
        return body[: max(0, closing.start() - 1)]
    partial = _PARTIAL_CLOSING.search("\n" + body)
    if partial:
        return body[: max(0, partial.start() - 1)]
    return body


def runnable_prefix(code: str, most_dropped: int = 12) -> str:
    """The longest beginning of Python `code`, by whole lines, that compiles; "" if none does.

    At most the last `most_dropped` lines are given up: an error further up is an error.
    """
    lines = code.splitlines()
    for dropped in range(min(len(lines), most_dropped + 1)):
        text = "\n".join(lines[: len(lines) - dropped])
        if not text.strip():
            return ""
        try:
            compile(text, "<chart>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        return text + "\n"
    return ""
