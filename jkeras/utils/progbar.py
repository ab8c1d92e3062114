"""Progbar: a progress bar for loops of one's own."""

import sys
import time

from jkeras.core.registry import public


@public("keras.utils.Progbar")
class Progbar:
    """A progress bar on the terminal; in a file, one line at the end.

    Args:
        target: number of steps; None if not known.
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
        target,
        width=20,
        verbose=1,
        interval=0.05,
        stateful_metrics=None,
        stateless_metrics=None,
        unit_name="step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Pass `stateful_metrics` or `stateless_metrics`, not both: each lists the "
                "exceptions."
            )
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self._shown_as_is = lambda name: (
            (name in (stateful_metrics or ()))
            if stateless_metrics is None
            else (name not in stateless_metrics)
        )
        self._seen, self._sums = 0, {}  # name -> [sum, weight]
        self._start = time.time()
        self._drawn, self._first_step = 0, None

    def update(self, current, values=None, finalize=None):
        """Moves the bar to a step.

        Args:
            values: list of (name, value of this step).
            finalize: whether this is the last step; by default when the target is reached.
        """
        finalize = (
            (self.target is not None and current >= self.target) if finalize is None else finalize
        )
        steps = max(current - self._seen, 1)
        for name, value in values or []:
            if finalize or self._shown_as_is(name):
                self._sums[name] = [value, 1]
            else:
                total, weight = self._sums.get(name, (0, 0))
                self._sums[name] = [total + value * steps, weight + steps]
        self._seen, now = current, time.time()
        per_step = self._duration(current, now)
        if self.verbose == 1 and (finalize or now - self._drawn >= self.interval):
            self._draw(current, now, per_step, finalize)
        elif self.verbose == 2 and finalize:
            print(
                f"{current}/{self.target} - {now - self._start:.0f}s - "
                f"{self._time(per_step)}{self._values()}"
            )

    def add(self, n, values=None):
        """Moves the bar by n steps."""
        self.update(self._seen + n, values)

    def _draw(self, current, now, per_step, finalize):
        live = hasattr(sys.stdout, "isatty") and sys.stdout.isatty()
        if not live and not finalize:
            return
        self._drawn = now
        if self.target:
            filled = min(int(self.width * current / self.target), self.width)
            text = f"{current}/{self.target} {'━' * filled}{'─' * (self.width - filled)}"
        else:
            text = f"{current}/Unknown"
        rest = (
            now - self._start if finalize or not self.target else per_step * (self.target - current)
        )
        line = f"{text} {rest:.0f}s {self._time(per_step)}{self._values()}"
        sys.stdout.write((f"\r\x1b[2K{line}" if live else line) + ("\n" if finalize else ""))
        sys.stdout.flush()

    def _duration(self, current, now):
        """Seconds for a step, without the first one, which compiles."""
        if not current:
            return 0
        start, steps = (
            (self._start, current)
            if self._first_step is None or current == 1
            else (self._first_step, current - 1)
        )
        if current == 1:
            self._first_step = now
        return (now - start) / steps

    def _time(self, seconds):
        for unit, size in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
            if seconds >= size or seconds == 0 or unit == "us":
                return f"{seconds / size:.0f}{unit}/{self.unit_name}"

    def _values(self):
        means = {
            name: float(total) / max(weight, 1) for name, (total, weight) in self._sums.items()
        }
        return "".join(
            f" - {k}: {v:.4f}" if abs(v) > 1e-3 else f" - {k}: {v:.4e}" for k, v in means.items()
        )
