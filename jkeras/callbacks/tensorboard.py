"""TensorBoard: results, weights and the model's graph in files that TensorBoard shows."""

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any
from collections.abc import Iterable

import numpy as np

from jkeras.callbacks import event_file, projector
from jkeras.callbacks.base import Callback
from jkeras.callbacks.profiler import Trace
from jkeras.callbacks.schedule import named_rates
from jkeras.core.names.registry import public

if TYPE_CHECKING:
    from jkeras.callbacks.event_file import EventFile


@public("keras.callbacks.TensorBoard")
class TensorBoard(Callback):
    """Writes files for TensorBoard, without TensorFlow: `tensorboard --logdir logs` shows them.

    Args:
        log_dir: the folder; "train" and "validation" lie in it.
        histogram_freq: every so many epochs, how each weight is spread; 0: never.
        write_graph: the model's graph.
        write_images: with the histograms, weights as pictures, the lowest value black and the
            highest white.
        write_steps_per_second: steps per second, of epochs and batches.
        update_freq: "epoch", "batch", or a number: every so many batches, their results too.
        profile_batch: the number of a batch, or two: what JAX's profiler sees from the one to the
            other; 0: none.
        embeddings_freq: every so many epochs, the weights, and embeddings for the projector.
        embeddings_metadata: file with the names of an embedding's rows, or a dict from layers'
            names to files.

    Raises:
        ValueError: wrong `profile_batch` or `update_freq`; in training, names in
            `embeddings_metadata` that are no Embedding layers.

    >>> TensorBoard("logs", histogram_freq=1).histogram_freq
    1
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        super().__init__()
        self.log_dir = os.fsdecode(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        if self.update_freq != "epoch" and not isinstance(self.update_freq, int):
            raise ValueError(
                f"`update_freq` must be 'epoch', 'batch' or an integer. Received: {update_freq!r}"
            )
        self._profiled = _batches(profile_batch)
        self.every_batch = self.update_freq != "epoch" or self._profiled[1] > 0
        self._train_dir = os.path.join(self.log_dir, "train")
        self._train = event_file.EventFile(self._train_dir)
        self._validation = event_file.EventFile(os.path.join(self.log_dir, "validation"))
        self._graph_written = False
        self._count_from_0()

    def _count_from_0(self) -> None:
        self._batch = 0
        self._trace = Trace(self._train_dir, *self._profiled)

    def set_model(self, model: Any) -> None:
        """Takes the model, and writes its graph and the projector's settings."""
        super().set_model(model)
        if self.write_graph and not self._graph_written and model.built:
            try:
                self._train.write(0, [event_file.keras_graph(model.to_json())])
                self._graph_written = True
            except (TypeError, ValueError, NotImplementedError):
                pass  # a model that has no config has no picture either
        if self.embeddings_freq:
            projector.write_config(
                self.log_dir, list(projector.embeddings_of(model)), self.embeddings_metadata
            )

    # ------------------------------------------------------------ batches

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts counting; makes the folder, so that a wrong path fails now."""
        os.makedirs(self._train_dir, exist_ok=True)
        self._trace.stop()  # of a training that broke off
        self._count_from_0()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock, and the profiler where it is time."""
        self._batch += 1
        self._batch_started = time.monotonic()
        self._trace.begin(self._batch)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the results of a batch."""
        if self.update_freq != "epoch" and self._batch % self.update_freq == 0:
            values = {f"batch_{k}": v for k, v in (logs or {}).items()}
            if self.write_steps_per_second:
                values["batch_steps_per_second"] = 1 / max(
                    time.monotonic() - self._batch_started, 1e-9
                )
            self._scalars(self._train, values, self._batch)
        self._trace.end(self._batch, logs)

    @staticmethod
    def _scalars(file: "EventFile", values: dict[str, Any], step: int) -> None:
        values = [event_file.scalar(k, v) for k, v in values.items() if np.ndim(v) == 0]
        if values:
            file.write(step, values)

    # ------------------------------------------------------------ epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        if self.write_steps_per_second:
            self._epoch_started = time.monotonic()
            self._steps_before = self._iterations()

    def _iterations(self) -> int:
        return int(getattr(self.model.optimizer, "iterations", 0))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the results of an epoch; now and then the weights."""
        train, validation = _by_run((logs or {}).items())
        # the rate may be hidden in an optax transformation
        with contextlib.suppress(AttributeError):
            train |= {f"epoch_{k}": v for k, v in named_rates(self.model.optimizer).items()}
        if self.write_steps_per_second:
            elapsed = max(time.monotonic() - self._epoch_started, 1e-9)
            train["epoch_steps_per_second"] = (self._iterations() - self._steps_before) / elapsed
        self._scalars(self._train, train, epoch)
        self._scalars(self._validation, validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings(epoch)
        self._train.flush()
        self._validation.flush()

    def _write_embeddings(self, epoch: int) -> None:
        os.makedirs(self._train_dir, exist_ok=True)
        name = f"keras_embedding.ckpt-{epoch}.weights.h5"
        self.model.save_weights(os.path.join(self._train_dir, name))
        projector.write_vectors(self.log_dir, projector.embeddings_of(self.model))

    def _write_weights(self, epoch: int) -> None:
        for weight in self.model.weights:
            name = weight.path.replace(":", "_")
            values = np.asarray(weight.value, "float64")
            self._train.write(epoch, [event_file.histogram(f"{name}/histogram", values)])
            pictures = []
            if self.write_images:
                pictures = _pictures(values)
            if pictures:
                self._train.write(epoch, [event_file.images(f"{name}/image", pictures)])

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Writes the results of an evaluation by the number of updates so far."""
        values = {f"evaluation_{k}_vs_iterations": v for k, v in (logs or {}).items()}
        self._scalars(self._validation, values, self._iterations())
        self._validation.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Completes the files."""
        self._trace.stop()
        self._train.flush()
        self._validation.flush()


def _by_run(results: Iterable[tuple[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """({name: value} of training, the same of validation)."""
    train, validation = {}, {}
    for name, value in results:
        if name.startswith("val_"):
            validation[f"epoch_{name[4:]}"] = value
        else:
            train[f"epoch_{name}"] = value
    return train, validation


def _batches(profile_batch: Any) -> tuple[int, int]:
    """(number of the first batch to profile, how many)."""
    limits = profile_batch
    if isinstance(limits, str):
        limits = limits.split(",")
    if isinstance(limits, int):
        limits = (limits, limits)
    try:
        start, last = map(int, limits)
        if 0 <= start <= last:
            start = max(start, 1)
            return start, last - start + 1  # of (0, 0) none
    except (TypeError, ValueError):
        pass
    raise ValueError(
        "`profile_batch` must be a number of a batch, or two in order. Received: "
        f"profile_batch={profile_batch!r}"
    )


MOST = 3  # pictures of one weight, as TensorFlow


def _pictures(values: np.ndarray) -> list[np.ndarray]:
    """A weight as at most three pictures, uint8 (height, width, channels); [] where its shape
    allows none.

    Of a matrix the long side lies across; of a convolution's kernel each filter is a picture, in
    gray or, where it sees 3 or 4 channels, in color.
    """
    values = np.squeeze(values)
    if values.ndim == 1:
        values = values[None, None, :, None]
    elif values.ndim == 2:
        if values.shape[0] > values.shape[1]:
            values = values.T
        values = values[None, :, :, None]
    elif values.ndim == 3:
        values = np.moveaxis(values, -1, 0)[..., None]
    elif values.ndim == 4 and values.shape[2] in (3, 4):
        values = np.moveaxis(values, -1, 0)
    else:
        return []
    if not values.size or not np.isfinite(values).all():
        return []
    low = values.min()
    high = values.max()
    return list(((values[:MOST] - low) / ((high - low) or 1) * 255).astype("uint8"))
