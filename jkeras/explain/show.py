"""Attributions as pictures: over images, signed, over texts, of features; with matplotlib."""

import types
from typing import Any
from collections.abc import Sequence

import numpy as np

from jkeras.core.errors import check_choice, explain
from jkeras.explain import show_features
from jkeras.explain.show_features import SIGNED

KINDS = ("overlay", "signed", "text", *show_features.KINDS)
HEAT = "magma"
PANEL = 2.2  # inches
LINE = 84  # characters of a text in a line
MOST_IMAGES = 8


def show(
    x: Any,
    attributions: Any,
    kind: str = "overlay",
    *,
    labels: Any = None,
    title: str | None = None,
    base: float = 0.0,
    limit: int = 10,
) -> Any:
    """Draws attributions; needs matplotlib.

    Args:
        x: what they are of: an image (height, width, channels) or up to 8 of them, for "overlay"
            and "signed"; words for "text"; the features of one row for "waterfall" and "force", of
            many rows for "beeswarm".
        attributions: as `x`; of images also maps (height, width) of another size. Of more numbers
            for each word the sum counts.
        kind: "overlay": images under a map of sizes, each from 0 to its largest; "signed": maps in
            red (for the score) and blue (against it); "text": words on the same colours;
            "waterfall": how features lead from the baseline's score to the row's; "force": what
            pushes the score up and down to where it is; "beeswarm": a point of each row for each
            feature, in the colour of its value. These three are drawn by shap where it is
            installed, and by matplotlib where not.
        labels: a title for each image; names of the features.
        base: the baseline's score, where a waterfall begins.
        limit: how many features are shown; the others are one bar.

    Returns:
        The matplotlib figure.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: an unknown kind; shapes that do not go together.

    >>> figure = show(np.zeros((3, 8, 8, 1)), np.ones((3, 8, 8)), "signed")
    >>> len(figure.axes)  # three images, three maps and a scale
    7
    """
    check_choice("kind", kind, KINDS, "explain.show")
    pyplot = _pyplot()
    attributions = np.asarray(attributions, float)
    if kind == "text":
        return _text(pyplot, list(x), attributions, title)
    if kind in show_features.KINDS:
        given = show_features.features(x, attributions, kind, labels, base, limit, title)
        return show_features.draw(pyplot, kind, given)
    images = np.asarray(x, float)
    if images.ndim == 3:
        images, attributions = images[None], attributions[None]
    if images.ndim != 4 or len(images) != len(attributions) or len(images) > MOST_IMAGES:
        wanted = f"up to {MOST_IMAGES} images (height, width, channels), and a map of each"
        received = f"shapes {images.shape} and {attributions.shape}"
        raise ValueError(explain("explain.show", wanted, received))
    if attributions.ndim == 4:
        attributions = attributions.sum(-1)
    return _images(pyplot, images, attributions, kind, labels, title)


def _pyplot() -> types.ModuleType:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "`explain.show` needs matplotlib. Install it with `pip install matplotlib`."
        ) from error
    return pyplot


# ---------------------------------------------------------------- images


def _images(
    pyplot: types.ModuleType,
    images: np.ndarray,
    maps: np.ndarray,
    kind: str,
    labels: Sequence[str] | None,
    title: str | None,
) -> Any:
    count = len(images)
    figure, axes = pyplot.subplots(
        2, count, squeeze=False, figsize=(PANEL * count + 0.7, 2 * PANEL), layout="constrained"
    )
    if kind == "signed":
        most = np.abs(maps).max() or 1.0
        scale = {"cmap": SIGNED, "vmin": -most, "vmax": most}
    else:
        largest = np.abs(maps).max((1, 2), keepdims=True)
        maps = np.abs(maps) / np.where(largest == 0, 1, largest)
        scale = {"cmap": HEAT, "vmin": 0.0, "vmax": 1.0}
    for i, (image, one) in enumerate(zip(images, maps)):
        above, below = axes[:, i]
        _draw(above, image)
        extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
        if kind == "overlay":
            _draw(below, image.mean(-1, keepdims=True))
            drawn = below.imshow(one, extent=extent, alpha=0.65, interpolation="bilinear", **scale)
        else:
            drawn = below.imshow(one, extent=extent, interpolation="nearest", **scale)
        if labels is not None:
            above.set_title(str(labels[i]), fontsize=9)
    for axis in axes.flat:
        axis.set_axis_off()
    bar = figure.colorbar(drawn, ax=list(axes[1]), shrink=0.8, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=2)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _draw(axis: Any, image: np.ndarray) -> None:
    """Draws an image of any range of values."""
    low, high = image.min(), image.max()
    image = (image - low) / ((high - low) or 1.0)
    if image.shape[-1] == 3:
        axis.imshow(image)
    else:
        axis.imshow(image.mean(-1), cmap="gray", vmin=0, vmax=1)


# ---------------------------------------------------------------- texts


def _text(
    pyplot: types.ModuleType, words: Sequence[str], attributions: np.ndarray, title: str | None
) -> Any:
    values = attributions.reshape(len(attributions), -1).sum(1)
    if len(values) != len(words):
        raise ValueError(
            explain("explain.show", f"a number for each of {len(words)} words", f"{len(values)}")
        )
    lines = _lines([str(word) for word in words])
    figure = pyplot.figure(figsize=(7, 0.34 * len(lines) + (0.75 if title else 0.4)))
    axis = figure.add_axes((0.02, 0.02, 0.96, 0.84 if title else 0.96))
    axis.set_axis_off()
    axis.set(xlim=(0, LINE), ylim=(len(lines), 0))
    most = np.abs(values).max() or 1.0
    colours = pyplot.get_cmap(SIGNED)
    for row, line in enumerate(lines):
        for place, number, word in line:
            share = values[number] / most
            colour = colours(0.5 + 0.42 * share)
            dark = abs(share) > 0.75
            box = {"facecolor": colour, "edgecolor": "none", "boxstyle": "round,pad=0.18"}
            axis.text(
                place,
                row + 0.5,
                word,
                family="monospace",
                fontsize=9,
                va="center",
                color="white" if dark else "black",
                bbox=box,
            )
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _lines(words: Sequence[str]) -> list[list[tuple]]:
    """Lines of (place, number, word)."""
    lines, place = [[]], 0
    for number, word in enumerate(words):
        if place and place + len(word) > LINE:
            lines.append([])
            place = 0
        lines[-1].append((place, number, word))
        place += len(word) + 1
    return lines


__all__ = ["show"]
