"""The runner of matplotlib scripts, with its real processes."""

from __future__ import annotations

import io
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from engine.render.python import PlotResult, PlotRunner

HEAD = "import matplotlib.pyplot as plt\n"
LINE = HEAD + "plt.figure(figsize=(3, 2))\nplt.plot([1, 2, 3])\n"
posix = pytest.mark.skipif(os.name != "posix", reason="needs fork and resource limits")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A temporary folder of our own, so that leftovers can be seen."""
    folder = tmp_path_factory.mktemp("scratch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def runner(scratch: Path) -> Iterator[PlotRunner]:
    with PlotRunner() as warm:
        yield warm


@pytest.fixture(scope="module")
def bare(scratch: Path) -> Iterator[PlotRunner]:
    """Without a wall, as those get it who allow that: what is left must hold by itself."""
    with PlotRunner(wall="none", allow_unwalled=True) as warm:
        yield warm


def picture(result: PlotResult) -> Image.Image:
    assert result.error is None
    assert result.png is not None
    image = Image.open(io.BytesIO(result.png))
    assert image.size == (result.width, result.height)
    return image.convert("RGB")


def nurse_pid(runner: PlotRunner) -> int:
    runner.start()
    assert runner._warm is not None
    return runner._warm._process.pid


def job_folders(runner: PlotRunner) -> list[Path]:
    assert runner._warm is not None
    return list(runner._warm.root.glob("job-*"))


def running(mark: str) -> list[int]:
    """Processes whose command line or environment of children holds `mark` (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "comm").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_draws_a_picture_of_the_size_the_script_asks_for(runner: PlotRunner) -> None:
    image = picture(runner.run(LINE + "plt.show()\n"))
    assert image.size == (300, 200)
    colours = {c for _, c in image.getcolors(maxcolors=100_000)}
    assert (255, 255, 255) in colours
    assert (31, 119, 180) in colours


def test_the_first_figure_is_the_picture(runner: PlotRunner) -> None:
    code = HEAD + "plt.figure(figsize=(2, 1))\nplt.figure(figsize=(4, 4))\nplt.show()"
    assert picture(runner.run(code)).size == (200, 100)


def test_dpi_replaces_the_own_one(runner: PlotRunner) -> None:
    assert picture(runner.run(LINE, dpi=50)).size == (150, 100)


def test_params_are_a_skin_for_one_job_only(runner: PlotRunner) -> None:
    plain = runner.run(LINE).png
    skinned = runner.run(LINE, params={"axes.facecolor": "#ff0000"})
    assert (255, 0, 0) in {c for _, c in picture(skinned).getcolors(maxcolors=100_000)}
    assert runner.run(LINE).png == plain


def test_screens_backends_and_waiting_are_harmless(runner: PlotRunner) -> None:
    code = (
        'import matplotlib\nmatplotlib.use("TkAgg")\n' + LINE + 'plt.switch_backend("QtAgg")\n'
        "plt.pause(60)\nplt.gcf().show()\nplt.show(block=True)\n"
    )
    assert picture(runner.run(code, timeout=10)).size == (300, 200)


def test_the_picture_a_script_saves_itself(runner: PlotRunner) -> None:
    saved = HEAD + 'plt.figure(figsize=(3, 2))\nplt.savefig("chart.png", dpi=50)\nplt.close()\n'
    assert picture(runner.run(saved)).size == (150, 100)
    read_back = saved + 'import os\nassert os.path.getsize("chart.png") > 100\n'
    assert picture(runner.run(read_back)).size == (150, 100)
    nowhere = saved.replace("chart.png", "no/such/folder/chart.png")
    assert picture(runner.run(nowhere)).size == (150, 100)
    as_pdf = saved.replace("chart.png", "chart.pdf")
    assert picture(runner.run(as_pdf)).size == (150, 100)


def test_main_guard_and_own_functions(runner: PlotRunner) -> None:
    code = HEAD + (
        "def draw():\n    plt.plot(values)\n"
        'values = [1, 2]\nif __name__ == "__main__":\n    draw()\n'
    )
    picture(runner.run(code))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("x = 1\ny = z\n", "NameError: name 'z' is not defined (line 2)"),
        ("def f():\n    return 1 / 0\n\nf()\n", "ZeroDivisionError: division by zero (line 2)"),
        ("x = (1,\n", "SyntaxError: '(' was never closed (line 1)"),
        ("raise ValueError('a\\n  b')\n", "ValueError: a b (line 1)"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt (line 1)"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\n", "The script draws no figure"),
        ("import sys\nsys.exit(3)\n", "The script draws no figure"),
        ("import os\nos._exit(3)\n", "The script ended by itself (exit status 3)"),
        (HEAD + "plt.plot([1, 2], [1])\n", "ValueError: x and y must have same first dimension"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "crashed (SIGSEGV)"),
        ("class E(Exception):\n    def __str__(self): return 1\nraise E\n", "E (line 3)"),
    ],
)
def test_errors_are_one_line_with_the_line_of_the_script(
    runner: PlotRunner, code: str, error: str
) -> None:
    result = runner.run(code)
    assert result.png is None
    assert result.error is not None
    assert error in result.error
    assert "\n" not in result.error
    if error.endswith(")") and "exit" not in error:
        assert result.error.endswith(error.rsplit("(", 1)[1])


