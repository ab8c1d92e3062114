"""`predict` on data of any kind: its batches one after the other, and who is called for them."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import jax

from jkeras.callbacks import CallbackList
from jkeras.training import data
from jkeras.training.data import placement
from jkeras.training.data.source import Source
from jkeras.training.loop.pace import whole_executions
from jkeras.training.loop.short_data import warn_of_short_data
from jkeras.training.step.results import concatenate
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.loop.predictor import Predictor
    from jkeras.training.shell.trainer import Trainer


def predict_batches(
    model: "Trainer",
    predict: "Predictor",
    source: Source,
    steps: int | None,
    callbacks: CallbackList,
) -> Structure:
    """The outputs for the batches of a source, at most so many; closes it."""
    callbacks.on_predict_begin()
    with contextlib.closing(source):
        outputs = list(_outputs(model, predict, source, steps, callbacks))
    callbacks.on_predict_end()
    if not outputs:
        raise ValueError("The data gave no batch to predict.")
    return jax.tree_util.tree_map(placement.own_array, concatenate(outputs))


def _outputs(
    model: "Trainer",
    predict: "Predictor",
    source: Source,
    steps: int | None,
    callbacks: CallbackList,
) -> Iterator[Structure]:
    """The outputs of several batches each."""
    is_cut = isinstance(source, data.ArraySource) and source.num_batches > 1
    size = source.batch_size if is_cut else None
    source.begin_epoch()
    execution = model.steps_per_execution
    most = None if steps is None else whole_executions(steps, execution)
    batches = itertools.islice(source.batches(), most)
    step = done = 0
    model.stop_predicting = False
    while not model.stop_predicting:
        first = next(batches, None)
        if first is None:
            source.end_epoch()
            warn_of_short_data(done, steps, "`steps`", execution)
            break
        callbacks.on_predict_batch_begin(step)
        # one after another, since a generator may fill the same array for the next one
        several = itertools.chain([first], itertools.islice(batches, execution - 1))
        found = [predict(batch, size) for batch, *_ in several]
        outputs = concatenate(found)
        done += len(found)
        step += execution  # as Keras counts, also where the data end
        callbacks.on_predict_batch_end(step - 1, {"outputs": outputs})
        yield outputs
