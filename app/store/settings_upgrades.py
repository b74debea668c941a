"""How settings files of older versions become one of the present version.

Each step is a small function, registered with the version it leads to. It gets the JSON object of
the version before and returns the next one; it must not fail on odd values, which are checked
later. To change the file's shape add one function here and a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Content = dict[str, Any]
UPGRADES: dict[int, Callable[[Content], Content]] = {}


def upgrade_to(version: int) -> Callable[[Callable[[Content], Content]], Callable[..., Content]]:
    """Register the step from `version - 1` to `version`."""

    def register(step: Callable[[Content], Content]) -> Callable[[Content], Content]:
        UPGRADES[version] = step
        return step

    return register


@upgrade_to(2)
def _skip_the_first_run(stored: Content) -> Content:
    """Whoever has settings of version 1 has seen the application: no welcome page for them."""
    return {**stored, "first_run_done": True}


SCHEMA_VERSION = max(UPGRADES)


def version_of(stored: Content) -> int:
    """The version a file says it has; 1 where it says nothing sensible."""
    value = stored.get("schema_version")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def upgrade(stored: Content) -> Content:
    """`stored` as the present version has it; that of a newer version is returned as it is."""
    for version in range(version_of(stored) + 1, SCHEMA_VERSION + 1):
        stored = UPGRADES[version](stored)
    return stored
