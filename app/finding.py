"""What a check of the installation says (see `app.doctor`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Result of one check; a failed one that is not `needed` costs a feature, not the product."""

    name: str
    ok: bool
    detail: str
    needed: bool = True