def test_a_long_message_is_cut(runner: PlotRunner) -> None:
    error = runner.run("raise ValueError('x' * 100000)").error
    assert error is not None
    assert len(error) < 400


def test_sys_exit_after_drawing_keeps_the_figure(runner: PlotRunner) -> None:
    picture(runner.run(LINE + "import sys\nsys.exit(0)\n"))


@pytest.mark.parametrize("how", ["plt.figure(figsize=(1000, 1000)).canvas.draw()", "late", "save"])
def test_a_huge_figure_is_refused_with_its_size(runner: PlotRunner, how: str) -> None:
    code = HEAD + how
    if how == "late":
        code = HEAD + "plt.figure(figsize=(1000, 1000))\n"
    elif how == "save":
        code = LINE + 'plt.savefig("a.png", dpi=1e6)\n'
    start = time.monotonic()
    error = runner.run(code).error
    assert error is not None
    assert "the limit is 20 million" in error
    assert "FigureTooLarge" in error or error.startswith("The picture would be 100000 x 100000")
    assert time.monotonic() - start < 5


@posix
@pytest.mark.parametrize("loop", ["while True: pass", "import time\nwhile True: time.sleep(9)"])
def test_an_endless_script_is_stopped_in_time(runner: PlotRunner, loop: str) -> None:
    start = time.monotonic()
    result = runner.run(loop, timeout=1.5)
    assert result.error == "The script was stopped after 1.5 s"
    assert time.monotonic() - start < 4


@posix
def test_a_script_that_ignores_signals_is_stopped_too(runner: PlotRunner) -> None:
    code = "import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n"
    code += "    except OSError: pass\nwhile True: pass\n"
    assert "stopped after" in (runner.run(code, timeout=1.5).error or "")


@posix
@pytest.mark.slow
def test_processor_time_is_limited(runner: PlotRunner) -> None:
    result = runner.run("while True: pass", timeout=60)
    assert result.error == "The script was stopped: it used more than 10 s of processor time"


@posix
def test_memory_is_limited(runner: PlotRunner) -> None:
    result = runner.run("import numpy as np\nx = np.ones(400_000_000)\n")
    assert result.error is not None
    assert "Memory" in result.error
    assert result.error.endswith("(line 2)")
    hog = "x = []\nwhile True:\n    x.append(bytearray(50_000_000))\n"
    assert "MemoryError" in (runner.run(hog).error or "")


@posix
def test_limits_and_surroundings_of_a_script(runner: PlotRunner) -> None:
    os.environ["VISCODEX_TEST_SECRET"] = "1"
    try:
        code = LINE + (
            "import os, sys, resource\n"
            "print(sorted(os.environ))\n"
            "print(os.getcwd() == os.environ['HOME'], repr(sys.stdin.read()), os.read(0, 9))\n"
            "names = ('CPU', 'AS', 'NOFILE', 'CORE')\n"
            "print(*(resource.getrlimit(getattr(resource, f'RLIMIT_{n}')) for n in names))\n"
            "fds = []\n"
            "for n in range(256):\n"
            "    try: fds.append((n, os.fstat(n).st_rdev == os.stat(os.devnull).st_rdev))\n"
            "    except OSError: pass\n"
            "print(fds)\n"
            "import tempfile; print(tempfile.gettempdir() == os.getcwd())\n"
        )
        result = runner.run(code)
        # A runner that already runs keeps its environment: ask a new one as well.
        with PlotRunner() as other:
            fresh = other.run(code)
    finally:
        del os.environ["VISCODEX_TEST_SECRET"]
    for one in (result, fresh):
        assert one.error is None
        names, streams, limits, files, folder = one.stdout.splitlines()
        assert "SECRET" not in names
        assert "PATH" not in names
        assert streams == "True '' b''"
        assert limits == "(10, 11) (2000000000, 2000000000) (256, 256) (0, 0)"
        assert files.startswith("[(0, True), (1, True), (2, True)")
        # What else is open are font files, opened by the script itself.
        assert all(not null for _, null in eval(files)[3:])
        assert folder == "True"


@posix
def test_a_large_file_is_refused(runner: PlotRunner) -> None:
    result = runner.run('open("big", "wb").write(b"x" * 40_000_000)\n')
    assert "File too large" in (result.error or "")


