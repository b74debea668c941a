"""Builds a data set on a Ray cluster: each processor of the cluster does a part, as `--shard` does.

The machines share the folder of the data set. A task that is lost is started again by Ray and goes
on with the parts that are missing; the selection is made here, at the end, from all of them.
"""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from training.data.build import Outcome, Progress, build
from training.data.recipe import DataRecipe

TRIES = 3  # of a task whose worker or machine is lost
LOCAL = "local"
REACHED = 10.0  # seconds in which a cluster must answer


def build_on_ray(
    recipe: DataRecipe,
    folder: Path,
    address: str,
    *,
    workers: int | None = None,
    unwalled: bool = False,
    progress: Callable[[Progress], None] = lambda news: None,
) -> Outcome:
    """As `build`, on the cluster at an address ("auto": the one that runs here; "local": one of
    this machine, for the time). `workers` are the processes of a task (default: two, since drawing
    waits for frames).

    Raises VisCodexError: bad_input without Ray or without such a cluster; what `build` raises.
    """
    if importlib.util.find_spec("ray") is None:
        raise VisCodexError(
            ErrorCode.bad_input, "Ray is not installed.", "Install viscodex with the extra 'ray'."
        )
    import ray

    try:
        _check_reachable(address)
        context = ray.init(address=address, log_to_driver=False, logging_level="WARNING")
    except (ConnectionError, ValueError, OSError) as error:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no Ray cluster at '{address}' ({str(error).splitlines()[0][:120]}).",
            "Start one with `ray start --head`, or give --ray local.",
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    with context:
        count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        task = ray.remote(max_retries=TRIES, scheduling_strategy="SPREAD")(_make_part)
        text, place = recipe.model_dump_json(), str(folder.absolute())
        waiting = [
            task.remote(text, place, (number, count), workers or 2, unwalled)
            for number in range(count)
        ]
        while waiting:
            done, waiting = ray.wait(waiting)
            for found in ray.get(done):
                _tell(found, progress)
    return build(recipe, folder, unwalled=unwalled)  # what is there is only chosen from


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes. Raises OSError, or ValueError for what is no address."""
    if address in (LOCAL, "auto"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        raise ValueError("give it as HOST:PORT")
    socket.create_connection((host, int(port)), timeout=REACHED).close()


def _make_part(
    text: str, folder: str, part: tuple[int, int], workers: int, unwalled: bool
) -> dict[str, Any]:
    """A task: its share of all parts. Errors come back as values, in our own words."""
    counts: dict[str, int] = {}

    def count(news: Progress) -> None:
        counts[news.source] = counts.get(news.source, 0) + news.items

    try:
        recipe = DataRecipe.model_validate(json.loads(text))
        build(
            recipe, Path(folder), part=part, workers=workers, unwalled=unwalled, progress=count,
            choose=False,
        )  # fmt: skip
    except VisCodexError as error:
        return {"error": (error.code.value, error.message, error.advice)}
    return {"items": counts}


def _tell(found: dict[str, Any], progress: Callable[[Progress], None]) -> None:
    if "error" in found:
        code, message, advice = found["error"]
        raise VisCodexError(ErrorCode(code), message, advice)
    for source, items in found["items"].items():
        progress(Progress(source, 1, items))
