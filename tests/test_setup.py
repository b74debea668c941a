"""Set-up on a fresh machine: the parts of packaging/setup that decide something."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUP = ROOT / "packaging" / "setup"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="set-up by make is for POSIX")


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SETUP / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def machine() -> ModuleType:
    return load("machine")


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The set-up module, on an environment of its own whose python is a stub (see `stub`)."""
    monkeypatch.setenv("VENV", str(tmp_path / "venv"))
    monkeypatch.syspath_prepend(str(SETUP))
    module = load("prepare")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    return module


def stub(prepare: ModuleType, check: str) -> Path:
    """A python that logs its calls; `check` is the shell line for the library check."""
    log = prepare.VENV / "calls"
    prepare.PYTHON.write_text(
        "#!/bin/sh\n"
        f'echo "$CMAKE_ARGS $*" >> {log}\n'
        'case "$*" in\n'
        f"*engine.devices*) {check};;\n"
        f"*install*) touch {prepare.VENV}/rebuilt;;\n"
        "esac\n"
    )
    prepare.PYTHON.chmod(0o755)
    return log


def test_flags_of_a_processor(machine: ModuleType) -> None:
    flags = machine.cpu_flags("processor\t: 0\nflags\t\t: fpu sse4_2 avx avx2 fma f16c bmi2\n")
    assert {"avx2", "fma"} <= flags
    options = machine.build_flags(flags)
    assert {"-DGGML_NATIVE=OFF", "-DGGML_AVX2=ON", "-DGGML_AVX512=OFF"} <= set(options)


def test_avx512_is_built_only_where_all_of_it_is_there(machine: ModuleType) -> None:
    part = frozenset({"avx2", "avx512f", "avx512_vnni"})
    assert "-DGGML_AVX512=OFF" in machine.build_flags(part)
    assert "-DGGML_AVX512_VNNI=OFF" in machine.build_flags(part)
    assert "-DGGML_AVX512=ON" in machine.build_flags(part | machine.AVX512_PARTS)


def test_an_unknown_processor_is_left_to_the_compiler(machine: ModuleType) -> None:
    assert machine.build_flags(frozenset({"asimd", "fphp"})) == ["-DGGML_NATIVE=ON"]
    assert machine.build_flags(frozenset()) == ["-DGGML_NATIVE=ON"]


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="no dpkg")
def test_missing_packages_are_found(machine: ModuleType) -> None:
    machine.PACKAGES["some"] = ("dpkg", "no-such-package-a|no-such-package-b")
    assert machine.missing_packages("some") == ["no-such-package-b"]


def test_a_good_library_is_checked_once(prepare: ModuleType) -> None:
    log = stub(prepare, "exit 0")
    prepare.settle_library()
    prepare.settle_library()
    assert log.read_text().count("engine.devices") == len(prepare.CHECKS)


def test_an_illegal_instruction_leads_to_one_rebuild(prepare: ModuleType) -> None:
    log = stub(prepare, f"[ -e {prepare.VENV}/rebuilt ] || kill -ILL $$")
    prepare.settle_library()
    calls = log.read_text().splitlines()
    assert len(calls) == 3
    assert prepare.LLAMA in calls[1]
    assert f"--cache-dir {prepare.machine.cache_folder()}" in calls[1]
    assert "-DGGML_NATIVE" in calls[1]


def test_a_rebuild_that_does_not_help_ends_in_one_line(prepare: ModuleType) -> None:
    stub(prepare, "kill -ILL $$")
    with pytest.raises(prepare.SetupError, match="illegal instruction"):
        prepare.settle_library()
    assert prepare.read_stamp("llama") is None


def test_matrix_units_that_crash_lead_to_one_rebuild(prepare: ModuleType) -> None:
    log = stub(
        prepare, f'case "$*" in *rearranged*) [ -e {prepare.VENV}/rebuilt ] || kill -SEGV $$;; esac'
    )
    prepare.settle_library()
    prepare.settle_library()
    assert sum("install" in call for call in log.read_text().splitlines()) == 1


