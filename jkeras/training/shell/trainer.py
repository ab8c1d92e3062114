"""The shell of training on a model: fit, evaluate, predict and the `*_on_batch` methods. It never
computes.

What runs a training is imported by the first one, since `import jkeras` may take little time.
"""

import contextlib
import functools
import inspect
import os
from typing import TYPE_CHECKING, Any, Literal
from collections.abc import Sequence

import jax

from jkeras.callbacks import History
from jkeras.core.errors import suggestion
from jkeras.core.run.tracebacks import without_own_frames
from jkeras.core.system.signals import Signals, whole
from jkeras.ops.kernels import outside_loops
from jkeras.training import data
from jkeras.training.data import placement
from jkeras.training.data.source import DataTypes
from jkeras.training.loop.predicting import predict_batches
from jkeras.training.loop.predictor import predict_at_once, predictor_of
from jkeras.training.loop.program import program_of
from jkeras.training.shell.arguments import (
    Callbacks,
    callback_list,
    capped,
    checked,
    single_batch,
    types_of_data,
)
from jkeras.training.shell.compilable import Compilable
from jkeras.training.shell.extensions import Extensions
from jkeras.training.step.building import (
    build_for_prediction,
    build_for_source,
    build_for_training,
    is_built,
    require_compiled,
)
from jkeras.training.step.layout import StateLayout, state_layout
from jkeras.training.step.nonfinite import look_at_batch
from jkeras.training.step.private_once import refuse_private, require_said
from jkeras.training.step.results import as_numbers, in_order
from jkeras.training.step.state import TrainState, copied
from jkeras.training.types import Outputs, Scores, Structure, Verbose

if TYPE_CHECKING:
    from jkeras.saving.checkpointer import Checkpointer


