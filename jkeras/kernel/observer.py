"""Who looks at a forward pass from outside, and may change it: the base of all of them."""

import typing

import jax

Path = tuple[str, ...]


class Observer:
    """What a pass asks of its observer; here nothing is looked at, changed or cached.

    There are three: `core.run.taps.Taps`, which returns outputs of layers and changes them,
    `programs.trail.Trail`, which remembers what each layer gave, and `generation.cache.Decoding`,
    which has the keys and values of the tokens before.
    """

    def through(self, layer: typing.Any, scope: typing.Any, outputs: typing.Any) -> typing.Any:
        """What a layer gives, once it ran: as it is, or changed."""
        return outputs

    def asks_for(self, path: Path | None) -> bool:
        """Whether the output of the layer at a path is asked for."""
        return False

    def inside(self, path: Path) -> typing.Any:
        """What is asked for within the blocks of the layer at a path, a loop; None: nothing."""
        return None

    def cache_of(self, path: Path | None) -> typing.Any:
        """The cache of an attention layer at a path; None: there is none."""
        return None

    def positions(self, shape: tuple[int, int]) -> jax.Array | None:
        """The positions of tokens (batch, time); None: they count from 0."""
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
