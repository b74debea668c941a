"""Scripts brought to one form and cut into one script a figure, on their syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from training.data.draft import Dropped

# What shows nothing in a picture, or waits for somebody.
SILENT = {"show", "savefig", "pause", "close", "ion", "ioff", "switch_backend"}
OUTSIDE = {
    "get_sample_data",
    "open",
    "imread",
    "read_csv",
    "read_excel",
    "read_json",
    "loadtxt",
    "genfromtxt",
    "load_dataset",
    "urlopen",
    "fetch",
    "input",
    "ginput",
    "waitforbuttonpress",
    "fromfile",
}
UNFIT_MODULES = (
    "matplotlib.animation",
    "matplotlib.widgets",
    "matplotlib.backends",
    "tkinter",
    "wx",
    "gi",
    "PyQt",
    "PySide",
    "pygame",
    "requests",
    "urllib",
    "subprocess",
    "multiprocessing",
    "seaborn",
    "plotly",
)
NEW_FIGURE = {"figure", "subplots", "subplot_mosaic"}
_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)


def normalised(code: str) -> ast.Module:
    """The tree of a script: no docstrings and comments, nothing that shows or saves, the body of
    `if __name__ == "__main__"` in place, random numbers seeded.

    Raises Dropped for what is no script with matplotlib, or needs files, a window or the network.
    """
    try:
        tree = ast.parse(_MAGIC.sub("", code))
    except (SyntaxError, ValueError, RecursionError):
        raise Dropped("no Python") from None
    imported = set(_imported(tree))
    if not any(name.split(".")[0] in ("matplotlib", "pylab", "mpl_toolkits") for name in imported):
        raise Dropped("no matplotlib")
    if any(name.startswith(UNFIT_MODULES) for name in imported):
        raise Dropped("needs more than matplotlib")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in OUTSIDE:
            raise Dropped("reads files")
        if (
            isinstance(node, ast.Call)
            and _called(node) == "load"
            and _owner(node) in ("np", "numpy")
        ):
            raise Dropped("reads files")
        if isinstance(node, ast.Attribute) and node.attr in ("mpl_connect", "new_timer"):
            raise Dropped("needs a window")
    tree.body = list(_unwrapped(tree.body))
    tree = _Quiet().visit(tree)
    _seed(tree)
    return ast.fix_missing_locations(tree)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _called(node: ast.Call) -> str:
    """The last name of what is called."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _owner(node: ast.Call) -> str:
    function = node.func
    owner = function.value if isinstance(function, ast.Attribute) else None
    return owner.id if isinstance(owner, ast.Name) else ""


def _unwrapped(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test):
            yield from statement.body
        else:
            yield statement


