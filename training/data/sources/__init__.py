"""The table of sources: a new one is a row here and a file beside."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from training.data.sources.algorithm import ALGORITHM
from training.data.sources.base import Source
from training.data.sources.charts import CHARTS
from training.data.sources.generated import GENERATED
from training.data.sources.qa import QA
from training.data.sources.rows import ROWS
from training.data.sources.web import WEB

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "mcd": ROWS,
        "websight": ROWS,
        "web2code": ROWS,
        "chart2code": ROWS,
        "web": WEB,
        "charts": CHARTS,
        "generated": GENERATED,
        "qa": QA,
        "algorithm": ALGORITHM,
    }
)
