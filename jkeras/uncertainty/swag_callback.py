"""`SWAG`, the callback that gathers SWAG's distribution in a `fit`, and predicts by it."""

from typing import TYPE_CHECKING, Any
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.callbacks import Callback
from jkeras.core.errors import explain
from jkeras.explain.running import by_batches, program_of
from jkeras.kernel import tree
from jkeras.uncertainty import swag
from jkeras.uncertainty.statistics import batch_statistics

if TYPE_CHECKING:
    from jkeras.training.types import Tree

WHERE = "uncertainty.SWAG"

TREES = ("mean", "squares", "deviations")  # of a state, beside its count


class SWAG(Callback):
    """Gathers the params at the end of epochs into a normal distribution (Maddox et al. 2019,
    arXiv:1902.02476). The training should go on at a learning rate that is high and constant by
    then, so that params move about. A checkpoint of `fit(checkpoint=)` keeps what was gathered.

    The model itself is left as it is; `model.params = callback.state.mean` gives it the mean, for
    which batch normalizations need new statistics: `uncertainty.batch_statistics`.

    Args:
        start_epoch: the first epoch at whose end params are taken, from 0.
        every: epochs from one to the next.
        rank: as of `swag.init`.

    Attributes:
        state: a `swag.State`; None: nothing was gathered yet.

    Raises:
        ValueError: numbers out of range.

    >>> import numpy as np, jkeras
    >>> model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> gathered = SWAG(start_epoch=2, rank=2)
    >>> x = np.ones((8, 1))
    >>> _ = model.fit(x, 2 * x, epochs=5, verbose=0, callbacks=[gathered])
    >>> int(gathered.state.count), gathered.predict(x, samples=4, rng=0).shape
    (3, (4, 8, 1))
    """

    def __init__(self, start_epoch: int = 0, every: int = 1, rank: int = 20) -> None:
        super().__init__()
        if start_epoch < 0 or every < 1:
            received = f"start_epoch={start_epoch}, every={every}"
            raise ValueError(explain(WHERE, "start_epoch >= 0 and every >= 1", received))
        swag.init({"rank": jnp.zeros(())}, rank)
        self.start_epoch, self.every, self.rank = start_epoch, every, rank
        self.state: swag.State | None = None
        self._update = jax.jit(swag.update)

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begins anew, or goes on from a checkpoint."""
        self.model.refuse_ensemble("`uncertainty.SWAG`, which gathers the params")
        if not self.was_restored():
            self.state = None

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Takes the params."""
        since = epoch - self.start_epoch
        if since < 0 or since % self.every:
            return
        params = self.model.params
        if self.state is None:
            self.state = swag.init(params, self.rank)
        self.state = self._update(self.state, params)

    def get_state(self) -> dict:
        """What was gathered."""
        if self.state is None:
            return {}
        trees = {name: _as_lists(getattr(self.state, name)) for name in TREES}
        return {"count": int(self.state.count), **trees}

    def set_state(self, state: dict) -> None:
        """Takes it back."""
        trees = {name: _as_tree(state[name]) for name in TREES}
        self.state = swag.State(jnp.asarray(state["count"], "int32"), **trees)
        self._restored = True

    def predict(
        self,
        x: Any,
        *,
        samples: int = 30,
        rng: jax.Array | int,
        scale: float = 1.0,
        x_train: Any = None,
        batch_size: int = 128,
    ) -> np.ndarray:
        """Outputs for sampled params, (samples, rows, …); their mean is the prediction.

        Args:
            x: rows.
            rng: a key, or an integer.
            scale: as of `swag.sample`.
            x_train: rows with which batch normalizations get statistics for each sample; None: they
                have those of the model.
            batch_size: how many rows there are at once.

        Raises:
            ValueError: nothing was gathered yet.
        """
        if self.state is None:
            advice = f"train to the end of epoch {self.start_epoch}, from 0"
            raise ValueError(explain(WHERE, "params of some epochs", "none yet", advice))
        rng = jax.random.key(rng) if isinstance(rng, int) else rng
        model = self.model
        program = program_of(model, ("swag",), lambda: jax.jit(_outputs(model)))
        outputs = []
        for key in jax.random.split(rng, samples):
            params = _like(swag.sample(self.state, key, scale), model.params)
            state = model.state
            if x_train is not None:
                options = {"batch_size": batch_size, "rng": key}
                state = batch_statistics(model, params, state, x_train, **options)
            run = lambda x, _, p=params, s=state: program(p, s, x)  # noqa: E731
            outputs.append(by_batches(run, x, batch_size, is_pure=False))
        return jax.tree_util.tree_map(lambda *parts: np.stack(parts), *outputs)


def _outputs(model: Any) -> Callable[..., Any]:
    return lambda params, state, x: model.apply(params, state, x, training=False)[0]


def _like(values: "Tree", params: "Tree") -> "Tree":
    """Values in the dtypes of params."""
    return jax.tree_util.tree_map(lambda v, p: v.astype(p.dtype), values, params)


def _as_lists(values: "Tree") -> list:
    """A nested dict of arrays as JSON data."""
    flat = tree.flatten(values)
    return [[list(path), np.asarray(v).tolist(), v.shape, str(v.dtype)] for path, v in flat]


def _as_tree(lists: Iterable[Sequence[Any]]) -> "Tree":
    return tree.unflatten(
        (tuple(path), jnp.asarray(np.asarray(values, dtype).reshape(shape)))
        for path, values, shape, dtype in lists
    )


__all__ = ["SWAG"]
