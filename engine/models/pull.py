"""A model of the catalogue, from the Hub into the user's folder.

    control = Control()
    files = pull(find_entry("qwen3-vl-4b"), control=control, report=show)   # on a thread
    control.pause(); control.resume(); control.cancel()                     # from another

The vision file comes first: it is the smaller one. Both are moved in as one, with their card.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from engine.models.catalogue import CatalogueEntry
from engine.models.control import Control
from engine.models.download import MARGIN, download, persist
from engine.models.hub import Hub, choose, list_files, resolve
from engine.models.install import incoming, move_in
from engine.models.progress import Checking, Finished, Listener
from engine.models.store import ModelFiles, find_model, user_folder
from engine.models.sums import sha256_of
from engine.models.transfer import Patience, Source, disk_full, open_client

UNUSABLE = (ErrorCode.model_broken, ErrorCode.model_unsupported, ErrorCode.model_mismatch)


def pull(
    entry: CatalogueEntry,
    *,
    control: Control,
    report: Listener,
    hub: Hub | None = None,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> ModelFiles:
    """Download a model, or go on with it; nothing is asked where it is here already.

    Raises VisCodexError: download_failed, download_stalled, checksum_mismatch, disk_full,
    server_untrusted, cancelled, bad_input; one of UNUSABLE where what was published
    is no model that this version runs.
    """
    place = user_folder() / entry.name
    if place.exists():
        return find_model(place)
    hub = hub or Hub.of_environment()
    folder = incoming(entry.name)
    sources = persist(
        lambda: find_sources(entry, hub, patience), entry.name, control, report, patience
    )
    _clear(folder, sources)
    _room(folder, sources)
    whole = sum(source.size for source in sources)
    before = 0
    for source in sources:
        target = folder / source.name
        if target.is_file() and _is_here(source, target, report):
            report(Finished(source.name))
        else:
            download(
                source, target, control=control, report=report, patience=patience,
                before=before, whole=whole,
            )  # fmt: skip
        before += source.size
    vision, model = sources
    try:
        return move_in(
            entry.name,
            folder / model.name,
            folder / vision.name,
            {source.name: source.sha256 for source in sources},
            licence=entry.licence,
            source={"repo": entry.repo, "revision": model.revision},
        )
    except VisCodexError as error:
        if error.code in UNUSABLE:
            shutil.rmtree(folder, ignore_errors=True)  # whole, and of no use
        raise


async def find_sources(
    entry: CatalogueEntry, hub: Hub, patience: Patience
) -> tuple[Source, Source]:
    """Vision file and model as they are published now. Raises VisCodexError, Retry."""
    async with open_client(patience, hub.endpoint.startswith("https:")) as client:
        files = await list_files(client, hub, entry.repo)
        vision = choose(files, entry.mmproj, "mmproj", entry.repo)
        model = choose(files, entry.model, "model", entry.repo)
        return (
            await resolve(client, hub, entry.repo, vision),
            await resolve(client, hub, entry.repo, model),
        )


def _is_here(source: Source, target: Path, report: Listener) -> bool:
    def tell(done: int) -> None:
        report(Checking(source.name, done, source.size))

    return target.stat().st_size == source.size and sha256_of(target, tell) == source.sha256


def _clear(folder: Path, sources: Sequence[Source]) -> None:
    """Remove what arrived of files that are named otherwise by now."""
    for path in folder.iterdir():
        if not any(path.name.startswith(source.name) for source in sources):
            path.unlink()


def _room(folder: Path, sources: Sequence[Source]) -> None:
    """Refuse before the first byte where both files do not fit together."""
    here = sum(path.stat().st_size for path in folder.iterdir())
    needed = sum(source.size for source in sources) - here
    free = shutil.disk_usage(folder).free
    if needed + MARGIN > free:
        raise disk_full(needed, free)
