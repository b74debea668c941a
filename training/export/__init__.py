"""Checkpoint to GGUF: text model, vision projector, card, and the check that they are the same."""

from training.export.bundle import ExportReport, export_checkpoint

__all__ = ["ExportReport", "export_checkpoint"]
