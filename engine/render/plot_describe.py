"""Says where the texts and the marks of a drawn figure are, in pixels of its picture (y down).

Used for building training data, from scripts of our own only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib import collections, lines, patches
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

MAX_CELLS = 400
MAX_POINTS = 400

Record = dict[str, Any]


def describe(figure: Figure) -> Record:
    """`texts` and `marks` of a figure whose canvas has just been drawn.

    A text: text, box, font_px, color, role, rotation (degrees, counterclockwise). Roles: title,
    xlabel, ylabel, xtick, ytick, legend, annotation. A mark: kind (bar, line, point, wedge, area,
    box, cell, legend, axes), box, color (None: nothing is filled or drawn by itself), and for
    line, wedge and area `points`, its outline or course. Boxes are x0, y0, x1, y1.
    """
    paper = _Paper(figure)
    texts = [record for text, role in _texts(figure) if (record := paper.text(text, role))]
    marks = [mark for axes in figure.axes for mark in _marks(axes, paper)]
    return {"width": paper.width, "height": paper.height, "texts": texts, "marks": marks}


class _Paper:
    """Turns display coordinates into pixels of the picture."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.width, self.height = figure.canvas.get_width_height(physical=True)
        self._renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]

    def flip(self, points: Any) -> list[list[float]]:
        """Display points, (n, 2) with y up, as pixels with y down."""
        array = np.asarray(points, dtype=float).reshape(-1, 2)
        array = array[np.isfinite(array).all(axis=1)]
        if len(array) > MAX_POINTS:
            array = array[np.linspace(0, len(array) - 1, MAX_POINTS).astype(int)]
        return [[round(float(x), 1), round(self.height - float(y), 1)] for x, y in array]

    def box(self, extent: Bbox, clip: Bbox | None = None) -> list[float] | None:
        """A display box cut to the picture (and to `clip`); None where nothing is left."""
        numbers = [extent.x0, extent.x1, extent.y0, extent.y1]
        if not np.isfinite(numbers).all():
            return None
        left, right = sorted((extent.x0, extent.x1))
        low, high = sorted((extent.y0, extent.y1))
        if clip is not None:
            left, right = max(left, clip.x0), min(right, clip.x1)
            low, high = max(low, clip.y0), min(high, clip.y1)
        x0, x1 = max(0.0, left), min(float(self.width), right)
        y0, y1 = max(0.0, self.height - high), min(float(self.height), self.height - low)
        if x1 < x0 or y1 < y0:
            return None
        return [round(float(v), 1) for v in (x0, y0, x1, y1)]

    def extent(self, artist: Artist) -> Bbox:
        return artist.get_window_extent(self._renderer)

    def text(self, text: Text, role: str) -> Record | None:
        """The record of a text that is drawn, or None."""
        content = text.get_text().strip()
        if not content or not text.get_visible():
            return None
        box = self.box(self.extent(text))
        if box is None or box[2] - box[0] < 1 or box[3] - box[1] < 1:
            return None
        return {
            "text": content,
            "box": box,
            "font_px": round(float(text.get_fontsize()) * self.figure.dpi / 72, 1),
            "color": _hex(text.get_color()),
            "role": role,
            "rotation": round(float(text.get_rotation()), 1),
        }


def _hex(color: Any) -> str | None:
    """`#rrggbb`, or None for no colour and for a fully transparent one."""
    if color is None or (isinstance(color, str) and color == "none"):
        return None
    rgba = np.asarray(color, dtype=float).reshape(-1) if not isinstance(color, str) else None
    if rgba is not None and (rgba.size < 3 or (rgba.size == 4 and rgba[3] == 0)):
        return None
    return str(to_hex(color if rgba is None else tuple(rgba[:4])))


def _mixed(color: Any, alpha: float | None = None) -> str | None:
    """The colour as seen on white paper."""
    from matplotlib.colors import to_rgba

    if color is None or (isinstance(color, str) and color == "none"):
        return None
    red, green, blue, own = to_rgba(color)
    share = own if alpha is None else alpha
    if share == 0:
        return None
    mixed = (1 - share * (1 - red), 1 - share * (1 - green), 1 - share * (1 - blue))
    return str(to_hex(mixed))


def _texts(figure: Figure) -> Iterator[tuple[Text, str]]:
    for title in (figure._suptitle, *figure.texts):  # type: ignore[attr-defined]
        if title is not None:
            yield title, "title" if title is not figure.texts else "annotation"
    for axes in figure.axes:
        for side in (axes.title, axes._left_title, axes._right_title):  # type: ignore[attr-defined]
            yield side, "title"
        if axes.axison:
            yield from _axis_texts(axes.xaxis, "x")
            yield from _axis_texts(axes.yaxis, "y")
        for text in axes.texts:
            yield text, "annotation"
        for legend in axes.findobj(Legend):
            yield legend.get_title(), "legend"
            for text in legend.get_texts():
                yield text, "legend"


def _axis_texts(axis: Axis, letter: str) -> Iterator[tuple[Text, str]]:
    if not axis.get_visible():
        return
    yield axis.label, f"{letter}label"
    yield axis.get_offset_text(), f"{letter}tick"
    low, high = sorted(axis.get_view_interval())
    slack = 1e-6 * (high - low)
    for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
        if low - slack <= tick.get_loc() <= high + slack:
            for label in (tick.label1, tick.label2):
                yield label, f"{letter}tick"


