"""Generated charts: `make_chart` writes a script, `Chart` holds it and what the picture needs."""

from training.nano.charts.make import KINDS, Chart, answer_tokens, make_chart

__all__ = ["KINDS", "Chart", "answer_tokens", "make_chart"]
