"""Reads recipes: YAML into a pydantic model; an unknown key is an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from engine.errors import ErrorCode, VisCodexError

Recipe = TypeVar("Recipe", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys of a YAML file. VisCodexError(bad_input) where there is none, or no such file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VisCodexError(
            ErrorCode.bad_input, f"There is no recipe '{path}'.", "Check the path."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise _wrong(str(error), path) from None
    if not isinstance(content, dict):
        raise _wrong("it holds no keys", path)
    return content


def check_recipe(
    values: Mapping[str, Any], kind: type[Recipe], source: Path | None = None
) -> Recipe:
    """Values as a recipe; VisCodexError(bad_input) names the first that is wrong."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        text = f"{place}: {first['msg']}" if place else first["msg"]
        if not source:
            raise VisCodexError(ErrorCode.bad_input, f"{text}.", "Correct it.") from None
        raise _wrong(text, source) from None


def read_recipe(path: Path, kind: type[Recipe]) -> Recipe:
    """Read a recipe file; VisCodexError(bad_input) names what is wrong with it."""
    return check_recipe(read_yaml(path), kind, path)


def read_section(path: Path, name: str) -> dict[str, Any]:
    """The keys of one section of a recipe with several, or of a recipe that is for it alone.

    A section is written out, names the file it stands in (beside the recipe), or both: `recipe:
    FILE` and the keys that differ from it. Raises VisCodexError(bad_input).
    """
    values = read_yaml(path)
    if "export" not in values or "stages" in values:
        return values
    section = values.get(name)
    if section is None:
        raise _wrong(f"it has no section '{name}'", path)
    if isinstance(section, str):
        section = {"recipe": section}
    if not isinstance(section, dict):
        raise _wrong(f"{name}: a section or the name of a file is wanted", path)
    file = section.get("recipe")
    if file is None:
        return dict(section)
    rest = {key: value for key, value in section.items() if key != "recipe"}
    return read_yaml(path.parent / str(file)) | rest


def read_section_as(path: Path, name: str, kind: type[Recipe]) -> Recipe:
    """A section, or a recipe that is for it alone, checked. Raises VisCodexError(bad_input)."""
    return check_recipe(read_section(path, name), kind, path)


def _wrong(text: str, path: Path) -> VisCodexError:
    first = text.replace("\n", " ")[:300]
    return VisCodexError(
        ErrorCode.bad_input, f"The recipe '{path.name}' is wrong: {first}", "Correct it."
    )
