"""What models are on this machine and which could be had, in words and numbers for people.

`survey()` starts a child process and reads folders: call it off the GUI thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.download_words import size
from app.i18n import N_, _
from app.incoming import failure_of
from app.messages import TARGET_NAMES, told
from app.phrases import translated
from engine.errors import VisCodexError

if TYPE_CHECKING:
    from engine.devices import Device
    from engine.models.catalogue import CatalogueEntry, Fit
    from engine.models.store import ModelFiles

GIB = 1 << 30
FREE = "Apache-2.0"


@dataclass(frozen=True)
class Installed:
    """A model of this machine. `facts` is one line; `bundled` ones cannot be removed."""

    name: str
    folder: Path
    facts: str
    bundled: bool


@dataclass(frozen=True)
class Offer:
    """A model of the catalogue that is not here. `arrived` counts the bytes of a download that was
    broken off; `fit` and `numbers` say how it would run, `tone` is "good", "warn" or "bad"."""

    name: str
    title: str
    facts: str
    quality: str
    bytes: int
    arrived: int
    free: bool  # for any use
    fits: bool
    tone: str
    fit: str
    numbers: str


@dataclass(frozen=True)
class Survey:
    """Bundled models first. `machine` is one line on what computes here; `notice` is "" or why
    nothing is known of it."""

    installed: tuple[Installed, ...]
    offers: tuple[Offer, ...]
    machine: str
    notice: str = ""

    def recommended(self, count: int) -> tuple[Offer, ...]:
        """Models to begin with: the largest of those that fit well, else the smallest, which are
        the quickest; free ones first."""

        def rank(one: Offer) -> tuple[bool, bool, int]:
            well = one.tone == "good"
            return not well, not one.free, -one.bytes if well else one.bytes

        return tuple(sorted((one for one in self.offers if one.fits), key=rank)[:count])


def survey() -> Survey:
    """Look at the folders and the devices. Raises VisCodexError(internal) without a catalogue."""
    import psutil

    from engine.devices import list_devices
    from engine.models.catalogue import fit_of, load_catalogue
    from engine.models.store import list_models, user_folder

    notice = ""
    devices: list[Device] = []
    try:
        devices = list_devices()
    except VisCodexError as error:
        notice = told(failure_of(error))
    free = psutil.virtual_memory().available
    own = user_folder()
    installed = [_installed(files, own) for files in list_models()]
    here = {one.name for one in installed}
    offers = tuple(
        _offer(entry, fit_of(entry, devices, free), _arrived(own, entry.name))
        for entry in load_catalogue()
        if entry.name not in here
    )
    order = sorted(installed, key=lambda one: (not one.bundled, one.name))
    return Survey(tuple(order), offers, _machine(devices, free), notice)


def fit_words(fit: Fit) -> tuple[str, str, str]:
    """Tone, verdict and numbers of a fit."""
    from engine.models.catalogue import IMAGE_TOKENS

    plan = fit.plan
    numbers = _(_NUMBERS[fit.verdict in ("processor", "too big")]).format(
        needed=f"{plan.needed / GIB:.1f}", free=f"{plan.free / GIB:.1f}"
    )
    if fit.verdict == "too big":
        return "bad", _("Too large for this machine"), numbers
    smaller = plan.image_tokens < IMAGE_TOKENS
    tone = "good" if fit.verdict == "graphics" and not smaller else "warn"
    return tone, _(_VERDICTS[fit.verdict, smaller]), numbers


_NUMBERS = (
    N_("needs {needed} of {free} GiB free graphics memory"),
    N_("needs {needed} of {free} GiB free main memory"),
)
_VERDICTS = {
    ("graphics", False): N_("Fits this machine"),
    ("graphics", True): N_("Fits with smaller pictures"),
    ("partly", False): N_("Fits this machine, slower: partly on the processor"),
    ("partly", True): N_("Fits with smaller pictures, slower: partly on the processor"),
    ("processor", False): N_("Fits this machine, slow: no graphics"),
    ("processor", True): N_("Fits with smaller pictures, slow: no graphics"),
}
"""Verdict of the engine, and whether pictures have to be smaller -> words."""


def _installed(files: ModelFiles, own: Path) -> Installed:
    card, folder = files.card, files.model.parent
    total = sum(path.stat().st_size for path in (files.model, files.mmproj))
    able = [_(TARGET_NAMES.get(target, target)) for target in card.targets]
    if card.prompt != "short":
        able.append(_("changes by instruction"))
    facts = [size(total), translated(card.licence), _context(card.context), ", ".join(able)]
    return Installed(files.name, folder, " · ".join(filter(None, facts)), own not in folder.parents)


def _context(tokens: int) -> str:
    # L10N: how many tokens (pieces of text and picture) a model can hold at once.
    return _("context {tokens}").format(tokens=f"{tokens:,}")


def _offer(entry: CatalogueEntry, fit: Fit, arrived: int) -> Offer:
    facts = " · ".join((size(entry.bytes), translated(entry.licence), _context(entry.context)))
    tone, verdict, numbers = fit_words(fit)
    return Offer(
        entry.name, entry.title, facts, translated(entry.quality), entry.bytes, arrived,
        entry.licence == FREE, fit.runs, tone, verdict, numbers,
    )  # fmt: skip


def _arrived(own: Path, name: str) -> int:
    from engine.models.install import INCOMING

    folder = own / INCOMING / name
    return sum(path.stat().st_size for path in folder.glob("*")) if folder.is_dir() else 0


def _machine(devices: Sequence[Device], free: int) -> str:
    graphics = [one for one in devices if one.kind in ("gpu", "igpu")]
    parts = [
        # L10N: name is a graphics card.
        _("{name} ({free} GiB free)").format(
            name=one.description or one.name, free=f"{one.memory_free / GIB:.1f}"
        )
        for one in graphics
    ]
    parts.append(_("{free} GiB of main memory free").format(free=f"{free / GIB:.1f}"))
    none = _("No graphics device that llama.cpp can use")
    return " · ".join(parts if graphics else [none, *parts])
