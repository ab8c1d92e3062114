"""Pictures of attributions of features: waterfalls, forces and swarms; by shap where it is
installed, whose pictures people know, else with matplotlib.
"""

import dataclasses
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jkeras.core.errors import explain

KINDS = ("waterfall", "force", "beeswarm")
SIGNED = "RdBu_r"  # red: for the score, blue: against it
SPREAD = 0.38  # of a row of points, at most
BINS = 40  # along the axis, in which points lie beside each other


@dataclasses.dataclass(frozen=True)
class Features:
    """Attributions of the features of rows.

    Attributes:
        rows, values: (rows, features): what they are of, and they themselves.
        names: of the features.
        base: the score that a row's values are added to.
        limit: how many features are shown.
        title: of the picture.
    """

    rows: np.ndarray
    values: np.ndarray
    names: list[str]
    base: float
    limit: int
    title: str | None

    def order(self) -> np.ndarray:
        """The numbers of the features, those of the largest values first."""
        return np.argsort(-np.abs(self.values).mean(0))


def features(
    x: Any,
    values: np.ndarray,
    kind: str,
    labels: Sequence[str] | None,
    base: float,
    limit: int,
    title: str | None,
) -> Features:
    """What a picture of a kind shows: one row, or many of a swarm.

    Raises:
        ValueError: shapes that do not go together.
    """
    rows = np.asarray(x)
    axes = 2 if kind == "beeswarm" else 1
    if values.ndim != axes or rows.shape != values.shape:
        wanted = "one row and a number for each value"
        if kind == "beeswarm":
            wanted = "rows of features and as many rows of numbers"
        received = f"shapes {rows.shape} and {values.shape}"
        raise ValueError(explain(f"explain.show {kind!r}", wanted, received))
    count = values.shape[-1]
    names = [f"feature {i}" for i in range(count)] if labels is None else [str(n) for n in labels]
    if len(names) != count:
        raise ValueError(
            explain(f"explain.show {kind!r}", f"a name of each of {count} features", len(names))
        )
    return Features(np.atleast_2d(rows), np.atleast_2d(values), names, base, limit, title)


def draw(pyplot: types.ModuleType, kind: str, shown: Features) -> Any:
    """The figure of a kind."""
    try:
        import shap
    except ImportError:
        shap = None
    if shap is not None:
        figure = _by_shap(pyplot, shap, kind, shown)
        if shown.title:
            figure.suptitle(shown.title, fontsize=11)
        return figure
    return BY_MATPLOTLIB[kind](pyplot, shown)


def _by_shap(pyplot: types.ModuleType, shap: types.ModuleType, kind: str, shown: Features) -> Any:
    pyplot.figure()  # shap draws on the current one
    if kind == "force":
        shap.plots.force(
            shown.base,
            shown.values[0],
            np.array([_told(value) for value in shown.rows[0]]),
            shown.names,
            matplotlib=True,
            show=False,
        )
        return pyplot.gcf()
    has_others = shown.values.shape[1] > shown.limit
    most = shown.limit + int(has_others)  # shap counts the bar of the others
    explanation = shap.Explanation(
        shown.values if kind == "beeswarm" else shown.values[0],
        np.full(len(shown.rows), shown.base) if kind == "beeswarm" else shown.base,
        data=shown.rows if kind == "beeswarm" else shown.rows[0],
        feature_names=shown.names,
    )
    getattr(shap.plots, kind)(explanation, max_display=most, show=False)
    return pyplot.gcf()


# ---------------------------------------------------------------- by matplotlib


def _waterfall(pyplot: types.ModuleType, shown: Features) -> Any:
    bars = _bars(shown)
    figure, axis = pyplot.subplots(figsize=(6.4, 0.36 * len(bars) + 1.1), layout="constrained")
    begin = shown.base
    for place, (_, value) in enumerate(bars[::-1]):
        axis.barh(place, value, left=begin, height=0.62, color=_colour(pyplot, value))
        begin += value
        _annotate(axis, f"{value:+.3g}", (begin, place), value)
    axis.set_yticks(range(len(bars)), [name for name, _ in bars[::-1]], fontsize=9)
    axis.axvline(shown.base, color="0.6", linewidth=0.8, zorder=0)
    return _finished(figure, axis, shown)


