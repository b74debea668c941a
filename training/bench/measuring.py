"""Processes measured: wall time, processor time, peak memory; and a copy to hold them against."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import psutil

from engine.errors import ErrorCode, VisCodexError

ROOT = Path(__file__).parents[2]
LOOK_EVERY = 0.05  # seconds between two looks at the memory of a process and its children


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
    """Run a module with arguments, measured together with the processes it starts; the memory
    is that of all at a time. Raises VisCodexError(internal) where it fails."""
    start = time.perf_counter()
    process = psutil.Popen(
        [str(python), "-m", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak = 0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = Thread(target=lambda: complaints.append(process.stderr.read()))
    complaints: list[str] = []
    said.start()
    while process.poll() is None:
        peak = max(peak, _memory(process))
        time.sleep(LOOK_EVERY)
    seconds = time.perf_counter() - start
    said.join()
    if process.returncode:
        raise VisCodexError(
            ErrorCode.internal, f"{arguments[0]} failed: {complaints[0][-400:]}", "Mend it."
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, cpu, peak)


def _memory(process: psutil.Process) -> int:
    """Bytes held by a process and those it started; what they share is counted for each."""
    held = 0
    with suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                held += one.memory_info().rss
    return held


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
