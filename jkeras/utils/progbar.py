"""Progbar: a progress bar for loops of one's own."""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from jkeras.core.say import console
from jkeras.core.names.registry import public

PLAIN = str.maketrans("━─", "=-")  # for outputs without these letters


@public("keras.utils.Progbar")
class Progbar:
    """A progress bar on the terminal; in a file, one line at the end.

    Args:
        target: number of steps; None if unknown.
        width: of the bar, in letters.
        verbose: 0 silent, 1 a bar, 2 one line at the end.
        interval: seconds between two drawings.
        stateful_metrics: names of values that are shown as they are; all others are averaged over
            the steps.
        stateless_metrics: names of the values that are averaged; all others are shown as they are.
        unit_name: "step", "sample", …

    Raises:
        ValueError: both lists of names.

    >>> bar = Progbar(2, verbose=2)
    >>> bar.update(1, [("loss", 1.0)])
    >>> bar.update(2, [("loss", 0.5)])  # doctest: +ELLIPSIS
    2/2 - 0s - ... - loss: 0.5000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Pass `stateful_metrics` or `stateless_metrics`, not both: each lists the "
                "exceptions."
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self._stateful = stateful_metrics or ()
        self._stateless = stateless_metrics
        self._seen = 0
        self._sums = {}  # name -> [sum, weight]
        self._start = time.monotonic()
        self._drawn = 0
        self._first_step = None

    def _take_in(self, values: Iterable[tuple[str, Any]], steps: int, finalize: bool) -> None:
        """Counts the values of some steps in; those of the last step are shown as they are."""
        for name, value in values:
            if isinstance(value, (list, tuple)):
                value = np.mean(value)
            if finalize or self._is_shown_as_is(name):
                self._sums[name] = [value, 1]
            else:
                self._average(name, value, steps)

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Moves the bar to a step.

        Args:
            values: list of (name, value of this step); of several numbers the mean is shown.
            finalize: whether this is the last step; by default when the target is reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._take_in(values or [], max(current - self._seen, 1), finalize)
        self._seen = current
        now = time.monotonic()
        per_step = self._duration(current, now)
        is_due = finalize or now - self._drawn >= self.interval
        if self.verbose == 1 and is_due:
            self._draw(current, now, per_step, finalize)
        elif self.verbose == 2 and finalize:
            console.say(
                f"{current}/{self.target} - {now - self._start:.0f}s - "
                f"{self._time(per_step)}{self._values()}"
            )

    def _average(self, name: str, value: float, steps: int) -> None:
        """Adds a value of so many steps to the average of its name."""
        total, weight = self._sums.get(name, (0, 0))
        self._sums[name] = [total + value * steps, weight + steps]

    def _is_shown_as_is(self, name: str) -> bool:
        """Whether a value is not averaged."""
        if self._stateless is None:
            return name in self._stateful
        return name not in self._stateless

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Moves the bar by n steps."""
        self.update(self._seen + n, values)

    def _draw(self, current: int, now: float, per_step: float, finalize: bool) -> None:
        live = console.is_terminal()
        if not live and not finalize:
            return
        self._drawn = now
        if self.target:
            filled = min(int(self.width * current / self.target), self.width)
            text = f"{current}/{self.target} {'━' * filled}{'─' * (self.width - filled)}"
        else:
            text = f"{current}/Unknown"
        if finalize or not self.target:
            seconds = now - self._start
        else:
            seconds = per_step * (self.target - current)
        line = f"{text} {seconds:.0f}s {self._time(per_step)}{self._values()}"
        if live:
            line = f"\r\x1b[2K{line}"
        if finalize:
            line += "\n"
        try:
            console.write(line)
        except UnicodeEncodeError:
            console.write(line.translate(PLAIN))

    def _duration(self, current: int, now: float) -> float:
        """Seconds for a step, without the first one, which compiles."""
        if not current:
            return 0
        if current == 1:
            self._first_step = now
            return now - self._start
        if self._first_step is None:
            return (now - self._start) / current
        return (now - self._first_step) / (current - 1)

    def _time(self, seconds: float) -> str:
        for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
            if seconds >= size or seconds == 0 or unit == "us":
                return f"{seconds / size:.0f}{unit}/{self.unit_name}"

    def _values(self) -> str:
        text = ""
        for name, (total, weight) in self._sums.items():
            mean = float(np.mean(total)) / max(weight, 1)
            form = ".4f" if abs(mean) > 1e-3 else ".4e"
            text += f" - {name}: {mean:{form}}"
        return text
