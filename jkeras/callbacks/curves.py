"""Curves of the results of epochs, training and validation in one picture for each name."""

from collections.abc import Callable, Iterable
from typing import Any

WIDTH = 4.5  # inches of one picture
HEIGHT = 3.2
ACROSS = 3  # pictures side by side


def new_figure(
    make: Callable[..., Any],
    curves: dict[str, dict[int, float]],
    names: Iterable[str] | None = None,
) -> Any:
    """A matplotlib figure with the curves.

    Args:
        make: makes the figure, as `matplotlib.figure.Figure` or `pyplot.figure` do.
        curves: {name: {epoch: value}}; "val_" and a name is the validation of the name.
        names: which of them, without "val_"; None: all.
    """
    shown = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
    if names is not None:
        shown = [name for name in shown if name in names]
    across = min(len(shown), ACROSS)
    down = -(-len(shown) // ACROSS)
    size = WIDTH * max(across, 1), HEIGHT * max(down, 1)
    figure = make(figsize=size, layout="constrained")
    for i, name in enumerate(shown, 1):
        axes = figure.add_subplot(down, across, i)
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in curves:
                axes.plot(*zip(*curves[key].items()), marker=".", label=label)
        axes.set(title=name, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    return figure


def by_epoch(history: dict[str, list[float]]) -> dict[str, dict[int, float]]:
    """{name: {epoch: value}} of lists of results; a shorter one, as of validation that is not run
    each time, is spread evenly.

    >>> by_epoch({"loss": [3.0, 2.0], "val_loss": [4.0]})
    {'loss': {1: 3.0, 2: 2.0}, 'val_loss': {2: 4.0}}
    """
    longest = max(map(len, history.values()), default=0)
    curves = {}
    for name, values in history.items():
        apart = longest // max(len(values), 1)
        curves[name] = {(i + 1) * apart: value for i, value in enumerate(values)}
    return curves