def test_a_library_without_matrix_units_serves(prepare: ModuleType) -> None:
    stub(prepare, 'case "$*" in *rearranged*) kill -SEGV $$;; esac')
    prepare.settle_library()
    assert prepare.read_stamp("llama") is not None


CONFIGURATION = """
struct Tiles { char palette, start, reserved[14]; short bytes[16]; char rows[16]; };
void configure() { struct Tiles tiles = {}; tiles.bytes[5] = 23131; _tile_loadconfig(&tiles); }
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="an instruction of x86")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
def test_the_whole_tile_configuration_is_stored(machine: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "tiles.c"
    source.write_text(CONFIGURATION)
    told = machine.build_environment()
    command = ["gcc", *told["CFLAGS"].split(), "-O3", "-mamx-tile", "-S", "-o", "-", str(source)]
    done = subprocess.run(
        command, env={**os.environ, **told}, capture_output=True, text=True, check=True
    )
    assert "ldtilecfg" in done.stdout
    assert "23131" in done.stdout


def other_processor(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    flags = frozenset({"avx2", "fma", "avx_vnni"} ^ (module.cpu_flags() & {"avx_vnni"}))
    monkeypatch.setattr(module, "cpu_flags", lambda: flags)


def test_another_processor_gets_a_library_of_its_own(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one of the old processor may pass: it was seen to die in what the check left out.
    log = stub(prepare, "exit 0")
    prepare.settle_library()
    assert "install" not in log.read_text()
    other_processor(monkeypatch, prepare.machine)
    prepare.settle_library()
    assert log.read_text().count("pip install") == 1


def test_options_hold_until_others_are_given(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = stub(prepare, f"[ -e {prepare.VENV}/rebuilt ]")

    def built(options: str | None) -> bool:
        log.write_text("")
        if options is None:
            monkeypatch.delenv("CMAKE_ARGS", raising=False)
        else:
            monkeypatch.setenv("CMAKE_ARGS", options)
        prepare.settle_library()
        return "pip install" in log.read_text()

    assert built("-DGGML_CUDA=ON")
    assert "-DGGML_CUDA=ON -m pip install" in log.read_text()
    assert not built(None)
    assert built("")
    assert not built(None)


def test_a_build_is_kept_for_its_processor_and_options(
    machine: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = machine.build_key("llama")
    assert machine.build_key("llama") == here
    assert machine.build_key("llama 2") != here
    assert machine.build_key("llama", "-DGGML_CUDA=ON") != here
    other_processor(monkeypatch, machine)
    assert machine.build_key("llama") != here


def test_a_second_call_does_next_to_nothing(prepare: ModuleType) -> None:
    log = stub(prepare, "exit 0")
    prepare.settle_library()
    prepare.write_stamp("dev", prepare.fingerprint("dev"))
    log.unlink()
    start = time.perf_counter()
    prepare.prepare("app")  # what `dev` has is enough for `app`
    prepare.prepare("dev")
    assert time.perf_counter() - start < 1.0
    assert not log.exists()


def test_a_changed_dependency_list_is_noticed(prepare: ModuleType) -> None:
    stamp = prepare.fingerprint("app")
    prepare.write_stamp("app", stamp)
    assert prepare.read_stamp("app") == stamp
    prepare.stamp_path("app").write_text(json.dumps({**stamp, "inputs": "old"}))
    assert prepare.read_stamp("app") != prepare.fingerprint("app")


def test_a_folder_that_is_no_environment_is_left_alone(prepare: ModuleType) -> None:
    keep = prepare.VENV / "thesis.txt"
    keep.write_text("years of work")
    with pytest.raises(prepare.SetupError, match="not a virtual environment"):
        prepare.make_environment()
    assert keep.read_text() == "years of work"


def test_wrong_arguments_are_refused() -> None:
    result = subprocess.run(
        [sys.executable, str(SETUP / "prepare.py"), "everything"], capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr.startswith("usage:")
