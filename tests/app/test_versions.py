"""The tree of versions, the queue, the table of quick actions: without widgets."""

from __future__ import annotations

from dataclasses import dataclass

from app.archive import tree_of
from app.picture_queue import PictureQueue
from app.refining import LONGEST, QUICK_ACTIONS, InstructionHistory
from app.store.history import Version as Kept
from app.versions import EDIT, VersionTree, title


@dataclass(frozen=True)
class Answer:
    """What the engine tells of a candidate."""

    code: str
    total: float | None
    png: bytes | None = b"png"
    problem: str = ""

    @property
    def likeness(self) -> dict[str, float | None] | None:
        return None if self.total is None else {"total": self.total, "text": None}


@dataclass(frozen=True)
class Named:
    name: str


def grown() -> VersionTree:
    """Conversion, a change, an edit of that."""
    tree = VersionTree(clock=iter(range(100)).__next__)
    tree.add_run("conversion", "", "html", "one", [Answer("one", 0.5)])
    tree.add_run("refine", "bluer", "html", "two", [Answer("two", 0.6)])
    tree.edit("three", "html")
    return tree


def codes(tree: VersionTree) -> list[tuple[str, int]]:
    return [(version.code, indent) for version, indent in tree.rows()]


def test_walking_back_and_forward() -> None:
    tree = grown()
    walked = []
    while (before := tree.back()) is not None:
        walked.append(tree.choose(before.id).code)
    assert walked == ["two", "one"]
    while (after := tree.forward()) is not None:
        walked.append(tree.choose(after.id).code)
    assert walked == ["two", "one", "two", "three"]


def test_going_back_and_changing_again_makes_a_branch() -> None:
    tree = grown()
    assert codes(tree) == [("one", 0), ("two", 0), ("three", 0)]
    tree.choose(1)
    tree.add_run("refine", "redder", "html", "red")
    assert codes(tree) == [("one", 0), ("two", 1), ("three", 1), ("red", 1)]
    tree.choose(1)
    after = tree.forward()
    assert after is not None
    assert after.code == "red"  # the branch that was on top last
    assert [title(version) for version, _ in tree.rows()] == [
        "Conversion", "bluer", "Edited by hand", "redder",
    ]  # fmt: skip


def test_typing_is_one_version_until_it_is_sealed() -> None:
    tree = grown()
    tree.edit("three and more", "html")
    assert len(tree) == 3
    sealed = tree.seal()
    assert sealed is not None
    assert (sealed.code, sealed.kind, sealed.parent) == ("three and more", EDIT, 2)
    assert tree.seal() is None
    tree.edit("four", "html")
    assert codes(tree)[-2:] == [("three and more", 0), ("four", 0)]


def test_candidates_are_ordered_and_one_can_be_picked() -> None:
    tree = VersionTree()
    answers = [
        Answer("worst", 0.2),
        Answer("broken", None, None, "It fails."),
        Answer("equal and longer", 0.801),
        Answer("best", 0.8),
    ]
    made = tree.add_run("conversion", "", "html", "best", answers)
    assert [one.code for one in made] == ["best", "worst", "broken", "equal and longer"]
    order = [one.code for one in tree.candidates()]
    assert order == ["best", "equal and longer", "worst", "broken"]
    assert len(tree) == 1
    picked = tree.choose(tree.candidates()[2].id)
    assert title(picked) == "Candidate 1"
    assert codes(tree) == [("best", 0), ("worst", 0)]
    assert [one.code for one in tree.candidates()] == order
    before = tree.back()
    assert before is not None
    assert before.code == "best"
    tree.add_run("refine", "x", "html", "changed")
    assert tree.current is not None
    assert tree.current.parent == picked.id
    assert len(tree.candidates()) == 1


def test_an_answer_that_changes_nothing_is_no_version() -> None:
    tree = grown()
    assert tree.add_run("refine", "nothing", "html", "three", [Answer("three", 0.7)]) == []
    assert len(tree) == 3


def test_a_tree_comes_back_from_the_history() -> None:
    def kept(number: int, parent: int | None, code: str, words: str = "", nth: int = 0) -> Kept:
        return Kept(number, 7, parent, code, words, 100.0 + 5 * (number // 10), 0.5, nth)

    tree = tree_of(
        [
            kept(10, None, "best", nth=2),
            kept(11, None, "second", nth=0),
            kept(12, None, "never seen", nth=1),
            kept(20, 11, "changed", "bluer"),
            kept(30, 20, "typed"),
            kept(40, 20, "typed again"),
            kept(50, 20, "once more", "Another try"),
        ],
        30,
        "html",
    )
    assert codes(tree) == [
        ("best", 0), ("second", 0), ("changed", 0), ("typed", 1), ("typed again", 1),
        ("once more", 1),
    ]  # fmt: skip
    assert tree.current is not None
    assert tree.current.code == "typed"
    assert tree.kept.ids == {one.id: one.id for one in tree}
    tree.choose(11)
    assert {one.code for one in tree.candidates()} == {"best", "second", "never seen"}
    assert tree.add_run("refine", "x", "html", "new")[0].id > 50
    kinds = [version.kind for version, _ in tree.rows()]
    assert kinds == ["conversion", "conversion", "refine", "edit", "edit", "again", "refine"]


# The queue ------------------------------------------------------------------


def test_queue_counts_from_its_start() -> None:
    queue = PictureQueue()
    queue.start()
    assert not queue.active
    queue.add([Named("b"), Named("c")])
    assert (queue.position, queue.total, queue.active) == (1, 3, True)
    taken = queue.take()
    assert taken is not None
    assert taken.name == "b"
    assert (queue.position, queue.total) == (2, 3)
    queue.note_failure("b")
    queue.remove(5)
    queue.remove(0)
    assert queue.take() is None
    assert queue.active  # the failure is still told
    queue.start()
    assert (queue.position, queue.failed, queue.active) == (1, [], False)


def test_a_single_picture_that_fails_is_no_matter_of_the_queue() -> None:
    queue = PictureQueue()
    queue.start()
    queue.note_failure("a")
    assert not queue.failed


# Instructions ---------------------------------------------------------------


def test_instructions_are_walked_like_in_a_shell() -> None:
    history = InstructionHistory()
    assert history.up("typed") == "typed"
    for text in ("one", "two", "one"):
        history.add(text)
    assert history.past == ["two", "one"]
    assert history.up("typed") == "one"
    assert history.up("one") == "two"
    assert history.up("two") == "two"
    assert history.down("two") == "one"
    assert history.down("one") == "typed"
    assert history.down("typed") == "typed"
    for number in range(2 * LONGEST):
        history.add(str(number))
    assert len(history.past) == LONGEST


def test_exactly_one_quick_action_needs_no_instruction() -> None:
    assert [one.key for one in QUICK_ACTIONS if not one.instruction] == ["again"]
    assert len({one.key for one in QUICK_ACTIONS}) == len(QUICK_ACTIONS)
