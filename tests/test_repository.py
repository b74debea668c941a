"""The shape of the repository: layout, licence, versions, and what must not stand in it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = {
    ".ci",
    ".gitattributes",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "app",
    "assets",
    "constraints.txt",
    "engine",
    "packaging",
    "pyproject.toml",
    "tests",
    "training",
}
# Written in pieces, so that this file does not contain what it looks for.
STRAY = re.compile(
    "|".join(
        (
            r"(?<![\w.~-])/" + r"(?:work|farm|root|tmp/plan)/",
            r"pypi\.org" + "/simple",
            "registry" + r"\.npmjs",
            "deb" + r"\.debian\.org",
            "steering" + " repo",
            "chat" + "gpt|co" + "pilot|clau" + "de|anthro" + "pic",
        )
    ),
    re.IGNORECASE,
)
# Newer than Python 3.10, each with the module it would come from.
TOO_NEW = {
    ("enum", "StrEnum"),
    ("typing", "Self"),
    ("typing", "LiteralString"),
    ("typing", "Never"),
    ("typing", "NotRequired"),
    ("typing", "Required"),
    ("typing", "Unpack"),
    ("typing", "assert_never"),
    ("typing", "override"),
    ("typing", "reveal_type"),
    ("datetime", "UTC"),
    ("itertools", "batched"),
    ("contextlib", "chdir"),
    ("hashlib", "file_digest"),
}
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".json", ".sh", ".html", ""}


def repository_files() -> list[Path]:
    """Tracked files, or all of them where this is no git checkout; those deleted are left out."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    names = listing.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def sources() -> list[Path]:
    return [path for path in repository_files() if path.suffix == ".py"]


def test_top_level_holds_nothing_unexpected() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in repository_files()}
    assert found - TOP_LEVEL == set()
    assert {"app", "engine", "training", "tests", "assets", "packaging"} <= found


def test_packaging_does_not_shadow_the_library() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists()


def test_licence_is_the_whole_apache_text() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) > 195
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_versions_agree_and_forbidden_packages_are_absent() -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    setup = (ROOT / "packaging" / "setup" / "prepare.py").read_text(encoding="utf-8")
    for text in (project, setup, constraints.replace("_", "-")):
        assert "llama-cpp-python==0.3.36" in text
    assert "torch==2.13.0" in constraints.splitlines()
    assert "torch==2.13.0" in setup
    assert re.search(r"^transformers==5\.", constraints, re.MULTILINE)
    pinned = {line.split("==")[0] for line in constraints.splitlines() if "==" in line}
    assert not pinned & {"torchvision", "opencv-python", "opencv-contrib-python"}
    for wheel in ("pyside6-essentials", "pyside6-addons", "pyside6-webengine"):
        assert re.search(rf"^{wheel}==6\.12\.", constraints, re.MULTILINE)


def test_every_dependency_has_a_tested_version() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = {
        name.lower().replace("_", "-")
        for name in re.findall(r'^ {4}"([A-Za-z0-9_-]+)[=<>]', project, re.MULTILINE)
    }
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = {line.split("==")[0] for line in constraints.splitlines()}
    assert len(wanted) > 20
    assert wanted - pinned == set()


def test_no_paths_of_some_machine_and_no_stray_words() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in repository_files()
        if path.suffix in TEXT_SUFFIXES
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), 1
        )
        if STRAY.search(line)
    ]
    assert found == []


def test_the_code_is_python_3_10() -> None:
    for path in sources():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 10))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                used = {(node.module, alias.name) for alias in node.names}
                assert not used & TOO_NEW, f"{path.name}:{node.lineno} needs a newer Python"
            elif isinstance(node, ast.Import):
                assert all(alias.name != "tomllib" for alias in node.names), path
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in TOO_NEW, f"{path.name}:{node.lineno}"


def test_files_stay_short() -> None:
    long = {}
    for path in sources():
        name = path.relative_to(ROOT)
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > (550 if name.parts[0] == "tests" else 450):
            long[str(name)] = count
    assert long == {}


def test_nothing_heavy_but_the_model_and_its_packed_run() -> None:
    allowed = (
        ROOT / "assets" / "models" / "viscodex-nano",
        ROOT / "training" / "checkpoints" / "nano",
    )
    sizes = {path: path.stat().st_size for path in repository_files()}
    heavy = [
        path
        for path, size in sizes.items()
        if size > 2_000_000 and not any(folder in path.parents for folder in allowed)
    ]
    assert heavy == []
    for folder in allowed:
        inside = sum(size for path, size in sizes.items() if folder in path.parents)
        assert inside < 40_000_000


def test_samples_come_with_their_sources() -> None:
    samples = ROOT / "assets" / "samples"
    pictures = {path.stem for path in samples.glob("*.png")}
    assert {"login", "chart"} <= pictures
    assert {path.stem for path in (samples / "sources").iterdir()} == pictures


def test_the_command_starts_without_heavy_imports() -> None:
    heavy = ("PySide6", "torch", "transformers", "llama_cpp", "matplotlib", "onnxruntime", "cv2")
    script = f"import sys, app.cli; print([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
