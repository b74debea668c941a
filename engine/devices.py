"""What llama.cpp can compute on: the devices it lists, and whether it runs here at all.

Loading the library and asking its drivers can end the process (an instruction the processor
lacks, a broken graphics driver), so callers ask through `list_devices` and `check_library`,
which do it in a child: `python -m engine.devices` prints the devices as JSON,
`python -m engine.devices --check` multiplies small matrices, and `--check-rearranged` does so with
the matrix units of the processor.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from engine.arithmetic import PRODUCT, Arithmetic
from engine.errors import ErrorCode, VisCodexError
from engine.ggml import Ggml, function

# enum ggml_backend_dev_type, in its order
KINDS = ("cpu", "gpu", "igpu", "accel")
CHECK, CHECK_REARRANGED = WAYS = ("--check", "--check-rearranged")
TOLERANCE = 2.0  # of products through 8-bit numbers
ILLEGAL_INSTRUCTION = (-4, 0xC000001D)  # POSIX: minus the signal; Windows: the NTSTATUS

BUILD = (
    "pip install --force-reinstall --no-cache-dir "
    "--no-binary llama-cpp-python llama-cpp-python==0.3.36"
)


@dataclass(frozen=True)
class Device:
    """One device as ggml lists it; memory in bytes (0 where the driver does not tell)."""

    name: str
    description: str
    kind: str
    memory_total: int
    memory_free: int


def list_devices(timeout: float = 60.0) -> list[Device]:
    """Devices llama.cpp can use, asked in a child process.

    Raises:
        VisCodexError: the library cannot be loaded, or the child died or hung.
    """
    return [Device(**row) for row in json.loads(_ask([], timeout))]


def devices_here() -> list[Device]:
    """The same, asked in this process: for the engine's child, which may end of it."""
    return _listed(Ggml())


def check_library(timeout: float = 60.0) -> None:
    """Load llama.cpp and compute something small with it, in a child process.

    Raises:
        VisCodexError: with what went wrong and what to do.
    """
    _ask([CHECK], timeout)
    if not matrix_units_work(timeout):
        raise VisCodexError(
            ErrorCode.internal,
            "llama.cpp was built wrongly for this processor's matrix units, which stay unused.",
            "Build it again with another compiler: " + BUILD,
        )


@cache
def matrix_units_work(timeout: float = 60.0) -> bool:
    """Whether weights may be rearranged for the matrix units of this processor (AMX).

    llama.cpp built by GCC 12 ends the process there, see packaging/setup. True, and
    nothing tried, on processors without such units.
    """
    if not has_matrix_units():
        return True
    try:
        _ask([CHECK_REARRANGED], timeout)
    except VisCodexError:
        return False
    return True


@cache
def has_matrix_units() -> bool:
    """Whether the processor of this machine has AMX, as Linux tells."""
    try:
        return "amx_tile" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _ask(arguments: list[str], timeout: float) -> str:
    command = [sys.executable, "-m", "engine.devices", *arguments]
    root = str(Path(__file__).resolve().parents[1])
    try:
        result = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise VisCodexError(
            ErrorCode.timeout,
            f"llama.cpp did not answer within {timeout:.0f} s.",
            "A graphics driver may hang: update it, or restart the machine.",
        ) from error
    if result.returncode == 0:
        return result.stdout
    if result.returncode in ILLEGAL_INSTRUCTION:
        raise VisCodexError(
            ErrorCode.internal,
            "llama.cpp was built for another processor.",
            f"Build it here: {BUILD}",
        )
    lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
    raise VisCodexError(
        ErrorCode.internal,
        f"llama.cpp does not run: {lines[-1]}",
        "Install it again: pip install --force-reinstall llama-cpp-python==0.3.36",
    )


def _listed(ggml: Ggml) -> list[Device]:
    get = function(ggml.registry, "ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    count = function(ggml.registry, "ggml_backend_dev_count", ctypes.c_size_t)
    name = function(ggml.base, "ggml_backend_dev_name", ctypes.c_char_p, ctypes.c_void_p)
    text = function(ggml.base, "ggml_backend_dev_description", ctypes.c_char_p, ctypes.c_void_p)
    kind = function(ggml.base, "ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)
    size = ctypes.POINTER(ctypes.c_size_t)
    memory = function(ggml.base, "ggml_backend_dev_memory", None, ctypes.c_void_p, size, size)
    rows = []
    for index in range(count()):
        device = get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        number = kind(device)
        rows.append(
            Device(
                name=name(device).decode(errors="replace"),
                description=text(device).decode(errors="replace"),
                kind=KINDS[number] if number < len(KINDS) else "accel",
                memory_total=total.value,
                memory_free=free.value,
            )
        )
    return rows


def _problem(ggml: Ggml, way: str) -> str:
    """What is wrong with the numbers that llama.cpp computes, "" if nothing is."""
    arithmetic = Arithmetic(ggml)
    products = arithmetic.plain() if way == CHECK else arithmetic.rearranged()
    # The other way round, a number that is none would pass.
    wrong = {
        name: number for name, number in products.items() if not abs(number - PRODUCT) <= TOLERANCE
    }
    return f"wrong products: {wrong} instead of {PRODUCT:.0f}" if wrong else ""


def main(arguments: list[str]) -> int:
    """Entry point of the child process."""
    try:
        ggml = Ggml()
        for way in WAYS:
            if way in arguments:
                problem = _problem(ggml, way)
                if problem:
                    print(problem, file=sys.stderr)
                return int(bool(problem))
        print(json.dumps([asdict(device) for device in _listed(ggml)]))
    except OSError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
