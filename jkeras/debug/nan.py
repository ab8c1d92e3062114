"""`fit(debug="nan")`: which layer was the first to give a number that is not finite, in its forward
pass or in its gradient, in which row and step.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from jkeras.core.errors import StepError, check_choice, explain
from jkeras.debug.marks import Marks
from jkeras.debug.origins import Origin, Replay, root_of
from jkeras.kernel import tree
from jkeras.optimizers import LossScaleOptimizer
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import DataTypes, unpack
from jkeras.training.loop.careful import rows_in_words
from jkeras.training.loop.program import Program
from jkeras.training.loop.programs import batch_of
from jkeras.training.step.layout import LazyLayout, state_layout
from jkeras.training.step.nonfinite import COUNT, brings_in
from jkeras.training.step.state import TrainState
from jkeras.training.step.step import bare_step_on
from jkeras.training.types import Logs

KINDS = ("nan",)
UNSEEN = (
    "Run again operation by operation, the step gave finite numbers: it overflows only as it is "
    "compiled, or what it does on the host differs from time to time"
)


class NotFiniteError(StepError, FloatingPointError):
    """A step brought NaN or infinity into the model.

    Attributes:
        layer: in words, of which it came first; None where it was none.
        is_backward: whether it came in the gradient.
    """

    layer: str | None = None
    is_backward = False


class NaNFinder:
    """Looks after each dispatch of a training whether it brought NaN or infinity into the model, or
    left out a step that would have, and raises.
    """

    def __init__(self, model: Any, kind: str) -> None:
        check_choice("debug", kind, KINDS, "fit")
        self.model = model
        if model.compilation.privacy is not None:
            wanted = "no `debug` with `privacy`: which row it was would tell of the row"
            raise ValueError(explain("fit", wanted, f"debug={kind!r}"))
        model.refuse_ensemble("`fit(debug=…)`")

    # ------------------------------------------------------------ after each dispatch

    def run(self, program: Program, state: TrainState, *arguments: Any) -> tuple[TrainState, Logs]:
        """What a program gives.

        Raises:
            NotFiniteError: it has NaN or infinity that the state before it had not.
        """
        new, logs = program.run(state, *arguments)
        if not self._is_worse(state, new):
            return new, logs
        error = NotFiniteError(f"Model '{self.model.name}': NaN or infinity")
        error.saved = (state,)
        raise error

    def on_batch(self, program: Program, state: TrainState, batch: Any) -> tuple[TrainState, Logs]:
        """What one step on a batch gives, which consumes nothing.

        Raises:
            NotFiniteError: as of `run`; it says where it began.
        """
        try:
            return self.run(program, state, batch)
        except NotFiniteError as error:
            raise self.explained(error, state, (batch, None), "one") from None

    def _is_worse(self, old: TrainState, new: TrainState) -> bool:
        """Whether a step brought in NaN or infinity, or one was left out for it."""
        if self.model.compilation.nonfinite is not None:
            counts = [int(np.sum(tree.get(state.metrics, COUNT))) for state in (old, new)]
            return counts[1] > counts[0]
        return bool(_brings_in(self._watched(old), self._watched(new)))

    def _watched(self, state: TrainState) -> tuple:
        """What of a state is to stay finite: a scaled loss may overflow, and its gradient, which
        the optimizer then leaves out.
        """
        watched = state.params, state.state, state.metrics
        if isinstance(self.model.optimizer, LossScaleOptimizer):
            return watched
        return *watched, state.opt_state

    # ------------------------------------------------------------ one step again

    def explained(
        self, error: StepError, state: TrainState, arguments: tuple, form: str
    ) -> StepError:
        """The error of a step, with where it began.

        Args:
            state: before the step.
            arguments: of its program behind the state.
        """
        if not isinstance(error, NotFiniteError):
            return error
        if form == "many":
            arguments = (*batch_of(*arguments[:3]), None)[:2]
        batch, rows = arguments
        found = NotFiniteError(f"Model '{self.model.name}': {UNSEEN}")
        replay, origin, has_loss = self._replayed(state, batch, rows)
        if origin is not None:
            found = self._told(replay, origin, size_of(unpack(batch)[0]), has_loss)
        return found

    def _replayed(
        self, state: TrainState, batch: Any, rows: jax.Array | None
    ) -> tuple[Replay, Origin | None, bool]:
        """(a step that ran again, where what is not finite after it came from, whether its loss is
        finite).
        """
        given = (state, batch, rows)[: 3 - (rows is None)]
        marked = Marked(self.model)
        closed, shapes = jax.make_jaxpr(marked.step, return_shape=True)(*given)
        replay = Replay()
        values = [
            replay.given(_name_of(path), leaf)
            for path, leaf in jax.tree_util.tree_leaves_with_path(given)
        ]
        outputs = replay.run(closed.jaxpr, closed.consts, values)
        new, logs = jax.tree_util.tree_structure(shapes).unflatten(outputs)
        watched = jax.tree_util.tree_leaves(self._watched(new))
        origins = [value.origin for value in watched if value.origin is not None]
        worse = [origin for origin in origins if origin.place >= 0]
        first = min(worse, key=lambda origin: root_of(origin)[0].place, default=None)
        loss = logs.get("loss")
        return replay, first, loss is not None and loss.origin is None

    # ------------------------------------------------------------ in words

    def _told(self, replay: Replay, origin: Origin, size: int, has_loss: bool) -> NotFiniteError:
        first, nan = root_of(origin)
        rows, spot = self._rows(first, size), _spot_of(replay, first, has_loss)
        word = "NaN" if first.has_nan else "infinity"
        if first.place < 0:
            text = f"{word} is in {first.name}, which the step was given"
        else:
            text = f"{word} came first in {spot}, by `{first.name}`"
        if rows:
            text += f", in {rows_in_words(rows)} of the {size} of the batch"
        if nan is not first and nan.has_nan and nan.place >= 0:
            spot_of_nan = _spot_of(replay, nan, has_loss)
            text += f"; it became NaN in {spot_of_nan}, by `{nan.name}`"
        error = NotFiniteError(f"Model '{self.model.name}': {text}")
        error.rows, error.count = tuple(rows), size
        if first.place >= 0:
            error.layer, error.is_backward = spot.layer, spot.is_backward
        return error

    def _rows(self, origin: Origin, size: int) -> list[int]:
        """The rows of the batch in which an array is not finite; [] where it has none."""
        groups, bad = self.model.compilation.microbatches, origin.bad
        if not bad.ndim:
            return []
        found = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1)).tolist()
        if len(bad) == size:
            return found
        turn, turns = origin.turn or (0, 0)
        if groups > 1 and turns == groups and len(bad) * groups == size:
            return [row * groups + turn for row in found]  # as `kernel.microbatch.cut` takes them
        return []


_brings_in = jax.jit(brings_in)


class Marked:
    """The step of a model with marks at the layers; without what leaves steps out."""

    def __init__(self, model: Any) -> None:
        self.model = model
        layout = state_layout(model)
        self._lazy = LazyLayout(model, layout, layout.counts)

    def step(self, *given: Any) -> tuple[TrainState, Logs]:
        """The step: `(state, batch, rows) -> (state, logs)`."""
        flow_type = self.model.flow_type

        class Flow(flow_type):
            """A pass whose layers are marked."""

            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.observer = self.observer or Marks()

        self.model.set_untracked(flow_type=Flow)
        try:
            return bare_step_on(self.model, self._lazy)(*given)
        finally:
            del vars(self.model)["flow_type"]


def _name_of(path: tuple) -> str:
    """What the step was given, in words: "`x`", or "the weights before it".

    >>> key = jax.tree_util.GetAttrKey
    >>> _name_of((jax.tree_util.SequenceKey(0), key("params"), jax.tree_util.DictKey("dense")))
    '`params/dense`, as it was before the step'
    """
    argument, *keys = path
    names = [jax.tree_util.keystr((key,), simple=True) for key in keys]
    if argument.idx == 0:
        return f"`{'/'.join(names)}`, as it was before the step"
    if names and names[0].isdigit():
        names[0] = DataTypes._fields[int(names[0])]
    return f"`{'/'.join(names) or 'x'}`"


class Spot(NamedTuple):
    """Where in a step an operation is.

    Attributes:
        layer: that it belongs to, in words; None: it is one of the loss or the optimizer.
        is_backward: whether what it gives goes into a gradient alone.
        is_update: whether it comes after the gradient.
    """

    layer: str | None
    is_backward: bool
    is_update: bool = False

    def __str__(self) -> str:
        if self.is_update:
            return "the update of the weights"
        way = "the gradient of " if self.is_backward else ""
        if self.layer is None:
            return f"{way}the loss"
        return f"{way}{self.layer[0].lower()}{self.layer[1:]}"


def _spot_of(replay: Replay, origin: Origin, has_loss: bool) -> Spot:
    """Where the operation is that made an array.

    Args:
        has_loss: whether the loss is finite.
    """
    gradients = [m for m in replay.marks if m.place < origin.place and m.is_backward]
    if origin.is_backward:
        return Spot(gradients[-1].layer if gradients else None, True)
    after = [mark for mark in replay.marks if mark.place >= origin.place]
    if after and not after[0].is_backward:
        return Spot(after[0].layer, after[0].is_finite)  # its slope is made along the way
    return Spot(None, has_loss, is_update=bool(gradients))
