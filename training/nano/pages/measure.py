"""Which rules an element has, and about how large a page will be.

The estimate is rough (texts by mean letter widths). It serves to choose the width of the picture
and to throw away pages that would be cut off or overlap; the true layout is the renderer's.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.nano.pages.node import Node, Sheet

LETTER = {"sans-serif": 0.55, "serif": 0.54, "monospace": 0.62}
"""Mean width of a letter in em, somewhat on the wide side."""

INHERITED = ("font-size", "line-height", "font-family", "font-weight")
CONTROLS = frozenset({"input", "select", "textarea"})
BOLD_TAGS = frozenset({"h1", "h2", "h3", "b", "th", "dt"})


def matches(selector: str, path: Sequence[Node]) -> bool:
    """Whether a selector of tags, classes and spaces means the last element of a path."""
    *outer, last = selector.split()
    if not _is(last, path[-1]):
        return False
    rest = list(path[:-1])
    for part in reversed(outer):
        while rest and not _is(part, rest[-1]):
            rest.pop()
        if not rest:
            return False
        rest.pop()
    return True


def _is(part: str, node: Node) -> bool:
    tag, *classes = part.split(".")
    return tag in ("", node.tag) and set(classes) <= set(node.cls.split())


def specificity(selector: str) -> tuple[int, int]:
    """Classes and tags of a selector."""
    return selector.count("."), len(re.findall(r"(?:^| )[a-z]", selector))


def _visit(sheet: Sheet, body: Node) -> tuple[dict[str, list[tuple[Node, ...]]], dict[str, int]]:
    """For each used selector the paths of its elements, and the place of the first one."""
    found: dict[str, list[tuple[Node, ...]]] = {}
    places: dict[str, int] = {}
    position = 0

    def visit(path: tuple[Node, ...]) -> None:
        nonlocal position
        inline = [(*path, Node("a", text="x"))] if path[-1].text and "<a " in path[-1].text else []
        for each in (path, *inline):
            position += 1
            for selector in sheet.rules:
                if matches(selector, each):
                    found.setdefault(selector, []).append(each)
                    places.setdefault(selector, position)
        for child in path[-1].children:
            visit((*path, child))

    visit((body,))
    return found, places


def settle(sheet: Sheet, body: Node) -> Sheet:
    """The final rules: those in use, without what cannot be seen, in the order of first use.

    What cannot be seen (a gap between nothing, a text colour that no text has) could only be
    guessed by a model.
    """
    found, places = _visit(sheet, body)
    order = sorted(found, key=lambda s: (places[s], specificity(s)))
    rules = {s: dict(sheet.rules[s]) for s in order}
    for selector, props in rules.items():
        paths = found[selector]
        if all(len(p[-1].children) < 2 for p in paths):
            props.pop("gap", None)
            if props.get("display") == "grid" and "grid-template-columns" not in props:
                del props["display"]
        in_grid = [
            p for p in paths if len(p) > 1 and _shows(rules, found, p[:-1], "display", "grid")
        ]
        if not in_grid:
            props.pop("justify-self", None)
        if not any(_in_tracks(rules, p) for p in paths if len(p) > 1) or "gap" not in props:
            props.pop("align-content", None)
        if all(" checked" not in child.attrs for p in paths for child in p[-1].children):
            props.pop("accent-color", None)
    shown = _shown_colours(rules, body)
    for selector, props in rules.items():
        if selector not in shown:
            props.pop("color", None)
    if not _size_inherited(rules, body):
        rules["body"]["font"] = re.sub(r"^\d+px", "16px", rules["body"]["font"])
    return Sheet({s: props for s, props in rules.items() if props})


def _shows(
    rules: Mapping[str, Mapping[str, str]],
    found: Mapping[str, list[tuple[Node, ...]]],
    path: Sequence[Node],
    name: str,
    value: str,
) -> bool:
    return any(
        props.get(name) == value and any(p[-1] is path[-1] for p in found[s])
        for s, props in rules.items()
    )


def _in_tracks(rules: Mapping[str, Mapping[str, str]], path: Sequence[Node]) -> bool:
    """Whether an element's height may come from its neighbours in the columns of a grid."""
    return any("grid-template-columns" in p and matches(s, path[:-1]) for s, p in rules.items())


