"""Whether llama.cpp computes on this processor: asked for real, and what follows from a no."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from engine import devices
from engine.arithmetic import COLUMNS, PRODUCT, STORED, Arithmetic
from engine.errors import ErrorCode, VisCodexError
from engine.ggml import Ggml
from engine.llama.library import model_params


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Answers are kept for the life of a process."""
    for asked in (devices.matrix_units_work, devices.has_matrix_units):
        asked.cache_clear()
    yield
    for asked in (devices.matrix_units_work, devices.has_matrix_units):
        asked.cache_clear()


def test_plain_products_are_right() -> None:
    products = Arithmetic(Ggml()).plain()
    assert len(products) == (1 + len(STORED)) * len(COLUMNS)
    assert products == {name: pytest.approx(PRODUCT, abs=1.0) for name in products}


def test_products_of_rearranged_weights_are_right() -> None:
    # In a process of its own, which a library that was built wrongly would end.
    code = (
        "import json\n"
        "from engine.arithmetic import Arithmetic\n"
        "from engine.ggml import Ggml\n"
        "print(json.dumps(Arithmetic(Ggml()).rearranged()))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        assert not devices.matrix_units_work()
        pytest.skip("llama.cpp was built for this processor by a compiler that gets it wrong")
    products = json.loads(done.stdout.splitlines()[-1])
    assert products == {name: pytest.approx(PRODUCT, abs=1.0) for name in products}
    if devices.has_matrix_units():
        assert products


def test_the_library_here_passes() -> None:
    devices.check_library()


def test_units_that_end_the_process_stay_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    # The child asks a module that kills its process, as a wrongly built library does.
    monkeypatch.setattr(devices, "has_matrix_units", lambda: True)
    dying = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"

    def ask(arguments: list[str], timeout: float) -> str:
        way = dying if devices.CHECK_REARRANGED in arguments else "pass"
        command = [sys.executable, "-c", way]
        if subprocess.run(command, timeout=timeout, check=False).returncode:
            raise VisCodexError(ErrorCode.internal, "llama.cpp does not run")
        return ""

    monkeypatch.setattr(devices, "_ask", ask)
    assert not model_params().use_extra_bufts
    with pytest.raises(VisCodexError, match="matrix units"):
        devices.check_library()


def test_units_that_work_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_ask", lambda arguments, timeout: "")
    assert model_params().use_extra_bufts
