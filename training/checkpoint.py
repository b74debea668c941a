"""A Hugging Face checkpoint of the Qwen families: its configuration, its tensors by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.names import (
    OUTPUT,
    Tensor,
    expected_names,
    has_vision,
    listed,
    match_tensors,
)
from training.tensors import Stored, broken, read_json, stored_tensors


@dataclass(frozen=True)
class Section:
    """A part of config.json; what is asked for and not there is an error that names it."""

    values: Mapping[str, Any]
    prefix: str

    def get(self, key: str, default: Any = None) -> Any:
        """A value, or the default where it is missing or null."""
        value = self.values.get(key)
        return default if value is None else value

    def integer(self, key: str) -> int:
        """A positive whole number."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise broken(
                f"config.json has {value!r} for '{self.prefix}{key}', no positive number.",
                "Correct config.json.",
            )
        return value


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk: configuration and matched tensors; weights are read when asked for.

    `tensors` goes by canonical name, `stored` by the name in the files. A matrix `unused` came
    along although the output is tied to the embedding.
    """

    folder: Path
    family: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    stored: Mapping[str, Stored]
    unused: tuple[str, ...]

    @property
    def text(self) -> Section:
        """Configuration of the language model; text models and older files have it at the top."""
        if "text_config" in self.config:
            return Section(self.config["text_config"], "text_config.")
        return Section(self.config, "")

    @property
    def vision(self) -> Section:
        """Configuration of the vision tower."""
        return Section(self.config.get("vision_config", {}), "vision_config.")

    @property
    def tied(self) -> bool:
        """Whether the output matrix is the embedding."""
        return _tied(self.config)

    def values(self, canonical: str) -> Stored:
        """Where the values of a tensor are. Raises KeyError for a name that is not there."""
        return self.stored[self.tensors[canonical].source]


def _tied(config: Mapping[str, Any]) -> bool:
    tied = config.get("tie_word_embeddings")
    if tied is None:
        tied = config.get("text_config", {}).get("tie_word_embeddings")
    return bool(tied)


def open_checkpoint(folder: Path, families: Iterable[str], purpose: str = "exported") -> Checkpoint:
    """Read configuration and tensor names.

    Raises VisCodexError: bad_input where this is no checkpoint, model_broken that names what is
    unknown, doubled or missing.
    """
    config = read_json(folder / "config.json")
    family = config.get("model_type", "")
    if family not in families:
        raise broken(
            f"Models of the type '{family}' cannot be {purpose}.", f"Known: {', '.join(families)}."
        )
    if config.get("quantization_config"):
        method = config["quantization_config"].get("quant_method", "some other way")
        raise broken(
            f"The checkpoint '{folder.name}' is quantized already ({method}): what it lost cannot "
            f"be {purpose} any more.",
            "Use the weights it was quantized from; an adapter trained on it fits those with "
            "--lora.",
        )
    stored = stored_tensors(folder)
    tensors = match_tensors(stored, family)
    unused: tuple[str, ...] = ()
    if _tied(config) and OUTPUT in tensors:  # as transformers does
        unused = (tensors.pop(OUTPUT).source,)
    checkpoint = Checkpoint(folder, family, config, tensors, stored, unused)
    expected = expected_names(
        family,
        checkpoint.text.integer("num_hidden_layers"),
        checkpoint.vision.integer("depth") if has_vision(family) else 0,
        tied=checkpoint.tied,
        deepstack=len(checkpoint.vision.get("deepstack_visual_indexes", ())),
    )
    for problem, names in (
        (f"missing in the checkpoint '{folder.name}'", expected - set(tensors)),
        ("of layers that config.json does not have", set(tensors) - expected),
    ):
        if names:
            sources = {tensors[name].source if name in tensors else name for name in names}
            raise broken(f"{listed(sources)}: {problem}.", "Give the whole checkpoint, unchanged.")
    return checkpoint
