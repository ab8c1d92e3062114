"""The shell of training on a model: fit, evaluate, predict and the `*_on_batch` methods. It never
computes.

What runs a training is imported by the first one, since `import jkeras` may take little time.
"""

import contextlib
import inspect
import itertools
import operator
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp

from jkeras.callbacks import Callback, CallbackList, History
from jkeras.core.run.building import as_specs
from jkeras.core.errors import ArgumentError, NotCompiledError, check_whole, explain, suggestion
from jkeras.core.graph.host_numbers import InputTypes
from jkeras.core.session.settings import is_interactive_logging_enabled, settings
from jkeras.core.system.signals import Signals, whole
from jkeras.core.weights.structure import all_built
from jkeras.core.run.tracebacks import without_own_frames
from jkeras.ops.kernels import outside_loops
from jkeras.training.step.label_checks import guess_labels
from jkeras.training import data
from jkeras.training.step import keras_contract
from jkeras.training.data import placement
from jkeras.training.shell.compilable import Compilable
from jkeras.training.shell.extensions import Extensions
from jkeras.training.step.compile_metrics import CompileMetrics
from jkeras.training.data.source import Batch, DataTypes, Source, unpack
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.nonfinite import look_at_batch
from jkeras.training.step.overrides import has_own_step, overrides
from jkeras.training.loop.predictor import Predictor, predict_at_once, predictor_of
from jkeras.training.step.private_once import carry_on, require_said
from jkeras.training.loop.program import program_of
from jkeras.training.step.results import as_numbers, concatenate
from jkeras.training.step.state import TrainState, copied, new_key
from jkeras.training.types import Logs, Outputs, Scores, Structure, Verbose

if TYPE_CHECKING:
    from jkeras.generation.sampler import Sampler
    from jkeras.saving.checkpointer import Checkpointer


EACH = operator.methodcaller("predictor_of_each")