def _shown_colours(rules: Mapping[str, Mapping[str, str]], body: Node) -> set[str]:
    """Selectors whose text colour some text really has."""
    shown: set[str] = set()

    def visit(path: tuple[Node, ...], above: str) -> None:
        node = path[-1]
        own = [s for s, p in rules.items() if "color" in p and matches(s, path)]
        colour = max(own, key=specificity) if own else above
        if node.text or node.tag in CONTROLS:
            shown.add(colour)
        if node.text and "<a " in node.text:
            visit((*path, Node("a", text="x")), colour)
        for child in node.children:
            visit((*path, child), colour)

    visit((body,), "")
    return shown


def _size_inherited(rules: Mapping[str, Mapping[str, str]], body: Node) -> bool:
    """Whether some text or control takes its font size from the body."""
    own = [s for s, p in rules.items() if s != "body" and "font-size" in p]

    def visit(path: tuple[Node, ...]) -> bool:
        if any(matches(s, path) for s in own):
            return False
        seen = bool(path[-1].text) or path[-1].tag in CONTROLS
        return seen or any(visit((*path, child)) for child in path[-1].children)

    return visit((body,))


def pixels(value: str) -> float:
    """A length in px; 0 for lengths of other units."""
    return float(value[:-2]) if value.endswith("px") else 0.0


def sides(value: str) -> tuple[float, float]:
    """Sum of the left and right and sum of the top and bottom lengths of a padding."""
    parts = [pixels(p) for p in value.split()]
    top, right, bottom, left = {1: parts * 4, 2: parts * 2, 4: parts}[len(parts)]
    return left + right, top + bottom


