"""The members of an ensemble as a value that a model holds."""

import dataclasses
import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.errors import explain
from jkeras.core.weights.variable import Borrowed, Variable
from jkeras.kernel import tree
from jkeras.training.loop.predictor import NO_PREDICTOR
from jkeras.training.step.state import TrainState

if typing.TYPE_CHECKING:
    from jkeras.ensembles.layout import MembersLayout
    from jkeras.training.shell.trainer import Trainer

ACTIVE = ("ensemble", "active")  # where among the metrics it stands whether a member is trained


@dataclasses.dataclass(frozen=True)
class OneOfMany:
    """The guard of the variables that show the first member: a weight that is assigned would belong
    to no member.

    Attributes:
        model: its name.
    """

    model: str

    def __call__(self, variable: Variable) -> None:
        """Raises ValueError."""
        expected = "no weight to be assigned, since each member of the ensemble has its own"
        fix = (
            "assign to `model.member(i)`, a plain model, or give all members weights by "
            "`model.ensemble_members.set_weights`"
        )
        name = f"Model '{self.model}'"
        raise ValueError(explain(name, expected, f"a new '{variable.path}'", fix))


class Members:
    """The members of an ensemble: `model.ensemble_members` after `fit(ensemble=…)`.

    Args:
        size: how many they are.
        own_order: whether each of them sees the rows in an order of its own.

    Attributes:
        held: the members' `TrainState`, or what stands for it while `fit` owns it.
        active: the variable that stands for `ACTIVE`.
        shown: the arrays of the first member, as the model's variables got them; None: of a copy,
            whose variables hold them.
        origin: what the state was made for, see `MembersLayout`.
        layout: the `MembersLayout` that puts the first member into the model's variables.

    >>> import jkeras, numpy as np
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> _ = model.fit(np.ones((4, 3)), np.ones((4, 1)), ensemble=5, seed=0, verbose=0)
    >>> model.ensemble_members.size, model.ensemble_members.state.params["dense"]["kernel"].shape
    (5, (5, 3, 1))
    """

    layout: "MembersLayout"

    def __init__(self, size: int, own_order: bool) -> None:
        self.size = size
        self.own_order = own_order
        self.held: TrainState | Borrowed | None = None
        self.shown: ByVariable | None = ByVariable(())
        self.origin: tuple = ()
        self.active = Variable(
            _ones,
            shape=(),
            dtype="bool",
            trainable=False,
            name="active",
            autocast=False,
        )

    @property
    def state(self) -> TrainState:
        """A `TrainState` whose arrays have the members as their first axis; those of frozen layers,
        which all members share, do not.
        """
        while isinstance(self.held, Borrowed):
            self.held.pull()
        return self.held

    @property
    def is_active(self) -> np.ndarray:
        """(members,) booleans: which members are still trained."""
        return np.asarray(tree.get(self.state.metrics, ACTIVE))

    def stop(self, which: np.ndarray) -> None:
        """Trains some members no longer: their weights stay as they are.

        Args:
            which: (members,) booleans.
        """
        state = self.state
        left = jnp.asarray(self.is_active & ~np.asarray(which))
        metrics = tree.merge(state.metrics, tree.unflatten([(ACTIVE, left)]))
        self.held = state.replace(metrics=metrics)

    def __getstate__(self) -> dict:
        return {**vars(self), "held": self.state, "shown": None}  # variables of a copy are others

    def get_weights(self) -> list[np.ndarray]:
        """The weights of all members, each with the members as its first axis."""
        state = self.state
        leaves = jax.tree_util.tree_leaves((state.params, state.state))
        return [np.array(leaf) for leaf in leaves]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """Gives the members weights such as `get_weights` returns.

        Raises:
            ValueError: another number of arrays, or another shape; then nothing is changed.
        """
        state = self.layout.gather(copies=False)
        old, treedef = jax.tree_util.tree_flatten((state.params, state.state))
        shapes, expected = [np.shape(value) for value in weights], [leaf.shape for leaf in old]
        if shapes != expected:
            where = "ensemble_members.set_weights"
            raise ValueError(explain(where, f"arrays of shapes {expected}", f"{shapes}"))
        new = [jnp.asarray(value, leaf.dtype) for value, leaf in zip(weights, old)]
        params, updated = treedef.unflatten(new)
        self.layout.scatter(state.replace(params=params, state=updated))


def hand_over(model: "Trainer", members: Members | None) -> None:
    """Makes a model the ensemble of some members; None: a single model again."""
    model.set_untracked(ensemble_members=members, _predictor=NO_PREDICTOR, _last_layout=None)


def _ones(shape: tuple[int, ...], dtype: typing.Any) -> jax.Array:
    return jnp.ones(shape, dtype)


def frozen_where_stopped(step: typing.Callable) -> typing.Callable:
    """A training step that leaves a member that was stopped as it is; its metrics go on."""

    def member_step(state: TrainState, *batch: typing.Any) -> tuple[TrainState, dict]:
        new, logs = step(state, *batch)
        is_active = tree.get(state.metrics, ACTIVE)
        mixed = jax.tree_util.tree_map(lambda a, b: jnp.where(is_active, b, a), state, new)
        return mixed.replace(metrics=new.metrics), logs

    return member_step
