"""Predictions of an ensemble: of each member, or their mean."""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.kernel import tree
from jkeras.training.data import placement
from jkeras.training.step.overrides import overrides
from jkeras.training.loop.predictor import Predictor
from jkeras.training.loop.program import Program, program_of
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


class MembersPredictor(Predictor):
    """`x -> y` of an ensemble: the mean of the members' outputs, or with `each` those of each, the
    members being the second axis.
    """

    each = False

    def __init__(self, model: "Trainer") -> None:
        self.members = model.ensemble_members
        if overrides(model, "predict_step"):
            expected = "a model whose `predict_step` is not overridden, to run it for each member"
            fix = "call `predict` of the members, `model.member(i)`"
            raise ValueError(explain(f"Model '{model.name}'", expected, "one of its own", fix))
        super().__init__(model)
        self.carried = []

    def values(self) -> list[jax.Array]:
        """The arrays of the members; of what they share, the array."""
        state = self.members.layout.gather(copies=False)
        dense = tree.merge(state.params, state.frozen, state.state)
        pairs = zip(self.paths, self.variables)
        return [v.own_value() if (a := tree.get(dense, path)) is None else a for path, v in pairs]

    def _program(self, kind: str) -> Program:
        key = self.key, self.members.size
        name = f"{kind} members" if self.each else f"{kind} mean"
        return program_of(self.model, name, key, lambda: self._of_members)

    def _of_members(
        self, values: list[jax.Array], x: Structure, rng: jax.Array | None = None
    ) -> tuple[Structure, dict]:
        axes = [0 if a.ndim > len(v.shape) else None for v, a in zip(self.variables, values)]
        keys = None if rng is None else jax.random.split(rng, self.members.size)
        run = jax.vmap(
            lambda values, rng: self._forward(values, x, rng)[0],
            in_axes=(axes, None if rng is None else 0),
            out_axes=1,
        )
        with placement.undistributed():
            y = run(values, keys)
        return y if self.each else jax.tree_util.tree_map(lambda v: jnp.mean(v, axis=1), y), {}


class EachPredictor(MembersPredictor):
    """The outputs of each member."""

    each = True
