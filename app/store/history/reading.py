"""Questions to the history's database, each a function of a connection."""

from __future__ import annotations

import json
import re
import sqlite3

from app.store.history.entries import Entry, Page, Query, Version

SHORTEST_TRIGRAM = 3  # letters; shorter words are looked for one row after the other

_ENTRY = """SELECT c.id, c.time, c.kind, c.title, c.picture, c.model, c.pinned, c.head,
    (SELECT similarity FROM versions WHERE id = c.head),
    (SELECT count(*) FROM versions WHERE conversion = c.id), c.figures
    FROM conversions c"""
_VERSION = "SELECT id, conversion, parent, code, instruction, time, similarity, candidate"
_TERM = re.compile(r'"([^"]+)"|(\S+)')
_INDEXED = """(c.id IN (SELECT rowid FROM conversion_text WHERE conversion_text MATCH :{0})
    OR c.id IN (SELECT conversion FROM versions WHERE id IN
        (SELECT rowid FROM version_text WHERE version_text MATCH :{0})))"""
_WALKED = """(c.title LIKE :{0} ESCAPE '\\' OR c.words LIKE :{0} ESCAPE '\\'
    OR EXISTS (SELECT 1 FROM versions WHERE conversion = c.id AND code LIKE :{0} ESCAPE '\\'))"""


def page(db: sqlite3.Connection, query: Query, full_text: bool) -> Page:
    """The entries that a query asks for."""
    where, values = _conditions(query, full_text)
    (total,) = db.execute(f"SELECT count(*) FROM conversions c WHERE {where}", values).fetchone()
    rows = db.execute(
        f"{_ENTRY} WHERE {where} ORDER BY c.time DESC, c.id DESC LIMIT :limit OFFSET :offset",
        {**values, "limit": query.limit, "offset": query.offset},
    )
    return Page(tuple(_entry(row) for row in rows), total)


def _conditions(query: Query, full_text: bool) -> tuple[str, dict[str, object]]:
    parts, values = ["c.deleted IS NULL"], dict[str, object]()
    if query.kind is not None:
        parts.append("c.kind = :kind")
        values["kind"] = query.kind
    if query.pinned is not None:
        parts.append("c.pinned = :pinned")
        values["pinned"] = query.pinned
    for number, found in enumerate(_TERM.findall(query.text.replace("\0", ""))):
        term, name = found[0] or found[1], f"term{number}"
        if full_text and len(term) >= SHORTEST_TRIGRAM:
            parts.append(_INDEXED.format(name))
            values[name] = '"' + term.replace('"', '""') + '"'
        else:
            parts.append(_WALKED.format(name))
            values[name] = "%" + re.sub(r"([\\%_])", r"\\\1", term) + "%"
    return " AND ".join(parts), values


def entry(db: sqlite3.Connection, number: int) -> Entry | None:
    """The entry of an id, None where there is none or it is deleted."""
    row = db.execute(f"{_ENTRY} WHERE c.id = ? AND c.deleted IS NULL", [number]).fetchone()
    return None if row is None else _entry(row)


def versions(db: sqlite3.Connection, conversion: int) -> list[Version]:
    """All versions of a conversion, oldest first."""
    rows = db.execute(f"{_VERSION} FROM versions WHERE conversion = ? ORDER BY id", [conversion])
    return [Version(*row) for row in rows]


def words(db: sqlite3.Connection, conversion: int) -> str:
    """The text read from the picture of a conversion."""
    row = db.execute("SELECT words FROM conversions WHERE id = ?", [conversion]).fetchone()
    return "" if row is None else str(row[0])


def way_back(db: sqlite3.Connection, version: int) -> list[Version]:
    """A version, the one it was made from, and so on to a first one."""
    rows = db.execute(
        f"""WITH RECURSIVE back (step, id) AS (
            SELECT 0, ?
            UNION ALL
            SELECT step + 1, parent FROM back JOIN versions USING (id) WHERE parent IS NOT NULL
        ) {_VERSION} FROM back JOIN versions USING (id) ORDER BY step""",
        [version],
    )
    return [Version(*row) for row in rows]


def _entry(row: tuple[object, ...]) -> Entry:
    *plain, figures = row
    values = dict(zip(_FIELDS, plain, strict=True))
    return Entry(**{**values, "pinned": bool(values["pinned"])}, figures=json.loads(str(figures)))  # type: ignore[arg-type]


_FIELDS = tuple(name for name in Entry.__dataclass_fields__ if name != "figures")
