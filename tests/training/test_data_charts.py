"""Real matplotlib scripts: normalised, cut by figure, varied by edits that still run."""

from __future__ import annotations

import ast
import os
import random
from pathlib import Path

import numpy as np
import pytest

from tests.fixtures.sources import run
from training.data.draft import Dropped
from training.data.sources.chart_code import figures, normalised
from training.data.sources.chart_edits import EDITS, varied

TWO = '''"""A title.

Words about it."""
import os
import matplotlib
matplotlib.use("TkAgg")
import matplotlib.pyplot as plt
import numpy as np
from numpy import sin, cos

# %%
# The first figure.
plt.rcParams["font.size"] = 9
x = np.linspace(0, 6, 50)
values = [3, 1, 4]
noise = np.random.rand(50)


def label(ax, text):
    """Says what it is."""
    print(text)
    ax.set_xlabel(text)


fig, ax = plt.subplots(figsize=(4, 3))
ax.plot(x, sin(x), "r--", lw=2)
label(ax, "first")
plt.show()
values.append(5)

fig2, ax2 = plt.subplots()
ax2.bar(range(4), values, color="tab:blue")
fig2.savefig("two.png")
if __name__ == "__main__":
    plt.show()
'''


def drafts_of(tools, **plan):
    return run(tools, type="charts", **plan)[0]


def test_a_script_is_cut_by_figure_with_what_each_needs():
    first, second = figures(normalised(TWO))
    for code in (first, second):
        for gone in ("show", "savefig", "TkAgg", '"""', "print", "import os", "__name__", "cos"):
            assert gone not in code, gone
        assert "plt.rcParams['font.size'] = 9" in code
    assert "def label" in first and "sin(x)" in first and "bar" not in first
    assert "values.append(5)" in second and "def label" not in second and "linspace" not in second
    assert "noise" not in second and "np.random" not in second.replace("np.random.seed", "")


def test_each_figure_runs_on_its_own(tmp_path, tools):
    (tmp_path / "two.py").write_text(TWO)
    drafts = drafts_of(tools, folder=str(tmp_path), variants=0)
    assert [d.record.origin for d in drafts] == ["two.py, figure 1", "two.py, figure 2"]
    assert drafts[0].pictures[0].image.size == (400, 300)
    assert any(line.text == "first" for line in drafts[0].lines)
    bars = tools.run_script(drafts[1].record.code).description["marks"]
    assert sum(mark["kind"] == "bar" for mark in bars) == 4


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = (", "no Python"),
        ("import json", "no matplotlib"),
        ("import matplotlib.pyplot as plt\nplt.plot(open('x').read())", "reads files"),
        ("import matplotlib.pyplot as plt\nimport numpy as np\nnp.load('x')", "reads files"),
        ("import matplotlib.animation as a", "needs more than matplotlib"),
        ("import matplotlib.pyplot as plt\nplt.gcf().canvas.mpl_connect('a', f)", "needs a window"),
    ],
)
def test_scripts_that_cannot_be_records_are_told_apart(code, reason):
    with pytest.raises(Dropped, match=reason):
        normalised(code)


def test_random_numbers_are_the_same_at_each_run():
    head = "import numpy as np\nimport matplotlib.pyplot as plt\n"
    plain = figures(normalised(f"{head}plt.plot(np.random.rand(9))"))
    assert "np.random.seed(0)" in plain[0]
    fresh = figures(normalised(f"{head}r = np.random.default_rng()\nplt.plot(r.random(9))"))
    assert "default_rng(0)" in fresh[0]


BARS = """import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(5, 4))
ax.bar(['a', 'b', 'c'], [3.0, 7.5, 5.2], color='#336699', alpha=0.8)
ax.plot([0, 1, 2], [4.0, 9.5, 1.2], 'g--', lw=2)
ax.set_yticks([0, 2, 4, 6])
"""


@pytest.mark.parametrize("edit", list(EDITS))
def test_an_edit_changes_the_picture_and_only_what_it_says(edit, tools):
    before, _ = tools.draw_chart(BARS)
    code = varied(BARS, random.Random(3), [edit])
    after, _ = tools.draw_chart(code)
    same = before.image.size == after.image.size
    assert same == (edit != "size")
    assert not same or not np.array_equal(np.asarray(before.image), np.asarray(after.image))
    assert ("7.5" in code) == (edit != "data")
    assert ("#336699" in code) == (edit != "colours")
    assert ("figsize=(5, 4)" in code) == (edit != "size")
    assert "[0, 2, 4, 6]" in code
    assert varied(BARS, random.Random(3), [edit]) == code


def test_variants_run_and_look_different(tmp_path, tools):
    (tmp_path / "bars.py").write_text(BARS)
    drafts = drafts_of(tools, folder=str(tmp_path), variants=6)
    assert len(drafts) >= 5
    assert len({d.record.completion for d in drafts}) == len(drafts)
    assert len({d.pictures[0].data for d in drafts}) == len(drafts)
    assert {d.record.group for d in drafts} == {drafts[0].record.group}


def test_the_gallery_of_matplotlib(tmp_path, tools):
    """VISCODEX_GALLERY names `galleries/examples` of matplotlib's source distribution."""
    folder = os.environ.get("VISCODEX_GALLERY", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("VISCODEX_GALLERY names no folder")
    drafts = drafts_of(
        tools, folder=str(Path(folder) / "lines_bars_and_markers"), variants=1, limit=12
    )
    assert len(drafts) >= 12
    for draft in drafts:
        assert "savefig" not in draft.record.code and "show()" not in draft.record.code
        ast.parse(draft.record.code)
    assert tools.counts["does not render"] <= 2
