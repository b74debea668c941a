"""`data build --ray`: a cluster of two workers makes what one machine makes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import VisCodexError
from tests.training.test_data_build import contents, recipe
from training.data.build import build
from training.data.ray_build import build_on_ray

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(
    not HAS_RAY, reason="Ray is not installed: pip install -e '.[training,ray]'"
)


def test_without_ray_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VisCodexError, match="Ray is not installed") as caught:
        build_on_ray(recipe(), tmp_path / "set", "local")
    assert caught.value.exit_code == 2 and not (tmp_path / "set").exists()


@pytest.fixture
def cluster() -> Iterator[str]:
    """Two nodes of one processor each, on this machine; the address."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    try:
        nodes.add_node(num_cpus=1)
        yield nodes.address
    finally:
        nodes.shutdown()


@needs_ray
@pytest.mark.slow
def test_two_workers_make_the_same_set(cluster: str, tmp_path: Path) -> None:
    plan = recipe(hints=0.5)
    build(plan, tmp_path / "one", workers=2)
    told: list[tuple[str, int]] = []
    outcome = build_on_ray(
        plan, tmp_path / "ray", cluster, workers=1,
        progress=lambda news: told.append((news.source, news.items)),
    )  # fmt: skip
    assert outcome.report is not None
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")
    assert (tmp_path / "ray" / "report.json").read_bytes() == (
        tmp_path / "one" / "report.json"
    ).read_bytes()
    assert sorted(told) == [("generated", 12), ("generated", 12)]  # each did its half


@needs_ray
@pytest.mark.slow
def test_errors_of_workers_and_of_addresses_come_in_one_line(tmp_path: Path) -> None:
    for address, said in (("127.0.0.1:1", "refused"), ("nowhere", "HOST:PORT")):
        with pytest.raises(VisCodexError, match=said) as caught:
            build_on_ray(recipe(), tmp_path / "set", address)
        assert caught.value.exit_code == 2 and not (tmp_path / "set").exists()
    nothing = recipe(
        sources=[{"type": "generated", "samples": 2}], filters={"tokens": [9000, 9001]}
    )
    with pytest.raises(VisCodexError, match="No record passed"):
        build_on_ray(nothing, tmp_path / "none", "local", workers=1)
