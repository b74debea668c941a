"""The texts of a page in its source, in the order in which the renderer describes them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from html.parser import HTMLParser

from engine.hints import TextLine
from engine.matching.text.passages import Passage, words_in

Attributes = list[tuple[str, str | None]]

UNDRAWN = frozenset(("script", "style", "title", "noscript", "template"))
CONTROLS = frozenset(("option", "textarea"))  # described after all other texts
INLINE = frozenset((
    "a", "abbr", "b", "bdi", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
    "kbd", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time",
    "tt", "u", "var", "wbr",
))  # fmt: skip
# Whose attributes are drawn, and the types of input of which none is.
DRAWN_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "input": ("value", "placeholder"),
    "textarea": ("placeholder",),
}
TEXTLESS = frozenset(("checkbox", "radio", "range", "color", "hidden", "password"))
_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);?")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|[^\s"'>]+)""")
_TAG_NAME = re.compile(r"<[^\s/>]+")


def page_passages(code: str) -> list[Passage]:
    """Text nodes in document order, then the texts of form controls in document order."""
    reader = _Reader(code)
    try:
        reader.feed(code)
        reader.close()
    except AssertionError:  # of marked sections that it does not know
        return []
    reader.end_node(len(code))
    return [passage for passage in [*reader.nodes, *reader.controls] if passage.words]


def bind_page(
    passages: Sequence[Passage], drawn: Sequence[TextLine]
) -> list[tuple[Passage | None, list[TextLine]]]:
    """Which passage draws which lines, in the order of `drawn`; None where none is known.

    A passage counts only with all of its words: of one that is drawn in part nothing is known.
    """
    places: dict[str, list[int]] = {}
    for number, passage in enumerate(passages):
        places.setdefault(passage.words[0].text, []).append(number)
    bound: list[tuple[Passage | None, list[TextLine]]] = []
    current, taken = -1, 0
    used: set[int] = set()
    for line in drawn:
        words = line.text.split()
        if current >= 0 and taken and _goes_on(passages[current], taken, words):
            bound[-1][1].append(line)
            taken += len(words)
            continue
        starts = [
            number
            for number in places.get(words[0] if words else "", ())
            if number not in used and _goes_on(passages[number], 0, words)
        ]
        later = [number for number in starts if number > current]
        if not starts:
            bound.append((None, [line]))
            taken = 0
            continue
        current, taken = (later or starts)[0], len(words)
        used.add(current)
        bound.append((passages[current], [line]))
    return [(passage if _whole(passage, lines) else None, lines) for passage, lines in bound]


def _goes_on(passage: Passage, taken: int, words: Sequence[str]) -> bool:
    there = passage.words[taken : taken + len(words)]
    return bool(words) and [word.text for word in there] == list(words)


def _whole(passage: Passage | None, lines: Sequence[TextLine]) -> bool:
    count = sum(len(line.text.split()) for line in lines)
    return passage is not None and count == len(passage.words)


class _Reader(HTMLParser):
    """Collects passages; a text node goes from one tag (or comment) to the next."""

    def __init__(self, code: str) -> None:
        super().__init__(convert_charrefs=False)
        self.nodes: list[Passage] = []
        self.controls: list[Passage] = []
        self._code = code
        self._lines = [0, *(one.end() for one in re.finditer("\n", code))]
        self._start: int | None = None
        self._undrawn = ""  # the element that hides what is in it
        self._control = ""
        self._flows = False

    def _offset(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column

    def handle_data(self, data: str) -> None:
        if self._start is None:
            self._start = self._offset()

    def handle_entityref(self, name: str) -> None:
        self.handle_data(name)

    def handle_charref(self, name: str) -> None:
        self.handle_data(name)

    def end_node(self, end: int) -> None:
        """Whatever text has been met ends here."""
        start, self._start = self._start, None
        if start is None or self._undrawn:
            return
        words = words_in(_pieces(self._code, start, end))
        if not words:
            return
        if self._control:
            self.controls.append(Passage(words, _as_text))
        else:
            self.nodes.append(Passage(words, _as_text, self._flows))
            self._flows = True

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        self.end_node(self._offset())
        self._flows = self._flows and tag in INLINE
        if tag in UNDRAWN and not self._undrawn:
            self._undrawn = tag
        if tag in CONTROLS:
            self._control = tag
        if tag in DRAWN_ATTRIBUTES and not self._undrawn:
            self.controls.extend(self._attributes(tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.handle_starttag(tag, attrs)  # in HTML the slash says nothing

    def handle_endtag(self, tag: str) -> None:
        self.end_node(self._offset())
        self._flows = self._flows and tag in INLINE
        if tag == self._undrawn:
            self._undrawn = ""
        if tag == self._control or tag == "select":
            self._control = ""

    def handle_comment(self, data: str) -> None:
        self.end_node(self._offset())

    def handle_decl(self, decl: str) -> None:
        self.end_node(self._offset())

    def unknown_decl(self, data: str) -> None:
        self.end_node(self._offset())

    def handle_pi(self, data: str) -> None:
        self.end_node(self._offset())

    def _attributes(self, tag: str, attributes: Mapping[str, str | None]) -> Iterator[Passage]:
        """The attribute that is drawn: the value, else the placeholder."""
        if (attributes.get("type") or "text").lower() in TEXTLESS:
            return
        name = next((one for one in DRAWN_ATTRIBUTES[tag] if attributes.get(one)), None)
        start, source = self._offset(), self.get_starttag_text() or ""
        head = _TAG_NAME.match(source)
        for found in _ATTRIBUTE.finditer(source, head.end() if head else 0):
            group = 2 if found[2] is not None else 3
            if found[1].lower() == name and found[group] is not None:
                pieces = _pieces(self._code, start + found.start(group), start + found.end(group))
                yield Passage(words_in(pieces), partial(_as_attribute, '"' if group == 2 else "'"))
                return


def _pieces(code: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """code[start:end] letter by letter, references to characters undone."""
    at = start
    while at < end:
        found = _REFERENCE.match(code, at, end) if code[at] == "&" else None
        meaning = html.unescape(found[0]) if found else code[at]
        if found is None or meaning == found[0]:
            yield at, at + 1, code[at]
            at += 1
        else:
            yield at, found.end(), meaning
            at = found.end()


def _as_text(text: str) -> str:
    return html.escape(text, quote=False)


def _as_attribute(quote: str, text: str) -> str:
    return _as_text(text).replace(quote, "&quot;" if quote == '"' else "&#39;")