class _Quiet(ast.NodeTransformer):
    """Takes out statements that say nothing of the picture."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant):
            return None
        if isinstance(node.value, ast.Call):
            call = node.value
            if _called(call) in SILENT or (_called(call) == "print" and not _owner(call)):
                return None
            if _called(call) == "use" and _owner(call) in ("matplotlib", "mpl"):
                return None
        return node

    def _body(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            if getattr(node, name, None) == [] and name == "body":
                node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    visit_FunctionDef = visit_ClassDef = visit_For = visit_While = visit_If = _body
    visit_With = visit_Try = visit_AsyncFunctionDef = _body


def _seed(tree: ast.Module) -> None:
    """Random numbers the same at each run: a generator without a seed gets one."""
    plain = seeded = False
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, text = _called(node), ast.unparse(node.func)
        if name == "default_rng" and not node.args and not node.keywords:
            node.args = [ast.Constant(0)]
        if text in ("np.random.seed", "numpy.random.seed"):
            seeded = True
        elif text.startswith(("np.random.", "numpy.random.")) and name not in (
            "default_rng",
            "RandomState",
            "Generator",
        ):
            plain = True
    if plain and not seeded:
        alias = "np" if "np" in _names_bound(tree.body) else "numpy"
        place = 1 + max(
            (i for i, s in enumerate(tree.body) if isinstance(s, ast.Import | ast.ImportFrom)),
            default=-1,
        )
        tree.body.insert(place, ast.parse(f"{alias}.random.seed(0)").body[0])


def figures(tree: ast.Module) -> list[str]:
    """One script for each figure of a normalised script, in order.

    A figure's statements are those from where it is made to where the next one is; of those
    before, the ones are kept that give names a value which it uses, and settings.
    """
    body = tree.body
    starts = [i for i, statement in enumerate(body) if _makes_figure(statement)]
    if len(starts) < 2:
        return [written(_needed(body, body))]
    scripts = []
    for start, end in zip(starts, [*starts[1:], len(body)], strict=True):
        own = body[start:end]
        # What came between figures before belongs to them, unless a name of it is used here.
        scripts.append(written(_needed(body[:end], own)))
    return scripts


def _makes_figure(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    return any(
        isinstance(node, ast.Call)
        and _called(node) in NEW_FIGURE
        and _owner(node) in ("plt", "pyplot", "pylab", "")
        for node in ast.walk(statement)
    )


def _needed(body: Sequence[ast.stmt], own: Sequence[ast.stmt]) -> list[ast.stmt]:
    """`own`, and what it needs of the statements of `body` before it: a backward slice."""
    first = next(i for i, statement in enumerate(body) if statement is own[0]) if own else 0
    kept: list[ast.stmt] = []
    wanted: set[str] = set()
    for statement in reversed(own):
        bound = _bound_by(statement)
        definition = isinstance(
            statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
        )
        if definition and not bound & wanted and "*" not in bound:
            continue
        kept.append(_only(statement, wanted))
        wanted |= _used_by(statement)
    for statement in reversed(body[:first]):
        bound = _bound_by(statement)
        if "*" in bound or bound & wanted or _changes(statement) & wanted or _is_setting(statement):
            if _makes_figure(statement) and not bound & wanted:
                continue
            kept.append(_only(statement, wanted))
            wanted |= _used_by(statement)
    return kept[::-1]


def _only(statement: ast.stmt, wanted: set[str]) -> ast.stmt:
    """An import with the names alone that are used; other statements as they are."""
    if not isinstance(statement, ast.Import | ast.ImportFrom):
        return statement
    names = [
        alias
        for alias in statement.names
        if alias.name == "*" or (alias.asname or alias.name.split(".")[0]) in wanted
    ]
    if isinstance(statement, ast.Import):
        return ast.Import(names or statement.names)
    return ast.ImportFrom(statement.module, names or statement.names, statement.level)


def _is_setting(statement: ast.stmt) -> bool:
    text = ast.unparse(statement)
    return bool(re.match(r"(plt|mpl|matplotlib|np|numpy)\.(rc|rcParams|style|random\.seed)", text))


def _changes(statement: ast.stmt) -> set[str]:
    """Names whose values a statement changes in place: `x[0] = 1`, `x.sort()`, `x += 1`."""
    found = set()
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [statement.target] if isinstance(statement, ast.AugAssign) else statement.targets
        found |= {name for target in targets if (name := _root(target))}
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        name = _root(statement.value.func)
        if name and name not in ("plt", "np", "mpl", "matplotlib", "numpy", "pyplot"):
            found.add(name)
    return found


def _root(node: ast.AST) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _bound_by(statement: ast.stmt) -> set[str]:
    """Names that a statement gives a value at the level of the module."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del)
    }


def _names_bound(body: Sequence[ast.stmt]) -> set[str]:
    return set().union(*(_bound_by(statement) for statement in body)) if body else set()


def _used_by(statement: ast.stmt) -> set[str]:
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def written(body: Sequence[ast.stmt]) -> str:
    """The statements as source: an empty line after the imports and around definitions."""
    pieces = []
    before: ast.stmt | None = None
    for statement in body:
        imports = isinstance(statement, ast.Import | ast.ImportFrom)
        defines = isinstance(statement, ast.FunctionDef | ast.ClassDef)
        after_import = isinstance(before, ast.Import | ast.ImportFrom)
        if before is not None and (
            (after_import and not imports)
            or defines
            or isinstance(before, ast.FunctionDef | ast.ClassDef)
        ):
            pieces.append("")
        pieces.append(ast.unparse(ast.fix_missing_locations(statement)))
        before = statement
    return "\n".join(pieces) + "\n"
