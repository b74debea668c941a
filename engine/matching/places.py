"""Where the nodes of a parsed script stand in its text."""

from __future__ import annotations

import ast
import re

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


class Places:
    """The lines of a script, which `ast` counts by, with columns in UTF-8 bytes."""

    def __init__(self, code: str) -> None:
        self._lines: list[tuple[int, bytes]] = []
        start = 0
        for line in _LINE.findall(code):
            self._lines.append((start, line.encode()))
            start += len(line)

    def span(self, node: ast.expr) -> tuple[int, int]:
        """code[start:end] is the node."""
        end_line, end_column = node.end_lineno, node.end_col_offset
        assert end_line is not None and end_column is not None  # every parsed node has them
        return self._offset(node.lineno, node.col_offset), self._offset(end_line, end_column)

    def _offset(self, line: int, column: int) -> int:
        start, text = self._lines[line - 1]
        return start + len(text[:column].decode(errors="replace"))