def test_a_flood_of_text_is_capped(runner: PlotRunner) -> None:
    code = LINE + "for i in range(200_000): print('abcdefgh' * 4)\n"
    result = runner.run(code)
    picture(result)
    assert 60_000 < len(result.stdout) <= 65_536
    assert runner.run(LINE + "print('é')\nimport sys; sys.stderr.write('no')").stdout == "é\n"


@posix
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
@pytest.mark.parametrize(
    "escape", ["", "os.setsid()", "os.setsid()\n    if os.fork(): os._exit(0)"]
)
def test_what_a_script_leaves_running_is_killed(bare: PlotRunner, escape: str) -> None:
    mark = f"vcx{os.getpid() % 100000}"
    code = LINE + (
        "import os, time\n"
        "if os.fork() == 0:\n"
        f"    {escape or 'pass'}\n"
        f"    open('/proc/self/comm', 'w').write('{mark}')\n"
        "    open('mark', 'w').close()\n"
        "    time.sleep(60)\n"
        "while not os.path.exists('mark'): time.sleep(0.01)\n"
    )
    picture(bare.run(code))
    deadline = time.monotonic() + 2
    while running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running(mark) == []


@posix
def test_jobs_run_side_by_side(runner: PlotRunner) -> None:
    code = LINE.replace("3, 2", "{0}, 2") + "import time\ntime.sleep(1)\nprint({0})\n"
    results: dict[int, PlotResult] = {}

    def work(i: int) -> None:
        results[i] = runner.run(code.format(i))

    runner.run(LINE)
    start = time.monotonic()
    threads = [threading.Thread(target=work, args=(i,)) for i in (2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < 2.8
    for i in (2, 3, 4):
        assert picture(results[i]).size == (100 * i, 200)
        assert results[i].stdout == f"{i}\n"


@posix
def test_after_the_process_was_killed_the_next_job_works(runner: PlotRunner) -> None:
    pid = nurse_pid(runner)
    os.kill(pid, signal.SIGKILL)
    picture(runner.run(LINE))
    assert nurse_pid(runner) != pid


@posix
def test_a_script_that_kills_the_process_loses_only_itself(bare: PlotRunner) -> None:
    result = bare.run("import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(9)\n", timeout=5)
    assert result.error == "The process that draws charts ended while the script ran"
    picture(bare.run(LINE))


@posix
def test_forged_results_are_not_believed(runner: PlotRunner, bare: PlotRunner) -> None:
    forge = (
        "import os\nos.chdir('..')\n"
        "os.symlink('/etc/passwd', 'picture.png')\n"
        "open('result.json', 'w').write('{\"error\": null, \"stdout\": [1], \"description\": 3}')\n"
        "os._exit(0)\n"
    )
    result = bare.run(forge)
    assert result.png is None
    assert result.error == "The script left no picture that can be shown"
    pipe = forge.replace("os.symlink('/etc/passwd', 'picture.png')", "os.mkfifo('picture.png')")
    assert bare.run(pipe).png is None
    bomb = forge.replace(
        "os.symlink('/etc/passwd', 'picture.png')",
        "import struct; open('picture.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n\\0\\0\\0\\rIHDR'"
        " + struct.pack('>II', 100000, 100000) + bytes(50))",
    )
    assert runner.run(bomb).error == bare.run(bomb).error == result.error


def test_nothing_is_left_behind(runner: PlotRunner, scratch: Path) -> None:
    runner.run(LINE + 'open("a", "w").write("b")')
    assert job_folders(runner) == []
    before = set(scratch.glob("viscodex-plot-*"))
    with PlotRunner(wall="none", allow_unwalled=True) as other:
        other.run("import os\nos.kill(os.getppid(), 9)\n" if os.name == "posix" else LINE)
        other.run(LINE)
    alone = PlotRunner(fork=False)
    alone.run(LINE)
    assert set(scratch.glob("viscodex-plot-*")) == before


def test_without_fork_the_same_comes_out(runner: PlotRunner) -> None:
    alone = PlotRunner(fork=False)
    code = LINE + "print(1)\nplt.show()"
    assert np.array_equal(picture(alone.run(code)), picture(runner.run(code)))
    assert alone.run("x = 1\ny = z\n").error == "NameError: name 'z' is not defined (line 2)"
    start = time.monotonic()
    assert alone.run("while True: pass", timeout=1).error == "The script was stopped after 1 s"
    assert time.monotonic() - start < 20


LABELLED = """import matplotlib.pyplot as plt
plt.figure(figsize=(5, 4))
plt.bar(["ab", "cd"], [3, 5], color="#25e", label="Legend")
plt.plot([0, 1], [1, 4], "o-", color="#e42")
plt.title("Heading")
plt.xlabel("Across")
plt.ylabel("Upwards")
plt.text(0.4, 4.2, "Note")
plt.legend(loc="upper left")
plt.tight_layout()
"""


def test_boxes_of_texts_hold_their_ink(runner: PlotRunner) -> None:
    params = {"text.color": "#ff0000", "axes.labelcolor": "#ff0000"}
    params |= {"xtick.labelcolor": "#ff0000", "ytick.labelcolor": "#ff0000"}
    params |= {"axes.titlecolor": "#ff0000"}
    result = runner.run(LABELLED.replace("#e42", "#25e"), describe=True, params=params)
    image = np.asarray(picture(result)).astype(int)
    red = (image[:, :, 0] > 150) & (image[:, :, 1] < 110) & (image[:, :, 2] < 110)
    assert result.description is not None
    roles = {}
    for text in result.description["texts"]:
        x0, y0, x1, y1 = text["box"]
        left, top, right, bottom = int(x0), int(y0), int(np.ceil(x1)), int(np.ceil(y1))
        inside = red[top:bottom, left:right]
        rows, columns = np.nonzero(inside)
        assert len(rows) > 3, text
        # The box is close: ink reaches near its sides along the direction of writing.
        along, length = (rows, bottom - top) if text["rotation"] == 90 else (columns, right - left)
        assert along.min() <= 3, text
        assert along.max() >= length - 4, text
        red[top:bottom, left:right] = False
        roles.setdefault(text["role"], []).append(text["text"])
    assert not red.any()  # no ink outside of all boxes
    assert roles["title"] == ["Heading"]
    assert roles["xlabel"] == ["Across"]
    assert roles["ylabel"] == ["Upwards"]
    assert roles["xtick"] == ["ab", "cd"]
    assert roles["ytick"] == ["0", "1", "2", "3", "4", "5"]
    assert roles["legend"] == ["Legend"]
    assert roles["annotation"] == ["Note"]


def test_marks_are_where_their_colour_is(runner: PlotRunner) -> None:
    result = runner.run(LABELLED, describe=True)
    image = picture(result)
    assert result.description is not None
    by_kind: dict[str, list[dict[str, object]]] = {}
    for mark in result.description["marks"]:
        by_kind.setdefault(mark["kind"], []).append(mark)
    assert len(by_kind["bar"]) == 2
    assert len(by_kind["point"]) == 2
    assert len(by_kind["line"]) == len(by_kind["legend"]) == len(by_kind["axes"]) == 1
    for mark in by_kind["bar"]:
        x0, y0, x1, y1 = mark["box"]  # type: ignore[misc]
        assert image.getpixel((round(x0) + 3, round(y1) - 3)) == (0x22, 0x55, 0xEE)
        assert image.getpixel((round(x0) - 3, round(y1) - 3)) == (255, 255, 255)
    for mark in by_kind["point"]:
        x0, y0, x1, y1 = mark["box"]  # type: ignore[misc]
        assert mark["color"] == "#ee4422"
        assert image.getpixel((round((x0 + x1) / 2), round((y0 + y1) / 2))) == (0xEE, 0x44, 0x22)


KINDS = {
    "wedge": "plt.pie([1, 2, 3])",
    "area": "plt.fill_between([0, 1], [1, 2])",
    "cell": "plt.imshow([[1, 2], [3, 4]])",
    "box": "plt.boxplot([[1, 2, 3, 4, 5]])",
    "point": "plt.scatter([1, 2], [3, 4])",
    "bar": 'plt.hist([0, 1], [0, 1, 2], weights=[3, 4], color="#25e")',
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mark_is_described(runner: PlotRunner, kind: str) -> None:
    result = runner.run(HEAD + KINDS[kind] + "\n", describe=True)
    assert result.description is not None
    counts = {"wedge": 3, "area": 1, "cell": 4, "box": 1, "point": 2, "bar": 2}
    marks = [m for m in result.description["marks"] if m["kind"] == kind]
    assert len(marks) == counts[kind]
    for mark in marks:
        x0, y0, x1, y1 = mark["box"]
        assert 0 <= x0 < x1 <= result.width
        assert 0 <= y0 < y1 <= result.height
        if kind in ("wedge", "area"):
            assert len(mark["points"]) > 3


@pytest.mark.parametrize("code", [LINE, LINE + 'plt.savefig("a.svg")\nplt.close()\n'])
def test_an_svg_where_it_is_asked_for(runner: PlotRunner, code: str) -> None:
    result = runner.run(code, svg=True)
    assert picture(result).size == (300, 200)
    assert result.svg is not None
    root = ElementTree.fromstring(result.svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("viewBox") == "0 0 216 144"  # points: 3 x 2 inches
    assert b"#1f77b4" in result.svg
    assert runner.run(code).svg is None
