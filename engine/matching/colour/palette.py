"""What is to change: colours that are equal in the code stay equal, and text stays readable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from engine.hints import Colour
from engine.matching.colour.findings import Finding
from engine.matching.colour.probes import DrawnText, Probed
from engine.matching.colour.shades import apart, contrast
from engine.matching.colour.spot import Spot

SAME = 2.0  # CIELAB: two areas of a picture that differ by less are of one colour
SAME_PRINT = 8.0  # the ink of print is known less well
FIRM = 0.6  # share from which on a finding may contradict a larger one
VISIBLE = 5.0  # CIELAB, of an area from what it lies on; what was less stays as it was
READABLE = 2.0  # contrast ratio; what was less stays as it was
PURE: tuple[Colour, ...] = ((0, 0, 0), (255, 255, 255))


@dataclass(frozen=True)
class Change:
    """A new colour for spots that have one colour now. `weight` orders changes, `share` says how
    sure they are."""

    spots: tuple[int, ...]
    colour: Colour
    weight: float
    share: float


def changes(spots: Sequence[Spot], findings: Sequence[Finding | None]) -> list[Change]:
    """What the findings amount to, the weightiest first."""
    equal: dict[Colour, list[int]] = defaultdict(list)
    for number, spot in enumerate(spots):
        equal[spot.colour].append(number)
    areas = [found.colour for found in findings if found is not None and found.exact]
    snapped = [found and _snapped(found, areas) for found in findings]
    found = [one for members in equal.values() for one in _of_group(members, spots, snapped)]
    return sorted(found, key=lambda one: (-one.weight, one.spots))


def _snapped(found: Finding, areas: Iterable[Colour]) -> Finding:
    """Ink that is nearly a colour known exactly is that colour."""
    if found.exact:
        return found
    near = min((*areas, *PURE), key=lambda colour: apart(colour, found.colour))
    return replace(found, colour=near) if apart(near, found.colour) < SAME_PRINT / 2 else found


def _of_group(
    members: Sequence[int], spots: Sequence[Spot], findings: Sequence[Finding | None]
) -> list[Change]:
    """The changes among spots of one colour."""
    old = spots[members[0]].colour
    known = [(found, number) for number in members if (found := findings[number]) is not None]
    known.sort(key=lambda pair: (not pair[0].exact, -pair[0].weight, pair[1]))
    camps: list[tuple[Finding, list[int]]] = []
    for found, number in known:
        camp = next((camp for camp in camps if _agree(found, camp[0])), None)
        if camp is None and camps and found.share < FIRM:
            camp = camps[0]
        if camp is None:
            camps.append((found, [number]))
        else:
            camp[1].append(number)
    for number in members:
        if findings[number] is None:
            _join(number, spots, camps)
    return [
        Change(tuple(sorted(numbers)), lead.colour, lead.weight, lead.share)
        for lead, numbers in camps
        if apart(lead.colour, old) > (SAME if lead.exact else SAME_PRINT)
    ]


def _agree(one: Finding, other: Finding) -> bool:
    return apart(one.colour, other.colour) < (SAME if one.exact and other.exact else SAME_PRINT)


def _join(number: int, spots: Sequence[Spot], camps: Sequence[tuple[Finding, list[int]]]) -> None:
    """What is not seen (a colour under the pointer) goes with its own kind, if that is of one
    mind. Print does not go with areas: white on blue stays white on a page that is not."""
    is_print = spots[number].kind == "text"
    own = [
        numbers
        for _, numbers in camps
        if any((spots[other].kind == "text") == is_print for other in numbers)
    ]
    if len(own) == 1:
        own[0].append(number)


def colours(count: int, made: Iterable[Change]) -> list[Colour | None]:
    """For each of so many spots its new colour, or None."""
    new: list[Colour | None] = [None] * count
    for change in made:
        for number in change.spots:
            new[number] = change.colour
    return new


def seen(made: Sequence[Change], spots: Sequence[Spot], probed: Probed) -> list[Change]:
    """The changes without those that would make a text unreadable or an area vanish in what it lies
    on, the least sure left out first.

    With no change at all everything is seen as it was, so this ends.
    """
    kept = list(made)
    old = [spot.colour for spot in spots]
    while True:
        changed = colours(len(spots), kept)
        new = [colour or was for colour, was in zip(changed, old, strict=True)]
        lost: set[int | None] = set()
        for text in probed.texts:
            if _contrast(text, new) < min(_contrast(text, old), READABLE) - 1e-6:
                lost |= {text.ink, text.ground}
        for area, ground in probed.grounds:
            before = apart(old[area], old[ground])
            if apart(new[area], new[ground]) < min(before, VISIBLE) - 1e-6:
                lost |= {area, ground}
        guilty = [change for change in kept if not lost.isdisjoint(change.spots)]
        if not guilty:
            return kept
        kept.remove(min(guilty, key=lambda change: (change.share, change.weight)))


def _contrast(text: DrawnText, of_spots: Sequence[Colour]) -> float:
    ink = text.line.ink if text.ink is None else of_spots[text.ink]
    ground = text.line.ground if text.ground is None else of_spots[text.ground]
    return contrast(ink, ground)
