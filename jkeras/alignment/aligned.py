"""The base of models that train a model of language on log-probabilities beside a frozen one."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import metrics
from jkeras.alignment.log_probs import check_answers, lengths_of, token_log_probs
from jkeras.core.errors import explain
from jkeras.core.names import registry
from jkeras.core.weights.structure import all_built
from jkeras.kernel import low_rank, tree
from jkeras.models import Model
from jkeras.training.step.overrides import default

ROWS = 32  # of a batch of the reference


class Frozen(NamedTuple):
    """A model as a pure function: with its arrays, which the training leaves as they are."""

    model: Any
    params: dict
    state: dict


class Aligned(Model):
    """Trains `model`, whose weights are this model's own: afterwards it is the trained model.

    Subclasses say what `fit` takes (`parts`, `needed`), `call` gives log-probabilities, and
    `values` makes losses of them.

    Args:
        model: built, tokens (batch, time) -> logits (batch, time, vocabulary) of the next ones. One
            that takes a dict of "token_ids" and "padding_mask", as those of keras-hub, is given
            them; behind the last token of an answer is padding.
        reference: a frozen model of the same; None: the base under the adapter of `model`.
        temperature: by which logits are divided.
    """

    # names of the texts in the data, {tokens: mask}, and of what else has to be there
    texts: ClassVar[Mapping[str, str]] = {}
    needed: ClassVar[tuple[str, ...]] = ()
    reported: ClassVar[tuple[str, ...]] = ()  # means in the logs
    temperature = 1.0

    def __init__(self, model: Any, reference: Any = None, **kwargs: Any) -> None:
        _check_models(type(self).__name__, model, reference)
        # a float of the data is no input of a layer, and half precision would round it
        super().__init__(**{"dtype": model.dtype_policy, "autocast": False, **kwargs})
        if reference is not None:
            reference.trainable = False
        self.model, self.reference = model, reference
        self.had_adapter = changes_something(model.lora)
        self.means = [metrics.Mean(name=name) for name in self.reported]
        self.built = True

    # ------------------------------------------------------------ data

    def prepared(self, x: Any) -> Any:
        """The data as `fit` and `evaluate` take it, after arrays are checked.

        Raises:
            ValueError: a part is missing, an answer has no token, or `compile` was given a loss.
        """
        compilation = self.compilation
        if (compilation.losses, compilation.metrics) != (None, None):
            expected = "no `loss` and no metrics in `compile`, as it has its own"
            received = f"{compilation.loss!r} and {compilation.metrics!r}"
            raise ValueError(explain(type(self).__name__, expected, received))
        if isinstance(x, Mapping):
            self._check_names(x)
            for name in self.texts.values():
                check_answers(x[name], f"{type(self).__name__}, '{name}'")
        return super().prepared(x)

    def _check_names(self, x: Any) -> None:
        names = [*self.texts, *self.texts.values(), *self.needed]
        given = sorted(x) if isinstance(x, Mapping) else [type(x).__name__]
        missing = [name for name in names if name not in given]
        if missing:
            expected = f"a dict of {', '.join(map(repr, names))}"
            received = f"{given}, without {', '.join(map(repr, missing))}"
            raise ValueError(explain(type(self).__name__, expected, received))

    # ------------------------------------------------------------ log-probabilities

    def log_probs(self, tokens: Any, mask: Any, training: bool | None = None) -> jax.Array:
        """(batch, time - 1), those of the tokens that count under the model as it is."""
        inputs = inputs_of(self.model, tokens, mask)
        return self._of_logits(self.model(inputs, training=training), tokens, mask)

    def both_sums(self, x: Any, training: bool | None) -> dict[str, jax.Array]:
        """The log-probabilities (batch,) of two texts, by their names, in one pass. Those of an
        answer without a token, which only arrays are looked at for before, are NaN.
        """
        tokens = side_by_side(*(x[name] for name in self.texts))
        mask = side_by_side(*(x[name] for name in self.texts.values()))
        sums = jnp.sum(self.log_probs(tokens, mask, training), axis=-1)
        sums = jnp.where(lengths_of(mask) == 0, jnp.nan, sums)
        return dict(zip(self.texts, jnp.split(sums, 2)))

    def _of_logits(self, logits: Any, tokens: Any, mask: Any) -> jax.Array:
        if self.temperature != 1:
            logits = logits.astype("float32") / self.temperature
        return token_log_probs(logits, tokens, mask)

    def log_probs_of(self, frozen: Frozen, tokens: Any, mask: Any) -> jax.Array:
        """The same under a frozen model, without a gradient; pure."""
        model, params, state = frozen
        logits, _ = model.apply(params, state, inputs_of(model, tokens, mask), training=False)
        return jax.lax.stop_gradient(self._of_logits(logits, tokens, mask))

    def frozen(self) -> Frozen:
        """The reference with its arrays.

        Raises:
            ValueError: there is none: neither a model nor an adapter.
        """
        model = self.reference
        if model is not None:
            return Frozen(model, model.params, model.state)
        model = self.model
        learning = [v for v in model.trainable_variables if not low_rank.is_part(v.name)]
        received = None
        if learning:
            received = f"none, and {len(learning)} of them are trained, as '{learning[0].path}'"
        elif self.had_adapter:
            received = "none, and an adapter that was trained before: it, or the base under it?"
        if received is not None:
            expected = "a reference, since the model as it was is not kept"
            fix = (
                "before the first training let `with_reference` write its log-probabilities "
                "beside the data, pass `reference=` a copy of the model "
                "(`jkeras.models.clone_model`, `set_weights`), or train a new adapter by "
                "`compile(lora=…)`, an old one being merged"
            )
            raise ValueError(explain(type(self).__name__, expected, received, fix))
        return Frozen(model, without_adapter(model.params), without_adapter(model.state))

    def with_reference(self, x: Mapping[str, Any], batch_size: int = ROWS) -> dict[str, Any]:
        """The data with the log-probabilities that the reference gives the answers, so that a
        training needs no other model: `reference`, or the base under a new adapter.

        Without both it is the model as it is now, which is asked before the first training.

        Args:
            x: a dict of arrays, as for `fit`.
            batch_size: rows that are computed at once.

        Raises:
            ValueError: a part is missing; the model has been trained, and there is no reference.
        """
        self.prepared(x)
        frozen = self._frozen_now()
        run = jax.jit(
            lambda params, state, *rows: self.log_probs_of(
                Frozen(frozen.model, params, state), *rows
            )
        )
        found = {}
        for tokens, mask in self.texts.items():
            arrays = np.asarray(x[tokens]), np.asarray(x[mask])
            rows = in_batches(
                lambda *part: run(frozen.params, frozen.state, *part), arrays, batch_size
            )
            found[self.name_of_reference(tokens)] = self.summed(rows)
        return {**x, **found}

    def _frozen_now(self) -> Frozen:
        """The reference; the model as it is, where there is none and it is not trained yet."""
        model = self.model
        is_base = model.lora is not None and not self.had_adapter
        is_trained = self.optimizer is not None and int(self.optimizer.iterations) > 0
        if self.reference is not None or is_base or is_trained:
            return self.frozen()
        return Frozen(model, model.params, model.state)

    def name_of_reference(self, tokens: str) -> str:
        """The name in the data of what the reference says of a text."""
        return f"ref_{tokens}_logps"

    def summed(self, log_probs: np.ndarray) -> np.ndarray:
        """What is kept of log-probabilities of tokens: their sums."""
        return log_probs.sum(axis=-1)

    def reference_of(self, x: Mapping[str, Any], tokens: str) -> jax.Array:
        """What the reference says of a text: from the data, else computed in the step."""
        name = self.name_of_reference(tokens)
        if name in x:
            return x[name]
        found = self.log_probs_of(self.frozen(), x[tokens], x[self.texts[tokens]])
        return self.summed(found)

    # ------------------------------------------------------------ the loss

    def values(self, x: Any, y_pred: Any, sample_weight: Any) -> tuple[jax.Array, dict]:
        """(the loss of a batch, what is reported beside it by name)."""
        raise NotImplementedError

    @default  # a mean over rows, so that microbatches and padding are as of a compiled loss
    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> jax.Array:
        """The loss of a batch.

        Raises:
            ValueError: there are labels, which it has no use for.
        """
        if y is not None:
            expected = "one dict of arrays, which says what is learned"
            raise ValueError(explain(type(self).__name__, expected, "labels beside it"))
        if y_pred is None:
            y_pred = self(x, training=training)
        loss, told = self.values(x, y_pred, sample_weight)
        for mean in self.means:
            if mean.name in told:
                mean.update_state(told[mean.name])
        return loss + super().compute_loss(x, None, None, None, training)

    # ------------------------------------------------------------ config

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        models = {"model": self.model, "reference": self.reference}
        written = {k: None if v is None else registry.serialize(v) for k, v in models.items()}
        return {**super().get_config(), **written}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """A model from its config."""
        with registry.CustomObjectScope(custom_objects):
            made = {
                k: registry.deserialize(config[k])
                for k in ("model", "reference", "dtype")
                if config.get(k) is not None
            }
            return cls(**{**config, **made})


def takes_dict(model: Any) -> bool:
    """Whether a model takes a dict, as those of keras-hub."""
    return isinstance(getattr(model, "input", None), Mapping)


def inputs_of(model: Any, tokens: Any, mask: Any) -> Any:
    """Tokens as a model takes them.

    Raises:
        ValueError: it takes a dict of other names.
    """
    if not takes_dict(model):
        return tokens
    if set(model.input) != {"token_ids", "padding_mask"}:
        expected = "a model of tokens, or of 'token_ids' and 'padding_mask'"
        raise ValueError(explain("alignment", expected, f"one of {sorted(model.input)}"))
    behind = jnp.cumsum(jnp.flip(jnp.asarray(mask, "int32"), 1), 1)
    return {"token_ids": tokens, "padding_mask": jnp.flip(behind, 1) > 0}


def without_adapter(values: dict) -> dict:
    """Params or state without the low-rank changes beside kernels.

    >>> without_adapter({"dense": {"kernel": 1, "kernel_adapter_a": 2}})
    {'dense': {'kernel': 1}}
    """
    kept = [(path, v) for path, v in tree.flatten(values) if not low_rank.is_part(path[-1])]
    return tree.unflatten(kept)


def in_batches(function: Any, arrays: tuple[np.ndarray, ...], batch_size: int) -> np.ndarray:
    """What a function gives for rows, a few at a time; all batches have one shape."""
    size = len(arrays[0])
    found = []
    for start in range(0, size, batch_size):
        part = [array[start : start + batch_size] for array in arrays]
        behind = batch_size - len(part[0])
        part = [np.concatenate([rows, np.repeat(rows[:1], behind, 0)]) for rows in part]
        found.append(np.asarray(function(*part))[: batch_size - behind])
    return np.concatenate(found)


def side_by_side(*texts: jax.Array) -> jax.Array:
    """Arrays (batch, time) one below the other, padded behind to one time."""
    longest = max(text.shape[1] for text in texts)
    padded = [jnp.pad(text, [(0, 0), (0, longest - text.shape[1])]) for text in texts]
    return jnp.concatenate(padded)


def changes_something(adapter: Any) -> bool:
    """Whether there is an adapter, and it is not as a new one, whose products are zeros."""
    if adapter is None:
        return False
    pairs = adapter.matrices.values()
    return any(bool(jnp.any(pair["a"])) and bool(jnp.any(pair["b"])) for pair in pairs)


def _check_built(where: str, name: str, model: Any) -> None:
    if not isinstance(model, Model):
        raise ValueError(explain(where, f"a model as `{name}`", f"{type(model).__name__}"))
    if not model.built or not all_built(model):
        fix = "call it on tokens once"
        raise ValueError(explain(where, f"a built model as `{name}`", "one without weights", fix))


def _check_models(where: str, model: Any, reference: Any) -> None:
    """Raises ValueError for what cannot be trained so."""
    _check_built(where, "model", model)
    if reference is None:
        return
    _check_built(where, "reference", reference)
    if reference is model:
        fix = "pass a copy, or None"
        raise ValueError(explain(where, "another model as `reference`", "the one to train", fix))
    own = {v.path for v in model.variables if any(v is other for other in reference.variables)}
    if own:
        expected = "a `reference` with weights of its own"
        fix = "pass a copy: `jkeras.models.clone_model`, then `set_weights`"
        raise ValueError(explain(where, expected, f"'{min(own)}' of both", fix))
