"""LivePlot: curves in a notebook that grow while the model is trained."""

import io
import time
import warnings
from collections.abc import Iterable
from typing import Any

from jkeras.callbacks.base import Callback
from jkeras.callbacks.curves import new_figure
from jkeras.callbacks.progress import in_notebook
from jkeras.core.names.registry import public


@public("jkeras.callbacks.LivePlot")
class LivePlot(Callback):
    """Draws the results of the epochs in one display of a Jupyter or Colab notebook; needs
    matplotlib there.

    Each name gets a picture with two curves, training and validation. Elsewhere nothing is drawn,
    and one warning says so.

    Args:
        names: which results to draw, without "val_"; None: all.
        interval: draw at most once in so many seconds, and at the end.

    >>> LivePlot(["loss"]).names
    ['loss']
    """

    def __init__(self, names: Iterable[str] | None = None, interval: float = 1.0) -> None:
        super().__init__()
        self.names = names
        self.interval = interval
        self.display = None
        self._warned = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """A new display for a new training."""
        self.epochs = []
        self.curves = {}
        self.display = None
        self._drawn = 0.0
        self._shows = in_notebook()
        if not self._shows and not self._warned:
            self._warned = True
            warnings.warn(
                "LivePlot draws in Jupyter and Colab notebooks only, and this is none: nothing "
                "is drawn. The results are in the `history` that `fit` returns.",
                stacklevel=2,
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds a point to each curve."""
        if not self._shows:
            return
        self.epochs.append(epoch + 1)
        for name, value in (logs or {}).items():
            self.curves.setdefault(name, {})[epoch + 1] = value
        if time.monotonic() - self._drawn >= self.interval:
            self._show()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Draws the whole curves."""
        if self._shows and self.epochs:
            self._show()

    def _show(self) -> None:
        from IPython.display import Image, display

        picture = Image(data=self._png())
        if self.display is None:
            self.display = display(picture, display_id=True)
        else:
            self.display.update(picture)
        self._drawn = time.monotonic()

    def _png(self) -> bytes:
        stream = io.BytesIO()
        self.figure().savefig(stream, format="png")
        return stream.getvalue()

    def figure(self) -> Any:
        """The curves so far, as a matplotlib figure."""
        # without pyplot: the user's own figures stay as they are
        from matplotlib.figure import Figure

        return new_figure(Figure, self.curves, self.names)
