"""What llama.cpp can compute on: the devices it lists, and whether it runs here at all.

Loading the library and asking its drivers can end the process (an instruction the processor
lacks, a broken graphics driver), so callers ask through `list_devices` and `check_library`,
which do it in a child: `python -m engine.devices` prints the devices as JSON,
`python -m engine.devices --check` multiplies two small matrices.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError

# enum ggml_backend_dev_type, in its order
KINDS = ("cpu", "gpu", "igpu", "accel")
# enum ggml_type
F32, Q8_0 = 0, 8
ILLEGAL_INSTRUCTION = (-4, 0xC000001D)  # POSIX: minus the signal; Windows: the NTSTATUS


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
    return _Ggml().devices()


def check_library(timeout: float = 60.0) -> None:
    """Load llama.cpp and compute something small with it, in a child process.

    Raises:
        VisCodexError: with what went wrong and what to do.
    """
    _ask(["--check"], timeout)


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
            "Build it here: pip install --force-reinstall --no-cache-dir "
            "--no-binary llama-cpp-python llama-cpp-python==0.3.36",
        )
    lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
    raise VisCodexError(
        ErrorCode.internal,
        f"llama.cpp does not run: {lines[-1]}",
        "Install it again: pip install --force-reinstall llama-cpp-python==0.3.36",
    )


class _Ggml:
    """The handful of ggml functions needed here; llama_cpp wraps none of them."""

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

    def devices(self) -> list[Device]:
        get = _function(self.registry, "ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
        count = _function(self.registry, "ggml_backend_dev_count", ctypes.c_size_t)
        name = _function(self.base, "ggml_backend_dev_name", ctypes.c_char_p, ctypes.c_void_p)
        text = _function(
            self.base, "ggml_backend_dev_description", ctypes.c_char_p, ctypes.c_void_p
        )
        kind = _function(self.base, "ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)
        size = ctypes.POINTER(ctypes.c_size_t)
        memory = _function(self.base, "ggml_backend_dev_memory", None, ctypes.c_void_p, size, size)
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

    def multiply(self) -> list[float]:
        """A (256 x 4, all ones) times B (256 x 2, all twos), in F32 and again with A in Q8_0.

        Loading alone executes none of the vector code that a foreign processor lacks.
        Returns the first number of each product; both must be 512.
        """

        class Parameters(ctypes.Structure):
            _fields_ = (  # struct ggml_init_params
                ("mem_size", ctypes.c_size_t),
                ("mem_buffer", ctypes.c_void_p),
                ("no_alloc", ctypes.c_bool),
            )

        pointer, integer, long = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
        tensor = _function(self.base, "ggml_new_tensor_2d", pointer, pointer, integer, long, long)
        data = _function(self.base, "ggml_get_data", pointer, pointer)
        context = _function(self.base, "ggml_init", pointer, Parameters)(
            Parameters(16 << 20, None, False)
        )
        graph = _function(self.base, "ggml_new_graph", pointer, pointer)(context)
        ones = tensor(context, F32, 256, 4)
        twos = tensor(context, F32, 256, 2)
        small = tensor(context, Q8_0, 256, 4)
        set_all = _function(self.cpu, "ggml_set_f32", pointer, pointer, ctypes.c_float)
        set_all(ones, 1.0)
        set_all(twos, 2.0)
        quantize = _function(
            self.base, "ggml_quantize_chunk", ctypes.c_size_t, integer, pointer, pointer,
            long, long, long, pointer,
        )  # fmt: skip
        quantize(Q8_0, data(ones), data(small), 0, 4, 256, None)
        multiply = _function(self.base, "ggml_mul_mat", pointer, pointer, pointer, pointer)
        expand = _function(self.base, "ggml_build_forward_expand", None, pointer, pointer)
        products = [multiply(context, left, twos) for left in (ones, small)]
        for product in products:
            expand(graph, product)
        compute = _function(
            self.cpu, "ggml_graph_compute_with_ctx", integer, pointer, pointer, integer
        )
        compute(context, graph, 1)
        first = [ctypes.cast(data(p), ctypes.POINTER(ctypes.c_float))[0] for p in products]
        _function(self.base, "ggml_free", None, pointer)(context)
        return [float(number) for number in first]


def _load(folder: Path, name: str) -> ctypes.CDLL:
    for pattern in (f"lib{name}.so", f"lib{name}.dylib", f"{name}.dll", f"lib{name}.dll"):
        path = folder / pattern
        if path.exists():
            return ctypes.CDLL(str(path))
    raise OSError(f"no library {name} in {folder}")


def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = library[name]
    function.restype = result
    function.argtypes = list(arguments)
    return function


def main(arguments: list[str]) -> int:
    """Entry point of the child process."""
    try:
        ggml = _Ggml()
        if "--check" in arguments:
            products = ggml.multiply()
            if any(abs(number - 512.0) > 2.0 for number in products):
                print(f"wrong products: {products} instead of 512", file=sys.stderr)
                return 1
        else:
            print(json.dumps([asdict(device) for device in ggml.devices()]))
    except OSError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
