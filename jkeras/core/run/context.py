"""What a forward pass is given beside weights and inputs: its context, and its children."""

import functools
import typing

import jax

from jkeras.core.run.adapting import build_on_shapes, built_for, check_own_values
from jkeras.core.run.blocks import Within
from jkeras.core.run.call import Inputs, masks_of
from jkeras.core.weights.structure import all_built


class Context:
    """What a forward pass may look at besides its weights and inputs.

    Attributes:
        training: whether the layer does as in a training step.
        frozen: whether the layer's `trainable` is False.
        mask: the mask of the inputs, or None.
        valid_rows: which rows of the batch are real, where some are padding, else None; for
            `kernel.valid_rows.over_valid_rows`.
        key: a random key of this call; another one each time it is read.
        abstract: whether only shapes count.
    """

    __slots__ = ("abstract", "frozen", "layer", "mask", "scope", "training", "valid_rows")

    def __init__(self, scope, layer, training, mask):
        self.scope = scope
        self.layer = layer
        stays_out = layer.traits.is_for_training_alone and scope.flow.noise_alone
        self.training = bool(training) and not stays_out
        self.frozen = not layer._trainable
        self.mask = mask
        self.valid_rows = scope.flow.valid_rows
        self.abstract = scope.flow.abstract

    @property
    def key(self) -> jax.Array:
        """The next random key."""
        return self.scope.next_key(self.layer)

    def place(self, name: str, value: typing.Any) -> typing.Any:
        """A value on the way with a name of its own: as it is, or changed by who looks at it from
        outside; see `tap`.
        """
        observer, path = self.scope.flow.observer, self.scope.path_of(self.layer)
        if observer is None or path is None:
            return value
        return observer.at_place((*path, name), self.scope.flow, value)

    def asks_for(self, *names: str) -> bool:
        """Whether somebody looks at one of the values of these names."""
        observer, path = self.scope.flow.observer, self.scope.path_of(self.layer)
        if observer is None or path is None:
            return False
        return any(observer.asks_for((*path, name)) for name in names)

    def steps(self, gives_state: bool) -> typing.Any:
        """What is asked for of the states after each step of the layer, a recurrent one; None:
        nothing.

        Args:
            gives_state: whether the output of a step is its first state.
        """
        observer, path = self.scope.flow.observer, self.scope.path_of(self.layer)
        return None if observer is None or path is None else observer.steps(path, gives_state)

    def inside(self) -> Within | None:
        """What goes into the blocks of the layer, a loop, beside values; None: nothing."""
        flow, path = self.scope.flow, self.scope.path_of(self.layer)
        taps = None if flow.observer is None else flow.observer.inside(path)
        cache = None if flow.cache is None else flow.cache.inside(path)
        return None if taps is None and cache is None else Within(taps, cache)

    def cache(self) -> typing.Any:
        """What the layer, one of attention, keeps of the tokens before while text is generated; see
        `generation.decoding.LayerCache`. None elsewhere.
        """
        cache = self.scope.flow.cache
        return None if cache is None else cache.cache_of(self.scope.path_of(self.layer))

    def update(self, changed: dict[str, jax.Array]) -> None:
        """Sets new values of own weights now, for children that share them and run afterwards."""
        self.scope.update(changed)

    def skip_keys(self, count: int, x: jax.Array) -> None:
        """Lets a generator that counts, as Keras's do, come as far as if so many keys were sampled.

        Args:
            x: an array of the call; where it is traced, a generator that is read directly stays.
        """
        self.layer.seed_generator.skip(count, x)


