"""Colours in code, taken from the picture."""
