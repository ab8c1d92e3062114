"""What training minimizes and reports: `compile`, losses, metrics, and Keras's contract for steps
of one's own.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp

from jkeras import losses as losses_module
from jkeras import metrics as metrics_module
from jkeras import optimizers
from jkeras.callbacks.timing import Timing
from jkeras.core.names import registry
from jkeras.core.graph.keras_tensor import refuse_cycles
from jkeras.core.errors import ArgumentError, check_choice
from jkeras.core.names.patterns import check_patterns
from jkeras.core.weights.policy import is_float
from jkeras.core.session.settings import floatx, settings
from jkeras.core.run.tracebacks import not_initialized, without_own_frames
from jkeras.kernel.microbatch import per_microbatch
from jkeras.metrics import Metric
from jkeras.optimizers import Optimizer
from jkeras.optimizers.by_path import build_of_model
from jkeras.saving.optimizers_of_code import is_missing, warn_of_missing
from jkeras.training.loop.predictor import NO_PREDICTOR
from jkeras.training.step import keras_contract
from jkeras.training.step.building import attach_lora
from jkeras.training.step.compile_loss import CompileLoss
from jkeras.training.step.compile_metrics import CompileMetrics
from jkeras.training.step.compiled import SETTABLE, Compilation, Readable, settable
from jkeras.training.step.links import check_links
from jkeras.training.step.nonfinite import check_policy, counter
from jkeras.training.step.overrides import default, overrides, refuse_uncalled
from jkeras.training.step.private_once import TO_BE_SAID, UNSAID, carrying, has_account
from jkeras.training.types import Reported, Structure, SupportsUpdate, Tree


class AttachedLora:
    """`model.lora`: the `jkeras.lora.Adapter` that the model has, with its values now, or None. An
    attribute of that name of a user's own model replaces it.
    """

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        if model is None:
            return self
        from jkeras.lora.attaching import attached

        return attached(model)


class Compilable:
    """The part of a model that `compile` makes. `Trainer` adds the loops."""

    if TYPE_CHECKING:  # None before `compile`
        optimizer: Optimizer
    else:
        optimizer = settable("optimizer")
    loss, run_eagerly, jit_compile = map(settable, ("loss", "run_eagerly", "jit_compile"))
    steps_per_execution = settable("steps_per_execution")
    # as Keras names them
    _compile_loss, _compile_metrics = settable("losses"), settable("metrics")
    _loss_tracker = settable("loss_tracker")
    microbatches, nonfinite, nonfinite_steps, adversarial, privacy = (Readable() for _ in range(5))
    loss_chunks = Readable()
    compilation = Compilation()  # what `compile` sets
    compiled = False
    stop_training = stop_evaluating = stop_predicting = False
    fit_timing: Timing | None = None  # of a training, where a callback asks for it
    compile_seconds = 0.0  # what tracing and compiling took in the last `fit` or `evaluate`
    _opt_state = _train_key = _last_layout = privacy_account = lora_to_come = None
    record_of_file = None  # of privacy, as the file said that the model is of
    _is_fitting = False
    was_seen = False  # by a `fit`, an evaluation or a step, since it was compiled
    _step = 0
    asks_for_privacy = False  # it had `privacy` once, and the last `compile` said nothing of it
    lora = AttachedLora()

    # ------------------------------------------------------------ compile

    @without_own_frames
    def compile(
        self,
        optimizer: str | dict[str, Any] | Optimizer | SupportsUpdate | None = "rmsprop",
        loss: Structure = None,
        loss_weights: Structure = None,
        metrics: Reported = None,
        weighted_metrics: Reported = None,
        run_eagerly: bool = False,
        steps_per_execution: int | Literal["auto"] = 1,
        jit_compile: bool | Literal["auto"] | None = "auto",
        auto_scale_loss: bool = True,
        *,
        microbatches: int = 1,
        loss_chunks: int = 1,
        remat: bool | str | None = None,
        nonfinite: Literal["raise", "stop", "skip"] | None = None,
        adversarial: Any = None,
        privacy: Any = UNSAID,
        lora: Any = None,
        steps: Sequence[Callable] | None = None,
    ) -> None:
        """Sets what training minimizes, with what, and what it reports.

        Args:
            optimizer: name, `Optimizer`, or an optax `GradientTransformation`.
            loss: name, function or `Loss`; for several outputs a list or a dict by their names.
            loss_weights: factor of each output's loss.
            metrics: list of names, functions or `Metric`s; for several outputs a list or dict of
                lists.
            weighted_metrics: likewise; these take sample weights into account.
            run_eagerly: run steps without compiling, to step through your own code. Where a
                gradient is taken, values can be printed and compared; `float` and numpy take
                `ops.stop_gradient(x)`.
            steps_per_execution: steps in one dispatch; 1 lets `fit` choose, more than 1 is taken as
                it is.
            jit_compile: False is the same as `run_eagerly`.
            auto_scale_loss: scale the loss where the model computes in float16.
            microbatches: in how many microbatches, one after the other, a training step takes its
                batch: the gradient is that of the whole batch, with its weights and masks, in the
                memory of a microbatch. Batch statistics are those of a microbatch. Not written to
                files, which Keras could not read.
            loss_chunks: in how many chunks of positions, one after the other, a sparse crossentropy
                of the logits of the last `Dense` or `ReversibleEmbedding` is computed, and computed
                again for its gradient: over many classes neither all logits nor their gradients
                are in memory then, unless a metric takes them. Numbers stay the same; a warning
                says it where there is no such loss. Not written to files.
            remat: True: what is inside a block of the model is computed again for the gradient
                instead of being saved, which takes time and saves memory (Chen et al. 2016,
                arXiv:1604.06174); the name of a policy of `jax.checkpoint_policies`, such as
                "dots_saveable", saves some of it; False: all is saved; None: as its layers were
                made. Blocks are those of each `Stack`, layers made of layers, and models within the
                model; of a model that has none, its layers. Numbers stay the same. Not written to
                files, but for that of a `Stack`.
            nonfinite: what to do at a step that would bring NaN or infinity into the model: "raise"
                an error, "stop" the training, or "skip" the step and go on; in each case the model
                stays what it was before the step, optimizer and metrics too. None: go on with them.
                Not written to files.
            adversarial: an attack, such as `jkeras.robust.PGD(epsilon=0.1, steps=5)`: each training
                step takes the inputs that it makes of those of the batch, so that the model learns
                to withstand it (Madry et al. 2017, arXiv:1706.06083). Not written to files.
            privacy: `jkeras.privacy.DPSGD(…)`: `fit` samples rows, clips what each adds to a
                gradient and adds noise, so that what the model reveals of any row is bounded and
                known: `privacy_spent`. Files have the account, and that the model had privacy, but
                not this. A model that had it, here or before it was saved, is trained on only when
                it is compiled with `privacy`, or with `privacy=None`: without.
            lora: train low-rank changes of kernels alone, all else being frozen: ranks by pattern
                of paths, such as `{".*attention.*kernel": 8}`, one rank for all, or an `Adapter`;
                see `jkeras.lora`. A model that is not built gets them with the first batch. It
                keeps the adapter that it has where these are its ranks, or where this is None.
            steps: functions `step -> step`, the first one innermost, that stand around the training
                step `(state, batch, ...) -> (state, logs)`, a `TrainState` before and after: a
                place for what is done to batches, weights or logs in each step. They are traced
                with it. A smaller last batch is not filled up, but compiled for its own size. Not
                written to files.

        Raises:
            NotImplementedError: its class has a `make_train_function`, which nobody calls.
            RuntimeError: `fit` is training the model, as in a callback; or its class forgot to call
                `super().__init__()`.
        """
        self._check_idle()
        refuse_uncalled(self)
        optimizer = optimizer_argument = optimizers.get(optimizer)
        if auto_scale_loss and self.dtype_policy.name == "mixed_float16":
            optimizer = _with_loss_scale(optimizer)
        _check_positive(
            steps_per_execution=steps_per_execution,
            microbatches=microbatches,
            loss_chunks=loss_chunks,
        )
        check_policy(nonfinite)
        if adversarial is not None:
            _check_attack(adversarial)
        jit_compile = bool(jit_compile) and not run_eagerly
        privacy, asks_for_privacy = self._privacy_said(privacy)
        written = dict(
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
        reported = loss, loss_weights, metrics, weighted_metrics
        names = "loss", "loss_weights", "metrics", "weighted_metrics"
        losses, of_outputs = self._containers(*reported)
        compilation = Compilation(
            optimizer,
            loss,
            losses,
            of_outputs,
            metrics_module.Mean(name="loss"),
            microbatches=microbatches,
            loss_chunks=loss_chunks,
            nonfinite=nonfinite,
            nonfinite_steps=nonfinite and counter(),
            adversarial=adversarial,
            privacy=privacy,
            links=() if steps is None else check_links(steps),
            distribution=settings.distribution,
            has_own_opt_state=overrides(self, "init_opt_state"),
            arguments={"optimizer": optimizer_argument, **dict(zip(names, reported)), **written},
            **written,
        )
        if remat is not None:
            from jkeras.training.shell.remat_blocks import set_remat

            set_remat(self, remat)
        self._take(compilation, asks_for_privacy)
        if lora is not None:
            self.set_untracked(lora_to_come=lora)
            attach_lora(self)

    def _take(self, compilation: Compilation, asks_for_privacy: bool) -> None:
        """Takes up what was compiled; what was made for the settings before is made anew."""
        vars(self).update(
            compilation=compilation,
            compiled=True,
            stop_training=False,
            asks_for_privacy=asks_for_privacy,
            _functions={},
            was_seen=False,
            _predictor=NO_PREDICTOR,
            _opt_state=None,
            lora_to_come=None,
        )
        for name in SETTABLE:  # a user's class may hide one, as by `optimizer = None` in its body
            if not hasattr(getattr(type(self), name), "__set__"):
                vars(self)[name] = getattr(compilation, name)
        if compilation.privacy is not None:
            compilation.privacy.prepare(self)

    def _check_idle(self) -> None:
        """Raises RuntimeError where the model cannot be compiled now."""
        if "_scope" not in vars(self):
            raise not_initialized(self)
        if self._is_fitting:
            raise RuntimeError(
                f"Model '{self.name}' cannot be compiled while `fit` trains it, as in a callback: "
                "the training goes on with what it began with. Compile it between two calls of "
                "`fit` (`initial_epoch` counts on). What may change meanwhile is set where it is: "
                "`model.optimizer.learning_rate = ...`, `model.stop_training = True`."
            )

    def _privacy_said(self, privacy: Any) -> tuple[Any, bool]:
        """(`privacy`, None where nothing was said of it, whether the model asks for it)."""
        if not isinstance(privacy, str):
            return privacy, False
        check_choice("privacy", privacy, (UNSAID, TO_BE_SAID), "compile")
        trained = self.compilation.privacy is not None and has_account(self)
        return None, privacy == TO_BE_SAID or self.asks_for_privacy or trained

    def _containers(
        self,
        loss: Structure,
        loss_weights: Structure,
        metrics: Structure,
        weighted_metrics: Structure,
    ) -> tuple[CompileLoss | None, CompileMetrics | None]:
        """The containers of losses and metrics. As in Keras, compiling again without a loss keeps
        the one before, and so for metrics.
        """
        names = getattr(self, "output_names", None)
        compile_loss, compile_metrics = self.compilation.losses, self.compilation.metrics
        if loss is not None:
            _check_names(loss)
            compile_loss = CompileLoss(loss, loss_weights, names)
        if metrics is not None or weighted_metrics is not None:
            compile_metrics = CompileMetrics(metrics, weighted_metrics, output_names=names)
        return compile_loss, compile_metrics

    @default
    def init_opt_state(self, params: Tree) -> Any:
        """The optimizer's state for a tree of trainable arrays. A model with several optimizers
        overrides it and `pure_train_step`.
        """
        return self.optimizer.init(params)

    def get_compile_config(self) -> dict[str, Any]:
        """The arguments of `compile`, as plain data; {} where there are none or they cannot be
        written.
        """
        if not self.compiled:
            return {}
        config = {k: registry.serialize(v) for k, v in self.compilation.arguments.items()}
        adapter = self.lora
        if self.was_private:
            config["privacy"] = TO_BE_SAID
        if adapter is not None:
            config["lora"] = adapter.ranks  # without it the weights in a file would not fit
        return config

    def stored_compile_config(self) -> dict[str, Any]:
        """The compile config for files and clones: its optimizer is the one that trains, with the
        loss scale that `compile` put around it, whatever the policy is when it is read.
        """
        config = self.get_compile_config()
        is_scaled = isinstance(self.optimizer, optimizers.LossScaleOptimizer)
        if is_scaled and "optimizer" in config:
            config = {**config, "optimizer": registry.serialize(self.optimizer)}
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with the arguments of `get_compile_config()`."""
        cls = type(self)
        has_own_compile = cls.compile is not Compilable.compile
        if has_own_compile and cls.get_compile_config is Compilable.get_compile_config:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's "
                "`compile()` method is custom. Override `get_compile_config()` and "
                "`compile_from_config()` too.",
                stacklevel=2,
            )
            return
        config = dict(config)
        check_patterns(config.get("lora") or (), "its compile_config")
        optimizer = config.pop("optimizer", None)
        if is_missing(optimizer):
            warn_of_missing(self.name)
            return
        if isinstance(optimizer, dict):
            optimizer = registry.deserialize(optimizer)
        arguments = {
            name: _objects(config.pop(name, None))
            for name in ("loss", "metrics", "weighted_metrics")
        }
        self.compile(optimizer=optimizer, **arguments, **config)
        if self.built and self.optimizer is not None:
            build_of_model(self)

    def privacy_spent(self, delta: float | None = None) -> Any:
        """What the trainings of this model with `privacy` have revealed of any row, at most.

        Args:
            delta: of the guarantee; None: that of `compile`, or the last training.

        Returns:
            A `jkeras.privacy.Spent`: `epsilon`, `delta`, `runs`, and `assumptions` in words.

        Trainings of the layers in other models count, and those before it was saved.

        Raises:
            ValueError: it was never trained so, or with noise of which this is unknown.
        """
        step = int(self._step)
        account = has_account(self) and carrying().account_of(self)
        if not account or not account.begun:
            raise ValueError(
                f"Model '{self.name}' has no account of what was revealed: neither it nor any of "
                "its layers was trained with `compile(privacy=jkeras.privacy.DPSGD(…))`."
            )
        if self.compilation.privacy is not None:
            return self.compilation.privacy.spent(self, delta)
        return account.spent(step, delta, "rdp")

    @property
    def was_private(self) -> bool:
        """Whether it is compiled with `privacy`, or was and nothing was said of it since."""
        return self.compilation.privacy is not None or self.asks_for_privacy

    def private_record(self) -> list[dict] | dict | None:
        """The account of privacy as plain data, for a file; None: there is none."""
        return carrying().record_of(self) if has_account(self) else None

    def take_private_record(self, record: Any) -> None:
        """Takes up the account of a file: that of the model, and of all of its weights.

        Raises:
            ValueError: it is none.
        """
        carrying().take_up(self, record)

    # ------------------------------------------------------------ losses and metrics

    @property
    def metrics(self) -> list[Metric]:
        """The loss tracker, the compiled metrics, those of single outputs, then the metrics that
        layers own.
        """
        compiled = []
        if self.compiled:
            held = self.compilation.loss_tracker, self.compilation.metrics
            compiled = [*filter(lambda m: m is not None, held), *self._output_loss_trackers()]
        return compiled + self.metrics_of_layers()

    def _output_loss_trackers(self) -> list[Metric]:
        """The means of the losses of single outputs, where there are several."""
        return [] if self.compilation.losses is None else self.compilation.losses.metrics

    def metrics_of_layers(self) -> list[Metric]:
        own = [m for m in self._children.values() if isinstance(m, metrics_module.Metric)]
        for layer in self._flatten_layers(include_self=False):
            if not isinstance(layer, Compilable):
                own += [m for m in layer._children.values() if isinstance(m, metrics_module.Metric)]
        return own

    def compiled_metrics(self) -> list[Metric]:
        """The single metrics that `compile` made."""
        single = []
        if self.compilation.loss_tracker is not None:
            single.append(self.compilation.loss_tracker)
        if self.compilation.metrics is not None:
            single += self.compilation.metrics.metrics
        return single + self._output_loss_trackers()

    def compiled_loss(self) -> CompileLoss | None:
        """What `compile` made of the losses and their weights; None: there are none."""
        return self.compilation.losses

    @property
    def metrics_names(self) -> list[str]:
        """The names of `metrics`."""
        return [m.name for m in self.metrics]

    @default
    def reset_metrics(self) -> None:
        """Lets all metrics forget what they have seen."""
        for metric in self.metrics:
            metric.reset_state()

    @default
    def compute_loss(
        self,
        x: Structure = None,
        y: Structure = None,
        y_pred: Structure = None,
        sample_weight: Structure = None,
        training: bool = True,
    ) -> Any:
        """The total loss of a batch: the compiled loss and what layers added. Override it for a
        loss of your own.
        """
        total = []
        if self.compilation.losses is not None:
            total.append(self.compilation.losses(y, y_pred, sample_weight))
        for loss in self.losses:
            loss = jnp.asarray(loss)
            if not is_float(loss.dtype):
                loss = loss.astype(floatx())
            total.append(per_microbatch(jnp.sum(loss)))
        total = [v for v in total if v is not None]
        return sum(total[1:], total[0]) if total else jnp.zeros(())

    @default
    def compute_metrics(
        self, x: Structure, y: Structure, y_pred: Structure, sample_weight: Structure = None
    ) -> dict[str, Any]:
        """Updates the compiled metrics and returns all results. Override it for metrics of your
        own.
        """
        if self.compilation.metrics is not None:
            self.compilation.metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """{name: value} of all metrics."""
        results = {}
        for metric in self.metrics:
            value = metric.result()
            results |= value if isinstance(value, dict) else {metric.name: value}
        return results

    def stateless_compute_loss(
        self,
        trainable_variables: list,
        non_trainable_variables: list,
        metrics_variables: list,
        x: Structure = None,
        y: Structure = None,
        y_pred: Structure = None,
        sample_weight: Structure = None,
        training: bool = True,
    ) -> tuple[jax.Array, tuple[list, list, list]]:
        """`compute_loss` on flat lists: `(loss, (trainable, non-trainable, metrics values))`."""
        return keras_contract.stateless_compute_loss(
            self,
            (trainable_variables, non_trainable_variables, metrics_variables),
            (x, y, sample_weight),
            y_pred,
            training,
        )

    def compute_loss_and_updates(
        self,
        trainable_variables: list,
        non_trainable_variables: list,
        metrics_variables: list,
        x: Structure,
        y: Structure,
        sample_weight: Structure,
        training: bool = False,
        optimizer_variables: list | None = None,
    ) -> tuple[jax.Array, tuple]:
        """Loss and new values on flat lists, for `jax.grad` in a `train_step` of yours."""
        return keras_contract.loss_and_updates(
            self,
            (trainable_variables, non_trainable_variables, metrics_variables),
            (x, y, sample_weight),
            training,
        )

    @default
    def train_step(self, state: tuple[list, ...], data: Structure) -> tuple[dict[str, Any], tuple]:
        """One training step in Keras's contract for JAX: flat lists in, `(logs, state)` out."""
        return keras_contract.default_train_step(self, state, data)

    @default
    def test_step(self, state: tuple[list, ...], data: Structure) -> tuple[dict[str, Any], tuple]:
        """One evaluation step in Keras's contract for JAX."""
        return keras_contract.default_test_step(self, state, data)

    @default
    def predict_step(self, state: tuple[list, ...], data: Structure) -> tuple[Structure, list]:
        """One prediction in Keras's contract for JAX: `(outputs, non-trainable values)`."""
        trainable, fixed = state
        x = data[0] if isinstance(data, tuple) else data
        return self.stateless_call(trainable, fixed, x, training=False)


