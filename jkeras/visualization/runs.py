"""Learning curves of several trainings in one picture."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from jkeras.callbacks.curves import ACROSS, HEIGHT, WIDTH, by_epoch
from jkeras.core.errors import ArgumentError, explain
from jkeras.core.names.registry import public
from jkeras.visualization.galleries import matplotlib_parts, show_or_write


@public("jkeras.visualization.plot_runs")
def plot_runs(
    runs: Mapping[str, Any],
    names: Iterable[str] | None = None,
    path: str | os.PathLike | None = None,
    show: bool | None = None,
    dpi: int = 100,
) -> None:
    """Shows the learning curves of several trainings side by side: a picture for each result, in it
    a colour for each training, its validation dashed.

    Args:
        runs: {name: what `fit` returned, or its `history`}.
        names: which results to draw, without "val_"; None: all.
        path: file to write; otherwise the picture is shown.
        show: show it; by default where there is no `path`.
        dpi: of the file.

    Raises:
        ValueError: no trainings, or none with a result of these names. ImportError: no matplotlib.

    >>> try:
    ...     plot_runs({"small": {"loss": [3, 2]}, "large": {"loss": [3, 1]}}, show=False)
    ... except ImportError:
    ...     pass
    """
    pyplot, _ = matplotlib_parts()
    if not isinstance(runs, Mapping):
        raise ArgumentError(
            explain("plot_runs", "{name: what `fit` returned}", f"{type(runs).__name__}")
        )
    curves = {name: by_epoch(getattr(run, "history", run)) for name, run in runs.items()}
    found = [name.removeprefix("val_") for run in curves.values() for name in run]
    shown = [name for name in dict.fromkeys(found) if names is None or name in tuple(names)]
    if not shown:
        raise ValueError(
            explain("plot_runs", "trainings with results", f"{list(runs)}, names={names}")
        )
    across = min(len(shown), ACROSS)
    down = -(-len(shown) // ACROSS)
    figure, axes = pyplot.subplots(
        down, across, figsize=(WIDTH * across, HEIGHT * down), layout="constrained", squeeze=False
    )
    for name, one in zip(shown, axes.flat):
        draw(one, name, curves)
    for unused in axes.flat[len(shown) :]:
        unused.axis("off")
    show_or_write(figure, path, show, dpi=dpi)


def draw(axes: Any, name: str, curves: dict[str, dict[str, dict[int, float]]]) -> None:
    """One result of all trainings."""
    for i, (run, results) in enumerate(curves.items()):
        for key, style, label in ((name, "-", run), (f"val_{name}", "--", f"{run}, validation")):
            if key in results:
                line = zip(*results[key].items())
                axes.plot(*line, style, marker=".", color=f"C{i}", label=label)
    axes.set(title=name, xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small")
