"""Project folders on disk, whole or not at all: written beside their place and renamed."""

from __future__ import annotations

import ast
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from app.export.page import split_page

_PACKAGES: Mapping[str, str] = {
    "PIL": "pillow",
    "mpl_toolkits": "matplotlib",
    "sklearn": "scikit-learn",
}
"""Import name -> name of its package, where they differ."""


def project_files(code: str, target: str) -> dict[str, bytes]:
    """The files of a project for code of `target`: path in the folder (with "/") -> content."""
    if target == "html":
        return split_page(code)
    needed = "".join(f"{name}\n" for name in requirements(code))
    return {"chart.py": f"{code.rstrip()}\n".encode(), "requirements.txt": needed.encode()}


def requirements(code: str) -> list[str]:
    """Packages that a script imports, sorted; matplotlib is always among them."""
    found = {"matplotlib"}
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return sorted(found)
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names:
                found.add(_PACKAGES.get(top, top))
    return sorted(found)


def write_project(files: Mapping[str, bytes], folder: Path) -> None:
    """Make `folder` with `files` in it, whole or not at all.

    Raises:
        FileExistsError: there is something at that place already; it is left alone.
        OSError: the folder around it is missing or cannot be written.
    """
    folder = folder.absolute()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()  # an empty folder, as file dialogs make them
    if folder.exists():
        raise FileExistsError(errno.EEXIST, "there is a folder or file of that name", str(folder))
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        for name, data in files.items():
            path = made.joinpath(*name.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if os.name == "posix":
            mask = os.umask(0)
            os.umask(mask)
            made.chmod(0o777 & ~mask)
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
