"""Changes of what is at a place: something is added to it, set in its stead, or made of it."""

import typing
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain

Function = Callable[[typing.Any], typing.Any]
Changes = Sequence[tuple[typing.Any, "Change"]]


class Change(typing.NamedTuple):
    """What happens to the output at a place.

    Attributes:
        kind: "add", "set" or "edit".
        value: what is added or set, in the structure of the output; None where it is edited.
        function: of the output, what is to be there; None where a value is given.
        here: a boolean, whether it happens: in one block of a loop, in one step; None: always.
    """

    kind: str
    value: typing.Any = None
    function: Function | None = None
    here: jax.Array | None = None

    def of(self, key: typing.Any, outputs: typing.Any) -> typing.Any:
        """The changed outputs.

        Args:
            key: the place, as its caller writes it.

        Raises:
            ValueError: the change does not fit them.
        """
        changed = self._edited(key, outputs) if self.kind == "edit" else self._valued(key, outputs)
        if self.here is None:
            return changed
        return jax.tree_util.tree_map(
            lambda new, old: jnp.where(self.here, new, old), changed, outputs
        )

    def _valued(self, key: typing.Any, outputs: typing.Any) -> typing.Any:
        leaves, treedef = jax.tree_util.tree_flatten(outputs)
        if jax.tree_util.tree_structure(self.value) != treedef:
            wanted = f"a change for each of the layer's {len(leaves)} outputs, in their structure"
            received = str(jax.tree_util.tree_structure(self.value))
            raise ValueError(explain(f"tap at {key!r}", wanted, received))
        values = jax.tree_util.tree_leaves(self.value)
        changed = [self._one(key, old, value) for old, value in zip(leaves, values)]
        return jax.tree_util.tree_unflatten(treedef, changed)

    def _one(self, key: typing.Any, output: jax.Array, value: typing.Any) -> jax.Array:
        shape = jnp.shape(value)
        fits = len(shape) <= output.ndim and all(
            size in (1, wanted) for size, wanted in zip(reversed(shape), reversed(output.shape))
        )
        if not fits:
            wanted = f"a change of shape {output.shape}"
            raise ValueError(explain(f"tap at {key!r}", wanted, f"shape {shape}"))
        value = jnp.asarray(value).astype(output.dtype)
        if self.kind == "set":
            return jnp.broadcast_to(value, output.shape)
        return output + value

    def _edited(self, key: typing.Any, outputs: typing.Any) -> typing.Any:
        changed = self.function(outputs)
        wanted, received = (jax.tree_util.tree_structure(v) for v in (outputs, changed))
        if wanted != received:
            expected = f"`edit` to give what it takes, {wanted}"
            raise ValueError(explain(f"tap at {key!r}", expected, f"{received}"))
        return jax.tree_util.tree_map(lambda new, old: _as(key, new, old), changed, outputs)


def _as(key: typing.Any, changed: typing.Any, output: jax.Array) -> jax.Array:
    """What an edit gave, in the type of what it took."""
    if jnp.shape(changed) != output.shape:
        expected = f"`edit` to give what it takes, an array of shape {output.shape}"
        raise ValueError(explain(f"tap at {key!r}", expected, f"shape {jnp.shape(changed)}"))
    return jnp.asarray(changed).astype(output.dtype)


def changes_of(
    add: Mapping[typing.Any, typing.Any] | None = None,
    set: Mapping[typing.Any, typing.Any] | None = None,
    edit: Mapping[typing.Any, Function] | None = None,
) -> Changes:
    """(place, change) pairs of the arguments of `tap`, in the order in which they happen at one
    place: what is set, edited, added.

    Raises:
        ValueError: an argument that is no dict by place, an edit that is no function.
    """
    found = []
    for kind, changes in {"set": set, "edit": edit, "add": add}.items():
        if changes is None:
            continue
        if not isinstance(changes, Mapping):
            wanted = f"`{kind}` of what happens by place, a dict"
            raise ValueError(explain("tap", wanted, f"{kind}={changes!r}"))
        found += [(key, _change(kind, key, value)) for key, value in changes.items()]
    return found


def _change(kind: str, key: typing.Any, value: typing.Any) -> Change:
    if kind != "edit":
        return Change(kind, value)
    if not callable(value):
        wanted = "a function of the output in `edit`"
        fix = f"`set={{{key!r}: …}}` puts a value in its stead"
        raise ValueError(explain(f"tap at {key!r}", wanted, f"{type(value)}", fix))
    return Change(kind, function=value)
