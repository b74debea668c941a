"""What the tests of data sources share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from training.data.draft import Tools


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    """Real renderers, started when first needed."""
    with Tools() as found:
        yield found
