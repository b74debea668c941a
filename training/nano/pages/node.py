"""Elements of a generated page, its style sheet, and how both are written as HTML.

There is one way to write each page: fixed order of properties, rules in the order in which the
document first uses them, two spaces of indentation, every text on one line directly between `>`
and `<`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

PROPERTY_ORDER = (
    "display",
    "grid-template-columns",
    "flex",
    "flex-direction",
    "flex-wrap",
    "justify-content",
    "justify-self",
    "align-items",
    "align-content",
    "gap",
    "width",
    "height",
    "margin",
    "padding",
    "border",
    "border-top",
    "border-bottom",
    "border-left",
    "border-collapse",
    "border-radius",
    "list-style",
    "background",
    "color",
    "accent-color",
    "font",
    "font-family",
    "font-size",
    "font-weight",
    "font-style",
    "line-height",
    "text-align",
    "text-decoration",
    "text-transform",
    "white-space",
)
"""The one order in which a rule lists its properties."""

VOID_TAGS = frozenset({"input", "img", "br", "hr"})

RESET = "* { box-sizing: border-box; margin: 0; }"
"""First line of every style sheet: with it, spacing is what gaps and paddings say."""


@dataclass
class Node:
    """An element: either `text` (already written as HTML, one line) or `children`."""

    tag: str
    children: Sequence[Node] = ()
    text: str | None = None
    cls: str = ""
    attrs: str = ""
    natural: int = 0
    """Width in px that the element has by itself when CSS does not say it (form controls)."""

    def walk(self) -> Iterator[Node]:
        """The element and everything in it, in document order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def lines(self, depth: int = 0) -> Iterator[str]:
        """Source lines of the element, indented by two spaces a level."""
        pad = "  " * depth
        cls = f' class="{self.cls}"' if self.cls else ""
        attrs = f" {self.attrs}" if self.attrs else ""
        start = f"{pad}<{self.tag}{cls}{attrs}>"
        if self.tag in VOID_TAGS:
            yield start
        elif not self.children:
            yield f"{start}{self.text or ''}</{self.tag}>"
        else:
            yield start
            for child in self.children:
                yield from child.lines(depth + 1)
            yield f"{pad}</{self.tag}>"


def leaf(tag: str, text: str, cls: str = "", attrs: str = "") -> Node:
    """An element that holds a plain text, which is escaped here."""
    return Node(tag, text=escape(text, quote=False), cls=cls, attrs=attrs)


def box(tag: str, *children: Node, cls: str = "", attrs: str = "") -> Node:
    """An element that holds other elements."""
    return Node(tag, children=children, cls=cls, attrs=attrs)


@dataclass
class Sheet:
    """CSS rules of one page. A selector has one meaning: a second, different use is an error."""

    rules: dict[str, dict[str, str]] = field(default_factory=dict)

    def use(self, selector: str, props: Mapping[str, str | None]) -> None:
        """Adds a rule, without the properties that are None; nothing is added when none is left."""
        wanted = {name: value for name, value in props.items() if value is not None}
        unknown = wanted.keys() - set(PROPERTY_ORDER)
        if unknown:
            raise ValueError(f"property without a place in the order: {sorted(unknown)}")
        if not wanted:
            return
        known = self.rules.setdefault(selector, wanted)
        if known != wanted:
            raise ValueError(f"{selector} means two things: {known} and {wanted}")

    def lines(self) -> Iterator[str]:
        """One source line a rule."""
        for selector, props in self.rules.items():
            body = " ".join(f"{name}: {props[name]};" for name in PROPERTY_ORDER if name in props)
            yield f"{selector} {{ {body} }}"


def document(sheet: Sheet, children: Sequence[Node]) -> str:
    """The whole page as the model has to write it (no newline at the end)."""
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        "<style>",
        RESET,
    ]
    lines += sheet.lines()
    lines += ["</style>", "</head>", "<body>"]
    for child in children:
        lines += child.lines()
    return "\n".join([*lines, "</body>", "</html>"])
