"""The layout of a prompt: picture, text read from it, instruction, start of the answer.

What varies comes late, so that the part before it can stay in the KV cache from one request to the
next. Parts are tokenized one by one; only template parts may hold special tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PromptPart:
    """A stretch of prompt: `template` may hold special tokens, `data` never does."""

    kind: Literal["template", "data", "image"]
    text: str = ""


def build_prompt(hints: str, instruction: str, prefill: str, system: str = "") -> list[PromptPart]:
    """Parts of a prompt with one picture, in order. `prefill` begins the answer."""
    opening = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    parts = [PromptPart("template", opening + "<|im_start|>user\n"), PromptPart("image")]
    if hints:
        parts.append(PromptPart("data", hints))
    parts.append(PromptPart("data", instruction))
    parts.append(PromptPart("template", "<|im_end|>\n<|im_start|>assistant\n" + prefill))
    return parts
