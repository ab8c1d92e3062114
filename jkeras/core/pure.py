"""The pure interface of a layer: `init` makes values from a key, `apply` runs the layer on given
ones.
"""

import typing

import jax

from jkeras.core import frame, tree, weight
from jkeras.core.errors import explain
from jkeras.core.structure import abstractly, all_built, constant_initializer, named_weights


class Pair(typing.NamedTuple):
    """A layer as a value: two pure functions.

    init: `(key, x) -> (params, state)`; apply: `(params, state, x, ...) -> (y, state)`.
    """

    init: typing.Callable
    apply: typing.Callable


class PureInterface:
    """`init`, `apply` and `pair`, from what a layer says of its weights and forward pass."""

    def init(self, key, *args, **kwargs):
        """New weights for an input, from a key alone: `(params, state)`, nested dicts of arrays.

        Args:
            key: `jax.random.key(...)`, or an integer.
            args: the inputs, as arrays or `jax.ShapeDtypeStruct`.
        """
        key = jax.random.key(key) if isinstance(key, int) else key
        losses = self._trace_structure(args, kwargs, fresh=True)
        named = list(named_weights(self))
        values = weight.create(
            [v._initializer or constant_initializer(v) for _, v in named],
            [v.shape for _, v in named],
            [v.dtype for _, v in named],
            [p for p, _ in named],
            key,
        )
        params = tree.unflatten((p, x) for (p, v), x in zip(named, values) if v.learnable)
        state = tree.unflatten((p, x) for (p, v), x in zip(named, values) if not v.learnable)
        if losses:
            state["losses"] = {
                str(i): jax.numpy.zeros(s.shape, s.dtype) for i, s in enumerate(losses)
            }
        return params, state

    def apply(self, params, state, *args, training=None, rng=None, mask=None, **kwargs):
        """The forward pass on given values: `(y, new_state)`. Safe under jit, grad, vmap, scan and
        shard_map.

        Args:
            params, state: as `init` gave them.
            training: whether this is a training step.
            rng: key for layers that draw random numbers in training; they derive theirs from it by
                path.
            mask: mask of the first input.
        """
        if not self.built or (self.is_lifted() and not self._state_kept and not all_built(self)):
            self._trace_structure(args, kwargs)
        named = list(named_weights(self))
        values = {}
        for path, variable in named:
            value = tree.get(params if variable.learnable else state, path)
            if value is None:
                raise ValueError(
                    explain(
                        self._where,
                        f"an array at {'/'.join(path)!r} in "
                        f"{'params' if variable.learnable else 'state'}",
                        "none",
                        "pass what `init` returned for this layer",
                    )
                )
            if jax.numpy.shape(value) != tuple(variable.shape):
                raise ValueError(
                    explain(
                        self._where,
                        f"shape {tuple(variable.shape)} at {'/'.join(path)!r}",
                        f"shape {jax.numpy.shape(value)}",
                        "pass what `init` returned for this layer",
                    )
                )
            values[id(variable)] = value
        rng = jax.random.key(rng) if isinstance(rng, int) else rng
        if mask is not None:
            kwargs["mask"] = mask
        with frame.Run(self, values, rng=rng, training=training) as run:
            y = run.call(self, args, kwargs)
        state = tree.unflatten((path, run.values[id(v)]) for path, v in named if not v.learnable)
        if run.losses:
            state["losses"] = {str(i): value for i, (_, value) in enumerate(run.losses)}
        return y, state

    def pair(self):
        """`Pair(init, apply)`: the layer as two pure functions."""
        return Pair(self.init, self.apply)

    def _trace_structure(self, args, kwargs, fresh=False):
        """Builds all layers below on abstract inputs; returns the shapes of the losses that the
        call adds.
        """
        if (
            fresh
            and self.built
            and not self.is_lifted()
            and not self._children
            and not self._state_kept
        ):
            # a plain layer that holds no values can be initialized for another shape
            self._unbuild()
        losses = []

        def run_once(args, kwargs):
            with frame.Run(self, abstract=True) as run:
                run.call(self, args, kwargs)
            losses[:] = [jax.ShapeDtypeStruct(v.shape, v.dtype) for _, v in run.losses]

        abstractly(run_once, tuple(args), dict(kwargs))
        return losses

    def _unbuild(self):
        for name in list(self._own):
            delattr(self, name) if name in self.__dict__ else self._own.pop(name)
        self.__dict__["built"] = False