class Trainer(Extensions, Compilable):
    """What makes a layer a model: it can be compiled and fitted."""

    # ------------------------------------------------------------ what training needs

    def _key(self) -> jax.Array:
        if self._train_key is None:
            self.__dict__["_train_key"] = new_key()
        return self._train_key

    def _assert_compiled(self, method: str) -> None:
        if not self.compiled:
            raise NotCompiledError(
                f"You must call `compile()` before calling `{method}()` on model '{self.name}'."
            )

    def _refuse_privacy(self, method: str) -> None:
        """Raises for a model with `privacy`, where how rows are sampled is unknown."""
        if self.compilation.privacy is not None:
            expected = (
                "`fit` for a model with `privacy`, which alone samples rows as its account says"
            )
            fix = "train with `fit`, or with `make_train_step` and an account of your own"
            raise ValueError(explain(f"Model '{self.name}'", expected, f"`{method}`", fix))

    def build_for_training(self, batch: tuple[Any, ...] | None = None) -> None:
        """Builds layers, losses and metrics for a batch `(x, y, sample_weight)`; afterwards shapes
        are known.
        """
        waiting = self._unbuilt_containers()
        if waiting or not self.built or not all_built(self):
            self._build_parts(batch, waiting)
        self._attach_lora()

    @whole
    def _build_parts(self, batch: tuple[Any, ...] | None, waiting: list) -> None:
        if batch is None:
            x, y = self._input_shapes(), None
        else:
            x, y, _ = unpack(data.shapes_of(batch))
        y_pred = self._predicted_shapes(x)
        if y is None and batch is not None:
            return  # the step explains that labels are missing
        for container in waiting:
            labels = guess_labels(self, y_pred) if y is None else y
            try:
                container.build(labels, y_pred)
            except ValueError:
                if container is not self.compilation.losses or not overrides(self, "compute_loss"):
                    raise
                keras_contract.build_losses_by_call(self, container, x, labels, y_pred)

    def _unbuilt_containers(self) -> list:
        containers = self.compilation.losses, self.compilation.metrics
        return [c for c in containers if c is not None and not c.built]

    def _input_shapes(self) -> Structure:
        specs = self._input_specs()
        return jax.tree_util.tree_map(
            lambda s: jax.ShapeDtypeStruct([1 if d is None else d for d in s.shape], s.dtype),
            specs,
            is_leaf=lambda s: hasattr(s, "dtype"),
        )

    def _input_specs(self) -> Structure:
        """The symbolic inputs of a built graph, else specs of the shapes it was built with."""
        if self.built and getattr(self, "inputs", None) is not None:
            return self.input
        shapes_by_name = self._build_shapes or {}
        shapes = shapes_by_name.get("input_shape") or next(iter(shapes_by_name.values()), None)
        if shapes is None:
            raise ValueError(
                f"Model '{self.name}' is not built, so its shapes are not known: call it on "
                "data once, or pass `batch=(x, y)`."
            )
        return as_specs(shapes, self._input_type)

    def _predicted_shapes(self, x: Structure) -> Structure:
        """The shapes of the outputs for shapes of inputs; builds layers on the way."""
        recorded = self.recorded_shapes(x)
        if recorded is not None:
            return recorded
        try:
            return jax.eval_shape(lambda x: self.run_abstract((x,), {}, training=False), x)
        except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
            if self.jit_compile:
                raise
            # run eagerly, user code may do what depends on values: it gets some
            return data.shapes_of(
                self(jax.tree_util.tree_map(lambda v: jnp.zeros(v.shape, v.dtype), x))
            )

    def recorded_shapes(self, x: Structure) -> Structure | None:
        """The shapes of the outputs where a graph tells them without a trace of the whole model;
        None: it does not.
        """
        return None

    def _callback_list(
        self,
        callbacks: Callback | Sequence[Callback] | CallbackList | None,
        verbose: int | str,
        epochs: int,
        steps: int | None,
        **options,
    ) -> CallbackList:
        """The callbacks as the list that calls them, with a progress bar unless it is silent."""
        verbose = _verbosity(verbose)
        if isinstance(callbacks, CallbackList):
            return callbacks
        return CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
            model=self,
            **options,
        )

    # ------------------------------------------------------------ fit

    @without_own_frames
    def fit(
        self,
        x: Structure = None,
        y: Structure = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Verbose = "auto",
        callbacks: Callback | Sequence[Callback] | CallbackList | None = None,
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
                weights and optimizer's state give the same losses. By default the session's, see
                `jkeras.utils.set_random_seed`.
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

        Returns:
            The `History` callback; `history.history` has one list for each name.
        """
        from jkeras.training.loop.fitting import Fitting, check_frequency
        from jkeras.training.loop.resume import FitOptions

        self._begin_fit(epochs, initial_epoch, seed)
        epochs = min(epochs, settings.max_epochs or epochs)
        x = self._prepared(x)
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = data.split_validation(
                (x, y, sample_weight), validation_split, self.types_of_data()
            )
        if validation_data is not None:
            check_frequency(validation_freq)
        steps = _capped(steps_per_epoch, "steps_per_epoch")
        with contextlib.ExitStack() as opened:
            source = data.make_source(
                x,
                y,
                sample_weight,
                batch_size,
                data.rows_shuffled(shuffle),
                steps=steps_per_epoch,
                types=self.types_of_data(),
            )
            opened.enter_context(contextlib.closing(source))
            source = self._weighted(source, class_weight)
            validation = None
            if validation_data is not None:
                validation = self._validation_source(
                    validation_data, validation_batch_size or batch_size, validation_steps
                )
                opened.enter_context(contextlib.closing(validation))
            self.build_for_training(source.shapes())
            source = self._checked(source)
            self.warn_of_padding(source.shapes()[2] is not None or self.compilation.losses is None)
            if validation is not None:
                validation = self._checked(validation)
            callbacks = self._fit_callbacks(callbacks, source, verbose, epochs, steps)
            if checkpoint is None:
                checkpoint = _backup_of(callbacks)
            seed = self.begin_ensemble(ensemble, source, shuffle, seed)
            if seed is not None or self.compilation.privacy is not None:
                self._begin_stream(seed, initial_epoch, steps or source.num_batches)
            options = FitOptions(
                initial_epoch=initial_epoch,
                epochs=epochs,
                steps=steps,
                validation_steps=_capped(validation_steps, "validation_steps"),
                validation_freq=validation_freq,
                seed=seed,
                checkpoint=checkpoint,
                resume=resume,
            )
            with self.recorded(report, callbacks, source, options) as (options, recorder):
                Fitting(self, source, validation, callbacks, options, recorder).run()
        return self.history

    def _begin_fit(self, epochs: int, initial_epoch: int, seed: int | None) -> None:
        """Sees that the model may be trained so, and that nothing is left of the training before.

        Raises:
            RuntimeError, ValueError: it may not.
        """
        self._assert_compiled("fit")
        if self.asks_for_privacy:
            require_said(self, "fit")
        carry_on(self)
        check_whole("epochs", epochs)
        check_whole("initial_epoch", initial_epoch)
        if seed is not None:
            check_whole("seed", seed, at_least=0)
        self.stop_training = False
        self.compile_seconds = 0.0

    def _validation_source(
        self, validation_data: Any, batch_size: int | None, steps: int | None
    ) -> Source:
        if isinstance(validation_data, (tuple, list)) and 1 <= len(validation_data) <= 3:
            x, y, sample_weight = (*validation_data, None, None)[:3]
            x = self._prepared(x)
        else:
            x, y, sample_weight = validation_data, None, None
            has_own = has_own_step(self, "test") or overrides(self, "compute_loss")
            if hasattr(x, "__array__") and self.compilation.losses is not None and not has_own:
                raise ValueError(
                    f"`validation_data` is an array of shape {tuple(x.shape)} without labels. "
                    "Pass `validation_data=(x, y)`."
                )
        return data.make_source(
            x,
            y,
            sample_weight,
            batch_size,
            replays=True,
            steps=steps,
            types=self.types_of_data(),
        )

    def warn_of_padding(self, has_weights: bool = True) -> None:
        """Warns, once for the model, where padding is taken for data since a mask is lost; here it
        is not known.

        Args:
            has_weights: whether the loss has weights of its own, or there is none.
        """

    def types_of_inputs(self) -> InputTypes | None:
        """The dtypes that data for the inputs goes to; None: they are unknown."""
        return None

    def types_of_data(self) -> DataTypes:
        """The dtypes that the parts of a batch go to. Losses and metrics compute in floats; what
        a step of the user's own does with labels is unknown.
        """
        kinds = ("train", "test")
        is_standard = self.compiled and not any([has_own_step(self, kind) for kind in kinds])
        return DataTypes(self.types_of_inputs(), "float32" if is_standard else None)

    def _prepared(self, x: Structure) -> Structure:
        """Data for the inputs as what a compiled step can take; here, as it is."""
        return x

    def _weighted(self, source: Source, class_weight: Any) -> Source:
        """A source with the weights of its classes, where there are any."""
        if class_weight is None:
            return source
        data.warn_of_strange(class_weight, getattr(self, "outputs", None))
        return data.weighted(source, class_weight, getattr(self, "output_names", None))

    def _begin_stream(self, seed: int | None, initial_epoch: int, steps: int | None) -> None:
        """Lets the random numbers of a training follow from a seed and the numbers of its epochs
        alone, whatever was trained before. Without a seed they go on, and noise of privacy is new.

        Args:
            steps: of an epoch; None: unknown, then an epoch that is not the first goes on.
        """
        if seed is None:
            self.compilation.privacy.renew_key(self)
            return
        step = initial_epoch * steps if initial_epoch and steps is not None else None
        if initial_epoch == 0:
            step = 0
        self.state_layout().restart(seed, step)

    def _fit_callbacks(
        self,
        callbacks: Callback | Sequence[Callback] | CallbackList | None,
        source: Source,
        verbose: int | str,
        epochs: int,
        steps: int | None,
    ) -> CallbackList:
        steps = steps or source.num_batches
        rows = _rows(source, steps)
        return self._callback_list(callbacks, verbose, epochs, steps, add_history=True, rows=rows)

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
        callbacks: Callback | Sequence[Callback] | CallbackList | None = None,
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

        self._assert_compiled("evaluate")
        if kwargs:
            guess = suggestion(list(kwargs), inspect.signature(self.evaluate).parameters)
            raise ValueError(f"Arguments not recognized: {kwargs}.{guess}")
        self.compile_seconds = 0.0
        x = self._prepared(x)
        capped = _capped(steps)
        with contextlib.closing(
            data.make_source(
                x, y, sample_weight, batch_size, steps=steps, types=self.types_of_data()
            )
        ) as source:
            self.build_for_training(source.shapes())
            source = self._checked(source)
            callbacks = self._callback_list(callbacks, verbose, 1, capped or source.num_batches)
            layout = self.loop_layout()
            owner = _Snapshot(layout)
            evaluating = Evaluating(self, layout, source, capped, callbacks)
            with Signals() as signals:
                logs = evaluating.run(owner, signals)
                owner.store()
        return logs if return_dict else self._in_order(logs)

    def _in_order(self, logs: Logs) -> Any:
        """Logs as a list: in the order of the metrics, then the rest; a single value alone."""
        logs = self.of_list(logs)
        names = []
        for metric in self.metrics:
            several = metric.metrics if isinstance(metric, CompileMetrics) else [metric]
            names += [m.name for m in several]
        values = [logs[n] for n in names if n in logs]
        values += [logs[k] for k in sorted(logs) if k not in names]
        return values[0] if len(values) == 1 else values

    # ------------------------------------------------------------ predict

    @without_own_frames
    def predict(
        self,
        x: Structure,
        batch_size: int | None = None,
        verbose: Verbose = "auto",
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | CallbackList | None = None,
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
        if members:
            outputs = self._predict_all(EACH, x, batch_size, verbose, steps, callbacks)
            return jax.tree_util.tree_map(lambda y: y.swapaxes(0, 1).copy(), outputs)
        if verbose == 0 and callbacks is None and steps is None:
            outputs = predict_at_once(self, x, batch_size)
            if outputs is not None:
                return outputs
        return self._predict_all(predictor_of, x, batch_size, verbose, steps, callbacks)

    def _predict_all(
        self,
        predictor: Callable[["Trainer"], "Predictor"],
        x: Structure,
        batch_size: int | None,
        verbose: Any,
        steps: int | None,
        callbacks: Callback | Sequence[Callback] | CallbackList | None,
    ) -> Structure:
        """The outputs of a predictor for the batches of data."""
        types = DataTypes(self.types_of_inputs())
        capped = _capped(steps)
        source = data.make_source(x, batch_size=batch_size, steps=steps, types=types)
        self._build_for_prediction(source.peek())
        self.warn_of_padding()
        callbacks = self._callback_list(callbacks, verbose, 1, capped or source.num_batches)
        callbacks.on_predict_begin()
        with contextlib.closing(source):
            outputs = self._predict(predictor(self), source, capped, callbacks)
        callbacks.on_predict_end()
        if not outputs:
            raise ValueError("The data gave no batch to predict.")
        return jax.tree_util.tree_map(placement.own_array, concatenate(outputs))

    def _predict(
        self, predict: "Predictor", source: Source, steps: int | None, callbacks: CallbackList
    ) -> list[Structure]:
        """The outputs of several batches each."""
        is_cut = isinstance(source, data.ArraySource) and source.num_batches > 1
        size = source.batch_size if is_cut else None
        batches = itertools.islice(source.batches(), steps)
        outputs: list = []
        step = 0
        self.stop_predicting = False
        while not self.stop_predicting:
            several = list(itertools.islice(batches, self.steps_per_execution))
            if not several:
                break
            callbacks.on_predict_batch_begin(step)
            outputs.append(concatenate([predict(batch, size) for batch, *_ in several]))
            step += len(several)
            callbacks.on_predict_batch_end(step - 1, {"outputs": outputs[-1]})
        return outputs

    @without_own_frames
    def predict_on_batch(self, x: Structure) -> Outputs:
        """The outputs for one batch."""
        x = data.as_arrays(x, types=self.types_of_inputs())
        self._build_for_prediction((x,))
        return jax.tree_util.tree_map(placement.own_array, predictor_of(self)(x))

    def _build_for_prediction(self, batch: tuple) -> None:
        if not self.built or not all_built(self):
            self._predicted_shapes(data.shapes_of(batch)[0])

    # ------------------------------------------------------------ text

    def generate(
        self,
        prompts: Any,
        max_length: int,
        sampler: "Sampler | None" = None,
        *,
        stop: Sequence[int] | int = (),
        rng: jax.Array | int | None = None,
        stream: bool = False,
        verbose: int = 0,
        prompt_lengths: Any = None,
        padding_side: str = "right",
    ) -> Any:
        """Texts that begin with prompts, of a model of language: (batch, time) tokens -> logits
        (batch, time, vocabulary).

        Args:
            prompts: a list of sequences of tokens, of any lengths; or one such sequence; or with
                `prompt_lengths` an array (batch, time).
            max_length: of a text with its prompt.
            sampler: a `jkeras.generation.Sampler`; None: always the likeliest token.
            stop: a token or several that end a text; they belong to it.
            rng: a key or an integer, from which what is sampled follows; None: 0, so that two calls
                give the same.
            stream: give the new tokens as they come: for one prompt numbers, for several arrays
                (batch,).
            verbose: 1: show a progress bar.
            prompt_lengths: (batch,), of the rows of an array that is padded.
            padding_side: "right" or "left", where it is padded.

        Returns:
            An array of the tokens of each text, in a list; for one prompt the array alone. With
            `stream` an iterator.

        Raises:
            ValueError: a prompt without a token, longer than a text, or with a token that the model
                does not know; a `max_length` beyond the positions that it has.

        >>> import jkeras
        >>> tokens = jkeras.Input((None,), dtype="int32")
        >>> x = jkeras.layers.Embedding(20, 8)(tokens)
        >>> x = jkeras.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
        >>> model = jkeras.Model(tokens, jkeras.layers.Dense(20)(x))
        >>> [len(text) for text in model.generate([[3, 4], [5]], max_length=12)]
        [12, 12]
        >>> len(list(model.generate([3, 4], max_length=12, stream=True)))
        10
        """
        from jkeras.generation.sampler import Sampler
        from jkeras.generation.shell import generate

        sampler = Sampler(temperature=0.0) if sampler is None else sampler
        options = stream, verbose, prompt_lengths, padding_side
        return generate(self, prompts, max_length, sampler, stop, rng, *options)

    # ------------------------------------------------------------ compiling ahead

    def precompile(
        self,
        x: Structure,
        y: Structure = None,
        sample_weight: Structure = None,
        batch_size: int | None = None,
        kinds: Sequence[str] = ("train", "test", "predict"),
    ) -> dict[str, float]:
        """Compiles ahead what `fit`, `evaluate` and `predict` run on data like this; changes
        nothing in the model.

        With a compilation cache (`jkeras.config.enable_compilation_cache`) a later process finds it
        compiled, too.

        Args:
            x, y, sample_weight, batch_size: as for `fit`.
            kinds: which of the three.

        Returns:
            {kind: seconds}, the time it took.
        """
        from jkeras.training.loop.loop import Runner

        self._assert_compiled("precompile")
        require_said(self, "precompile")
        if "train" in kinds:
            self._refuse_privacy("precompile")
        seconds = {}
        types = self.types_of_data()
        source = data.make_source(x, y, sample_weight, batch_size, types=types)
        with contextlib.closing(source):
            self.build_for_training(source.peek())
            for kind in kinds:
                begin = time.perf_counter()
                if kind == "predict":
                    jax.block_until_ready(predictor_of(self)(source.peek()[0]))
                else:
                    layout = self.loop_layout()
                    owner = _Snapshot(layout, copies=True)
                    owner.replace(layout.reset_metrics)
                    Runner(self, layout, kind, every_batch=False).compile(owner, source)
                seconds[kind] = time.perf_counter() - begin
        return seconds

    # ------------------------------------------------------------ one batch

    @without_own_frames
    def train_on_batch(
        self,
        x: Structure,
        y: Structure = None,
        sample_weight: Structure = None,
        class_weight: dict[Any, Any] | list[Any] | None = None,
        return_dict: bool = False,
    ) -> Scores:
        """One training step on one batch; returns its loss and metrics."""
        from jkeras.training.step.step import make_train_step

        self._assert_compiled("train_on_batch")
        require_said(self, "train_on_batch")
        self._refuse_privacy("train_on_batch")
        self.refuse_ensemble("train_on_batch")
        batch = self._single_batch(x, y, sample_weight, class_weight)
        layout = self.state_layout()
        state = placement.replicate(layout.reset_metrics(layout.gather(copies=False)))
        step = program_of(
            self,
            "train_on_batch",
            layout.key,
            lambda: outside_loops(make_train_step(self)),
            state=state,
        )
        state, logs = step(state, placement.place(batch))
        layout.scatter(state)
        look_at_batch(self, state)
        return self._batch_logs(logs, return_dict)

    def state_layout(self) -> StateLayout:
        if self._last_layout is None or self._last_layout[0] != StateLayout.signature(self):
            self._make_layout()
        return self._last_layout[1]

    @whole
    def _make_layout(self) -> None:
        layout = self.new_layout()
        if layout.has_slots:
            layout.build_optimizer()
        self.__dict__["_last_layout"] = StateLayout.signature(self), layout

    def loop_layout(self) -> StateLayout:
        """Which variable is which leaf of the states that loops over steps run on."""
        from jkeras.training.step.stacked import stacked_layout

        return stacked_layout(self.state_layout())

    @without_own_frames
    def test_on_batch(
        self,
        x: Structure,
        y: Structure = None,
        sample_weight: Structure = None,
        return_dict: bool = False,
    ) -> Scores:
        """Loss and metrics of one batch."""
        from jkeras.training.loop.programs import Programs

        self._assert_compiled("test_on_batch")
        self.refuse_ensemble("test_on_batch")
        batch = self._single_batch(x, y, sample_weight, None)
        layout = self.state_layout()
        owner = _Snapshot(layout)
        owner.replace(layout.reset_metrics)
        program = Programs(self, layout, "test", in_a_loop=False).get("one", owner)
        logs = owner.advance(program, placement.place(batch), None)
        owner.store()
        return self._batch_logs(logs, return_dict)

    def _single_batch(
        self,
        x: Structure,
        y: Structure,
        sample_weight: Structure,
        class_weight: Any,
    ) -> Batch:
        x = self._prepared(x)
        if not data.is_array_like(x):
            raise TypeError(
                f"The `*_on_batch` methods of model '{self.name}' take the arrays of one batch. "
                f"Received: x of type {type(x).__name__}. Pass sources of batches to `fit`, "
                "`evaluate` or `predict`."
            )
        source = data.OneBatch(x, y, sample_weight, self.types_of_data())
        source = self._weighted(source, class_weight)
        self.build_for_training(source.data)
        return self._checked(source).data

    def _checked(self, source: Source) -> Source:
        """The source, its labels checked against the losses where these are what training
        minimizes.
        """
        own = [
            getattr(type(self), name) is not getattr(Trainer, name)
            for name in ("compute_loss", "train_step", "test_step")
        ]
        has_own = hasattr(self, "pure_train_step") or any(own)
        if self.compilation.losses is None or has_own:
            return source
        return data.checked(source, self.compilation.losses.check_values)

    def _batch_logs(self, logs: Logs, return_dict: bool) -> Any:
        logs = as_numbers(logs)
        return logs if return_dict else self._in_order(logs)

    @whole
    def load_train_state(self, state: TrainState) -> None:
        """Puts the arrays of a `TrainState` under the Keras view of this model.

        Raises:
            ValueError: the model is an ensemble, whose members have states of their own.
        """
        self.refuse_ensemble("`load_train_state`")
        if self.built:
            self.build_for_training()
        StateLayout(self).scatter(copied(state))


class _Snapshot:
    """The `StateOwner` of an evaluation outside `fit`: the model keeps its arrays; metrics and
    state are written back.

    Args:
        copies: whether steps may consume the arrays.
    """

    def __init__(self, layout: StateLayout, copies: bool = False) -> None:
        self.layout, self.state = layout, layout.gather(copies)

    def replace(self, change: Callable[[TrainState], TrainState]) -> None:
        """Replaces the state by `change(state)`."""
        self.state = placement.replicate(change(self.state))

    def peek(self) -> TrainState:
        """The state."""
        return self.state

    def advance(self, function: Callable[..., tuple[TrainState, Logs]], *args: Any) -> Logs:
        """`state, logs = function(state, *args)`."""
        self.state, logs = function(self.state, *args)
        return logs

    def store(self) -> None:
        """Writes metrics and state back into the variables."""
        self.layout.store(self.state)


def _capped(steps: int | None, argument: str = "steps") -> int | None:
    """The number of steps of an epoch, 0 being all; below the session's limit for trial runs where
    one is set.
    """
    if steps is not None:
        check_whole(argument, steps, at_least=0)
    if settings.max_steps_per_epoch is None:
        return steps or None
    return min(settings.max_steps_per_epoch, steps or settings.max_steps_per_epoch)


def _rows(source: Source, steps: int | None) -> int | None:
    """The number of rows of an epoch, or None."""
    return getattr(source, "size", None) if steps == source.num_batches else None


def _backup_of(callbacks: CallbackList) -> "Checkpointer | None":
    """Where the first `BackupAndRestore` that has one keeps checkpoints, or None."""
    from jkeras.callbacks import BackupAndRestore

    for callback in callbacks.callbacks:
        checkpointer = isinstance(callback, BackupAndRestore) and callback.checkpointer()
        if checkpointer:
            return checkpointer
    return None


def _verbosity(verbose: int | str) -> int:
    if verbose == "auto":
        return 1 if is_interactive_logging_enabled() else 2
    try:
        return int(verbose)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"`verbose` must be 0, 1, 2 or 'auto'. Received: verbose={verbose!r}"
        ) from None
