"""ProgbarLogger: a bar on a terminal, one updating display in a notebook, plain lines in a file."""

import html
import os
import shutil
import sys
import time
from typing import Any

from jkeras.callbacks.base import Callback
from jkeras.callbacks.device import unused_accelerator
from jkeras.core.say import console
from jkeras.core.names.registry import public
from jkeras.core.session.settings import settings

INTERVAL = 0.1  # seconds between two looks at the device
NARROW = 100  # columns; up to so many a line has what Keras's has, and no more
PLAIN = str.maketrans("━─┃│┏┳┓┡╇┩├┼┤└┴┘", "=.||" + 12 * "+")
BOLD, NORMAL = "\x1b[1m", "\x1b[0m"


@public("keras.callbacks.ProgbarLogger")
class ProgbarLogger(Callback):
    """Shows the progress of `fit`, `evaluate` and `predict`.

    On a terminal a bar is drawn at most ten times a second; in a notebook one display is updated;
    into a file or pipe goes one line for each epoch. Shown are the time that is left (in the end:
    that it took) and the time of a step; in a file, and where a terminal of more than 100 columns
    has room, also rows per second, where the number of rows is known, and at the end of an epoch
    what compiling took. The first dispatch, which compiles, counts for no pace where there is a
    second one.

    >>> ProgbarLogger().every_batch
    False
    """

    every_batch = False

    def __init__(self) -> None:
        super().__init__()
        self._in_epoch = False
        self.screen = None
        self.rows = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Takes epochs, steps and verbosity."""
        super().set_params(params)
        self.verbose = params.get("verbose")
        if self.verbose is None:
            self.verbose = 1
        self.epochs = params.get("epochs")
        self.total = params.get("steps")

    # ------------------------------------------------------------ training

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """One screen for the whole training: in a notebook all epochs share one display."""
        self.screen = screen()
        if self.verbose and not settings.device_reported:
            settings.device_reported = True
            self._report_device()

    def _report_device(self) -> None:
        """Says that the training runs on the CPU, where another device could be expected."""
        reason = unused_accelerator()
        if reason is not None:
            self.screen.write(
                f"Device: CPU, although {reason}: JAX found no other device. `jax.devices()` lists "
                "what it finds; `JAX_PLATFORMS=cpu` chooses the CPU without this line.\n"
            )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the line of an epoch."""
        self._in_epoch = True
        self._start(self.screen)
        if self.verbose and self.epochs and self.epochs > 1:
            if self.verbose == 1 and self.screen.live:
                self.screen.write(f"Epoch {epoch + 1}/{self.epochs}\n")
            self.prefix = f"Epoch {epoch + 1}/{self.epochs} - "

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar."""
        self._update(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Ends the line with all results."""
        self._finish(logs)
        self._in_epoch = False

    # ------------------------------------------------------------ evaluation and prediction

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts a line, unless this is the validation of an epoch."""
        if not self._in_epoch:
            self._start()

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar."""
        if not self._in_epoch:
            self._update(batch + 1, logs)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Ends the line."""
        if not self._in_epoch:
            self._finish(logs)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts a line."""
        self._start()

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar."""
        self._update(batch + 1, {})

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Ends the line."""
        self._finish({})

    # ------------------------------------------------------------ the line

    def _start(self, shown_on: "LineStream | Terminal | None" = None) -> None:
        self.screen = shown_on or screen()
        self.prefix = ""
        self.seen = 0
        self.started = self.shown = time.monotonic()
        self.first = None  # (time, steps) after the first dispatch
        self.compiled = self._compile_seconds()

    def _update(self, seen: int, logs: dict[str, Any] | None) -> None:
        self.seen = seen if self.total is None else min(seen, self.total)
        now = time.monotonic()
        self.first = self.first or (now, seen)
        if self.verbose == 1 and self.screen.live and now - self.shown >= INTERVAL:
            self.shown = now
            self.screen.redraw(self._line(now, _values(logs)))

    def _finish(self, logs: dict[str, Any] | None) -> None:
        if not self.verbose:
            return
        now = time.monotonic()
        if self.verbose == 1 and self.screen.live:
            self.screen.redraw(self._line(now, _values(logs), done=True), end=True)
        else:
            steps = f"{self.seen}/{self.total or self.seen}"
            took = duration(now - self.started)
            parts = [f"{self.prefix}{steps}", took, *self._pace(now), *self._compiling()]
            self.screen.write(f"{' - '.join(parts)}{_values(logs)}\n")
        self.total = self.total or self.seen

    def _compile_seconds(self) -> float:
        return getattr(self.model, "compile_seconds", 0.0)

    def _compiling(self) -> list[str]:
        """["compiled in 1.2s"], where it took time in this epoch."""
        seconds = self._compile_seconds() - self.compiled
        return [] if seconds < 0.05 else [f"compiled in {seconds:.1f}s"]

    def _line(self, now: float, values: str, done: bool = False) -> str:
        """The bar, the pace and the results; with all that is known where there is room."""
        bar, (step, *rate) = self._bar(now, done), self._pace(now)
        parts = [" ".join([bar, step, *rate])]
        if done:
            parts += self._compiling()
        line = " - ".join(parts) + values
        if self.screen.has_room(line):
            return line
        return f"{bar} {step}{values}"

    def _bar(self, now: float, done: bool = False) -> str:
        seen = self.seen
        total = self.total
        if total is None:
            text = f"{seen}/Unknown"
        else:
            filled = min(20, 20 * seen // max(total, 1))
            text = f"{seen:>{len(str(total))}}/{total} {'━' * filled}{'─' * (20 - filled)}"
        seconds = now - self.started
        if not done and total is not None:
            seconds = self._step(now) * (total - seen)
        return f"{text} {duration(seconds)}"

    def _step(self, now: float) -> float:
        """Seconds of a step."""
        if self.first is not None:
            began, before = self.first
            if self.seen > before:
                return (now - began) / (self.seen - before)
        return (now - self.started) / max(self.seen, 1)

    def _pace(self, now: float) -> list[str]:
        """["12ms/step", "2.7k rows/s"]"""
        step = self._step(now)
        pace = [f"{_short(step)}/step"]
        if self.rows and self.total and step > 0:
            pace.append(f"{_thousands(self.rows / self.total / step)} rows/s")
        return pace


def duration(seconds: float) -> str:
    """A time to wait: "59s", "2:05", "1:00:09".

    >>> duration(59.2), duration(125), duration(3609)
    ('59s', '2:05', '1:00:09')
    """
    seconds = int(seconds)
    if seconds < 60:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes}:{seconds:02d}"
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def _short(seconds: float) -> str:
    """A time of one step: "12ms".

    >>> _short(0.012), _short(2e-5)
    ('12ms', '20us')
    """
    if seconds >= 1:
        return f"{seconds:.0f}s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms"
    return f"{seconds * 1e6:.0f}us"


