"""The wall around generated Python, tried with real processes: nothing gets out of it.

Every attempt is also made without the wall wherever it must then succeed; otherwise a test would
only show that an attempt is badly made.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.render.python import PlotRunner
from engine.sandbox.landlock import abi_version
from tests.engine import escapes

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or abi_version() == 0, reason="needs Linux with Landlock"
)

LINE = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\n"
# The kernel's words for it, and what some libraries make of them.
REFUSED = (
    "PermissionError",
    "Operation not permitted",
    "Permission denied",
    "not implemented",
    "can't start new thread",
    "not allowed to raise maximum limit",
    "name resolution",
    "Error starting 'xelatex'",
    "not a valid package style",
)
# By `os.uname`: calls that Python has no name for.
NUMBERS = {
    "x86_64": {
        "chmod": 268,
        "mount": 165,
        "socket": 41,
        "sigqueue": 129,
        "ptrace": 101,
        "vm_readv": 310,
        "shmget": 29,
        "inotify": 294,
        "add_key": 248,
        "unshare": 272,
    },
    "aarch64": {
        "chmod": 53,
        "mount": 40,
        "socket": 198,
        "sigqueue": 138,
        "ptrace": 117,
        "vm_readv": 270,
        "shmget": 194,
        "inotify": 26,
        "add_key": 217,
        "unshare": 97,
    },
}.get(platform.machine(), {})


@dataclass
class World:
    """What lies around the room, and an ear at each door."""

    folder: Path
    fields: Mapping[str, object]
    heard: list[str]

    def look(self) -> object:
        """Everything that an attempt could change."""
        file = self.folder / "file"
        status = file.stat()
        facts = (status.st_mode, status.st_uid, status.st_nlink, status.st_mtime_ns)
        return sorted(os.listdir(self.folder)), file.read_bytes(), facts, tuple(os.listxattr(file))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "file").write_bytes(b"1 2")
    (tmp_path / "file").chmod(0o644)
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "unix"))
    unix.listen()
    fields = {
        **NUMBERS,
        "file": str(tmp_path / "file"),
        "folder": str(tmp_path),
        "tcp": tcp.getsockname()[1],
        "udp": udp.getsockname()[1],
        "unix": str(tmp_path / "unix"),
    }
    found = World(tmp_path, fields, [])
    ears = {
        "tcp": (tcp, tcp.accept),
        "unix": (unix, unix.accept),
        "udp": (udp, lambda: udp.recv(9)),
    }

    def listen(name: str) -> None:
        sock, take = ears[name]
        sock.settimeout(0.05)
        while True:
            try:
                taken = take()
            except TimeoutError:
                continue
            except OSError:
                return
            found.heard.append(name)
            if isinstance(taken, tuple):
                taken[0].close()

    threads = [threading.Thread(target=listen, args=(name,)) for name in ears]
    for thread in threads:
        thread.start()
    yield found
    for sock, _ in ears.values():
        sock.close()
    for thread in threads:
        thread.join()


@pytest.fixture(scope="module")
def runner() -> Iterator[PlotRunner]:
    with PlotRunner() as walled:
        yield walled


@pytest.fixture(scope="module")
def bare() -> Iterator[PlotRunner]:
    with PlotRunner(wall="none", allow_unwalled=True) as unwalled:
        yield unwalled


def attempts(table: Mapping[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("code", table.values(), ids=table.keys())


def refuse(runner: PlotRunner, world: World, code: str) -> None:
    """The attempt must be refused, with nothing changed and nothing heard."""
    before = world.look()
    result = runner.run(code.format(**world.fields), timeout=10)
    assert "OUT" not in result.stdout
    assert result.error is not None
    assert any(word in result.error for word in REFUSED), result.error
    time.sleep(0.06 if world.heard else 0)
    assert world.heard == []
    assert world.look() == before


def succeed(bare: PlotRunner, world: World, code: str) -> None:
    """The control: without a wall the attempt gets through, if it says OUT when it does."""
    if "'OUT'" in code:
        result = bare.run(code.format(**world.fields), timeout=10)
        assert "OUT" in result.stdout, result.error


@pytest.mark.parametrize("road", escapes.ROADS)
def test_every_road_through_python_ends_at_the_wall(
    runner: PlotRunner, bare: PlotRunner, world: World, road: str
) -> None:
    if road == "exception group" and sys.version_info < (3, 11):
        pytest.skip("younger than this Python")
    code = escapes.ROADS[road].replace("{", "{{").replace("}", "}}") + escapes.ROAD_END
    refuse(runner, world, code)
    succeed(bare, world, code)


@attempts(escapes.FILES)
def test_files(runner: PlotRunner, bare: PlotRunner, world: World, code: str) -> None:
    refuse(runner, world, code)
    succeed(bare, world, code)


@attempts(escapes.NETWORK)
def test_network(runner: PlotRunner, bare: PlotRunner, world: World, code: str) -> None:
    refuse(runner, world, code)
    succeed(bare, world, code)


@attempts(escapes.PROCESSES)
def test_processes(runner: PlotRunner, bare: PlotRunner, world: World, code: str) -> None:
    refuse(runner, world, code)
    succeed(bare, world, code)


@attempts(escapes.LIBRARIES)
def test_libraries(runner: PlotRunner, bare: PlotRunner, world: World, code: str) -> None:
    refuse(runner, world, code)
    succeed(bare, world, code)


def test_saving_elsewhere_gives_the_picture_and_writes_nothing(
    runner: PlotRunner, bare: PlotRunner, world: World
) -> None:
    code = LINE + f"plt.savefig({str(world.folder / 'chart.png')!r})\n"
    before = world.look()
    assert runner.run(code).png is not None
    assert world.look() == before
    assert bare.run(code).png is not None
    assert (world.folder / "chart.png").exists()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86-64")
def test_machine_code_meets_the_same_wall(runner: PlotRunner, bare: PlotRunner) -> None:
    # socket(2, 1, 0): mov eax, 41; mov edi, 2; mov esi, 1; xor edx, edx; syscall; ret
    data = bytes.fromhex("b829000000bf02000000be0100000031d20f05c3")
    code = LINE + escapes.CODE + f"print(machine_code({data!r}))\n"
    assert runner.run(code).stdout == "-1\n"  # -EPERM
    assert int(bare.run(code).stdout) > 2
    # getpid() of the x32 convention, then exit group by the 32-bit gate: kinds of calls that no
    # Python of this architecture makes end the process.
    for data in (bytes.fromhex("b8270000400f05c3"), bytes.fromhex("b814000000cd80c3")):
        code = LINE + escapes.CODE + f"print(machine_code({data!r}))\n"
        assert runner.run(code).error in (
            "The script crashed (SIGSYS)",
            "The script crashed (SIGSEGV)",
        )


def test_no_secret_and_no_open_file_is_inherited(runner: PlotRunner, bare: PlotRunner) -> None:
    code = LINE + (
        "import os, ctypes\n"
        "print(sorted(os.environ))\n"
        "lines = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ')\n"
        "i = 0\n"
        "while lines and lines[i]: print(lines[i]); i += 1\n"
        "for n in range(4096):\n"
        "    try: print('FD', n, os.fstat(n).st_rdev == os.stat(os.devnull).st_rdev)\n"
        "    except OSError: pass\n"
    )
    os.environ["VISCODEX_TEST_SECRET"] = "1"
    try:
        with PlotRunner() as fresh:
            result = fresh.run(code)
    finally:
        del os.environ["VISCODEX_TEST_SECRET"]
    assert result.png is not None
    assert "SECRET" not in result.stdout
    assert "MPLBACKEND" in result.stdout
    files = [line for line in result.stdout.splitlines() if line.startswith("FD")]
    assert files == ["FD 0 True", "FD 1 True", "FD 2 True"]


GREED = {
    "fork bomb": ("import os\nwhile True: os.fork()", "PermissionError"),
    "thread bomb": (
        "import threading\nthreading.stack_size(32768)\n"
        "while True: threading.Thread(target=threading.Event().wait).start()",
        "can't start new thread",
    ),
    "memory": ("import numpy as np; np.ones(10**9)", "Memory"),
    "memory in pieces": ("a = []\nwhile True: a.append(bytearray(10**8))", "MemoryError"),
    "many points": ("import numpy as np, matplotlib.pyplot as p; p.plot(np.arange(1e9))", "Memory"),
    "large figure": (LINE + "plt.gcf().set_size_inches(1000, 1000)", "the limit is 20 million"),
    "fine figure": (LINE + "plt.gcf().canvas.draw(); plt.savefig('a.png', dpi=1e6)", "limit is 20"),
    "large file": ("open('a', 'wb').write(bytes(40_000_000))", "File too large"),
    "many files": (
        "import time\nfor i in range(100): open(str(i), 'wb').write(bytes(10**7))\ntime.sleep(9)",
        "its files take more than 300 MB",
    ),
    "many empty files": (
        "import os, time\nfor i in range(11_000):\n"
        "    if i % 100 == 0: os.mkdir(f'd{i}'); os.chdir(f'd{i}')\n"
        "    open(str(i), 'w').close()\n"
        "time.sleep(9)",
        "or are more than 10,000",
    ),
    "files without a name": (
        "import os, time\nkept = []\nfor i in range(100):\n"
        "    kept.append(open('a', 'wb'))\n    kept[-1].write(bytes(10**7))\n"
        "    os.remove('a')\ntime.sleep(9)",
        "its files take more than 300 MB",
    ),
    "recursion": ("def f(): f()\nf()", "RecursionError"),
    "deep code": ("eval('(' * 100_000)", "Error"),
    "bomb of zeros": (
        "import zlib\nd = zlib.compressobj(wbits=-15)\n"
        "block = d.compress(bytes(10**7)) + d.flush(zlib.Z_FULL_FLUSH)\n"
        "zlib.decompress(block * 300, -15)",
        "Memory",
    ),
    "endless text": ("while True: print('a' * 1000)", "stopped after 2 s"),
    "endless wait": ("import time\nwhile True: time.sleep(9)", "stopped after 2 s"),
    "signals ignored": (
        "import signal as s\ns.pthread_sigmask(s.SIG_BLOCK, s.valid_signals())\nwhile True: pass",
        "stopped after 2 s",
    ),
    "late object": (
        "class A:\n    def __del__(self):\n        while True: pass\nkept = A()\ndel kept",
        "stopped after 2 s",
    ),
}


@pytest.mark.parametrize("kind", GREED)
def test_greed_is_contained(runner: PlotRunner, kind: str) -> None:
    code, words = GREED[kind]
    timeout = 2.0 if "stopped" in words else 20.0
    start = time.monotonic()
    result = runner.run(code, timeout=timeout)
    assert result.png is None
    assert words in (result.error or ""), result.error
    assert time.monotonic() - start < timeout + 2
    assert runner.run(LINE).png is not None


def test_one_script_does_not_see_the_next(runner: PlotRunner) -> None:
    """A folder of one job is closed to another that runs at the same time."""
    first = LINE + "import os, time\nopen('note', 'w').write('a')\nprint(os.getcwd())\n"
    where: list[str] = []

    def wait() -> None:
        where.append(runner.run(first + "time.sleep(1.5)\n").stdout.strip())

    runner.start()
    thread = threading.Thread(target=wait)
    thread.start()
    assert runner._warm is not None
    root = runner._warm.root
    deadline = time.monotonic() + 5
    while not (notes := list(root.glob("job-*/*/note"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    result = runner.run(f"print('OUT', open({str(notes[0])!r}).read())")
    thread.join()
    assert str(notes[0].parent) == where[0]
    assert "PermissionError" in (result.error or "")


def test_ordinary_work_is_not_disturbed(runner: PlotRunner) -> None:
    """What scripts do for good reasons: files of their own, late imports, fonts, dates, styles."""
    code = (
        "import matplotlib\nimport matplotlib.pyplot as plt\nimport numpy as np\n"
        "import csv, datetime, decimal, json, os, random, sqlite3, tempfile, zoneinfo\n"
        "import matplotlib.dates, matplotlib.animation, matplotlib.tri, mpl_toolkits.mplot3d\n"
        "from PIL import Image\n"
        "plt.style.use('ggplot')\n"
        "os.makedirs('a/b')\nopen('a/b/c.csv', 'w').write('1,2')\n"
        "assert list(csv.reader(open('a/b/c.csv'))) == [['1', '2']]\n"
        "os.rename('a/b/c.csv', 'a/d.csv')\nos.rmdir('a/b')\nos.truncate\n"
        "with tempfile.TemporaryDirectory() as t: open(t + '/x', 'w').close()\n"
        "sqlite3.connect('data.db').execute('create table t (x)')\n"
        "np.save('a.npy', np.linalg.svd(np.ones((50, 50)))[1])\nnp.load('a.npy')\n"
        "Image.new('RGB', (4, 4)).save('p.png')\nplt.imread('p.png')\n"
        "plt.rcParams['font.family'] = ['serif', 'sans-serif']\n"
        "plt.rcParams['mathtext.fontset'] = 'stix'\n"
        "plt.plot([datetime.date(2024, 1, i) for i in range(1, 9)], range(8), label='$x^2$')\n"
        "plt.gcf().autofmt_xdate()\nplt.legend()\n"
        "plt.savefig('a.pdf')\nplt.savefig('a.svg')\nplt.savefig('a.jpg')\n"
        "print(zoneinfo.ZoneInfo('Europe/Berlin'), random.random() < 2, os.cpu_count() > 0)\n"
    )
    result = runner.run(code)
    assert result.error is None
    assert result.stdout == "Europe/Berlin True True\n"


def test_a_warm_chart_is_quick(runner: PlotRunner) -> None:
    runner.run(LINE)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        assert runner.run(LINE).png is not None
        seconds.append(time.perf_counter() - start)
    assert sorted(seconds)[2] <= 0.7
