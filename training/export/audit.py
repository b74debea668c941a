"""What can be said of exported files without running them: every tensor, and the tokenizer.

Each line answers a way in which exports of others went wrong: towers that were left out or came
half, prompts that never end, tokenizers that llama.cpp does not cut text with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from engine.models.header import ArrayShape, Header, read_header
from training.checkpoint import Checkpoint
from training.export.checkpoint import pieces_of
from training.export.vocabulary import PRE_TOKENIZER, render_template
from training.names import listed

MODULES = ("language", "vision", "projector")
TURN = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "a"}]}]
_TOKENIZER = "tokenizer.ggml."


@dataclass
class Audit:
    """Tensors by module (`planned` of the checkpoint, `found` in the files) and the tokenizer's
    facts; `problems` in words, none where all is well."""

    planned: dict[str, int] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    tokenizer: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def audit(checkpoint: Checkpoint, texts: Mapping[str, Path], mmproj: Path) -> Audit:
    """Compare text files (by type) and the vision file with the checkpoint they came from."""
    found = Audit()
    headers = {kind: read_header(path) for kind, path in texts.items()}
    vision = read_header(mmproj)
    for module in MODULES:
        planned = {
            piece.name: tuple(reversed(piece.shape)) for piece in pieces_of(checkpoint, module)
        }
        found.planned[module] = len(planned)
        for kind, header in headers.items() if module == "language" else (("", vision),):
            where = f"model-{kind}" if kind else "mmproj"
            there = {
                name for name in planned
                if name in header.tensors and header.tensors[name].dims == planned[name]
            }  # fmt: skip
            found.found[module] = min(len(there), found.found.get(module, len(there)))
            if there != set(planned):
                lacking = listed(set(planned) - there)
                found.problems.append(f"{where}: {lacking} missing or of another shape")
    everything = found.planned
    for kind, header in headers.items():
        if len(header.tensors) != everything["language"]:
            found.problems.append(f"model-{kind}: {len(header.tensors)} tensors")
        found.problems += [f"model-{kind}: {problem}" for problem in _tokenizer(header, found)]
    if len(vision.tensors) != everything["vision"] + everything["projector"]:
        found.problems.append(f"mmproj: {len(vision.tensors)} tensors")
    return found


def _tokenizer(header: Header, found: Audit) -> list[str]:
    """What is wrong with the tokenizer of a file; its facts go into `found`."""
    keys, problems = header.keys, []
    size = _length(keys.get(f"{_TOKENIZER}tokens"))
    facts: dict[str, Any] = {
        "model": keys.get(f"{_TOKENIZER}model"),
        "pre": keys.get(f"{_TOKENIZER}pre"),
        "tokens": size,
        "merges": _length(keys.get(f"{_TOKENIZER}merges")),
    }
    if facts["model"] != "gpt2" or facts["pre"] != PRE_TOKENIZER or not facts["merges"]:
        problems.append("the tokenizer has no merges, or cuts text in another way")
    for name in ("bos", "eos", "padding"):
        number = facts[name] = keys.get(f"{_TOKENIZER}{name}_token_id")
        if not isinstance(number, int) or not 0 <= number < size:
            problems.append(f"the {name} token is {number} of {size}")
    template = keys.get("tokenizer.chat_template")
    facts["template"] = "missing"
    if isinstance(template, str):
        try:
            seen = "<|image_pad|>" in render_template(template, TURN)
            facts["template"] = "renders" if seen else "leaves out the picture"
        except TemplateError as error:
            facts["template"] = f"does not render: {error}"
    if facts["template"] != "renders":
        problems.append(f"the chat template {facts['template']}")
    found.tokenizer = facts
    return problems


def _length(value: Any) -> int:
    return value.count if isinstance(value, ArrayShape) else len(value or ())
