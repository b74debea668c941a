"""Make a checkout ready to run: `python3 packaging/setup/prepare.py app|dev`.

`app` is what the application needs, `dev` adds the model factory, the tests and the linters.
Standard library only, since it runs before anything is installed. Everything it does is
remembered in stamps inside the virtual environment, keyed on what decided it, so that a second
call with nothing changed takes a few hundredths of a second.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parents[2]
VENV = Path(os.environ.get("VENV", ROOT / ".venv")).resolve()
PYTHON = VENV / "bin" / "python"
CONSTRAINTS = ROOT / "constraints.txt"
# What an installation follows from; a change in any of them installs again.
INPUTS = (
    ROOT / "pyproject.toml",
    CONSTRAINTS,
    Path(__file__),
    Path(machine.__file__),
    Path(__file__).parent / machine.HEADER,
)
OLDEST = (3, 10)

# torch goes in first and by its exact version: found later as a dependency, an open range may
# bring a build of several gigabytes for graphics cards.
TORCH_FIRST = ("torch==2.13.0",)
INSTALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "app": (("-e", "."),),
    "dev": (TORCH_FIRST, ("-e", ".[training]", "--group", "test", "--group", "lint")),
}

LLAMA = "llama-cpp-python==0.3.36"
CHECKS = ("--check", "--check-rearranged")  # of engine.devices
LLAMA_OPTIONS = ("--no-deps", "--force-reinstall")


class SetupError(Exception):
    """One line for the user: what is wrong and what to do."""


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def call(command: Sequence[str | Path], *, env: dict[str, str] | None = None) -> None:
    """Run a command with its output shown; SetupError if it fails."""
    line = shlex.join(str(part) for part in command)
    say(line)
    merged = {**os.environ, **(env or {})}
    if subprocess.run([str(part) for part in command], cwd=ROOT, env=merged).returncode != 0:
        raise SetupError(f"this command failed, its own message stands above: {line}")


def fingerprint(level: str) -> dict[str, str]:
    """What an installed level depends on. An environment that was moved or copied differs."""
    digest = hashlib.sha256()
    for path in INPUTS:
        digest.update(path.read_bytes())
    version = ".".join(str(part) for part in sys.version_info[:2])
    return {"level": level, "inputs": digest.hexdigest(), "venv": str(VENV), "python": version}


def stamp_path(name: str) -> Path:
    return VENV / f".stamp-{name}.json"


def read_stamp(name: str) -> dict[str, str] | None:
    try:
        stamp = json.loads(stamp_path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def write_stamp(name: str, stamp: dict[str, str]) -> None:
    stamp_path(name).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")


def usable_environment() -> bool:
    """A virtual environment of this Python that runs and stands where it was made."""
    pip = VENV / "bin" / "pip"  # its first line names the place
    if not PYTHON.exists() or not pip.exists():
        return False
    if str(VENV) not in pip.read_text(encoding="utf-8").split("\n", 1)[0]:
        return False
    show = "import sys; print(*sys.version_info[:2])"
    answer = subprocess.run([str(PYTHON), "-c", show], capture_output=True, text=True).stdout
    return answer.split() == [str(part) for part in sys.version_info[:2]]


def make_environment() -> None:
    if usable_environment():
        return
    if VENV.exists() and any(VENV.iterdir()) and not (VENV / "pyvenv.cfg").exists():
        raise SetupError(f"{VENV} is not a virtual environment: remove it or set VENV=...")
    say(f"virtual environment in {VENV}")
    call([sys.executable, "-m", "venv", "--clear", VENV])


def install(level: str) -> None:
    """Bring the Python packages of a level into the environment."""
    for arguments in INSTALLS[level]:
        call([PYTHON, "-m", "pip", "install", "-c", CONSTRAINTS, *arguments])


def check_library(checks: Sequence[str]) -> str:
    """What happens when llama.cpp is loaded and computes, in processes of its own.

    Returns "" if all is well, else a description.
    """
    for check in checks:
        command = [str(PYTHON), "-m", "engine.devices", check]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if result.returncode == -signal.SIGILL:
            return "illegal instruction: built for another processor"
        if result.returncode == -signal.SIGSEGV:
            return "segmentation fault: built wrongly by an old compiler"
        if result.returncode != 0:
            lines = result.stderr.strip().splitlines()
            return lines[-1] if lines else f"exit status {result.returncode}"
    return ""


def settle_library() -> None:
    """Make sure that llama.cpp is there and runs on this very machine.

    One that somebody put into the environment stays if it passes, until there is another processor
    or another version or option is asked for: then it is built here even if it passes, since the
    check computes little.
    """
    stamp = read_stamp("llama")
    # A later call without options keeps what was built with some; CMAKE_ARGS= takes them away.
    options = os.environ.get("CMAKE_ARGS", (stamp or {}).get("options", ""))
    now = {"build": machine.build_key(LLAMA, options), "options": options}
    if stamp == now:
        return
    problem = "there is another processor, or other options" if stamp else ""
    problem = problem or check_library(CHECKS)
    if problem:
        say(f"llama.cpp for this machine ({problem}); building it takes minutes")
        # A cache for each build, since pip's own takes no notice of the processor.
        cache = machine.cache_folder() / "pip" / now["build"]
        call(
            [PYTHON, "-m", "pip", "install", "--cache-dir", cache, *LLAMA_OPTIONS, LLAMA],
            env=machine.build_environment(options),
        )
        problem = check_library(CHECKS[:1])  # the engine does without the second
    if problem:
        raise SetupError(
            f"llama.cpp was built on this machine and still does not run ({problem}); remove "
            f"{machine.cache_folder() / 'pip'} and try again with CMAKE_ARGS=-DGGML_NATIVE=ON"
        )
    write_stamp("llama", now)


def debian_packages(level: str) -> None:
    """Install what is missing from Debian's packages, or print the command that would."""
    missing = machine.missing_packages(level)
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        command = shlex.join(["sudo", "apt-get", "install", "-y", *missing])
        say(f"Qt WebEngine, fonts or tests miss system packages; please run:\n  {command}")
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    options = ["--no-install-recommends", "-y", "-qq"]
    try:
        call(["apt-get", "update", "-qq"], env=quiet)
        call(["apt-get", "install", *options, *machine.missing_packages(level)], env=quiet)
    except SetupError as error:
        say(f"{error}; going on without them")


def prepare(level: str) -> None:
    wanted = fingerprint(level)
    # A `dev` environment has all that `app` needs.
    stamps = [read_stamp(name) for name in ("app", "dev")[("app", "dev").index(level) :]]
    fits = any(stamp is not None and {**stamp, "level": level} == wanted for stamp in stamps)
    if not fits or not PYTHON.exists():
        if sys.platform == "linux":
            debian_packages(level)
        make_environment()
        # Dependency groups need pip 25.1; older ones fail on the option.
        call([PYTHON, "-m", "pip", "install", "--quiet", "--upgrade", "pip>=25.1"])
    settle_library()
    if not fits:
        install(level)
        write_stamp(level, wanted)
        say(f"ready ({level})")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in INSTALLS:
        print(f"usage: prepare.py {'|'.join(INSTALLS)}", file=sys.stderr)
        return 2
    if sys.version_info < OLDEST:
        say("Python 3.10 or newer is needed; name one with `make PYTHON=python3.12 run`")
        return 2
    try:
        prepare(arguments[0])
    except SetupError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
