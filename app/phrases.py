"""Sentences that come finished and in English, from the engine and the checks, put into the
language of the windows.

They are known by their shape. What is not in the table stays as it is: the details of an error, the
names of devices, the words of libraries.
"""

from __future__ import annotations

import re
from functools import cache

from app.i18n import N_, _

PHRASES = (
    # What computes, and why
    N_("CPU, {count} threads"),
    N_("{device}: the whole model"),
    N_("{device}: {fitting} of {count} layers fit"),
    N_("{device}: only the vision part"),
    N_("processor"),
    N_("processor: no graphics device has room"),
    N_("{what}: it needs {needed} GiB, {free} GiB are free"),
    N_("{what}, but that failed"),
    N_("{what} (8-bit cache)"),
    N_("{what} (8-bit cache, smaller pictures)"),
    # While it converts
    N_("{problem}; trying again"),
    N_("Reading the colours of the picture"),
    N_("Comparing the words with the picture"),
    # Downloads
    N_("the file on the server is another one now"),
    N_("the server has no such part of the file"),
    N_("the server sends whole files only"),
    N_("the file on the server has changed"),
    # Servers
    N_(
        "Picture and code travel to {host} unencrypted; anyone on the way can read them. "
        "Use https where you can."
    ),
    N_(
        "Picture and code travel to {host} unencrypted; anyone on the way can read them. "
        "The key is not sent. Use https where you can."
    ),
    # The checks of the diagnostics
    N_("Python {version} on {system}"),
    N_("llama-cpp-python {version} loads and computes"),
    N_("{name}: {model} and {vision} are whole"),
    N_("reads a printed word"),
    N_("the page comes out in another colour"),
    N_("Qt WebEngine draws a page"),
    N_("nothing was drawn"),
    N_("matplotlib draws a chart in a process of its own"),
    N_("charts are not drawn here: {why}"),
    N_("{wall}: no files of yours, no network, no other processes"),
    N_("not stopped: {what}"),
    N_("no wall"),
    N_("{layer}, {seccomp}: adequately sandboxed, says Chromium"),
    N_("{layer}, {seccomp}: NOT adequately sandboxed, says Chromium"),
    N_("namespaces"),
    N_("SUID helper"),
    N_("no namespaces"),
    N_("no seccomp-BPF"),
    N_("could not be told: {why}"),
    N_("Chromium's page on it reads otherwise than expected"),
    N_("Chromium's page on it does not load"),
    N_("Chromium's page on it crashed"),
    N_("Chromium's page on it is silent"),
    N_("the preview is off"),
    N_("Wayland without X11: open, drop or paste a picture instead"),
    N_("no display here"),
    N_("{number} screen(s)"),
    N_("The checks ended early (exit status {status})."),
    N_("The checks could not be started."),
    # The preview, in the diagnostics
    N_("off: Chromium does not run with its sandbox for this user"),
    N_("not started yet"),
    N_("Qt WebEngine {version}, in its sandbox"),
    N_("Qt WebEngine {version}, without its sandbox, as was asked for"),
    # The catalogue of models
    N_("Qwen Research License (no commercial use)"),
    N_("Quick on a laptop; plain components and short texts."),
    N_("Small; not for commercial use. Qwen3-VL 4B is the free choice of this size."),
    N_("A fair start without a graphics card: components and simple charts."),
    N_("Whole pages and charts; the architecture this application is measured with most."),
    N_("Whole pages and charts; the best choice for a graphics card of 8 to 12 GB."),
    N_("Dense pages with much text; for a workstation."),
    N_("The best of this list; for a workstation or a graphics card of 24 GB and more."),
)
"""Plain ones and such with places to fill, whose content is looked for in the table as well."""


def translated(text: str) -> str:
    """`text` in the language of the windows where it has the shape of a phrase, else as it is."""
    if text in PHRASES:
        return _(text)
    for phrase, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            values = {name: translated(value) for name, value in found.groupdict().items()}
            return _(phrase).format(**values)
    parts = text.split("; ")
    return "; ".join(map(translated, parts)) if len(parts) > 1 else text


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The phrases with places, those with the most words first."""
    made = []
    for phrase in PHRASES:
        pieces = re.split(r"\{(\w+)\}", phrase)
        if len(pieces) > 1:
            shape = "".join(
                f"(?P<{piece}>.+?)" if number % 2 else re.escape(piece)
                for number, piece in enumerate(pieces)
            )
            made.append((phrase, re.compile(shape, re.DOTALL)))
    return tuple(sorted(made, key=lambda one: -len(re.sub(r"\{\w+\}", "", one[0]))))
