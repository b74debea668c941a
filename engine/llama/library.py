"""The bindings of llama.cpp, set up once in the process that uses them."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable
from typing import Any

# Before the library is loaded: a failed assertion would otherwise start a debugger for a trace.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")
# Never load compute libraries that a user's environment or current folder names.
os.environ.pop("GGML_BACKEND_PATH", None)

from llama_cpp import llama_cpp as llama
from llama_cpp import mtmd_cpp as mtmd

from engine.devices import matrix_units_work
from engine.errors import ErrorCode, VisCodexError, tells_of_memory

LIBRARY_VERSION = "0.5.0-dev"
FLASH_ATTENTION_AUTO = -1
WARNING = 3  # ggml_log_level: 1 debug, 2 info, 3 warning, 4 error, 5 goes on the line before

__all__ = [
    "keeping",
    "llama",
    "log",
    "model_params",
    "mtmd",
    "physical_cores",
    "set_up",
    "tensor_name",
]


class _Log:
    """The last lines that the library wrote. They may tell of files, never of prompts."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=200)
        # Kept here: the library calls it for as long as it lives.
        self.callback: Any = llama.llama_log_callback(self._take)
        self._level = WARNING

    def _take(self, level: int, text: bytes | None, _data: Any) -> None:
        if level != 5:
            self._level = level
        if self._level >= WARNING and text:
            self.lines.append(text.decode("utf-8", errors="replace").rstrip())

    def tells_of_memory(self) -> bool:
        """Whether a recent line says that memory ran out."""
        return any(map(tells_of_memory, self.lines))


def keeping(callback: Callable[..., bool], raised: list[BaseException]) -> Callable[..., bool]:
    """A callback that stops native code where it fails, and puts the exception into `raised`.

    ctypes would drop the exception, and native code report success with half of its work done.
    """

    def kept(*arguments: Any) -> bool:
        try:
            return callback(*arguments)
        except BaseException as error:
            raised.append(error)
            return False

    return kept


log = _Log()
_ready = False


def set_up() -> None:
    """Check the version, silence the library, start its backend. Does nothing a second time."""
    global _ready
    if _ready:
        return
    found = llama.llama_version().decode()
    if found != LIBRARY_VERSION:
        raise VisCodexError(
            ErrorCode.internal,
            f"llama.cpp {found} is installed, {LIBRARY_VERSION} is needed.",
            "Install it again: pip install --force-reinstall llama-cpp-python==0.3.36",
        )
    llama.llama_log_set(log.callback, None)
    mtmd.mtmd_helper_log_set(log.callback, None)  # a logger of its own; sets mtmd's too
    llama.llama_backend_init()
    _ready = True


def model_params() -> Any:
    """The library's defaults for loading a model, with what this machine cannot do switched off."""
    params = llama.llama_model_default_params()
    params.use_extra_bufts = matrix_units_work()
    return params


def physical_cores() -> int:
    """Cores this process may run on, without counting hyper-threads twice."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    import psutil

    physical = psutil.cpu_count(logical=False)
    counts = [count for count in (allowed, physical, os.cpu_count()) if count]
    return max(1, min(counts, default=1))


def _name_function() -> Any:
    try:
        function = llama._lib.ggml_get_name
    except AttributeError:  # Windows: a library of its own, which is not worth the search
        return None
    function.argtypes = [ctypes.c_void_p]
    function.restype = ctypes.c_char_p
    return function


_get_name = _name_function()


def tensor_name(tensor: int) -> bytes:
    """The name of a graph node, b"" where it cannot be told."""
    if _get_name is None or not tensor:
        return b""
    return _get_name(tensor) or b""
