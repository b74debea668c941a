"""Bring the catalogues in assets/locale up to date: `make translations`.

Collects the marked texts of app/ into viscodex.pot, takes them over into each language's
viscodex.po, where new ones wait for their translation, and compiles that to viscodex.mo. Places of
texts are files without numbers of lines, and there are no dates, so that only words make a change.
"""

from __future__ import annotations

import io
import sys
from datetime import datetime, timezone
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract as marked
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "assets" / "locale"
DOMAIN = "viscodex"
KEYWORDS = {"_": None, "N_": None, "ngettext": (1, 2)}
TAG = "L10N:"
NO_DATE = datetime(2000, 1, 1, tzinfo=timezone.utc)
KEPT = (b"Language", b"Plural-Forms", b"MIME-Version", b"Content-T")
"""Lines of the header that mean something."""


def extract(root: Path = ROOT) -> Catalog:
    """All marked texts of the application."""
    found = Catalog(fuzzy=False, charset="utf-8", header_comment="# The texts of VisCodex.")
    files = sorted((root / "app").rglob("*.py"))
    for path in files:
        name = path.relative_to(root).as_posix()
        with path.open("rb") as source:
            for _line, text, notes, _context in marked(
                "python", source, KEYWORDS, [TAG], strip_comment_tags=True
            ):
                found.add(text, locations=[(name, 0)], auto_comments=notes)
    return found


def languages() -> list[str]:
    """Those that have a folder of their own."""
    return sorted(path.parent.parent.name for path in LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def place(language: str, suffix: str) -> Path:
    """The file of a language: ".po" for people, ".mo" for the application."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}{suffix}"


def read(language: str) -> Catalog:
    """What a language has."""
    with place(language, ".po").open("rb") as file:
        found = read_po(file, locale=language)
    found.creation_date = found.revision_date = NO_DATE
    return found


def text_of(catalogue: Catalog) -> bytes:
    """A catalogue as a .pot or .po file, without dates."""
    out = io.BytesIO()
    write_po(out, catalogue, width=98, ignore_obsolete=True, include_lineno=False)
    head, _, rest = out.getvalue().partition(b"\n\n")
    lines = [one for one in head.split(b"\n") if one[:1] != b'"' or one[1:].startswith(KEPT)]
    return b"\n".join(lines) + b"\n\n" + rest


def compiled(catalogue: Catalog) -> bytes:
    """A catalogue as a .mo file."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def update() -> None:
    """Write all files anew; a line for each language says what is missing."""
    template = extract()
    LOCALE.mkdir(parents=True, exist_ok=True)
    (LOCALE / f"{DOMAIN}.pot").write_bytes(text_of(template))
    for language in languages():
        present = read(language)
        # A guess from a text that looks alike would be taken for a translation.
        present.update(template, no_fuzzy_matching=True)
        place(language, ".po").write_bytes(text_of(present))
        place(language, ".mo").write_bytes(compiled(read(language)))
        missing = [one for one in present if one.id and not is_complete(one)]
        print(f"{language}: {len(present)} texts, {len(missing)} without a translation")


def is_complete(message: Message) -> bool:
    """Whether a text has all its forms in this language."""
    forms = message.string
    return bool(forms) if isinstance(forms, str) else bool(forms) and all(forms)


if __name__ == "__main__":
    sys.exit(update())
