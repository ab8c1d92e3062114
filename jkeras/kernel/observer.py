"""What goes through a forward pass beside values: who looks at it from outside and may change it,
and the cache of attention.
"""

import typing

import jax

from jkeras.kernel.layer import LayerProtocol

Path = tuple[str, ...]


class Observer:
    """What a pass asks of its observer; here nothing is looked at or changed.

    There are three: `core.run.taps.Taps`, which returns outputs of layers and changes them,
    `programs.trail.Trail`, which records what each layer gave, and
    `generation.judging.Judge`, which finds the layers that look at other positions.
    """

    def through(
        self,
        layer: LayerProtocol,
        scope: typing.Any,
        inputs: tuple[tuple, dict],
        outputs: typing.Any,
    ) -> typing.Any:
        """What a layer gives, once it ran: as it is, or changed.

        Args:
            inputs: (args, kwargs) of its call.
        """
        return outputs

    def at_place(self, path: Path, flow: typing.Any, value: typing.Any) -> typing.Any:
        """A value that a layer names on its way, at a path below that of the layer: as it is, or
        changed.
        """
        return value

    def asks_for(self, path: Path | None) -> bool:
        """Whether what is at a path is asked for."""
        return False

    def steps(self, path: Path, gives_state: bool) -> typing.Any:
        """What is asked for of the states of the recurrent layer at a path; None: nothing."""
        return None

    def inside(self, path: Path) -> typing.Any:
        """What is asked for within the blocks of the layer at a path, a loop; None: nothing."""
        return None

    # ------------------------------------------------------------ passes in transformations

    def fork(self) -> "Observer":
        """The observer of a pass within a transformation, such as `jax.vmap`."""
        return type(self)()

    def changes_below(self, path: Path | None, axis: int) -> dict[int, typing.Any]:
        """What is to change below a path, along an axis of slices; for `change` of a fork."""
        return {}

    def change(self, changes: dict[int, typing.Any]) -> None:
        """Takes the changes of one slice."""

    def take(self) -> typing.Any:
        """What was seen since the fork, as a pytree that leaves the transformation."""
        return None

    def join(self, inner: "Observer", seen: typing.Any) -> None:
        """Takes what a fork saw."""


class PassCache(typing.Protocol):
    """What a pass on new tokens asks of the cache of those before: `generation.cache.Decoding`."""

    def cache_of(self, path: Path | None) -> typing.Any:
        """The cache of the attention layer at a path."""

    def positions(self, shape: tuple[int, int]) -> jax.Array:
        """The positions of new tokens (batch, time) in the whole."""

    def is_positions(self, positions: typing.Any) -> bool:
        """Whether these are positions that the pass gave, and not others that came to be in it."""

    def refuse(self, what: str) -> None:
        """Raises the error for a layer whose new positions cannot be computed alone."""

    def inside(self, path: Path) -> typing.Any:
        """The caches of the blocks of the layer at a path, a loop."""

    def fork(self) -> "PassCache":
        """The cache of a pass within a transformation."""

    def take(self) -> typing.Any:
        """What was cached since the fork, as a pytree that leaves the transformation."""

    def join(self, inner: "PassCache", seen: typing.Any) -> None:
        """Takes what a fork cached."""
