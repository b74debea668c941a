"""What can be asked for: how it is asked, how code is taken out of an answer, how it is checked.

Adding a target is adding a row to `TASKS`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.errors import ErrorCode, VisCodexError

FENCE = "```"
AUTO_INSTRUCTION = (
    "Write the code that draws this picture: HTML with one style block if it shows an interface, "
    "Python with matplotlib if it shows a chart. Answer with one fenced code block."
)
AUTO_INSTRUCTION_SHORT = "Write the code."


@dataclass(frozen=True)
class Task:
    """A kind of code: `instruction` for general models, `short_instruction` for the bundled one."""

    name: str
    title: str
    instruction: str
    short_instruction: str
    fence: str
    suffix: str
    starts: re.Pattern[str]
    problem: Callable[[str], str | None]

    @property
    def prefill(self) -> str:
        """The start of the answer when this target is wanted."""
        return f"{FENCE}{self.fence}\n"

    def extract(self, answer: str) -> str:
        """The code in `answer`; raises VisCodexError(no_code) where there is none."""
        return extract_code(answer, self)

    def check(self, code: str) -> str | None:
        """What is wrong with the code as far as it can be told without running it, or None."""
        return self.problem(code)


def _html_problem(code: str) -> str | None:
    if "<" not in code or not re.search(r"<[a-zA-Z]", code):
        return "The answer holds no HTML element."
    return None


def _python_problem(code: str) -> str | None:
    try:
        ast.parse(code)
    except SyntaxError as error:
        return f"Line {error.lineno}: {error.msg}."
    return None


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "html": Task(
            "html",
            "HTML",
            "Write one complete HTML page that looks like this picture. Plain HTML and CSS in one "
            "style block, no scripts, no external files. Use the words of the picture. Answer with "
            "one fenced code block.",
            "Write the HTML.",
            "html",
            ".html",
            re.compile(r"<!DOCTYPE|<html|<[a-z][a-z0-9]*[\s>]", re.IGNORECASE),
            _html_problem,
        ),
        "matplotlib": Task(
            "matplotlib",
            "Chart",
            "Write Python code with matplotlib that draws this chart as closely as possible: same "
            "kind, data, colours, labels and size. Answer with one fenced code block.",
            "Write the matplotlib code.",
            "python",
            ".py",
            re.compile(r"^(?:import|from)\s+\w+", re.MULTILINE),
            _python_problem,
        ),
    }
)
TASK_OF_FENCE: Mapping[str, Task] = MappingProxyType({task.fence: task for task in TASKS.values()})
# A fence opens on a line of its own, or ends a line of chatter; other backticks are text.
_FENCED = re.compile(
    r"^(?:[ \t]*```[ \t]*(?P<lang>[\w+-]*)[^\n`]*|[^\n`]*```(?P<late>[\w+-]+)[ \t]*)\n"
    r"(?P<body>.*?)(?:^[ \t]*```|\Z)",
    re.DOTALL | re.MULTILINE,
)


def extract_code(answer: str, task: Task) -> str:
    """Take the code out of an answer: fenced or bare, with chatter around it, or cut off.

    Of several fenced blocks the longest with the wanted (or no) language counts. The result ends
    with one newline. Raises VisCodexError(no_code).
    """
    names = {task.fence, task.name, "py" if task.fence == "python" else "htm", ""}
    found = _FENCED.finditer(answer)
    blocks = [((match["lang"] or match["late"] or "").lower(), match["body"]) for match in found]
    wanted = [body for lang, body in blocks if lang in names] or [body for _, body in blocks]
    code = max(wanted, key=len) if wanted else _bare(answer, task)
    code = code.strip("\n").rstrip()
    if not code:
        raise VisCodexError(
            ErrorCode.no_code,
            "The model's answer holds no code.",
            "Try again with another seed, or choose the target yourself.",
        )
    return code + "\n"


def _bare(answer: str, task: Task) -> str:
    found = task.starts.search(answer)
    if not found:
        return ""
    code = answer[found.start() :]
    if task.fence == "html" and "</html>" in code.lower():
        return code[: code.lower().rindex("</html>") + len("</html>")]
    return code.split(f"\n{FENCE}")[0]


def task_of_code(code: str) -> Task:
    """Which kind of code this is: Python where it parses as such and imports something."""
    python = TASKS["matplotlib"]
    if python.starts.search(code) and _python_problem(code) is None:
        return python
    return TASKS["html"]
