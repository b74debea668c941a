"""The ggml libraries inside llama-cpp-python, for the functions that its bindings do not wrap."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Ggml:
    """The libraries, loaded. Raises OSError where they are missing or cannot be loaded."""

    def __init__(self) -> None:
        spec = find_spec("llama_cpp")
        if spec is None or spec.origin is None:
            raise OSError("llama-cpp-python is not installed")
        folder = Path(spec.origin).parent / "lib"
        # libllama first: it brings the others in the order they depend on each other.
        self.llama = _load(folder, "llama")
        self.base = _load(folder, "ggml-base")
        self.cpu = _load(folder, "ggml-cpu")
        self.registry = _load(folder, "ggml")


def _load(folder: Path, name: str) -> ctypes.CDLL:
    for pattern in (f"lib{name}.so", f"lib{name}.dylib", f"{name}.dll", f"lib{name}.dll"):
        path = folder / pattern
        if path.exists():
            return ctypes.CDLL(str(path))
    raise OSError(f"no library {name} in {folder}")


def function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    """A function of a library with the types of its result and arguments."""
    found = library[name]
    found.restype = result
    found.argtypes = list(arguments)
    return found
