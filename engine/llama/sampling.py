"""From logits to the next token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.llama.library import llama


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Temperature 0 takes the likeliest; 0 or 1 switch the cuts off."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    seed: int = 0


class Sampler:
    """A chain of llama.cpp's samplers. Free it with `close`."""

    def __init__(self, sampling: Sampling) -> None:
        self._chain: Any = llama.llama_sampler_chain_init(
            llama.llama_sampler_chain_default_params()
        )
        for link in _links(sampling):
            llama.llama_sampler_chain_add(self._chain, link)

    def draw(self, context: int, row: int = -1) -> int:
        """The token after the given row of the last batch (-1: its last)."""
        return int(llama.llama_sampler_sample(self._chain, context, row))

    def close(self) -> None:
        """Free the chain and its links."""
        chain, self._chain = self._chain, None
        if chain is not None:
            llama.llama_sampler_free(chain)


def _links(sampling: Sampling) -> list[Any]:
    if sampling.temperature <= 0:
        return [llama.llama_sampler_init_greedy()]
    links = []
    if sampling.top_k > 0:
        links.append(llama.llama_sampler_init_top_k(sampling.top_k))
    if 0 < sampling.top_p < 1:
        links.append(llama.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        links.append(llama.llama_sampler_init_min_p(sampling.min_p, 1))
    links.append(llama.llama_sampler_init_temp(sampling.temperature))
    links.append(llama.llama_sampler_init_dist(sampling.seed))
    return links
