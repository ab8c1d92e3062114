"""`tap`: a forward pass whose places are looked at and changed from outside."""

import functools
import typing
from collections.abc import Callable, Mapping

import jax

from jkeras.core.run.adapting import built_for
from jkeras.core.run.tap_changes import Changes, changes_of
from jkeras.core.run.tap_places import UnknownPlaceError, find
from jkeras.core.run.tap_survey import survey
from jkeras.core.run.taps import Taps
from jkeras.kernel import apply as kernel
from jkeras.kernel.scope import Path


def tap(
    self: typing.Any,
    params: dict,
    state: dict,
    *args: typing.Any,
    at: typing.Any = (),
    add: Mapping[typing.Any, typing.Any] | None = None,
    set: Mapping[typing.Any, typing.Any] | None = None,
    edit: Mapping[typing.Any, Callable] | None = None,
    training: bool | None = None,
    rng: jax.Array | int | None = None,
    mask: jax.Array | None = None,
    **kwargs: typing.Any,
) -> tuple[typing.Any, dict, dict]:
    """The forward pass of `apply`, with a look at what layers in it give, and changes of that:
    `(y, new_state, seen)`.

    A place is a path of names, "base/conv": as in `params`, or as the layers are called. The
    end of a path is enough where only one layer has it. "conv#1" is the second call of a layer
    that is used more than once; "conv" alone gives the outputs of all calls along a new first
    axis. In a `Stack` called "stack", "stack/3/dense" is a layer in block 3;
    "stack/layer/dense" that of all blocks, along a first axis. A layer may have names for what it
    computes on the way: "mha/heads" is what each head of attention gives, "lstm/states#4" the
    states of a recurrent layer after step 4. In "block_*/mha/heads" a star stands for any part of
    a name. `jkeras.explain.places` lists all of them.

    What changes at one place is set first, then edited, then added to; what comes behind it is
    computed from the changed output.

    Args:
        params, state, args, training, rng, mask, kwargs: as of `apply`.
        at: a place or several; `seen` has their outputs, a dict by place. A layer of the model
            is a place, too.
        add: what is added to the outputs at places; in the structure of the output, of its
            shape or one that broadcasts to it. The gradient by a change of zeros is that by the
            output of the layer.
        set: what the outputs are set to, in the same form.
        edit: functions of the outputs that give new ones. In a `Stack`, of the output of one
            block; in `TimeDistributed`, of one slice.
    Raises:
        ValueError: no layer, or more than one, is at a place; it does not run in this pass; it
            runs in a loop other than that of `Stack`; a change has another shape.

    >>> import jkeras, jax.numpy as jnp
    >>> from jkeras.layers import Dense
    >>> model = jkeras.Sequential([Dense(3, name="hidden"), Dense(1)])
    >>> params, state = model.init(0, jnp.ones((2, 4)))
    >>> y, _, seen = model.tap(params, state, jnp.ones((2, 4)), at="hidden")
    >>> y.shape, seen["hidden"].shape
    ((2, 1), (2, 3))
    >>> model.tap(params, state, jnp.ones((2, 4)), set={"hidden": 0.0})[0].tolist()
    [[0.0], [0.0]]
    """
    rng = jax.random.key(rng) if isinstance(rng, int) else rng
    if mask is not None:
        kwargs["mask"] = mask
    beyond = operations_of(self)
    given = params, state, args, kwargs, as_keys(at), changes_of(add, set, edit)
    return tapped(self, given, beyond=beyond, rng=rng, training=training)


def operations_of(layer: typing.Any) -> Callable | None:
    """What taps the operations of a model; None: of a layer, whose operations are no places."""
    return getattr(type(layer), "_tap_operations", None)


def as_keys(at: typing.Any) -> list:
    """Places as a list: one, or several."""
    return list(at) if isinstance(at, (list, tuple, set, frozenset, dict)) else [at]


def tapped(
    layer: typing.Any, given: tuple, *, beyond: Callable | None, **options: typing.Any
) -> tuple[typing.Any, dict, dict]:
    """`(y, new state, seen)` of a layer.

    Args:
        given: params, state, args, kwargs, places that are looked at, changes.
        beyond: taps a layer whose places may be operations; None: there are no such places.
        options: of the pass.
    """
    try:
        y, new_state, taps = run_tapped(layer, *given, beyond=beyond, **options)
    except UnknownPlaceError as error:
        if beyond is None:
            raise
        return beyond(layer, error, given, options)
    return y, new_state, taps.results()


def run_tapped(
    layer: typing.Any,
    params: dict,
    state: dict,
    args: tuple,
    kwargs: dict,
    at: list,
    changes: Changes,
    **options: typing.Any,
) -> tuple[typing.Any, dict, "Taps"]:
    """`tap` with all that was seen: `(y, new state, taps)`.

    Args:
        at: places that are looked at.
        changes: what happens at places, of `changes_of`.
        options: of the pass; `taps_type` is a kind of `Taps` that looks at more, `beyond` as of
            `tapped`, for the blocks of loops.
    """
    taps_type, beyond = options.pop("taps_type", Taps), options.pop("beyond", None)
    root = built_for(layer, args, kwargs)

    @functools.cache  # several places may ask
    def surveyed() -> list[Path]:
        apart = dict(options)
        if apart.get("cache") is not None:
            apart["cache"] = apart["cache"].fork()  # which is filled in one pass alone
        return list(survey(layer, (params, state), args, kwargs, **apart))

    keys = [*at, *(key for key, _ in changes)]
    found = find(root, keys, layer, surveyed)
    seen = [tap for taps in found[: len(at)] for tap in taps]
    changed = [
        (tap, change) for taps, (_, change) in zip(found[len(at) :], changes) for tap in taps
    ]
    taps = taps_type(seen, changed, functools.partial(tapped, beyond=beyond))
    y, new_state = kernel.apply(layer, params, state, args, kwargs, observer=taps, **options)
    return y, new_state, taps