def _marks(axes: Axes, paper: _Paper) -> Iterator[Record]:
    if not axes.get_visible():
        return
    clip = axes.bbox.frozen()
    ground = _mixed(axes.get_facecolor()) if axes.axison else None
    yield from _mark("axes", paper.box(clip), ground)
    for patch in axes.patches:
        yield from _patch(patch, paper, clip)
    for image in axes.images:
        yield from _cells(image, paper, clip)
    for collection in axes.collections:
        yield from _collection(collection, paper, clip)
    for line in axes.lines:
        yield from _line(line, paper, clip)
    for legend in axes.findobj(Legend):
        if legend.get_visible():
            face = _mixed(legend.get_frame().get_facecolor()) if legend.get_frame_on() else None
            yield from _mark("legend", paper.box(paper.extent(legend)), face)


def _mark(kind: str, box: list[float] | None, color: str | None, **more: Any) -> Iterable[Record]:
    return [] if box is None else [{"kind": kind, "box": box, "color": color, **more}]


def _patch(patch: patches.Patch, paper: _Paper, clip: Bbox) -> Iterable[Record]:
    if not patch.get_visible():
        return []
    face = patch.get_facecolor()
    color = _mixed(face) if patch.get_fill() else _mixed(patch.get_edgecolor())
    wedge = isinstance(patch, patches.Wedge)
    box = paper.box(paper.extent(patch), None if wedge else clip)
    if isinstance(patch, patches.Rectangle):
        return _mark("bar", box, color)
    if isinstance(patch, patches.PathPatch):
        return _mark("box", box, color)
    outline = patch.get_transform().transform_path(patch.get_path())
    polygons: list[Any] = list(outline.to_polygons())
    points = paper.flip(max(polygons, key=len)) if polygons else []
    return _mark("wedge" if wedge else "area", box, color, points=points)


def _cells(image: AxesImage, paper: _Paper, clip: Bbox) -> Iterator[Record]:
    values = np.asarray(image.get_array())
    rows, columns = values.shape[:2]
    if rows * columns > MAX_CELLS or not image.get_visible():
        return
    left, right, bottom, top = image.get_extent()
    xs, ys = np.linspace(left, right, columns + 1), np.linspace(bottom, top, rows + 1)
    if image.origin == "upper":
        ys = ys[::-1]
    colors = image.to_rgba(values, norm=True)
    to_display = image.axes.transData.transform
    for row in range(rows):
        for column in range(columns):
            corners = to_display([(xs[column], ys[row]), (xs[column + 1], ys[row + 1])])
            color = _mixed(tuple(colors[row, column]))
            yield from _mark("cell", paper.box(Bbox(corners), clip), color)


def _collection(item: collections.Collection, paper: _Paper, clip: Bbox) -> Iterator[Record]:
    if not item.get_visible():
        return
    faces: Any = item.get_facecolor()
    edges: Any = item.get_edgecolor()
    chosen: Any = faces if len(faces) else edges
    colors = [_mixed(tuple(c)) for c in chosen] or [None]
    if isinstance(item, collections.PathCollection):
        centres = item.get_offset_transform().transform(np.ma.filled(item.get_offsets(), np.nan))
        sizes = np.sqrt(item.get_sizes()) * paper.figure.dpi / 72
        for i, (x, y) in enumerate(centres):
            half = float(sizes[i % len(sizes)]) / 2 if len(sizes) else 1.0
            box = paper.box(Bbox([(x - half, y - half), (x + half, y + half)]), clip)
            yield from _mark("point", box, colors[i % len(colors)])
        return
    if isinstance(item, collections.LineCollection):
        for i, path in enumerate(item.get_paths()):
            course = item.get_transform().transform(path.vertices)
            if len(course):
                box = paper.box(_around(course), clip)
                yield from _mark("line", box, colors[i % len(colors)], points=paper.flip(course))
        return
    if isinstance(item, collections.QuadMesh):
        return  # the gradient of a colour bar
    for i, path in enumerate(item.get_paths()):
        outline = item.get_transform().transform(path.vertices)
        if len(outline):
            box = paper.box(_around(outline), clip)
            yield from _mark("area", box, colors[i % len(colors)], points=paper.flip(outline))


def _around(points: Any) -> Bbox:
    array = np.asarray(points, dtype=float)
    return Bbox([np.nanmin(array, axis=0), np.nanmax(array, axis=0)])


def _line(line: lines.Line2D, paper: _Paper, clip: Bbox) -> Iterator[Record]:
    if not line.get_visible():
        return
    path = line.get_transform().transform_path(line.get_path())
    vertices = np.asarray(path.vertices)
    vertices = vertices[np.isfinite(vertices).all(axis=1)]
    if not len(vertices):
        return
    alpha = line.get_alpha()
    if line.get_linestyle() not in ("None", "none", "", " ") and len(vertices) > 1:
        half = max(0.5, line.get_linewidth() * paper.figure.dpi / 144)
        box = paper.box(_around(vertices).padded(half), clip)
        closed = len(vertices) == 5 and np.allclose(vertices[0], vertices[-1])
        color = _mixed(line.get_color(), alpha)
        kind = "box" if closed else "line"
        yield from _mark(kind, box, color, points=paper.flip(vertices))
    if line.get_marker() not in ("None", "none", "", " ", None):
        half = line.get_markersize() * paper.figure.dpi / 144
        color = _mixed(line.get_markerfacecolor(), alpha)
        # Markers sit on the data; a step line has more corners than data.
        data = line.get_transform().transform(line.get_xydata())
        for x, y in np.asarray(data):
            box = paper.box(Bbox([(x - half, y - half), (x + half, y + half)]), clip)
            yield from _mark("point", box, color)
