"""The walls themselves: tried before use, failing closed, and the parts for other systems."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import ErrorCode, VisCodexError
from engine.render import plot_job
from engine.render.python import PlotRunner
from engine.sandbox import landlock, linux, windows
from engine.sandbox.choose import WALLS, wall_name
from engine.sandbox.linux import LinuxWall
from engine.sandbox.macos import SeatbeltWall, profile, quoted
from engine.sandbox.paths import readable_paths
from engine.sandbox.trial import ATTEMPTS, try_in_fork
from engine.sandbox.wall import NoWall, Room, Wall, WallError, WallState, state_of
from engine.sandbox.windows import JobWall

LINE = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\n"
posix = pytest.mark.skipif(os.name != "posix", reason="needs fork")
landlocked = pytest.mark.skipif(landlock.abi_version() == 0, reason="needs Landlock")
NAMES = tuple(words for words, _ in ATTEMPTS)


class WithoutSeccomp(LinuxWall):
    """A wall with a hole: everything but the filter of system calls."""

    def apply(self, room: Room) -> None:
        linux._no_new_privileges()
        landlock.restrict(room, landlock.abi_version())


class Fatal(NoWall):
    """A wall that ends the process."""

    def apply(self, room: Room) -> None:
        faulthandler.disable()  # pytest's would print the stacks of this fork into the report
        os.abort()


class TooNarrow(LinuxWall):
    """A wall within which Python cannot read its own files."""

    def apply(self, room: Room) -> None:
        super().apply(Room(room.writable, ()))


@landlocked
def test_the_wall_of_this_system_stands(tmp_path: Path) -> None:
    state = try_in_fork(WALLS[wall_name()](), tmp_path)
    assert state.ok
    assert state.open == state.broken == ()
    assert f"ABI {landlock.abi_version()}" in state.words()


@posix
def test_a_trial_without_a_wall_finds_everything_open(tmp_path: Path) -> None:
    state = try_in_fork(NoWall(), tmp_path)
    assert not state.ok
    assert set(state.open) == set(NAMES) - {"other programs"}
    assert "there is no wall" in state.reason()


@landlocked
def test_a_trial_finds_the_holes_of_half_a_wall(tmp_path: Path) -> None:
    state = try_in_fork(WithoutSeccomp(), tmp_path)
    assert not state.ok
    assert {"changing attributes of other files", "datagrams", "new processes"} <= set(state.open)
    assert not {"reading other files", "writing other files"} & set(state.open)
    (tmp_path / "no-landlock").mkdir()
    half = try_in_fork(LinuxWall(abi=0), tmp_path / "no-landlock")
    assert not half.ok
    assert "this kernel has none" in half.reason()
    assert {"reading other files", "writing other files"} <= set(half.open)
    # What can be had is in force nevertheless.
    assert not {"connections", "datagrams", "new processes"} & set(half.open)


@landlocked
@pytest.mark.parametrize(
    ("wall", "words"), [(Fatal(), "told nothing"), (TooNarrow(), "work inside is refused")]
)
def test_a_trial_that_fails_is_a_broken_wall(tmp_path: Path, wall: Wall, words: str) -> None:
    state = try_in_fork(wall, tmp_path)
    assert not state.ok
    assert words in state.reason()


@landlocked
def test_more_than_one_thread_is_no_wall(tmp_path: Path) -> None:
    code = (
        "import sys, threading; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from engine.sandbox.linux import LinuxWall\n"
        "from engine.sandbox.wall import Room, WallError\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "try: LinuxWall().apply(Room(Path(sys.argv[2]), ()))\n"
        "except WallError as error: print(error, flush=True)\n"
        "import os; os._exit(0)\n"
    )
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", code, root, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == "one thread: there are 2\n"


@pytest.mark.parametrize("fork", [True, False])
def test_without_a_wall_nothing_runs(tmp_path: Path, fork: bool) -> None:
    if fork and not hasattr(os, "fork"):
        pytest.skip("needs fork")
    mark = tmp_path / "mark"
    code = LINE + f"open({str(mark)!r}, 'w').close()\n"
    with PlotRunner(wall="none", fork=fork) as runner:
        for call in (runner.start, lambda: runner.run(code), lambda: runner.run(code)):
            with pytest.raises(VisCodexError) as caught:
                call()
            assert caught.value.code is ErrorCode.no_sandbox
            assert "\n" not in caught.value.message + caught.value.advice
            assert "there is no wall on this system" in caught.value.message
        assert not runner.wall().ok
    assert not mark.exists()
    with PlotRunner(wall="none", fork=fork, allow_unwalled=True) as allowed:
        assert allowed.run(code).png is not None
    assert mark.exists()


WITHOUT_WALL = """
import json, sys
from pathlib import Path
from engine.render import plot_job
from engine.sandbox.wall import NoWall
plot_job.run_job(json.loads(sys.argv[1]), Path(sys.argv[2]), NoWall())
"""


@posix
@pytest.mark.parametrize("allowed", [False, True])
def test_a_wall_that_falls_after_its_trial_stops_the_script_too(
    tmp_path: Path, allowed: bool
) -> None:
    """The job itself checks once more, whatever the trial said before."""
    (tmp_path / "work").mkdir()
    mark = tmp_path / "mark"
    request = {"code": f"open({str(mark)!r}, 'w')", "allow_unwalled": allowed}
    # In a process of its own: this one may be larger than a script may become.
    subprocess.run([sys.executable, "-c", WITHOUT_WALL, json.dumps(request), tmp_path], check=True)
    error = json.loads((tmp_path / plot_job.RESULT_FILE).read_text())["error"]
    refused = "The script was not run: there is no wall on this system"
    assert error == ("The script draws no figure" if allowed else refused)
    assert mark.exists() is allowed


def test_states_travel_as_json_and_anything_else_is_broken() -> None:
    state = WallState("a", ("b", "c"), ("d",))
    assert state_of(json.loads(json.dumps(state.fields()))) == state
    assert state.words() == "a; d; not stopped: b, c"
    good = WallState("a")
    assert state_of(good.fields()) == good and good.ok
    for fields in (None, [], {}, {"wall": 1, "open": [], "broken": []}, {"wall": "a", "open": []}):
        assert not state_of(fields).ok


def test_every_system_has_a_wall_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in (("linux", LinuxWall), ("darwin", SeatbeltWall), ("win32", JobWall)):
        monkeypatch.setattr(sys, "platform", name)
        assert type(WALLS[wall_name()]()) is kind
    monkeypatch.setattr(sys, "platform", "sunos5")
    assert isinstance(WALLS[wall_name()](), NoWall)


def test_readable_is_the_installation_and_nothing_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import matplotlib

    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path), "", "/"])
    paths = readable_paths()

    def covered(path: object) -> bool:
        real = Path(str(path)).resolve()
        return any(real == one or one in real.parents for one in paths)

    assert covered(matplotlib.__file__) and covered(os.__file__) and covered(landlock.__file__)
    for outside in (tmp_path, Path.home() / "x", "/etc/passwd", "/", "/tmp/x", "/proc/self/mem"):
        assert not covered(outside), outside
    assert not covered(Path(__file__))  # of a checkout only the engine itself
    assert all(path.is_absolute() and path.exists() for path in paths)


@pytest.mark.parametrize(
    ("abi", "size", "files", "net", "scopes"),
    [
        (1, 8, 0x1FFF, 0, 0),
        (2, 8, 0x3FFF, 0, 0),
        (3, 8, 0x7FFF, 0, 0),
        (4, 16, 0x7FFF, 3, 0),
        (5, 16, 0xFFFF, 3, 0),
        (6, 24, 0xFFFF, 3, 3),
        (9, 24, 0xFFFF, 3, 3),
    ],
)
def test_landlock_asks_only_for_what_an_abi_knows(
    abi: int, size: int, files: int, net: int, scopes: int
) -> None:
    assert landlock.ruleset_size(abi) == size
    assert landlock.bits(landlock.FILE_RIGHTS, abi) == files
    assert landlock.bits(landlock.NET_RIGHTS, abi) == net
    assert landlock.bits(landlock.SCOPES, abi) == scopes
    assert landlock.bits(landlock.FILE_RIGHTS, abi, landlock.READ) == 0b1100
    assert ctypes.sizeof(landlock._Ruleset) == 24
    assert ctypes.sizeof(landlock._PathBeneath) == 12


@landlocked
@pytest.mark.parametrize("abi", range(1, landlock.abi_version() + 1))
def test_every_older_abi_makes_a_wall_too(tmp_path: Path, abi: int) -> None:
    """What an older Landlock does not know, the filter of system calls refuses."""
    state = try_in_fork(LinuxWall(abi), tmp_path)
    assert state.ok
    assert state.words().startswith(f"Landlock (ABI {abi})")


def test_the_profile_for_macos_names_what_is_allowed_and_nothing_else(tmp_path: Path) -> None:
    odd = tmp_path / 'a "b" \\c'
    odd.mkdir()
    text = profile(Room(odd, (Path("/opt/python"), Path("/Library/Fonts"))))
    lines = text.splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    assert text.count("(") == text.count(")")
    assert '(subpath "/opt/python") (subpath "/Library/Fonts")' in text
    escaped = str(odd.resolve()).replace("\\", "\\\\").replace('"', '\\"')
    (writes,) = [line for line in lines if line.startswith("(allow") and "file-write*" in line]
    assert writes == f'(allow file-read* file-write* (subpath "{escaped}"))'
    for word in ("network", "process-fork", "process-exec", "mach-lookup"):
        assert word not in text
    with pytest.raises(WallError):
        quoted(Path("/a\n(allow default)"))


def test_the_job_object_for_windows_has_the_layout_of_the_documentation() -> None:
    assert ctypes.sizeof(windows.BasicLimits) == 64
    assert ctypes.sizeof(windows.ExtendedLimits) == 144
    wanted = windows.limits()
    assert wanted.basic.limit_flags == 0x2 | 0x8 | 0x100 | 0x400 | 0x2000
    assert wanted.basic.active_process_limit == 1
    assert wanted.basic.per_process_user_time_limit == 100_000_000
    assert wanted.process_memory_limit == 2_000_000_000


@pytest.mark.parametrize("make", [SeatbeltWall, JobWall])
def test_walls_of_other_systems_say_that_they_are(make: Callable[[], Wall], tmp_path: Path) -> None:
    if make is WALLS.get(sys.platform):
        pytest.skip("it would hold the tests themselves")
    with pytest.raises(WallError):
        make().apply(Room(tmp_path, ()))
