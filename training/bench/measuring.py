"""Processes measured: wall time, processor time, peak memory; and a copy to hold them against."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError

ROOT = Path(__file__).parents[2]
# Runs a module's main in this process and tells the most memory it ever held.
_CHILD = """
import runpy, sys, time
name = sys.argv[1]
sys.argv = sys.argv[1:]
try:
    runpy.run_module(name, run_name="__main__", alter_sys=True)
except SystemExit as end:
    if end.code:
        raise
finally:
    peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
    print("measured", int(peak) * 1024, time.process_time(), file=sys.stderr)
"""


@dataclass(frozen=True)
class Run:
    """A process: seconds, seconds of processor time, and the most bytes it held. Where other work
    shares the machine, processor time is the steadier figure."""

    seconds: float
    cpu: float
    peak: int


@contextmanager
def workplace(folder: Path | None, name: str, *, keep: bool) -> Iterator[Path]:
    """A folder for checkpoints and results: a temporary one, or one that the next run finds."""
    if keep:
        kept = (folder or Path(tempfile.gettempdir())) / name
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=folder) as made:
        yield Path(made)


def made(checkpoint: Path, make: Callable[[Path], object]) -> int:
    """Bytes of the weights of a checkpoint, which is made where it is not there, whole."""
    if not checkpoint.exists():
        part = checkpoint.with_name(f"{checkpoint.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        make(part)
        part.rename(checkpoint)
    return sum(path.stat().st_size for path in checkpoint.glob("*.safetensors"))


def best(repeats: int, work: Callable[[Path], Run], folder: Path) -> Run:
    """The shortest times and the highest peak of several runs, each into an empty folder."""
    runs = []
    for _ in range(repeats):
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)  # of a run that was stopped
        os.sync()  # what others have left to write is not this run's
        runs.append(work(out))
        shutil.rmtree(out)
    return Run(
        min(run.seconds for run in runs),
        min(run.cpu for run in runs),
        max(run.peak for run in runs),
    )


def child(python: Path, arguments: list[str]) -> Run:
    """Run a module with arguments, measured. Raises VisCodexError(internal) where it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        [str(python), "-c", _CHILD, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise VisCodexError(
            ErrorCode.internal, f"{arguments[0]} failed: {done.stderr[-400:]}", "Mend it."
        )
    measured = [line for line in done.stderr.splitlines() if line.startswith("measured ")][-1]
    _, peak, cpu = measured.split()
    return Run(seconds, float(cpu), int(peak))


def copy(sources: list[Path], out: Path, size: int) -> Run:
    """Read all weights of the sources, and write `size` bytes of them to the disk."""
    out.mkdir()
    start, cpu = time.perf_counter(), time.process_time()
    left = size
    with (out / "copy").open("wb") as target:
        for source in sources:
            for path in sorted(source.glob("*.safetensors")):
                with path.open("rb", buffering=0) as file:
                    while block := file.read(1 << 22):
                        target.write(block[:left])
                        left -= len(block[:left])
        target.flush()
        os.fsync(target.fileno())
    return Run(time.perf_counter() - start, time.process_time() - cpu, 0)