class Trainer(Extensions, Compilable):
    """What makes a layer a model: it can be compiled and fitted."""

    # ------------------------------------------------------------ fit

    @without_own_frames
    def fit(
        self,
        x: Structure = None,
        y: Structure = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Verbose = "auto",
        callbacks: Callbacks = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | Literal["batch", "same"] = True,
        class_weight: dict[Any, Any] | list[Any] | None = None,
        sample_weight: Structure = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        *,
        seed: int | None = None,
        checkpoint: "str | os.PathLike | Checkpointer | None" = None,
        resume: bool | Literal["skip"] = True,
        ensemble: int | None = None,
        report: "str | os.PathLike | None" = None,
        debug: Literal["nan"] | None = None,
    ) -> History:
        """Trains the model.

        Args:
            x, y: arrays, lists or dicts of arrays; or `x` a source of batches `(x, y)` or `(x, y,
                sample_weight)`.
            batch_size: rows of a batch, 32 by default.
            epochs: number of the last epoch.
            verbose: 0 silent, 1 progress bar, 2 one line for each epoch, "auto".
            validation_split: fraction of the rows, taken from the end, to validate on.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a source of batches.
            class_weight: {class: weight}; for several outputs a list of these, or a dict by the
                names of the outputs.
            sample_weight: weight of each row.
            initial_epoch: number of the first epoch.
            steps_per_epoch: batches of an epoch, for sources without an end.
            validation_freq: validate every so many epochs, or the list of epochs after which to.
            seed: an integer from which shuffling and dropout follow: the same seed, the same
                weights and optimizer's state give the same losses. By default they are drawn as in
                Keras, see `jkeras.utils.set_random_seed`.
            checkpoint: a folder, or a `jkeras.saving.Checkpointer`: the training is saved there
                after each epoch, or as often as the checkpointer says, and when SIGTERM asks it to
                end. A run that finds one there goes on from it, in the middle of an epoch too, to
                the same bits.
            resume: with `checkpoint`: False begins afresh, in an empty folder; "skip" lets data
                whose position cannot be restored, such as a generator, go on by passing over the
                batches that were taken.
            ensemble: train so many members at once, see docs/ensembles.md: each begins with
                trainable weights of its own and sees the rows in its own order (with
                `shuffle="same"` in the order of all), member i as a `fit` alone with the seed `seed
                + i`. Results are means over the members, "loss_members" those of each; `predict`
                gives the mean of their outputs. A later `fit` goes on with them.
            report: a path, at which a JSON file tells what this training was: versions, settings,
                seeds, hashes of data and weights, and a fingerprint of each step, by which
                `python -m jkeras reproduce` says at which step another run parts from it.
            debug: "nan": raise at the first step that brings NaN or infinity into the model, and
                say which layer gave it first, in its forward pass or its gradient, and in which
                row: that step is run again, operation by operation. The model stays what it was
                before the step.

        Returns:
            The `History` callback; `history.history` has one list for each name.
        """
        from jkeras.training.loop.fitting import Fitting
        from jkeras.training.loop.resume import FitOptions
        from jkeras.training.shell import beginning

        epochs = beginning.begin_fit(self, epochs, initial_epoch, seed)
        rows, validation_data = beginning.split(
            self, (x, y, sample_weight), validation_split, validation_data, validation_freq
        )
        options = FitOptions(
            initial_epoch,
            epochs,
            capped(steps_per_epoch, "steps_per_epoch"),
            capped(validation_steps, "validation_steps"),
            validation_freq,
            seed,
            checkpoint,
            resume,
        )
        if debug is not None:
            options = options._replace(looking=self.finder(debug))
        draws = seed is None and ensemble is None and self.draws_as_keras
        order = beginning.Order(shuffle, draws)
        opened = beginning.sources(
            self,
            rows,
            validation_data,
            class_weight,
            batch_sizes=(batch_size, validation_batch_size),
            limits=(steps_per_epoch, validation_steps),
            order=order,
        )
        with opened as (source, validation):
            callbacks = beginning.fit_callbacks(self, callbacks, source, verbose, options)
            if checkpoint is None:
                options = options._replace(checkpoint=beginning.backup_of(callbacks))
            options = beginning.begin_stream(self, options, source, shuffle, ensemble)
            with self.recorded(report, callbacks, source, options) as (options, recorder):
                Fitting(self, source, validation, callbacks, options, recorder).run()
        return self.history

    # ------------------------------------------------------------ evaluate

    @without_own_frames
    def evaluate(
        self,
        x: Structure = None,
        y: Structure = None,
        batch_size: int | None = None,
        verbose: Verbose = "auto",
        sample_weight: Structure = None,
        steps: int | None = None,
        callbacks: Callbacks = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Scores:
        """The loss and metrics on data.

        Args:
            x, y, batch_size, sample_weight: as for `fit`.
            steps: number of batches, for sources without an end.
            return_dict: return {name: value} instead of a list in the order of `metrics_names`.
        """
        from jkeras.training.loop.evaluating import Evaluating
        from jkeras.training.loop.ownership import Snapshot
        from jkeras.training.step.stacked import loop_layout

        require_compiled(self, "evaluate")
        if kwargs:
            guess = suggestion(list(kwargs), inspect.signature(self.evaluate).parameters)
            raise ValueError(f"Arguments not recognized: {kwargs}.{guess}")
        self.compile_seconds = 0.0
        rows, limit = (self.prepared(x), y, sample_weight), capped(steps)
        source = data.make_source(*rows, batch_size, steps=steps, types=types_of_data(self))
        with contextlib.closing(source):
            build_for_source(self, source, looks_ahead=True)
            source = checked(self, source)
            callbacks = callback_list(self, callbacks, verbose, 1, limit or source.num_batches)
            layout = loop_layout(self)
            owner = Snapshot(layout)
            with Signals() as signals:
                logs = Evaluating(self, layout, source, limit, callbacks).run(owner, signals)
                owner.store()
        return logs if return_dict else in_order(self, logs)

    # ------------------------------------------------------------ predict

    @without_own_frames
    def predict(
        self,
        x: Structure,
        batch_size: int | None = None,
        verbose: Verbose = "auto",
        steps: int | None = None,
        callbacks: Callbacks = None,
        *,
        members: bool = False,
    ) -> Outputs:
        """The outputs for data, as numpy arrays of the caller's own.

        Args:
            x: as for `fit`.
            batch_size: rows of a batch, 32 by default.
            steps: number of batches, for sources without an end.
            members: of an ensemble, see `fit(ensemble=…)`: the outputs of each member, which are
                the first axis, rather than their mean.

        Raises:
            ValueError: `members` of a model that is no ensemble.
        """
        if not members and verbose == 0 and callbacks is None and steps is None:
            outputs = predict_at_once(self, x, batch_size)
            if outputs is not None:
                return outputs
        limit = capped(steps)
        model, x = self.for_prediction(x)
        source = data.make_source(
            x, batch_size=batch_size, steps=steps, types=DataTypes(model.types_of_inputs())
        )
        if not is_built(model):
            source.look_ahead()
            source.reset()
        build_for_prediction(model, source.peek())
        model.warn_of_padding()
        callbacks = callback_list(model, callbacks, verbose, 1, limit or source.num_batches)
        predictor = model.predictor_of_each() if members else predictor_of(model)
        outputs = predict_batches(model, predictor, source, limit, callbacks)
        if not members:
            return outputs
        return jax.tree_util.tree_map(lambda y: y.swapaxes(0, 1).copy(), outputs)

    @without_own_frames
    def predict_on_batch(self, x: Structure) -> Outputs:
        """The outputs for one batch."""
        model, x = self.for_prediction(x)
        x = data.as_arrays(x, types=model.types_of_inputs())
        build_for_prediction(model, (x,))
        return jax.tree_util.tree_map(placement.own_array, predictor_of(model)(x))

    # ------------------------------------------------------------ one batch

    @without_own_frames
    def train_on_batch(
        self,
        x: Structure,
        y: Structure = None,
        sample_weight: Structure = None,
        class_weight: dict[Any, Any] | list[Any] | None = None,
        return_dict: bool = False,
        *,
        debug: Literal["nan"] | None = None,
    ) -> Scores:
        """One training step on one batch; returns its loss and metrics.

        Args:
            debug: as of `fit`.
        """
        from jkeras.training.step.step import train_step_on

        require_compiled(self, "train_on_batch")
        require_said(self, "train_on_batch")
        refuse_private(self, "train_on_batch")
        self.refuse_ensemble("train_on_batch")
        batch = single_batch(self, x, y, sample_weight, class_weight)
        layout = state_layout(self)
        state = placement.replicate(layout.reset_metrics(layout.gather(copies=False)))
        step = program_of(
            self,
            "train_on_batch",
            layout.key,
            lambda: outside_loops(train_step_on(self, layout.of_step())),
            state=lambda: state,
        )
        if debug is not None:
            step = functools.partial(self.finder(debug).on_batch, step)
        state, logs = step(state, placement.place(batch))
        layout.scatter(state)
        look_at_batch(self, state)
        logs = as_numbers(logs)
        return logs if return_dict else in_order(self, logs)

    @without_own_frames
    def test_on_batch(
        self,
        x: Structure,
        y: Structure = None,
        sample_weight: Structure = None,
        return_dict: bool = False,
    ) -> Scores:
        """Loss and metrics of one batch."""
        from jkeras.training.loop.ownership import Snapshot
        from jkeras.training.loop.programs import Programs

        require_compiled(self, "test_on_batch")
        self.refuse_ensemble("test_on_batch")
        batch = single_batch(self, x, y, sample_weight)
        layout = state_layout(self)
        owner = Snapshot(layout)
        owner.replace(layout.reset_metrics)
        program = Programs(self, layout, "test", in_a_loop=False).get("one", owner)
        with owner.stepping():
            owner.state, logs = program(owner.state, placement.place(batch), None)
        logs = as_numbers(logs)
        owner.store()
        return logs if return_dict else in_order(self, logs)

    @whole
    def load_train_state(self, state: TrainState) -> None:
        """Puts the arrays of a `TrainState` under the Keras view of this model.

        Raises:
            ValueError: the model is an ensemble, whose members have states of their own.
        """
        self.refuse_ensemble("`load_train_state`")
        if self.built:
            build_for_training(self)
        StateLayout(self).scatter(copied(state))
