"""What the tests of the engine share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.bench import Bench, opened


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A client whose workers meet faults to order."""
    with opened(tmp_path_factory.mktemp("bench")) as made:
        yield made
