"""What differs between two runs: one table, one picture."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jkeras.callbacks.curves import HEIGHT, WIDTH, by_epoch
from jkeras.core.errors import ArgumentError, explain, readable
from jkeras.core.names.registry import public
from jkeras.visualization.galleries import matplotlib_parts, show_or_write
from jkeras.visualization.runs import draw

LONGEST = 40  # letters of a value in a table
MOST_SHOWN = 24  # lines of the table in the picture
MISSING = "nothing"


class Row(NamedTuple):
    """One line of a table: what differs, and what it is in both runs.

    >>> Row("learning_rate", 0.1, 0.2).name
    'learning_rate'
    """

    name: str
    first: Any
    second: Any


class RunComparison:
    """What `compare_runs` found.

    Attributes:
        table: what differs, `(name, first, second)` each: first what the runs were, then what they
            gave: their last results, and the lowest and the highest ones.
        curves: {name of the run: {name of a result: its values}}.
        parting: where the trainings part, in words, if both are reports; else None.

    >>> RunComparison([Row("rate", 0.1, 0.2)], {"slow": {}, "fast": {}}, None)
    RunComparison(1 differences)
    """

    def __init__(
        self, table: Sequence[Row], curves: Mapping[str, Mapping[str, list]], parting: str | None
    ) -> None:
        self.table, self.curves, self.parting = list(table), dict(curves), parting

    def __str__(self) -> str:
        rows = [("", *self.curves), *(tuple(map(_short, row)) for row in self.table)]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
        if self.parting:
            lines.append(f"The runs part {self.parting}.")
        return "\n".join(line.rstrip() for line in lines)

    def __repr__(self) -> str:
        return f"RunComparison({len(self.table)} differences)"

    def plot(
        self, path: str | os.PathLike | None = None, show: bool | None = None, dpi: int = 100
    ) -> None:
        """Shows the table and the learning curves of both runs in one picture.

        Args:
            path, show, dpi: as of `plot_runs`.

        Raises:
            ImportError: no matplotlib.
        """
        pyplot, _ = matplotlib_parts()
        curves = {run: by_epoch(dict(results)) for run, results in self.curves.items()}
        found = [name.removeprefix("val_") for results in curves.values() for name in results]
        names = list(dict.fromkeys(found))
        count = len(names) + 1
        figure, axes = pyplot.subplots(
            1, count, figsize=(WIDTH * (count + 1), HEIGHT), layout="constrained", squeeze=False
        )
        self._draw_table(axes[0, 0])
        for name, one in zip(names, axes[0, 1:]):
            draw(one, name, curves)
        show_or_write(figure, path, show, dpi=dpi)

    def _draw_table(self, axes: Any) -> None:
        axes.axis("off")
        cells = [list(map(_short, row)) for row in self.table[:MOST_SHOWN]]
        if len(self.table) > MOST_SHOWN:
            cells.append([f"… and {len(self.table) - MOST_SHOWN} more", "", ""])
        if cells:
            labels = ["", *map(_short, self.curves)]
            drawn = axes.table(cellText=cells, colLabels=labels, loc="center", cellLoc="left")
            drawn.auto_set_font_size(False)
            drawn.set_fontsize(7)
            drawn.auto_set_column_width([0, 1, 2])


@public("jkeras.visualization.compare_runs")
def compare_runs(
    first: Any, second: Any, names: tuple[str, str] = ("first", "second")
) -> RunComparison:
    """What differs between two runs, as a table and a picture.

    Args:
        first, second: each a file that `fit(report=…)` wrote, what `fit` returned, or its
            `history`. Of reports also what the runs were is compared: versions, seeds, arguments,
            the model, the data.
        names: what they are called.

    Raises:
        ValueError: something that is no run, a file that is no report, the same name twice.
        OSError: a file that cannot be read.

    >>> print(compare_runs({"loss": [3.0, 2.0]}, {"loss": [3.0, 1.0]}, names=("small", "large")))
                 small  large
    loss         2      1
    lowest loss  2      1
    """
    if len(names) != 2 or len(set(names)) < 2:
        raise ArgumentError(explain("compare_runs", "two different `names`", repr(names)))
    reports = [_report(run) for run in (first, second)]
    parting, facts = None, []
    if None not in reports:
        from jkeras.report import comparison

        facts = [Row(*one) for one in comparison.differences(*reports)]
        parting = comparison.parting(*reports)
    curves = [_curves(run, report) for run, report in zip((first, second), reports)]
    table = [*facts, *_results(*curves)]
    if parting is not None:
        parting = str(parting)
    return RunComparison(table, dict(zip(names, curves)), parting)


def of_values(
    names: tuple[str, str], rows: Sequence[Mapping[str, Any]], curves: Sequence[dict[str, list]]
) -> RunComparison:
    """Of two runs whose values and results are known, such as trials of a sweep.

    >>> print(of_values(("0", "1"), [{"rate": 0.1}, {"rate": 0.2}], [{}, {}]))
          0    1
    rate  0.1  0.2
    """
    keys = dict.fromkeys([*rows[0], *rows[1]])
    pairs = [Row(key, *(row.get(key, MISSING) for row in rows)) for key in keys]
    differing = [row for row in pairs if not _same(row.first, row.second)]
    return RunComparison([*differing, *_results(*curves)], dict(zip(names, curves)), None)


def _report(run: Any) -> Any:
    """The report in a file; None where the run is none."""
    if not isinstance(run, (str, os.PathLike)):
        return None
    from jkeras.report import reading

    return reading.read(run)


def _curves(run: Any, report: Any) -> dict[str, list]:
    """The results of a run, {name: values}."""
    if report is not None:
        curves: dict[str, list] = {}
        for epoch in report.epochs:
            for name, value in epoch.logs.items():
                curves.setdefault(name, []).append(value)
        return curves
    history = getattr(run, "history", run)
    if not isinstance(history, Mapping):
        wanted = "a report's path, what `fit` returned, or its `history`"
        raise ArgumentError(explain("compare_runs", wanted, type(run).__name__))
    return {name: list(values) for name, values in history.items()}


def _results(first: dict[str, list], second: dict[str, list]) -> Iterator[Row]:
    """How many epochs there were, the last results, and the best ones."""
    counts = [max(map(len, curves.values()), default=0) for curves in (first, second)]
    if counts[0] != counts[1]:
        yield Row("epochs", *counts)
    names = dict.fromkeys([*first, *second])
    for name in names:
        pair = [curves[name][-1] if curves.get(name) else MISSING for curves in (first, second)]
        if not _same(*pair):
            yield Row(name, *pair)
    for name in names:
        for what, best in (("lowest", np.nanmin), ("highest", np.nanmax)):
            pair = [_best(curves.get(name), best) for curves in (first, second)]
            if not _same(*pair):
                yield Row(f"{what} {name}", *pair)


def _best(values: list | None, best: Any) -> Any:
    numbers = [value for value in values or () if np.ndim(value) == 0 and np.isfinite(value)]
    if not numbers:
        return MISSING
    return float(best(numbers))


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(np.array_equal(one, other, equal_nan=True))
    except TypeError:  # of what is no number it cannot be asked
        return bool(np.array_equal(one, other))


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)
    text = readable(text, lines=False)
    if len(text) > LONGEST:
        return f"{text[: LONGEST - 1]}…"
    return text
