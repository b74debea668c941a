"""Match the colours: each colour of the code becomes what the picture shows in its place.

The code is drawn with a probe for every colour, which tells what each of them draws. What the
picture shows there is written in all at once; then what it shows less plainly is tried one
by one, and what looks more like the picture is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.errors import ErrorCode, VisCodexError
from engine.improve import Drawn
from engine.matching.colour.chart_spots import chart_spots
from engine.matching.colour.findings import findings
from engine.matching.colour.page_spots import page_spots
from engine.matching.colour.palette import Change, changes, colours, seen
from engine.matching.colour.probes import Probed, probe
from engine.matching.colour.spot import Spot, written
from engine.matching.scene import Scene

FINDERS: Mapping[str, Callable[[str], list[Spot]]] = {
    "html": page_spots,
    "matplotlib": chart_spots,
}
MOST_TRIALS = 6  # drawings beside the three: as it is, with probes, with all changes
FIRM = 0.5  # share of a finding from which on it is believed without a gain in likeness
SURE = 0.85  # share of a finding that needs no trial of its own
GAIN = 0.001  # likeness that a trial must bring


def match_colours(code: str, scene: Scene) -> str:
    """The code with the colours of the picture; the same code where none are better.

    Nothing but colours changes, likeness does not fall, no text becomes unreadable and no area
    vanishes in what it lies on. At most
    nine drawings. Raises VisCodexError where a drawing is cancelled.
    """
    spots = FINDERS[scene.target](code)
    before = scene.judge(code) if spots else None
    if before is None or before.png is None:
        return code
    try:
        probed = probe(code, spots, scene, before.png)
    except VisCodexError as error:
        if error.code is ErrorCode.cancelled:
            raise
        return code  # a script that reads its colours stumbles over probes
    found = findings(spots, probed, scene.picture, scene.lines, scene.target)
    return _Trials(code, spots, probed, scene, before).best(changes(spots, found))


class _Trials:
    """Codes that differ in which changes are made, compared with the picture."""

    def __init__(
        self,
        code: str,
        spots: Sequence[Spot],
        probed: Probed,
        scene: Scene,
        before: Drawn,
    ) -> None:
        self._code = code
        self._spots = spots
        self._probed = probed
        self._scene = scene
        self._before = before

    def best(self, made: Sequence[Change]) -> str:
        """The likest code that some of the changes lead to."""
        kept, likest = self._all_at_once([one for one in made if one.share >= FIRM])
        settled = [one for one in kept if one.share >= SURE]
        trials = 0
        for change in made:
            others = [one for one in made if (one in kept) != (one is change)]
            trial = seen(others, self._spots, self._probed)
            if change in settled or trial == kept or trials == MOST_TRIALS:
                continue
            trials += 1
            drawn = self._draw(trial)
            if _total(drawn) > _total(likest) + GAIN:
                kept, likest = trial, drawn
        return likest.code

    def _all_at_once(self, made: Sequence[Change]) -> tuple[list[Change], Drawn]:
        """All that leaves everything seen, or nothing where that looks less like the picture."""
        kept = seen(made, self._spots, self._probed)
        if kept:
            drawn = self._draw(kept)
            if _total(drawn) >= _total(self._before):
                return kept, drawn
        return [], self._before

    def _draw(self, made: Sequence[Change]) -> Drawn:
        new = colours(len(self._spots), made)
        return self._scene.judge(written(self._code, self._spots, new))


def _total(drawn: Drawn) -> float:
    return -1.0 if drawn.likeness is None else drawn.likeness.total
