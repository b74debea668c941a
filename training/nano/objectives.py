"""What each stage minimises: dense labels of patches, or the tokens of the answer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Qwen2_5_VLForConditionalGeneration

from training.nano.batches import LanguageBatch, VisionBatch
from training.nano.forward import answer_loss, language_features, patch_features, picture_tokens
from training.nano.labels import CORNERS, KINDS

HEAD_SIZES = {
    "kind": len(KINDS),
    "text": 1,
    "ground": 3,
    "ink": 3,
    "edges": 4,
    "corner": len(CORNERS) + 1,
}


class PatchHeads(nn.Module):
    """Linear read-outs of the patch labels; used in the vision stage and thrown away after it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.out = nn.Linear(width, sum(HEAD_SIZES.values()))

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """`features` (n, width) -> a tensor (n, size) for each head."""
        parts = self.out(self.norm(features)).float().split(list(HEAD_SIZES.values()), dim=1)
        return dict(zip(HEAD_SIZES, parts, strict=True))


@dataclass(frozen=True)
class Outcome:
    """A loss to minimise and figures to log."""

    loss: Tensor
    figures: dict[str, float]


def vision_outcome(
    model: Qwen2_5_VLForConditionalGeneration, heads: PatchHeads, batch: VisionBatch
) -> Outcome:
    """Sum of the heads' losses. Rare kinds and edges count more than plain ground."""
    labels = {name: torch.from_numpy(value) for name, value in vars(batch.labels).items()}
    out = heads(patch_features(model.model.visual, batch.patches, batch.plan))
    plain = torch.where(labels["kind"] == 0, 0.3, 1.0)
    kind = (F.cross_entropy(out["kind"], labels["kind"], reduction="none") * plain).mean()
    text = F.binary_cross_entropy_with_logits(out["text"][:, 0], labels["text"])
    ground = (out["ground"] - labels["ground"]).abs().mean()
    ink = ((out["ink"] - labels["ink"]).abs().mean(1) * labels["contrast"]).mean()
    edges = F.binary_cross_entropy_with_logits(
        out["edges"], labels["edges"], pos_weight=torch.tensor(3.0)
    )
    weights = torch.tensor([0.2] + [1.0] * len(CORNERS))
    corner = F.cross_entropy(out["corner"], labels["corner"], weight=weights)
    seen = labels["kind"] > 0
    figures = {
        "kind": kind.item(),
        "kind_right": (out["kind"].argmax(1) == labels["kind"])[seen].float().mean().item(),
        "text": text.item(),
        "ground": ground.item(),
        "ink": ink.item(),
        "edges": edges.item(),
        "corner": corner.item(),
    }
    return Outcome(kind + text + 4 * ground + 4 * ink + edges + 0.5 * corner, figures)


def language_outcome(
    model: Qwen2_5_VLForConditionalGeneration, batch: LanguageBatch, *, train_tower: bool
) -> Outcome:
    """Cross-entropy of the answers; pictures, where the batch has them, stand in the prompt."""
    embedded = model.model.language_model.embed_tokens(batch.ids)
    if batch.patches is not None and batch.plan is not None:
        visual = model.model.visual
        if train_tower:
            tokens = picture_tokens(visual, batch.patches, batch.plan)
        else:
            with torch.no_grad():
                features = patch_features(visual, batch.patches, batch.plan)
            tokens = visual.merger(features)
        where = batch.ids == model.config.image_token_id
        embedded = embedded.to(tokens.dtype).masked_scatter(where[..., None], tokens)
    hidden = language_features(model, embedded, batch.positions)
    loss, right = answer_loss(model, hidden, batch.labels)
    return Outcome(loss, {"right": right.item()})
