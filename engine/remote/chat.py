"""The chat API in both directions: a request as JSON, an answer's JSON as deltas."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from engine.remote.failures import GARBLED, WITHHELD, failure, of_error_object
from engine.remote.server import Server

# What servers call the end of an answer, in our words; anything unknown is a plain stop.
REASONS: Mapping[str, str] = {"length": "length", "max_tokens": "length"}
REFUSALS = frozenset({"content_filter", "safety", "refusal"})


@dataclass(frozen=True)
class Delta:
    """What one message of a server adds. Counts are None where it does not tell them.

    `thinking`: the model writes what is no part of the answer.
    """

    text: str = ""
    reason: str | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    thinking: bool = False


def data_url(picture: Image.Image) -> str:
    """An RGB picture as the URL that holds it, PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def chat_body(
    model: str,
    system: str,
    picture_url: str,
    text: str,
    *,
    seed: int,
    temperature: float,
    max_tokens: int | None,
    grammar: str = "",
) -> dict[str, Any]:
    """The body of a request: one turn with the picture first, as local models are asked.

    `grammar` is a field of llama.cpp's own server.
    """
    content = [
        {"type": "image_url", "image_url": {"url": picture_url}},
        {"type": "text", "text": text},
    ]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "seed": seed,
        "temperature": temperature,
    }
    if max_tokens is not None:
        body["max_tokens"] = max_tokens
    if grammar:
        body["grammar"] = grammar
    return body


def parse_delta(payload: str | bytes, server: Server) -> Delta:
    """A message of a stream, or a whole answer. Raises VisCodexError for anything else."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        raise failure(GARBLED, server, words="broken JSON") from None
    if not isinstance(found, dict):
        raise failure(GARBLED, server, words="no JSON object")
    if found.get("error"):
        raise of_error_object(found["error"], server)
    choices, usage = found.get("choices"), found.get("usage")
    if not isinstance(choices, list):
        raise failure(GARBLED, server, words="JSON without choices")
    tokens, prompt_tokens = (_count(usage, name) for name in ("completion_tokens", "prompt_tokens"))
    choice = choices[0] if choices else {}
    if not isinstance(choice, dict):
        raise failure(GARBLED, server, words="a choice that is no object")
    message = choice.get("delta") or choice.get("message") or {}
    reason = choice.get("finish_reason")
    if reason in REFUSALS:
        raise failure(WITHHELD, server, words=str(reason))
    if not isinstance(message, dict):
        message = {}
    return Delta(
        _text(message.get("content")),
        None if reason is None else str(reason),
        tokens,
        prompt_tokens,
        any(message.get(name) for name in ("reasoning_content", "reasoning")),
    )


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(content: Any) -> str:
    """Content is a text, or a list of parts some of which are texts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(text for text in texts if isinstance(text, str))
    return ""
