"""Which plan loaded a model on this machine, and which ended the process: for the next start.

What is remembered holds for one situation: these model files, these devices with their memory, this
library and this driver. If one of them changes, plans are made as if nothing was known. The file
may be lost or broken at any time; it only saves attempts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from engine.devices import Device
from engine.fit import Plan

FOLDER_VARIABLE = "VISCODEX_CACHE"
FILE_NAME = "plans.json"
VERSION = 1
MOST = 64
MAX_BYTES = 1_000_000
BROKEN = (TypeError, KeyError, ValueError, AttributeError, OverflowError)
ROOMIER = 1.1  # times the free memory of a refusal, from which on it is tried again


@dataclass(frozen=True)
class Record:
    """What is known of one situation.

    `worked` is the signature of the plan that loaded, `refused` those that failed in order, each
    with the bytes that were free on its device; `failed` names devices that ended the process,
    `trying` the one that is being tried.
    """

    key: str
    model: str
    worked: str = ""
    refused: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    trying: str = ""

    @classmethod
    def from_json(cls, data: Any) -> Record:
        """Raises one of BROKEN for what is none."""
        texts = {name: data.get(name, "") for name in ("key", "model", "worked", "trying")}
        if not all(isinstance(text, str) and len(text) < 400 for text in texts.values()):
            raise ValueError("no texts")
        refused = {str(plan): int(free) for plan, free in data["refused"].items()}
        return cls(**texts, refused=refused, failed=tuple(map(str, data["failed"])))


def signature(plan: Plan, layers: int) -> str:
    """What a plan comes down to: the exact number of layers changes with the free memory."""
    if not plan.device:
        part = "none"
    elif plan.gpu_layers > layers:
        part = "whole"
    else:
        part = "layers" if plan.gpu_layers else "vision"
    return f"{plan.device}/{part}/{plan.kv_type}/{plan.context}/{plan.image_tokens}"


def arrange(plans: Sequence[Plan], layers: int, record: Record) -> tuple[list[Plan], str]:
    """The plans worth trying, in order, and what was remembered, for people ("": nothing).

    Devices that ended the process are left out. The plan that worked comes first where all that
    are better were refused with as much memory free as now; else plans stay as they are.
    """
    kept = [plan for plan in plans if plan.device not in record.failed or not plan.device]
    remark = ""
    if len(kept) < len(plans):
        names = ", ".join(sorted({plan.device for plan in plans} & set(record.failed)))
        remark = f"remembered: {names} ended the engine with this model"
    names_of = [signature(plan, layers) for plan in kept]
    if record.worked in names_of:
        place = names_of.index(record.worked)
        hopeless = all(
            name in record.refused and plan.free <= ROOMIER * record.refused[name]
            for name, plan in zip(names_of[:place], kept, strict=False)
        )
        if place and hopeless:
            kept = kept[place:]
            remark = remark or "remembered: what was better could not be loaded"
    return kept, remark and f"{remark} (viscodex devices --forget tries again)"


def refused(record: Record, plan: Plan, layers: int) -> Record:
    """The record after a plan failed in order."""
    more = {**record.refused, signature(plan, layers): plan.free}
    return replace(record, refused=more, trying="")


def worked(record: Record, plan: Plan, layers: int) -> Record:
    """The record after a plan loaded."""
    name = signature(plan, layers)
    others = {other: free for other, free in record.refused.items() if other != name}
    return replace(record, worked=name, refused=others, trying="")


def model_id(model: Path, mmproj: Path) -> str:
    """Names two files by size and time of change, without saying where they lie."""
    facts = [(path.stat().st_size, path.stat().st_mtime_ns) for path in (model, mmproj)]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def situation(model: str, devices: Sequence[Device], library: str) -> str:
    """A name for all that a record hangs on."""
    facts = [(one.name, one.description, one.memory_total) for one in devices]
    text = repr((model, facts, library, driver()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def driver() -> str:
    """What changes with the graphics driver, as far as it can be told without asking it."""
    told = [platform.system(), platform.release(), platform.version()]
    with contextlib.suppress(OSError):
        told.append(Path("/proc/driver/nvidia/version").read_text(errors="replace")[:300])
    return "|".join(told)


class Memory:
    """The file of records: newest last, at most MOST of them. No error of it stops anything."""

    def __init__(self, path: Path | None = None) -> None:
        folder = os.environ.get(FOLDER_VARIABLE)
        self.path = path or (Path(folder) if folder else user_cache_path("viscodex")) / FILE_NAME

    def records(self) -> list[Record]:
        """All of them that can be read."""
        try:
            if self.path.stat().st_size > MAX_BYTES:
                return []
            data = json.loads(self.path.read_text(encoding="utf-8"))
            if data["version"] != VERSION:
                return []
            rows = list(data["records"])
        except (OSError, RecursionError, *BROKEN):
            return []
        found = []
        for row in rows[-MOST:]:
            with contextlib.suppress(*BROKEN):
                found.append(Record.from_json(row))
        return found

    def find(self, key: str, model: str) -> Record:
        """What is known of a situation; an empty record where that is nothing."""
        known = (record for record in self.records() if record.key == key)
        return next(known, Record(key, model))

    def keep(self, record: Record) -> None:
        """Write it down in place of the former one."""
        others = [one for one in self.records() if one.key != record.key]
        self._write([*others, record])

    def died(self, model: str, device: str) -> None:
        """The process ended while it tried a device for a model."""
        self._write(
            [
                replace(one, trying="", failed=(*one.failed, device))
                if (one.model, one.trying) == (model, device)
                else one
                for one in self.records()
            ]
        )

    def forget(self) -> int:
        """Remove the file; how many records it had. Raises OSError where it must not be removed."""
        count = len(self.records())
        if self.path.exists():
            self.path.unlink()
        return count

    def _write(self, records: Sequence[Record]) -> None:
        rows = [{**asdict(one), "refused": dict(one.refused)} for one in records[-MOST:]]
        text = json.dumps({"version": VERSION, "records": rows}, indent=1)
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(text, encoding="utf-8")
            beside.replace(self.path)