def _with_loss_scale(optimizer: optimizers.Optimizer | None) -> optimizers.Optimizer | None:
    """The optimizer in one that scales the loss, unless it does so itself."""
    if optimizer is None or isinstance(optimizer, optimizers.LossScaleOptimizer):
        return optimizer
    return optimizers.LossScaleOptimizer(optimizer, name="loss_scale_optimizer")


def _check_names(loss: Structure) -> None:
    """Raises ValueError for the name of a loss that there is not, before anything is trained."""
    refuse_cycles(loss, "loss")
    for name in jax.tree_util.tree_leaves(loss):
        if isinstance(name, str) and name.lower() not in ("crossentropy", "ce"):
            losses_module.get(name)


def _check_attack(attack: Any) -> None:
    if not hasattr(attack, "perturb"):
        raise ValueError(
            "`adversarial` must be an attack, such as `jkeras.robust.PGD(epsilon=0.1)`. Received: "
            f"adversarial={attack!r}"
        )


def _check_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if not isinstance(value, int) or value < 1:
            raise ArgumentError(f"`{name}` must be a positive integer. Received: {name}={value}")


def _objects(config: Structure) -> Structure:
    """Losses or metrics of a compile config: names stay names, configs become objects."""
    if isinstance(config, (list, tuple)):
        return [_objects(entry) for entry in config]
    if not isinstance(config, dict):
        return config
    if "class_name" in config:
        return registry.deserialize(config)
    return {name: _objects(entry) for name, entry in config.items()}
