"""`DPSGD`, the argument of `compile` with which a training reveals a bounded amount of any row."""

import dataclasses
import math
import secrets
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import check_choice, explain
from jkeras.core.session.settings import settings
from jkeras.optimizers import LossScaleOptimizer, OptaxOptimizer
from jkeras.privacy.account import Spent
from jkeras.privacy.accounting import ACCOUNTANTS
from jkeras.privacy.carrying import account_of, step_of
from jkeras.privacy.clipping import CLIPPINGS, NORMS, check_bound
from jkeras.privacy.fitting import PrivateFitting
from jkeras.privacy.gathering import check_rows_said, gathered
from jkeras.privacy.sampling import SampledSource, sampled
from jkeras.privacy.sealing import Seal
from jkeras.privacy.step import PrivateStep
from jkeras.training.data import ArraySource
from jkeras.training.data.source import Source
from jkeras.training.step.layout import LazyLayout
from jkeras.training.step.overrides import has_own_step

SAMPLINGS = ("poisson", "turns")
WHERE = "privacy.DPSGD"


@dataclasses.dataclass(frozen=True)
class DPSGD:
    """Training with clipped gradients and noise (Abadi et al. 2016, arXiv:1607.00133), for
    `compile(privacy=)`. The optimizer may be any: it is given a gradient that has its noise.

    Args:
        clip: the largest length of what a row adds to a gradient.
        noise_multiplier: standard deviation of the noise, over `clip`.
        epsilon: instead of it, what the training may reveal: `fit` finds the noise.
        delta: of the guarantee, below 1 over the number of rows.
        sampling: "poisson": each row is in a step by its own coin, so that a batch has `batch_size`
            rows on the average; "turns": all rows in turn, of which epsilon gains nothing.
        clipping, norms: as of `clipped_grad`.
        accountant: as of `privacy.epsilon`.
        noise: instead of a `noise_multiplier`, a pair of functions `init` and `update` that adds
            noise to the sum of clipped gradients, such as those of the package jax_privacy. Then
            what is revealed is not known here, and `batch_size` has to be given.
        batch_size: what a gradient's sum is divided by; None: the `batch_size` of `fit`, and in a
            step of your own the number of rows of its batch.
        bands: of how many steps the noise of one is made, as DP-FTRL's: what one step adds the next
            ones take off again in part, so that less of it is in their sum. Above 1 it takes
            `sampling="turns"`, and each row is in the same step of each epoch. A step makes normal
            numbers so many times.
        rows: how many rows a source of batches has, such as a generator or a data set of tf.data or
            Grain: it is read once, so that each row can be drawn; every row has to come once.
        seal: seals the account in checkpoints and in files of the model, and sees, when a training
            goes on, that both are as they were sealed.
        check: compares the lengths and sums of `norms="ghost"` on 8 rows with those of gradients by
            row, before the first step, and raises RuntimeError where a length is too small; None:
            after the first epoch at whose end that costs less than 1 % of the time; False: never.

    Raises:
        ValueError: numbers out of range, or not one of `noise_multiplier`, `epsilon` and `noise`.

    >>> import numpy as np, jkeras
    >>> x, y = np.random.default_rng(0).normal(size=(200, 3)), np.arange(200) % 2
    >>> model = jkeras.Sequential([jkeras.layers.Dense(2)])
    >>> loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    >>> model.compile("adam", loss, privacy=DPSGD(clip=1.0, noise_multiplier=2.0, delta=1e-3))
    >>> history = model.fit(x, y, batch_size=20, epochs=2, verbose=0)
    >>> [round(value, 2) for value in history.history["epsilon"]]
    [0.56, 0.78]
    """

    clip: float = 1.0
    noise_multiplier: float | None = None
    _: dataclasses.KW_ONLY
    epsilon: float | None = None
    delta: float = 1e-5
    sampling: str = "poisson"
    clipping: str = "flat"
    norms: str = "ghost"
    accountant: str = "rdp"
    noise: Any = None
    batch_size: int | None = None
    bands: int = 1
    rows: int | None = None
    seal: Seal | None = None
    check: bool | None = None

    def __post_init__(self) -> None:
        ways = (self.noise_multiplier, self.epsilon, self.noise)
        names = "one of noise_multiplier, epsilon and noise"
        if sum(value is not None for value in ways) != 1:
            received = f"noise_multiplier={ways[0]}, epsilon={ways[1]} and noise={ways[2]}"
            raise ValueError(explain(WHERE, names, received))
        if self.noise_multiplier is not None and not 0 <= self.noise_multiplier < math.inf:
            received = f"noise_multiplier={self.noise_multiplier}"
            raise ValueError(explain(WHERE, "noise of 0 or more", received))
        if self.noise is not None and self.batch_size is None:
            received = "noise= without a batch_size"
            raise ValueError(explain(WHERE, "what to divide a sum with noise by", received))
        for name in ("epsilon", "batch_size"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(explain(WHERE, f"{name} above 0", f"{name}={value}"))
        check_rows_said(self.rows)
        self._check_bands()
        check_bound(self.clip, WHERE)
        if not 0 < self.delta < 1:
            raise ValueError(explain(WHERE, "a delta between 0 and 1", f"delta={self.delta}"))
        check_choice("sampling", self.sampling, SAMPLINGS, WHERE)
        check_choice("clipping", self.clipping, CLIPPINGS, WHERE)
        check_choice("norms", self.norms, NORMS, WHERE)
        check_choice("accountant", self.accountant, ACCOUNTANTS, WHERE)

    def _check_bands(self) -> None:
        if not isinstance(self.bands, int) or self.bands < 1:
            raise ValueError(explain(WHERE, "bands as an integer above 0", f"{self.bands!r}"))
        is_plain = self.sampling == "turns" and self.noise is None
        if self.bands > 1 and not is_plain:
            wanted = "`sampling='turns'` and no `noise=` with bands above 1"
            received = f"sampling={self.sampling!r}, noise={self.noise!r}"
            raise ValueError(explain(WHERE, wanted, received))

    # ------------------------------------------------------------ what a training asks

    @property
    def check_ghosts(self) -> bool | None:
        """As `check`; False where there are no ghosts."""
        return self.check if self.norms == "ghost" else False

    def check_model(self, model: Any) -> None:
        """Sees that nothing in what was compiled goes around the noise.

        Raises:
            ValueError: something does; it is named.
        """
        if has_own_step(model, "train"):
            self._refuse("a training step of jkeras", "one of the model's own")
        if model.compilation.nonfinite is not None:
            advice = "leave it out: a row whose gradient is not finite adds nothing"
            self._refuse("no `nonfinite`", f"nonfinite={model.compilation.nonfinite!r}", advice)
        optimizer = model.optimizer
        if isinstance(optimizer, LossScaleOptimizer) or optimizer.loss_scale_factor is not None:
            advice = "compute in float32 or bfloat16 (`mixed_bfloat16`)"
            self._refuse("an optimizer that scales no loss", optimizer.name, advice)

    @staticmethod
    def _refuse(expected: str, received: str, fix: str | None = None) -> None:
        raise ValueError(explain(WHERE, expected, received, fix))

    def prepare(self, model: Any) -> None:
        """Sees what was compiled, and gives its optimizer the noise where it is to add it."""
        self.check_model(model)
        if self.seal is not None and model.record_of_file is not None:
            self.seal.verify(model)
        if self.noise is not None:
            import optax

            links = raw_keys(self.noise), optax.scale(1 / self.batch_size)
            model.optimizer = OptaxOptimizer(optax.chain(*links, model.optimizer.transform))

    def renew_key(self, model: Any) -> None:
        """Gives a training a key that nobody can guess, where no seed was set: 64 bits of the
        system's own random numbers, in place of what follows from one of 10^9 seeds.
        """
        if settings.seed is not None:
            return
        members = model.ensemble_members
        count = 1 if members is None else members.size
        words = [[secrets.randbits(32) for _ in range(2)] for _ in range(count)]
        keys = jax.device_put(np.array(words, "uint32"))
        if members is None:
            model.set_untracked(_train_key=keys[0])
        else:
            layout = members.layout
            layout.scatter(layout.gather(copies=False).replace(rng=keys))

    def spent(self, model: Any, delta: float | None) -> Spent:
        """What the trainings of a model have revealed.

        Raises:
            ValueError: noise of which this is not known.
        """
        if self.noise is not None:
            wanted = "noise of its own"
            fix = "ask the package that the noise is of"
            raise ValueError(explain(WHERE, wanted, "`noise=`", fix))
        delta = self.delta if delta is None else delta
        return account_of(model).spent(step_of(model), delta, self.accountant)

    def train_step(self, model: Any) -> PrivateStep:
        """The training step of a compiled model."""
        self.check_model(model)
        return PrivateStep(LazyLayout(model), self)

    def gathered(self, source: Source) -> ArraySource:
        """The rows of a source, which can be reached by number."""
        return gathered(source, self.rows)

    def sampled(self, source: ArraySource, steps: int, microbatches: int) -> SampledSource:
        """The source of a training of so many steps, with its rows as this samples them."""
        distribution = settings.distribution
        devices = 1 if distribution is None else math.prod(distribution.device_mesh.shape)
        # the rows of a group are cut over the devices
        multiple = devices * microbatches
        sampling = "cyclic" if self.bands > 1 else self.sampling
        return sampled(source, sampling, steps, multiple)

    def fitting(self, model: Any, source: SampledSource, steps: int) -> PrivateFitting:
        """What a `fit` of so many steps asks and tells."""
        return PrivateFitting(self, model, source, steps)


def raw_keys(pair: Any) -> Any:
    """A pair of functions `init` and `update` whose state has JAX's typed keys as integers, which
    variables and files can hold.
    """
    import optax

    implementations: dict[Any, Any] = {}

    def is_key(leaf: Any) -> bool:
        return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)

    def raw(state: Any) -> Any:
        leaves, treedef = jax.tree_util.tree_flatten(state)
        for i, leaf in enumerate(leaves):
            if is_key(leaf):
                implementations[i] = jax.random.key_impl(leaf)
                leaves[i] = jax.random.key_data(leaf)
        return treedef.unflatten(leaves)

    def typed(state: Any) -> Any:
        leaves, treedef = jax.tree_util.tree_flatten(state)
        for i, implementation in implementations.items():
            leaves[i] = jax.random.wrap_key_data(leaves[i], impl=implementation)
        return treedef.unflatten(leaves)

    def update(sums: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        noisy, state = pair.update(sums, typed(state), params)
        if params is not None:  # the sums are wider than params of 16 bits
            noisy = jax.tree_util.tree_map(lambda v, like: v.astype(like.dtype), noisy, params)
        return noisy, raw(state)

    return optax.GradientTransformation(lambda params: raw(pair.init(params)), update)


__all__ = ["DPSGD"]