def _force(pyplot: types.ModuleType, shown: Features) -> Any:
    """What speaks for the score lies on its left and ends at it, what speaks against it on its
    right.
    """
    bars = _bars(shown)
    figure, axis = pyplot.subplots(figsize=(9.0, 1.9), layout="constrained")
    score = shown.base + shown.values[0].sum()
    ends = {True: score, False: score}
    for number, (name, value) in enumerate(bars):
        is_for = bool(value > 0)
        end = ends[is_for]
        axis.barh(0, -value, left=end, height=0.5, color=_colour(pyplot, value), edgecolor="white")
        ends[is_for] = end - value
        height = -0.42 - 0.2 * (number % 2)
        middle = end - value / 2
        axis.text(middle, height, name, ha="center", va="top", fontsize=7)
    axis.axvline(score, color="0.2", linewidth=1.0)
    axis.axvline(shown.base, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    axis.set(ylim=(-1.0, 0.4), yticks=[])
    return _finished(figure, axis, shown)


def _beeswarm(pyplot: types.ModuleType, shown: Features) -> Any:
    """A point of each row for each feature, in the colour of its value."""
    order = shown.order()[: shown.limit][::-1]
    figure, axis = pyplot.subplots(figsize=(7.0, 0.4 * len(order) + 1.2), layout="constrained")
    drawn = None
    for place, feature in enumerate(order):
        values = shown.values[:, feature]
        drawn = axis.scatter(
            values,
            place + _beside(values),
            c=_from_0_to_1(shown.rows[:, feature]),
            cmap="coolwarm",
            vmin=0.0,
            vmax=1.0,
            s=12,
        )
    axis.set_yticks(range(len(order)), [shown.names[i] for i in order], fontsize=9)
    axis.axvline(0.0, color="0.6", linewidth=0.8, zorder=0)
    bar = figure.colorbar(drawn, ax=axis, ticks=[0, 1], pad=0.02)
    bar.ax.set_yticklabels(["low", "high"])
    bar.set_label("value of the feature", fontsize=8)
    bar.outline.set_visible(False)
    axis.set_xlabel("what a feature adds to the score", fontsize=9)
    return _plain(figure, axis, shown)


BY_MATPLOTLIB: dict[str, Callable] = {
    "waterfall": _waterfall,
    "force": _force,
    "beeswarm": _beeswarm,
}


def _bars(shown: Features) -> list[tuple[str, Any]]:
    """(label, value) of the largest of a row and of all others together, the largest first."""
    row, values, order = shown.rows[0], shown.values[0], shown.order()
    bars = [(f"{shown.names[i]} = {_told(row[i])}", values[i]) for i in order[: shown.limit]]
    others = order[shown.limit :]
    if len(others):
        bars.append((f"{len(others)} others", values[others].sum()))
    return bars


def _told(value: Any) -> str:
    """A number, or a text as of a category."""
    return f"{value:.4g}" if np.issubdtype(np.asarray(value).dtype, np.number) else str(value)


def _beside(values: np.ndarray) -> np.ndarray:
    """How far points lie from their line, so that those of about one value lie beside each other.

    >>> _beside(np.array([0.0, 1.0])).tolist()
    [0.0, 0.0]
    """
    width = np.ptp(values) or 1.0
    bins = np.round((values - values.min()) / width * BINS)
    offsets = np.zeros(len(values))
    for one in np.unique(bins):
        inside = np.flatnonzero(bins == one)
        steps = (np.arange(len(inside)) + 1) // 2 * np.where(np.arange(len(inside)) % 2, 1, -1)
        offsets[inside] = steps
    most = np.abs(offsets).max()
    return offsets * min(0.08, SPREAD / most) if most else offsets


def _from_0_to_1(values: np.ndarray) -> np.ndarray:
    """Ranks of numbers, so that one far away does not hide all others; the middle of equal ones."""
    _, ranks = np.unique(values, return_inverse=True)
    return ranks / ranks.max() if ranks.max() else np.full(len(values), 0.5)


def _colour(pyplot: types.ModuleType, value: float) -> Any:
    return pyplot.get_cmap(SIGNED)(0.85 if value > 0 else 0.15)


def _annotate(axis: Any, text: str, place: tuple[float, float], value: float) -> None:
    distance, side = (4, "left") if value > 0 else (-4, "right")
    options = {"textcoords": "offset points", "va": "center", "ha": side, "fontsize": 8}
    axis.annotate(text, place, (distance, 0), **options)


def _finished(figure: Any, axis: Any, shown: Features) -> Any:
    score = shown.base + shown.values[0].sum()
    axis.set_xlabel(f"score: from {shown.base:.4g} to {score:.4g}", fontsize=9)
    axis.use_sticky_edges = False
    axis.margins(x=0.16)
    return _plain(figure, axis, shown)


def _plain(figure: Any, axis: Any, shown: Features) -> Any:
    axis.tick_params(length=2, labelsize=8)
    axis.spines[["top", "right", "left"]].set_visible(False)
    if shown.title:
        axis.set_title(shown.title, fontsize=11)
    return figure
