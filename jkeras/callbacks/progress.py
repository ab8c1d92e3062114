"""ProgbarLogger: a bar on a terminal, one updating display in a notebook, plain lines in a file."""

import sys
import time

from jkeras.callbacks.base import Callback
from jkeras.core.registry import public

INTERVAL = 0.1  # seconds between two looks at the device


@public("keras.callbacks.ProgbarLogger")
class ProgbarLogger(Callback):
    """Shows the progress of `fit`, `evaluate` and `predict`.

    On a terminal a bar is drawn at most ten times a second; in a notebook one display is updated; into a file or pipe
    goes one line for each epoch.

    >>> ProgbarLogger().every_batch
    False
    """

    every_batch = False

    def __init__(self):
        super().__init__()
        self._in_epoch, self.screen = False, None

    def set_params(self, params):
        """Takes epochs, steps and verbosity."""
        super().set_params(params)
        self.verbose, self.epochs, self.total = (params.get(k) for k in ("verbose", "epochs", "steps"))
        self.verbose = 1 if self.verbose is None else self.verbose

    # ------------------------------------------------------------ training

    def on_train_begin(self, logs=None):
        """One screen for the whole training: in a notebook all epochs share one display."""
        self.screen = screen()

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the line of an epoch."""
        self._in_epoch = True
        self._start(self.screen)
        if self.verbose and self.epochs and self.epochs > 1:
            if self.verbose == 1 and self.screen.live:
                self.screen.write(f"Epoch {epoch + 1}/{self.epochs}\n")
            self.prefix = f"Epoch {epoch + 1}/{self.epochs} - "

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar."""
        self._update(batch + 1, logs)

    def on_epoch_end(self, epoch, logs=None):
        """Ends the line with all results."""
        self._finish(logs)
        self._in_epoch = False

    # ------------------------------------------------------------ evaluation and prediction

    def on_test_begin(self, logs=None):
        """Starts a line, unless this is the validation of an epoch."""
        if not self._in_epoch:
            self._start()

    def on_test_batch_end(self, batch, logs=None):
        """Moves the bar."""
        if not self._in_epoch:
            self._update(batch + 1, logs)

    def on_test_end(self, logs=None):
        """Ends the line."""
        if not self._in_epoch:
            self._finish(logs)

    def on_predict_begin(self, logs=None):
        """Starts a line."""
        self._start()

    def on_predict_batch_end(self, batch, logs=None):
        """Moves the bar."""
        self._update(batch + 1, {})

    def on_predict_end(self, logs=None):
        """Ends the line."""
        self._finish({})

    # ------------------------------------------------------------ the line

    def _start(self, shown_on=None):
        self.screen, self.prefix, self.seen = shown_on or screen(), "", 0
        self.started = self.shown = time.time()

    def _update(self, seen, logs):
        self.seen = seen
        now = time.time()
        if self.verbose == 1 and self.screen.live and now - self.shown >= INTERVAL:
            self.shown = now
            self.screen.redraw(self._bar(now) + _values(logs))

    def _finish(self, logs):
        if not self.verbose:
            return
        now = time.time()
        if self.verbose == 1 and self.screen.live:
            self.screen.redraw(self._bar(now, done=True) + _values(logs), end=True)
        else:
            steps = f"{self.seen}/{self.total or self.seen}"
            self.screen.write(f"{self.prefix}{steps} - {now - self.started:.0f}s{_values(logs)}\n")
        self.total = self.total or self.seen

    def _bar(self, now, done=False):
        elapsed, seen, total = now - self.started, self.seen, self.total
        if total is None:
            text = f"{seen}/Unknown"
        else:
            filled = min(20, 20 * seen // max(total, 1))
            text = f"{seen:>{len(str(total))}}/{total} {'━' * filled}{'─' * (20 - filled)}"
        step = elapsed / max(seen, 1)
        if done or total is None:
            return f"{text} {elapsed:.0f}s {_short(step)}/step"
        return f"{text} {step * (total - seen):.0f}s {_short(step)}/step"


def _short(seconds):
    """A time of one step: "12ms".

    >>> _short(0.012), _short(2e-5)
    ('12ms', '20us')
    """
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def _values(logs):
    """ " - accuracy: 0.9000 - loss: 0.1000" """
    text = ""
    for name, value in (logs or {}).items():
        try:
            value = float(value)
        except (TypeError, ValueError):
            continue
        text += f" - {name}: {value:.4f}" if abs(value) > 1e-3 or value == 0 else f" - {name}: {value:.4e}"
    return text


class Terminal:
    """A terminal: the line is drawn again in place."""

    live = True

    def write(self, text):
        """Writes text."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def redraw(self, line, end=False):
        """Draws the line in place of the last one."""
        self.write(f"\r\x1b[2K{line}" + ("\n" if end else ""))


class File(Terminal):
    """A file or pipe: whole lines only."""

    live = False


class Notebook(Terminal):
    """A notebook: one display that is updated."""

    def __init__(self):
        self.text, self.handle = "", None

    def write(self, text):
        """Adds text above the line."""
        self.text += text
        self._show(self.text)

    def redraw(self, line, end=False):
        """Shows the line below the text."""
        self._show(self.text + line)
        if end:
            self.text += line + "\n"

    def _show(self, text):
        from IPython.display import display

        content = {"text/plain": text}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)


def in_notebook():
    """Whether the code runs in a Jupyter or Colab kernel."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and hasattr(shell, "kernel")


def screen():
    """Where progress is shown."""
    if in_notebook():
        return Notebook()
    return Terminal() if sys.stdout is not None and sys.stdout.isatty() else File()
