"""Where models are found: the bundled ones, the user's own, a folder, or two files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from platformdirs import user_data_path

from engine.errors import ErrorCode, VisCodexError
from engine.models.card import FILE_NAME, ModelCard
from engine.models.check import check_files
from engine.models.sums import sha256_of

BUNDLED = "viscodex-nano"
FOLDER_VARIABLE = "VISCODEX_MODELS"


@dataclass(frozen=True)
class ModelFiles:
    """A model on this machine."""

    model: Path
    mmproj: Path
    card: ModelCard

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.card.name


def model_folders() -> list[Path]:
    """Folders that hold folders of models, in the order they are looked through."""
    package = Path(__file__).resolve().parents[1]
    folders = [package / "assets" / "models", package.parent / "assets" / "models"]
    folders.append(user_folder())
    return [folder for folder in folders if folder.is_dir()]


def user_folder() -> Path:
    """Where the user's own models are, whether it is there or not."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else user_data_path("viscodex") / "models"


def find_model(name_or_path: str | Path = BUNDLED, mmproj: Path | None = None) -> ModelFiles:
    """The model of a name, in a folder, or of a file (with `mmproj`, or one lying beside it).

    Raises VisCodexError: model_missing, model_broken or model_mismatch.
    """
    path = Path(name_or_path)
    if path.is_file() or path.suffix.lower() == ".gguf":
        return _from_files(path, mmproj)
    found = path if path.is_dir() else None
    if found is None and path.name == str(name_or_path):
        found = next((f / path for f in model_folders() if (f / path).is_dir()), None)
        found = found or _folder_of(path.name)
    if found is None:
        names = ", ".join(files.name for files in list_models()) or "none"
        raise VisCodexError(
            ErrorCode.model_missing,
            f"There is no model '{name_or_path}'.",
            f"Models here: {names}. A folder or a .gguf file can be given as well.",
        )
    if mmproj is not None:
        raise VisCodexError(
            ErrorCode.bad_input,
            "A vision file belongs to a model file, not to a name or folder.",
            "Give the .gguf file of the model with it.",
        )
    return _from_folder(found)


def _folder_of(name: str) -> Path | None:
    """The folder of a listed model whose folder is called otherwise."""
    return next((files.model.parent for files in list_models() if files.name == name), None)


def list_models() -> list[ModelFiles]:
    """All models found in the usual folders that look usable, by name; the first of a name wins."""
    found: dict[str, ModelFiles] = {}
    for folder in model_folders():
        for entry in sorted(folder.iterdir()):
            if (entry / FILE_NAME).is_file():
                try:
                    files = _from_folder(entry)
                except VisCodexError:
                    continue
                found.setdefault(files.name, files)
    return [found[name] for name in sorted(found)]


def verify(
    files: ModelFiles, watch: Callable[[str, int, int], None] = lambda *told: None
) -> Iterator[tuple[Path, str | None]]:
    """Check headers and sums: each file with None, or with what is wrong with it.

    `watch` is called with a file's name, the bytes of it that are read, and how many it has.
    """
    try:
        check_files(files.model, files.mmproj)
    except VisCodexError as error:
        yield files.model, error.message
        return
    for path in (files.model, files.mmproj):
        wanted = files.card.sha256.get(path.name)
        if wanted is None:
            yield path, None if not files.card.sha256 else "The card has no sum for it."
            continue
        name, total = path.name, path.stat().st_size
        same = sha256_of(path, partial(_tell, watch, name, total)) == wanted.lower()
        yield path, None if same else "Its sum is not the one on the card."


def _tell(watch: Callable[[str, int, int], None], name: str, total: int, done: int) -> None:
    watch(name, done, total)


def _missing(message: str, advice: str) -> VisCodexError:
    return VisCodexError(ErrorCode.model_missing, message, advice)


def _from_files(model: Path, mmproj: Path | None) -> ModelFiles:
    if not model.is_file():
        raise _missing(f"There is no file '{model}'.", "Check the path of the model.")
    if mmproj is None:
        mmproj = beside(model)
    if not mmproj.is_file():
        raise _missing(f"There is no file '{mmproj}'.", "Check the path of the vision file.")
    facts = check_files(model, mmproj)
    card_path = model.parent / FILE_NAME
    if card_path.is_file():
        card = ModelCard.read(card_path)
        if {model.name, mmproj.name} <= set(card.sha256):
            return ModelFiles(model.absolute(), mmproj.absolute(), card)
    return ModelFiles(model.absolute(), mmproj.absolute(), ModelCard.of_facts(facts))


def beside(model: Path) -> Path:
    """The one vision file that lies beside a model. Raises VisCodexError(model_missing)."""
    others = [path for path in sorted(model.parent.glob("*.gguf")) if "mmproj" in path.name.lower()]
    if len(others) != 1:
        raise _missing(
            f"{len(others) or 'No'} vision files (mmproj) lie beside '{model.name}'.",
            "Name the right one with --mmproj.",
        )
    return others[0]


def _from_folder(folder: Path) -> ModelFiles:
    files = sorted(folder.glob("*.gguf"))
    vision = [path for path in files if "mmproj" in path.name.lower()]
    text = [path for path in files if path not in vision]
    card_path = folder / FILE_NAME
    card = ModelCard.read(card_path) if card_path.is_file() else None
    if card is not None and len(text) > 1:  # several quantizations: the card names the usual one
        text = [path for name in card.sha256 for path in text if path.name == name][:1] or text
    for kind, paths in (("model", text), ("vision (mmproj)", vision)):
        if len(paths) != 1:
            raise _missing(
                f"The folder '{folder}' holds {len(paths) or 'no'} {kind} files.",
                "Get the model again, or give the .gguf file and --mmproj.",
            )
    if card is None:
        return _from_files(text[0], vision[0])
    return ModelFiles(text[0].absolute(), vision[0].absolute(), card)
