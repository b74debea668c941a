"""A previewed page as a file for the user's own browser, with the walls that a file can have."""

from __future__ import annotations

import tempfile
from html import escape
from pathlib import Path

from app.files import write_whole
from app.preview.policy import document_csp

NAME = "preview.html"


def standalone(html: str, scripts: bool) -> str:
    """A document that holds the page in a sandboxed frame.

    The page inherits the policy of the preview from the document around it, and the frame adds what
    a `meta` element cannot say (`sandbox`). As the policy forbids frames from elsewhere, the page
    cannot lead its frame away either. Escaped as an attribute it cannot close the frame.
    """
    csp = document_csp(scripts).rpartition("; sandbox")[0]
    allowed = "allow-scripts" if scripts else ""
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(csp)}">'
        '<meta name="referrer" content="no-referrer"><title>VisCodex preview</title>'
        "<style>html, body, iframe { margin: 0; border: 0; width: 100%; height: 100%; }"
        "iframe { display: block; } body { overflow: hidden; }</style></head>"
        f'<body><iframe title="Page" sandbox="{allowed}" srcdoc="{escape(html)}"></iframe>'
        "</body></html>\n"
    )


class PrivateFolder:
    """A temporary folder only this user can read; made at the first file, deleted at the end."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def write(self, text: str) -> Path:
        """Write the page, in place of an older one. Raises OSError."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="viscodex-preview-")
        path = Path(self._folder.name) / NAME
        write_whole(path, text.encode("utf-8", "replace"))
        return path

    def close(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()
