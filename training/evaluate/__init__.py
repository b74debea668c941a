"""Measuring: answers of an exported model, rendered and scored."""
