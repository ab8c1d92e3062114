"""What every source of batches has."""

import collections.abc
import typing

import jax

from jkeras.core.graph.host_numbers import InputTypes
from jkeras.training.data.iterator_state import IteratorState, StateMisfit

Batch: typing.TypeAlias = tuple[typing.Any, typing.Any, typing.Any]  # structures of arrays, or None


class DataTypes(typing.NamedTuple):
    """The dtypes that the parts of a batch go to, as far as there are any; see
    `core.graph.host_numbers`.
    """

    x: InputTypes | None = None
    y: str | None = None
    sample_weight: str | None = "float32"


def unpack(batch: typing.Any) -> Batch:
    """(x, y, sample_weight) of a batch that is x, (x,), (x, y) or (x, y, sample_weight)."""
    if isinstance(batch, list):
        batch = tuple(batch)
    if not isinstance(batch, tuple):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(
            "A batch is `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`. Received: a tuple of "
            f"length {len(batch)}."
        )
    return (*batch, None, None)[:3]


def shapes_of(batch: Batch) -> Batch:
    """A batch as shapes."""
    return jax.tree_util.tree_map(
        lambda v: jax.ShapeDtypeStruct(v.shape, jax.dtypes.canonicalize_dtype(v.dtype)), batch
    )


class Source:
    """Batches `(x, y, sample_weight)` of one epoch after another.

    Attributes:
        num_batches: of an epoch; None if that is unknown.
        resumable: whether `batches` can begin in the middle of an epoch.
        from_any_thread: whether another thread than the user's may make the batches. Code of the
            user's own, such as a generator, is left in its thread: what it holds may belong there.
        full_size: the rows that every batch is filled up to, whatever else may be padded; None: no
            batch has to be.
    """

    num_batches: int | None = None
    resumable: bool = True
    from_any_thread: bool = False
    full_size: int | None = None
    _shapes = None

    def batches(
        self, seed: int | None = 0, epoch: int = 0, skip: int = 0
    ) -> collections.abc.Iterator[Batch]:
        """The batches of an epoch, from number `skip` on: those that the whole epoch would give
        there.

        Args:
            seed, epoch: from these follows the order, where the source decides on it. Without a
                seed it is drawn as Keras does, by the call of this method.
        Raises:
            ValueError: `skip` for a source that is not `resumable`.
        """
        raise NotImplementedError

    def peek(self) -> Batch:
        """The first batch, without using it up."""
        raise NotImplementedError

    def look_ahead(self) -> None:
        """Draws what Keras does to see the shapes of the data, before the first training of what
        is compiled.
        """

    def begin_epoch(self) -> None:
        """Says that an epoch begins: with the first batch, or where the last one stopped."""

    def end_epoch(self) -> None:
        """Says that an epoch is over, which may be in the middle of a pass."""

    def reset(self) -> None:
        """Says that a pass is over, as Keras does before it begins to train or to evaluate, too."""

    def state(self) -> IteratorState | None:
        """Where its own iterator is after the last batch that `batches` gave; None where that has
        no state, or gave none yet.
        """
        return None

    def lasting_state(self) -> IteratorState | None:
        """The state that a new pass begins with; None where a pass follows from nothing before."""
        return None

    def go_to(self, state: IteratorState, epoch: int, number: int) -> None:
        """Puts its own iterator where a state was taken: before batch `number` of an epoch, where
        `batches` is to begin.

        Raises:
            StateMisfit: it does not fit.
        """
        raise StateMisfit(
            f"it is the state of a {state.iterator}; the data is now a {type(self).__name__}"
        )

    def shapes(self) -> Batch:
        """The first batch as shapes; it is made once for this."""
        if self._shapes is None:
            self._shapes = self._shapes_of(self.peek())
        return self._shapes

    @property
    def has_weights(self) -> bool:
        """Whether the rows have weights."""
        return self.shapes()[2] is not None

    @staticmethod
    def _shapes_of(batch: Batch) -> Batch:
        shapes = shapes_of(batch)
        if (0,) in [one.shape[:1] for one in jax.tree_util.tree_leaves(shapes)]:
            raise ValueError("The first batch has no rows. Expected at least one.")
        return shapes

    def close(self) -> None:
        """Stops what works for the source."""
