"""What fits, in words and numbers, for machines that are written down; names for added files."""

from __future__ import annotations

import pytest

from app.shelf import name_for
from app.survey import fit_words, survey
from engine.devices import Device
from engine.models.catalogue import find_entry, fit_of

GIB = 1 << 30
ENTRY = find_entry("qwen3-vl-4b")


def card(gib: float) -> Device:
    return Device("CUDA0", "RTX", "gpu", round(gib * GIB), round(gib * GIB))


def words(devices: list[Device], memory: float) -> tuple[str, str, str]:
    return fit_words(fit_of(ENTRY, devices, round(memory * GIB)))


def test_a_large_card() -> None:
    tone, verdict, numbers = words([card(24)], 32)
    assert (tone, verdict) == ("good", "Fits this machine")
    assert numbers.endswith("of 24.0 GiB free graphics memory")


def test_without_a_card() -> None:
    tone, verdict, numbers = words([], 32)
    assert (tone, verdict) == ("warn", "Fits this machine, slow: no graphics")
    assert numbers.endswith("of 32.0 GiB free main memory")


def test_too_little_memory() -> None:
    tone, verdict, numbers = words([], 2)
    assert (tone, verdict) == ("bad", "Too large for this machine")
    needed = float(numbers.split()[1])
    assert needed > 2 and "of 2.0 GiB free main memory" in numbers


def test_smaller_pictures_are_tried_before_it_is_given_up() -> None:
    """Between what all of it takes and what the least of it takes, pictures shrink."""
    found = [words([], memory / 20) for memory in range(40, 200)]
    verdicts = [verdict for _, verdict, _ in found]
    order = [
        "Too large for this machine",
        "Fits with smaller pictures, slow: no graphics",
        "Fits this machine, slow: no graphics",
    ]
    assert list(dict.fromkeys(verdicts)) == order


def test_this_machine(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISCODEX_MODELS", str(tmp_path))
    found = survey()
    assert found.installed[0].bundled and found.notice == ""
    assert len(found.offers) == 7 and all(offer.numbers for offer in found.offers)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("Qwen2.5-VL-7B-Q4_K_M", "Qwen2.5-VL-7B-Q4_K_M"),
        ("My model (1)", "My-model-1"),
        ("模型", "model"),
        ("..", "model"),
        ("mine", "mine-3"),
        ("x" * 90, "x" * 56),
    ],
)
def test_a_name_that_can_be_a_folders(stem: str, name: str) -> None:
    assert name_for(stem, {"mine", "mine-2"}) == name