@dataclass
class Estimate:
    """Estimates boxes of one page. `overflow` is set when something is wider than its place."""

    sheet: Sheet
    overflow: bool = False
    _styles: dict[int, dict[str, str]] = field(default_factory=dict)

    def style(self, path: tuple[Node, ...], inherited: Mapping[str, str]) -> dict[str, str]:
        """The properties of the last element of a path."""
        key = id(path[-1])
        if key not in self._styles:
            own = {name: inherited[name] for name in INHERITED if name in inherited}
            if path[-1].tag in BOLD_TAGS:
                own["font-weight"] = "bold"
            for selector in sorted(
                (s for s in self.sheet.rules if matches(s, path)), key=specificity
            ):
                own.update(self.sheet.rules[selector])
            if own.get("font", "").count(" "):
                size, own["font-family"] = own["font"].split()
                own["font-size"], own["line-height"] = size.split("/")
            self._styles[key] = own
        return self._styles[key]

    def natural(self, path: tuple[Node, ...], inherited: Mapping[str, str]) -> float:
        """Width in px of an element that nothing narrows."""
        node, style = path[-1], self.style(path, inherited)
        horizontal = sides(style.get("padding", "0"))[0] + self._frame(style)[0]
        if "width" in style and style["width"].endswith("px"):
            return pixels(style["width"])
        if not node.children:
            return max(self._text_width(node, style), self._control(node, style)) + horizontal
        widths = [self.natural((*path, child), style) for child in node.children]
        gap = self._gap(style)[1]
        tracks = style.get("grid-template-columns", "").split()
        if node.tag == "tr":
            return sum(widths)
        if style.get("display") == "flex":
            return sum(widths) + gap * (len(widths) - 1) + horizontal
        if tracks:
            fixed = sum(pixels(t) for t in tracks)
            flexible = [t for t in tracks if not pixels(t)]
            return fixed + len(flexible) * max(widths) + gap * (len(tracks) - 1) + horizontal
        return max(widths) + horizontal

    def height(self, path: tuple[Node, ...], inherited: Mapping[str, str], width: float) -> float:
        """Height in px of an element in a place of that width; notes overflow."""
        node, style = path[-1], self.style(path, inherited)
        across, down = sides(style.get("padding", "0"))
        frame = self._frame(style)
        inner = width - across - frame[0]
        down += frame[1]
        if "height" in style:
            return pixels(style["height"])
        if not node.children:
            line = self._line(style)
            if node.tag == "textarea":
                line *= 3
            words = max((len(w) for w in self._plain(node).split()), default=0)
            if max(words * self._letter(style), self._control(node, style)) > inner + 2:
                self.overflow = True
            text = self._text_width(node, style)
            return max(1, math.ceil(text / max(inner, 1.0))) * line + down
        gap_down, gap_across = self._gap(style)
        paths = [(*path, child) for child in node.children]
        tracks = style.get("grid-template-columns", "").split()
        if node.tag == "tr" or style.get("display") == "flex":
            return self._side_by_side(paths, style, inner, gap_across) + down
        if tracks:
            left = inner - sum(pixels(t) for t in tracks) - gap_across * (len(tracks) - 1)
            share = left / max(1, sum(1 for t in tracks if not pixels(t)))
            widths = [pixels(t) or share for t in tracks]
            rows = [paths[i : i + len(tracks)] for i in range(0, len(paths), len(tracks))]
            heights = [
                max(self.height(p, style, w) for p, w in zip(row, widths, strict=False))
                for row in rows
            ]
            return sum(heights) + gap_down * (len(heights) - 1) + down
        heights = [self.height(p, style, inner) for p in paths]
        return sum(heights) + gap_down * (len(heights) - 1) + down

    def _side_by_side(
        self, paths: Sequence[tuple[Node, ...]], style: Mapping[str, str], inner: float, gap: float
    ) -> float:
        widths = [self.natural(p, style) for p in paths]
        room = inner - gap * (len(paths) - 1)
        if sum(widths) > room:
            longest = max(widths)
            texts = sum(1 for p in paths if p[-1].tag in ("div", "p"))
            squeezed = longest - (sum(widths) - room)
            if texts == 0 or squeezed < 60:
                self.overflow = True
            widths = [max(squeezed, 40.0) if w == longest else w for w in widths]
        return max(self.height(p, style, w + 2) for p, w in zip(paths, widths, strict=True))

    def _control(self, node: Node, style: Mapping[str, str]) -> float:
        """Width of a form control by itself: text fields are 20 letters wide."""
        if node.natural < 100 or style.get("width") == "0":
            return float(node.natural if node.natural < 100 else 60)
        return max(float(node.natural), 13.5 * pixels(style.get("font-size", "16px")))

    def _gap(self, style: Mapping[str, str]) -> tuple[float, float]:
        parts = [pixels(p) for p in style.get("gap", "0").split()]
        return parts[0], parts[-1]

    def _frame(self, style: Mapping[str, str]) -> tuple[float, float]:
        around = 2 * self._edge(style.get("border"))
        left = self._edge(style.get("border-left"))
        return around + left, around + self._edge(style.get("border-top")) + self._edge(
            style.get("border-bottom")
        )

    def _edge(self, value: str | None) -> float:
        return pixels(value.split()[0]) if value else 0.0

    def _line(self, style: Mapping[str, str]) -> float:
        size = pixels(style.get("font-size", "16px"))
        height = style.get("line-height", "1.4")
        return pixels(height) if height.endswith("px") else size * float(height)

    def _letter(self, style: Mapping[str, str]) -> float:
        bold = 1.06 if style.get("font-weight") == "bold" else 1.0
        return (
            LETTER[style.get("font-family", "sans-serif")]
            * bold
            * pixels(style.get("font-size", "16px"))
        )

    def _plain(self, node: Node) -> str:
        return html.unescape(re.sub(r"<[^>]*>", "", node.text or ""))

    def _text_width(self, node: Node, style: Mapping[str, str]) -> float:
        return len(self._plain(node)) * self._letter(style)