def _thousands(number: float) -> str:
    """A rate with three digits: "2.67k".

    >>> _thousands(12.34), _thousands(2666.7), _thousands(3.1e6)
    ('12.3', '2.67k', '3.1M')
    """
    for letter, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def _values(logs: dict[str, Any] | None) -> str:
    """ " - accuracy: 0.9000 - loss: 0.1000" """
    text = ""
    for name, value in (logs or {}).items():
        try:
            value = float(value)
        except (TypeError, ValueError):
            continue
        if abs(value) > 1e-3 or value == 0:
            text += f" - {name}: {value:.4f}"
        else:
            text += f" - {name}: {value:.4e}"
    return text


class Terminal:
    """A terminal: the line is drawn again in place."""

    live = True

    def write(self, text: str) -> None:
        """Writes text."""
        try:
            console.write(text)
        except UnicodeEncodeError:  # a terminal that cannot draw lines
            console.write(text.translate(PLAIN).encode("ascii", "replace").decode())

    def bold(self, text: str) -> str:
        """The text, to be shown so that it stands out."""
        if os.environ.get("TERM") in ("dumb", "unknown"):
            return text
        return f"{BOLD}{text}{NORMAL}"

    def table(self, text: str) -> None:
        """Shows lines that belong below each other, however long they are."""
        self.write(text)

    def has_room(self, line: str) -> bool:
        """Whether a line may be longer than Keras's."""
        return NARROW < shutil.get_terminal_size().columns >= len(line)

    def redraw(self, line: str, end: bool = False) -> None:
        """Draws the line in place of the last one; while it is to be drawn again, no longer than a
        row.
        """
        if end:
            line = f"{line}\n"
        else:
            line = line[: shutil.get_terminal_size().columns - 1]
        self.write(f"\r\x1b[2K{line}")


class LineStream(Terminal):
    """A file or pipe: whole lines only."""

    live = False

    def bold(self, text: str) -> str:
        """The text as it is."""
        return text


class Notebook(Terminal):
    """A notebook: one display that is updated."""

    def __init__(self) -> None:
        self.text = ""
        self.handle = None

    def write(self, text: str) -> None:
        """Adds text above the line."""
        self.text += text
        self._show(self.text)

    def redraw(self, line: str, end: bool = False) -> None:
        """Shows the line below the text."""
        self._show(self.text + line)
        if end:
            self.text += line + "\n"

    def bold(self, text: str) -> str:
        """The text with what `table` makes bold."""
        return f"{BOLD}{text}{NORMAL}"

    def table(self, text: str) -> None:
        """A display of its own, whose lines are not broken."""
        from IPython.display import display

        marked = html.escape(text, quote=False).replace(BOLD, "<b>").replace(NORMAL, "</b>")
        style = "white-space:pre;overflow-x:auto;line-height:normal;font-family:monospace"
        content = {
            "text/plain": text.replace(BOLD, "").replace(NORMAL, ""),
            "text/html": f'<pre style="{style}">{marked}</pre>',
        }
        display(content, raw=True)

    def _show(self, text: str) -> None:
        from IPython.display import display

        content = {"text/plain": text}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter or Colab kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def screen() -> Terminal | LineStream:
    """Where progress is shown."""
    if in_notebook():
        return Notebook()
    if console.is_terminal():
        return Terminal()
    return LineStream()