class Children:
    """A composite's children: `sub.query(x)` runs the child `query` on its slice of params, state
    and key.
    """

    def __init__(self, scope, layer, children):
        self._scope = scope
        self._layer = layer
        self._children = children
        self.observer = scope.flow.observer

    def __getattr__(self, name: str) -> typing.Callable:
        if name not in self._children:
            getattr(self._layer, name)  # or there is none
        return functools.partial(self.run_named, name)

    def run_named(self, name, *args, **kwargs):
        """Runs the child that is the attribute of this name."""
        child = self._children.get(name)
        if child is None:  # it has the name of another attribute that it is, too
            return self.run(getattr(self._layer, name), *args, **kwargs)
        return child.run_on(self._scope.child(name), args, kwargs)

    def run_unobserved(self, name, *args):
        """What the child of this name gives for other inputs, and nothing of it is seen: no loss is
        added, no value is updated.
        """
        inner = self._scope.child(name).alone()
        inner.flow.observer = None
        with inner.flow:
            return self._children[name].run_on(inner, args, {})

    def place(self, name, value):
        """A value on the way with a name of its own, see `Context.place`."""
        path = self._scope.path_of(self._layer)
        if self.observer is None or path is None:
            return value
        return self.observer.at_place((*path, name), self._scope.flow, value)

    def run(self, child, *args, **kwargs):
        """Runs a child given as an object."""
        return child.run_on(self.scope_of(child), args, kwargs)

    def run_bare(self, child, *args, **kwargs):
        """Runs a child as Keras's `layer.call` does: in the dtype of this layer, without the
        child's activity penalty.
        """
        return child.run_on(self.scope_of(child), args, kwargs, bare=True)

    def run_on_slices(self, child, x, kwargs, axis, training):
        """Runs a child bare on all slices of arrays along an axis at once, by `jax.vmap`. What it
        writes or samples there is not seen outside; the losses of the slices are summed.
        """
        scope = self.scope_of(child)
        observer = scope.flow.observer
        changes = {}
        if observer is not None:
            changes = observer.changes_below(scope.path_of(child), axis)
        inside = {}

        def run_slice(x, kwargs, changes):
            inner = scope.alone()
            inner.flow.training = training
            inner.flow.rng = None
            if changes:
                inner.flow.observer.change(changes)
            with inner.flow as flow:
                y = child.run_on(inner, (x,), kwargs, bare=True)
            inside.update(owners=[owner for owner, _ in flow.losses], flow=flow)
            return y, [value for _, value in flow.losses], flow.take()

        run_slices = jax.vmap(run_slice, in_axes=axis, out_axes=(axis, 0, axis))
        outputs, losses, seen = run_slices(x, kwargs, changes)
        for owner, value in zip(inside["owners"], losses):
            scope.flow.losses.append((owner, value.sum()))
        scope.flow.join(inside["flow"], seen)
        return outputs

    def is_tapped(self, name):
        """Whether somebody asks for the output of the child of this name."""
        observer = self._scope.flow.observer
        return observer is not None and observer.asks_for(
            self._scope.child(name).path_of(self._children[name])
        )

    def share(self, child, name, own):
        """Lets a child's weight be that of the layer itself of another name."""
        if not self._scope.is_of_objects:
            self.scope_of(child).share(name, (*self._scope.path, own))

    def built(self, child, *args):
        """A child as a layer that has its variables, to look at: itself, or a copy of it that is
        built for these inputs.
        """
        flow = self._scope.flow
        if self._scope.is_of_objects and flow.is_eager and not all_built(child):
            build_on_shapes(child, args, {})  # what it builds in `call`, which runs in a loop
        if self._scope.is_built:
            return child
        return built_for(child, args, {})

    def run_method(self, child, name, *args, training):
        """Runs a method of a child that is given what its `forward` is: its weights, its own
        children, a context.
        """
        scope = self.scope_of(child)
        call = None
        if not scope.is_of_objects:
            call = Inputs(*args)
            if scope.flow.declared is not None:
                scope.declare(child.declaration(call))
        w = child.own_values(scope, call, is_called=True)
        if child.traits.has_children:
            args = (child.cursor(scope, call), *args)
        return getattr(child, name)(w, *args, ctx=Context(scope, child, training, None))

    def kept(self, name, specs):
        """The values that the layer keeps from call to call in a module of this name; none where
        it was built without one.

        Args:
            specs: a function that says what they are, `{name: Weight}`.
        """
        if self._scope.is_of_objects and name not in self._children:
            return {}
        scope = self._scope.child(name)
        if scope.is_built:
            return scope.weights()
        weights = {key: self._layer.resolved(weight) for key, weight in specs().items()}
        if scope.flow.declared is not None:
            scope.declare(weights)
        else:
            check_own_values(self._layer, scope, scope.weights(), weights)
        return scope.weights()

    def keep(self, name, values):
        """Sets what the layer keeps in a module of this name, where the pass carries it: that of
        Keras's `stateless_call` does not.
        """
        scope = self._scope.child(name)
        if scope.is_of_objects and not scope.flow.is_eager:
            own = scope.layer._own
            values = {key: v for key, v in values.items() if scope.flow.holds(own[key])}
        scope.update(values)

    def scope_of(self, child):
        """The slice of a child given as an object."""
        return self._scope.child(self._names[id(child)])

    @functools.cached_property
    def _names(self):
        children = dict(self._children)
        return dict(zip(map(id, children.values()), children))

    def mask_of(self, value):
        """The mask that a child left beside its output."""
        return masks_of(value, self._scope.flow.mask_of)

    def set_mask(self, value, mask):
        """Lets a mask travel beside a value that a child will be given."""
        self._scope.flow.set_mask(value, mask)

    def drop_masks(self, *values):
        """Lets no mask travel on beside values."""
        self._scope.flow.drop_masks(values)
