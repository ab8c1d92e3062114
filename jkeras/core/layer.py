"""The layer contract: a record of hyper-parameters and two pure methods, `init` and `apply`.

A built-in layer writes `weight_specs` and `forward`. `init`, `apply`, `build`, calling on arrays
and on symbolic tensors, counting, configs and files follow from these.
"""

import functools
import inspect
import typing
import warnings

import jax

from jkeras.core import frame, graph, policy, record, registry, remat, typed
from jkeras.core.building import as_specs, as_tensors, as_tuples, build_scope, call_build, scoped
from jkeras.core.call import Call, forward_of, is_array, masks_of, target_of
from jkeras.core.errors import explain, suggestion
from jkeras.core.family import families
from jkeras.core.adapting import built_for, run_adapted, runs_apart, weight_of, wrong_value
from jkeras.core.module import Module
from jkeras.core.paths import named_variables, walk
from jkeras.core.pure import Pair, PureInterface
from jkeras.core.settings import auto_name, settings, uncounted
from jkeras.core.symbolic import symbolic_call
from jkeras.core.variable import Variable
from jkeras.core.view import WeightView
from jkeras.kernel.scope import Scope
from jkeras.kernel.spec import Spec, Weight


class Ctx:
    """What a forward pass may look at besides its weights and inputs.

    Attributes:
        training: whether this is a training step.
        frozen: whether the layer's `trainable` is False.
        mask: the mask of the inputs, or None.
        valid_rows: which rows of the batch are real, where some are padding, else None; for
            `kernel.valid_rows.over_valid_rows`.
        key: a random key of this call; another one each time it is read.
        abstract: whether only shapes count.
    """

    __slots__ = ("_layer", "_scope", "abstract", "frozen", "mask", "training", "valid_rows")

    def __init__(self, scope, layer, training, mask):
        self._scope = scope
        self._layer = layer
        self.training = bool(training)
        self.frozen = not layer.__dict__["_trainable"]
        self.mask = mask
        self.valid_rows = scope.flow.valid_rows
        self.abstract = scope.flow.abstract

    @property
    def key(self):
        """The next random key."""
        return next_key(self._scope, self._layer)

    def update(self, changed):
        """Sets new values of own weights now, for children that share them and run afterwards."""
        self._scope.update(changed)

    def note_logits(self, probabilities, logits, axis):
        """Lets a loss of this pass know of what probabilities are the softmax."""
        frame.note_logits(probabilities, logits, axis)

    def skip_keys(self, count, x):
        """Lets a generator that counts, as Keras's do, come as far as if so many keys were drawn.

        Args:
            x: an array of the call; where it is traced, a generator that is read directly stays.
        """
        if not isinstance(self._scope, Scope):
            self._layer.seed_generator.skip(count, x)


def next_key(scope, layer):
    """The next random key of a layer: by its path, or from its seed generator."""
    if not isinstance(scope, Scope):
        return layer.seed_generator.next()
    flow = scope.flow
    if flow.abstract:
        return jax.numpy.zeros((2,), "uint32")
    path = (*scope.path, layer.seed_generator_name())
    path = "/".join(flow.canonical(path))
    if flow.rng is None:
        raise flow.no_key(path)
    return flow.key_at(path)


class Sub:
    """A composite's children: `sub.query(x)` runs the child `query` on its slice of params, state
    and key.
    """

    def __init__(self, scope, layer, children):
        self._scope = scope
        self._layer = layer
        self._children = children

    def __getattr__(self, name):
        child = self._children.get(name)
        child = getattr(self._layer, name) if child is None else child
        return lambda *args, **kwargs: self.run(child, *args, **kwargs)

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
        writes or draws there is not seen outside; the losses of the slices are summed.
        """
        flow, owners = self._scope.flow, []
        values = {variable: flow.read(variable) for _, variable in named_variables(child)}

        def run_slice(x, kwargs):
            inner = flow.fork(values)
            inner.training = training
            inner.rng = None
            with inner:
                y = child.run_on(self.scope_of(child).within(inner), (x,), kwargs, bare=True)
            owners[:] = [owner for owner, _ in inner.losses]
            return y, [value for _, value in inner.losses]

        outputs, losses = jax.vmap(run_slice, in_axes=axis, out_axes=(axis, 0))(x, kwargs)
        flow.losses.extend((owner, value.sum()) for owner, value in zip(owners, losses))
        return outputs

    def share(self, child, name, own):
        """Lets a child's weight be that of the layer itself of another name."""
        if isinstance(self._scope, Scope):
            self.scope_of(child).share(name, (*self._scope.path, own))

    def built(self, child, *args):
        """A child as a layer that has its variables, to look at: itself, or a copy of it that is
        built for these inputs.
        """
        return built_for(child, args, {}) if isinstance(self._scope, Scope) else child

    def run_method(self, child, name, *args, training):
        """Runs a method of a child that is given what its `forward` is: its weights, its own
        children, a context.
        """
        scope, call = self.scope_of(child), None
        if isinstance(scope, Scope):
            call = child._bind(args, {}, cast=False)
            if scope.flow.declared is not None:
                scope.declare(child._declaration(call))
        w = child._own_values(scope, call)
        if isinstance(child, Composite):
            args = (Sub(scope, child, child._children_for(scope, call)), *args)
        return getattr(child, name)(w, *args, ctx=Ctx(scope, child, training, None))

    def kept(self, name, specs):
        """The values that the layer keeps from call to call in a module of this name; none where
        it was built without one.

        Args:
            specs: a function that says what they are, `{name: Weight}`.
        """
        scope = self._scope_named(name)
        if not isinstance(scope, Scope):
            return {} if scope.layer is None else scope.weights()
        weights = {key: self._layer._resolved(weight) for key, weight in specs().items()}
        if scope.flow.declared is not None:
            scope.declare(weights)
        else:
            self._layer._check_values(scope, scope.weights(), weights)
        return scope.weights()

    def keep(self, name, values):
        """Sets what the layer keeps in a module of this name, where the pass carries it: that of
        Keras's `stateless_call` does not.
        """
        scope = self._scope_named(name)
        if not isinstance(scope, Scope) and not scope.flow.is_eager:
            own = scope.layer._own
            values = {key: v for key, v in values.items() if scope.flow.holds(own[key])}
        scope.update(values)

    def _scope_named(self, name):
        if isinstance(self._scope, Scope):
            return self._scope.child(name)
        return self._scope.child(getattr(self._layer, name))

    def scope_of(self, child):
        """The slice of a child given as an object."""
        if isinstance(self._scope, Scope):
            return self._scope.child(self._names[id(child)])
        return self._scope.child(child)

    @functools.cached_property
    def _names(self):
        return {id(child): name for name, child in self._children.items()}

    def mask_of(self, value):
        """The mask that a child left beside its output."""
        return masks_of(value, self._scope.flow.mask_of)

    def set_mask(self, value, mask):
        """Lets a mask travel beside a value that a child will be given."""
        self._scope.flow.set_mask(value, mask)


@typed.keyword_fields
class Layer(PureInterface, WeightView, Module, record.Record):
    """A layer: hyper-parameters, the weights they need for an input, and a pure forward pass.

    Built-in layers define `weight_specs(self, x)` and `forward(self, w, x, ctx)`. Layers of yours
    may be written the same way, or as in Keras with `build`, `add_weight` and `call`.

    Args:
        activity_regularizer: penalty on the output.
        trainable: whether gradients reach the weights.
        dtype: name of a dtype or policy.
        autocast: whether float inputs are cast to the compute dtype.
        name: default from the class's name.

    >>> import jax, jkeras
    >>> layer = jkeras.layers.Dense(3)
    >>> params, state = layer.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 2), "float32"))
    >>> y, state = layer.apply(params, state, jax.numpy.ones((5, 2)))
    >>> y.shape
    (5, 3)
    """

    # of `training` and `mask`, those `forward` looks at, with Keras's defaults
    call_context: typing.ClassVar = {}
    supports_masking: typing.ClassVar = False
    allow_non_tensor_positional_args: typing.ClassVar = False
    casts_inputs: typing.ClassVar = True  # False: a model, whose layers cast for themselves
    writes_activity_regularizer: typing.ClassVar = False  # to the config even when it is None
    # whether a class of the user's has a `compute_output_shape` of its own
    says_output_shape: typing.ClassVar = False
    # False: they are handed on in parts, to a loop over them
    uses_weights_whole: typing.ClassVar = True
    # for symbolic inputs of any dtype, as Keras's layers do
    announces_compute_dtype: typing.ClassVar = False
    _computes_in_float: typing.ClassVar = True
    _native: typing.ClassVar = True
    _is_changed = False  # whether weights were put into another form than `weight_specs` says
    flow_type: typing.ClassVar = frame.Run  # of the forward passes that begin at the layer
    _native_builds: typing.ClassVar = ()  # the methods `build` that change nothing for values

    def __init__(
        self,
        *,
        activity_regularizer=None,
        trainable=True,
        dtype=None,
        autocast=True,
        name=None,
        **kwargs,
    ):
        Module.__init__(self)
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                "Argument `name` must be a string and cannot contain character `/`. "
                f"Received: name={name}"
            )
        if not isinstance(trainable, bool):
            raise ValueError(
                f"Expected `trainable` to be a boolean. Received: trainable={trainable} "
                f"(of type {type(trainable)})"
            )
        self.__dict__.update(
            name=name or auto_name(type(self).__name__),
            _trainable=trainable,
            built=False,
            autocast=autocast,
            _scope="",
            _losses=[],
            _build_shapes=None,
            _inbound_nodes=[],
            _dtype_policy=policy.get(dtype),
            _state_kept=False,
            input_spec=None,
            _remat=remat.scope(),
        )
        self.activity_regularizer = families["regularizers"].get(activity_regularizer)
        self._legacy_shape(kwargs)
        if kwargs:
            known = [*inspect.signature(type(self).__init__).parameters, *record.BASE_ARGUMENTS]
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}."
                f"{suggestion(kwargs, known)}"
            )

    if typing.TYPE_CHECKING:  # the arguments that all layers take
        name: typed.Converted[str | None, str] = typed.keyword(default=None, alias="name")
        autocast: bool = True
        _of_trainable: bool = typed.keyword(default=True, alias="trainable")
        _of_dtype: typing.Any = typed.keyword(default=None, alias="dtype")
        _of_activity: typed.Regularization = typed.keyword(
            default=None, alias="activity_regularizer"
        )
        _of_shape: typed.Shape = typed.keyword(default=None, alias="input_shape")
        _of_batch_shape: typed.Shape = typed.keyword(default=None, alias="batch_input_shape")
        _of_dim: int | None = typed.keyword(default=None, alias="input_dim")
        _of_batch: int | None = typed.keyword(default=None, alias="batch_size")

        def __init__(self, *args: typing.Any, **kwargs: typing.Any) -> None: ...

    def _legacy_shape(self, kwargs):
        """`input_dim`, `input_shape` and `batch_input_shape`, which people still type on a first
        layer.
        """
        given = None
        if kwargs.get("input_dim") is not None:
            given = (None, kwargs["input_dim"])
        if kwargs.get("input_shape") is not None:
            shape = kwargs["input_shape"]
            given = (None, *((shape,) if isinstance(shape, int) else shape))
        if kwargs.get("batch_input_shape") is not None:
            given = tuple(kwargs["batch_input_shape"])
        if given is not None and kwargs.get("batch_size") is not None:
            given = (kwargs["batch_size"], *given[1:])
        for name in ("input_dim", "input_shape", "batch_input_shape", "batch_size"):
            kwargs.pop(name, None)
        if given is not None:
            self.__dict__["_first_shape"] = given

    def _base_init(self, **kwargs):
        """What the constructor of a record hands its other keyword arguments to."""
        Layer.__init__(self, **kwargs)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = scoped(cls.__dict__["build"])
        if "compute_output_shape" in cls.__dict__:
            cls.says_output_shape = "compute_output_spec" not in cls.__dict__
        if "compute_mask" in cls.__dict__ and "supports_masking" not in cls.__dict__:
            cls.supports_masking = True

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        if cls.__init__ is not cls._record_init:
            # for the automatic config of a class without `get_config`
            self.__dict__["_given"] = (args, kwargs)
        return self

    def _on_adopt(self, part):
        if isinstance(part, Variable) and not self.trainable:
            part.trainable = False  # a frozen layer's weights are frozen from the start

    # ------------------------------------------------------------ what a layer writes

    def weight_specs(self, *inputs):
        """The layer's own weights for these inputs (`Spec`s): `{name: Weight}` in Keras's order."""
        return {}

    def forward(self, w, *inputs, ctx):
        """The pure forward pass. `w`: own weights by name, in the compute dtype."""
        raise NotImplementedError(
            f"{type(self).__name__} must define `forward(self, w, x, ctx)`, or `call(self, x)` "
            "as in Keras."
        )

    def call(self, *args, training=None, mask=None, **kwargs):
        """Keras's name of the forward pass. On a built-in layer, inside `call` of a subclass: its
        `forward`.
        """
        run = frame.current()
        if run is None or not run.stack or run.stack[-1][0] is not self:
            return self(*args, **kwargs, **({} if training is None else {"training": training}))
        own = forward_of(type(self))
        context = {"training": training, "mask": mask} | dict(
            zip(own.context, args[own.own :] if own.own else ())
        )
        if context["training"] is None:
            context["training"] = run.training
        ctx = Ctx(frame.VariableScope(run, self), self, context["training"], context["mask"])
        return self._forward(ctx, None, args[: own.own], kwargs)

    @classmethod
    def is_lifted(cls):
        """Whether the class is written with `call`, as in Keras, rather than with `forward`."""
        return cls.call is not Layer.call

    def weight(self, name, shape, *, initializer=None, dtype=None, trainable=True, autocast=True):
        """A weight spec with the initializer, regularizer and constraint that the fields give for
        this name.
        """
        return Weight(
            tuple(shape),
            initializer or getattr(self, f"{name}_initializer"),
            dtype,
            trainable,
            getattr(self, f"{name}_regularizer", None),
            getattr(self, f"{name}_constraint", None),
            autocast,
        )

    # ------------------------------------------------------------ building

    def build(self, *shapes, **named):
        """Makes the layer's weights for input shapes: tuples with None for sizes not known."""
        whole = type(self).build is Layer.build  # else a subclass goes on building after this
        if not whole and type(self).weight_specs is Layer.weight_specs:
            return  # its `super().build(…)`, with whatever it calls a shape
        given = [s for s in (*shapes, *named.values()) if s is not None]
        specs = [as_specs(s, self._input_type) for s in given]
        self._make_weights(specs)
        if specs and whole and (self.is_lifted() or isinstance(self, Composite)) and self._children:
            self.__dict__["built"] = True
            graph.infer(
                lambda inputs: self._run_abstract(inputs, {}), tuple(as_tensors(s) for s in specs)
            )

    def _run_abstract(self, args, kwargs):
        with frame.Run(self, abstract=True) as run:
            return run.call(self, tuple(args), kwargs)

    def _build_for(self, call):
        """Builds for the arguments of a call."""
        shapes = call.shapes()
        if type(self).build is not Layer.build:
            return call_build(self, shapes)
        with build_scope(self, tuple(shapes.values()), [f"{name}_shape" for name in shapes]):
            self._make_weights(list(call.specs().values()))

    def attributes_when_built(self, *inputs):
        """What Keras shows on a layer that was built for these inputs (`Spec`s), by attribute."""
        return {}

    def _make_weights(self, specs):
        for name, spec in self.weight_specs(*specs).items():
            if any(d is None for d in spec.shape):
                raise ValueError(
                    explain(
                        self._where,
                        "an input whose size is known on the axes its weights depend on",
                        f"input {specs}",
                        f"give the size that '{name}' needs: `Input(shape=…)`",
                    )
                )
            variable = Variable(
                spec.initializer,
                shape=graph.standardize_shape(spec.shape),
                dtype=spec.dtype or self.variable_dtype,
                trainable=spec.trainable,
                autocast=spec.autocast,
                name=name,
                regularizer=spec.regularizer,
                constraint=spec.constraint,
            )
            self._own[self._free_key(name)] = variable
            self._on_adopt(variable)
            if not hasattr(type(self), name):
                object.__setattr__(self, name, variable)
        for name, value in self.attributes_when_built(*specs).items():
            setattr(self, name, value)

    # ------------------------------------------------------------ calling

    def __call__(self, *args, **kwargs) -> typing.Any:
        if "_scope" not in self.__dict__:
            raise RuntimeError(
                f"In layer {type(self).__name__}, you forgot to call `super().__init__()` as the "
                "first statement in the `__init__()` method. Go add it!"
            )
        if graph.any_symbolic(args, kwargs):
            return symbolic_call(self, args, kwargs)
        run = frame.current()
        if run is not None:
            return run.call(self, args, kwargs)
        return self._call_eagerly(args, kwargs)

    def _call_eagerly(self, args, kwargs):
        with frame.Run(self) as run:
            outputs = run.call(self, args, kwargs)
        for _, part in walk(self):
            part.__dict__.get("_losses", []).clear()
        for layer, value in run.losses:
            # under a jit of the user's nothing may stay behind
            if not isinstance(value, jax.core.Tracer):
                layer._losses.append(value)
        for value in jax.tree_util.tree_leaves(outputs):
            mask = run.masks.get(id(value))
            if (
                mask is not None
                and isinstance(value, jax.Array)
                and not isinstance(value, jax.core.Tracer)
            ):
                value._keras_mask = mask[1]  # for the next layer called by hand, as Keras does
        self.__dict__["_state_kept"] = True
        return outputs

    def rematerialized_call(self, layer_call, *args, **kwargs):
        """`layer_call` as a function whose inner values are computed again for its gradient instead
        of being kept.
        """
        return remat.remat(layer_call)

    def symbolic_call(self, *args, **kwargs):
        """The outputs' shapes and dtypes, as KerasTensors without history."""
        return self.compute_output_spec(*args, **kwargs)

    def compute_output_spec(self, *args, **kwargs):
        """The outputs' shapes and dtypes for KerasTensors, as KerasTensors."""
        if self.input_spec is not None:
            from jkeras.core.input_spec import completed

            args = tuple(completed(self.input_spec, value) for value in args[:1]) + args[1:]
        outputs = graph.infer(
            lambda given: self._run_abstract(given[0], dict(given[1])), (tuple(args), kwargs)
        )
        if not self.announces_compute_dtype:
            return outputs
        return graph.map_tensors(
            lambda t: graph.KerasTensor(t.shape, self.compute_dtype, name=t.name), outputs
        )

    def compute_output_shape(self, *shapes, **named):
        """The output's shape for input shapes, None for sizes not known."""
        tensors = [as_tensors(as_specs(s, self._input_type)) for s in shapes]
        more = {
            k.removesuffix("_shape"): as_tensors(as_specs(s, self._input_type))
            for k, s in named.items()
        }
        out = self.compute_output_spec(*tensors, **more)
        return jax.tree_util.tree_map(lambda t: t.shape, out, is_leaf=graph.is_symbolic)

    def _bind(self, args, kwargs, cast=True):
        return Call(self, args, kwargs, cast)

    def _convert(self, x):
        """An input as an array, floats in the layer's compute dtype."""
        x = graph.as_tensor(x)
        if (
            isinstance(x, (jax.Array, graph.KerasTensor))
            and self.autocast
            and self._computes_in_float
            and (policy.is_float(x.dtype))
            and str(x.dtype) != self.compute_dtype
        ):
            if isinstance(x, graph.KerasTensor):
                return x
            return cast_with_mask(x, self.compute_dtype)
        return x

    def _check_input(self, call, built=True):
        """Raises for an input that `input_spec` forbids, as it is or as it was before building."""
        input_spec = self.input_spec if built else self._declared_input_spec
        if input_spec is not None and call.arguments:
            from jkeras.core.input_spec import check

            check(input_spec, call.first, self._where)

    # ------------------------------------------------------------ running

    def run_on(self, scope, args, kwargs, bare=False):
        """Runs the layer on its slice of a forward pass: inputs cast, masks passed on.

        Args:
            scope: where its weights are: a `Scope` of values by path, or a `VariableScope`.
            bare: runs it as Keras's `layer.call` does: in the dtype of the layer around, without
                activity penalty.
        """
        flow = scope.flow
        by_path = isinstance(scope, Scope)
        if by_path and not kwargs and len(args) == 1 and is_plain_class(type(self)):
            outputs = self._run_plainly(scope, flow, args[0])
            if outputs is not NotImplemented:
                return outputs
        if by_path and not (self.is_native() and runs_apart(self, scope)):
            return run_adapted(self, scope, args, kwargs, bare)
        bare = bare or flow.bare and not flow.stack
        call = self._bind(args, kwargs, cast=not bare)
        if by_path:
            self._check_input(call, built=False)
            if flow.declared is not None:
                scope.declare(self._declaration(call))
        else:
            scope = scope.enter(self, args, kwargs)
            self._check_input(call)
            if not self.built:
                flow.build(self, call)
                self._check_input(call)  # now the layer knows more of its input
        outer, flow.training = flow.training, call.training(flow.training)
        call.populate(flow, flow.training)
        dtype = flow.cast_type() if bare else self._cast_type(flow)
        flow.stack.append((self, dtype))
        flow.casting += dtype is not None
        try:
            if by_path:
                outputs = self._compute(scope, call)
            else:
                with frame.building(self):
                    outputs = self._compute(scope, call)
            if self.activity_regularizer is not None and not bare:
                self._activity_losses(flow, outputs)
        finally:
            flow.stack.pop()
            flow.casting -= dtype is not None
            flow.training = outer
        self._pass_masks(flow, call, outputs)
        return outputs

    def _run_plainly(self, scope, flow, x):
        """`run_on` for the plainest of calls, without binding arguments: one array of the type that
        the layer computes in, no mask, nothing cast. NotImplemented for any other.
        """
        policy = self._dtype_policy.of(self)
        dtype = policy.compute_dtype
        beside = flow.masks or flow.bare or flow.casting or flow.declared is not None
        special = (
            self._remat or self.activity_regularizer or settings.distribution or self._is_changed
        )
        if beside or special or dtype != policy.variable_dtype or policy.quantization_mode:
            return NotImplemented
        if not isinstance(x, jax.Array) or x.dtype.name != dtype or hasattr(x, "_keras_mask"):
            return NotImplemented
        if isinstance(self.__dict__.get("activation"), Module):
            return NotImplemented
        input_spec = self.__dict__.get("_before_build", self.__dict__)["input_spec"]
        if input_spec is not None and not input_spec.accepts(x.shape):
            return NotImplemented
        values = scope.weights()
        self._check_values(scope, values, self.weight_specs(Spec(x.shape, dtype)))
        training = flow.training
        if training is None:
            training = self.call_context.get("training")
        flow.stack.append((self, None))
        try:
            outputs = self.forward(values, x, ctx=Ctx(scope, self, training, None))
        finally:
            flow.stack.pop()
        if isinstance(self, StatefulLayer):
            outputs, changed = outputs
            scope.update(changed)
        return outputs

    def is_native(self):
        """Whether the layer runs on values by path, without variables and without ambient state."""
        activation = self.__dict__.get("activation")
        return (
            is_native_class(type(self))
            and self._remat is None
            and not isinstance(activation, Module)
        )

    @property
    def _declared_input_spec(self):
        """What the layer asks of its input whatever it was built for."""
        return self.__dict__.get("_before_build", self.__dict__)["input_spec"]

    def _declaration(self, call):
        """The layer's own weights for the inputs of a call, ready to be made: `{name: Weight}`."""
        specs = {name: self._resolved(w) for name, w in self._specs_of(call).items()}
        for name, variable in self._own.items():  # what was added to the object by hand
            if name not in specs:
                specs[name] = weight_of(variable)
        return specs

    def _specs_of(self, call):
        inputs = call.specs().values()
        return self._stored_specs(self.weight_specs(*inputs), *inputs)

    def _stored_specs(self, specs, *inputs):
        """The weights in the form in which they are kept, from what `weight_specs` says."""
        return specs

    def _resolved(self, weight):
        """A weight spec with its initializer and dtype as objects."""
        initializer = weight.initializer
        if isinstance(initializer, str):
            initializer = families["initializers"].get(initializer)
        return weight._replace(
            shape=graph.standardize_shape(weight.shape),
            initializer=initializer,
            dtype=policy.standardize_dtype(weight.dtype or self.variable_dtype),
        )

    def _compute(self, scope, call):
        if self._remat is None:
            y = self._execute(scope, call)
        else:
            y = remat.execute(scope, self, call)
        return y if settings.distribution is None else self._laid_out(y)

    def _laid_out(self, y):
        """The outputs as the session's distribution wants them."""
        layout = settings.distribution.get_tensor_layout(f"{self.path}/output")
        return y if layout is None else jax.lax.with_sharding_constraint(y, layout.backend_layout)

    def _execute(self, scope, call):
        if self.is_lifted():
            return self.call(*call.args, **call.kwargs)
        args, kwargs = call.forward_arguments()
        ctx = Ctx(scope, self, call.now_training, call.mask)
        return self._forward(ctx, call, args, kwargs)

    def _forward(self, ctx, call, args, kwargs):
        return self.forward(self._own_values(ctx._scope, call), *args, ctx=ctx, **kwargs)

    def _own_values(self, scope, call):
        """The layer's own weights by name, in the type that it computes in."""
        flow = scope.flow
        if not isinstance(scope, Scope):
            return {name: self._read(flow, variable) for name, variable in self._own.items()}
        values = scope.weights()
        specs = self._specs_of(call)
        if flow.declared is None:
            self._check_values(scope, values, specs)
        dtype = flow.cast_type()
        if dtype is not None:
            for name, value in values.items():
                if policy.is_float(value.dtype) and (name not in specs or specs[name].autocast):
                    values[name] = value.astype(dtype)
        if settings.distribution is not None and self.uses_weights_whole:
            for name in values.keys() & self._own.keys():
                values[name] = self._own[name].whole(values[name])
        return values

    def _check_values(self, scope, values, specs):
        """Raises where the values given to `apply` are not those of the layer."""
        for name, weight in specs.items():
            value = values.get(name)
            if value is None or jax.numpy.shape(value) != tuple(weight.shape):
                raise wrong_value(self, (*scope.path, name), value, weight)

    def _read(self, run, variable):
        value = run.read(variable)
        dtype = run.stack[-1][1] if variable.autocast else None
        if dtype and policy.is_float(value.dtype) and value.dtype != dtype:
            value = value.astype(dtype)
        return variable.whole(value) if self.uses_weights_whole else value

    def _cast_type(self, flow):
        """The dtype that the weights are cast to, or None."""
        if not self.autocast or not self._computes_in_float:
            return None
        mixed = self.compute_dtype != self.variable_dtype
        if mixed or any(dtype for _, dtype in flow.stack):
            return self.compute_dtype
        return None

    def _activity_losses(self, flow, outputs):
        for output in jax.tree_util.tree_leaves(outputs):
            loss = self.activity_regularizer(output)
            per_sample = output.ndim and output.shape[0]
            flow.add_loss(self, loss / output.shape[0] if per_sample else loss)

    def seed_generator_name(self):
        """The name by which the layer's seed generator is its child."""
        generator = self.seed_generator
        return next(name for name, child in self._children.items() if child is generator)

    def compute_mask(self, inputs, previous_mask):
        """The mask of the output, given the input and its mask."""
        return previous_mask

    def _pass_masks(self, run, call, outputs):
        if not self.supports_masking:
            masked = any(mask is not None for mask in graph.flatten(call.mask))
            if masked and run.is_eager:
                warnings.warn(
                    f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input "
                    "with a mask attached to it. However, this layer does not support masking "
                    "and will therefore destroy the mask information. Downstream layers will not "
                    "see the mask.",
                    stacklevel=5,
                )
            return
        flat = [v for v in graph.flatten(outputs) if v is not None]
        if not flat or all(run.mask_of(v) is not None for v in flat):
            return
        masks = self.compute_mask(call.first, call.mask)
        if masks is None:
            return
        masks = [masks] if is_array(masks) else list(graph.flatten(masks))
        for value, mask in zip(flat, masks):
            if mask is not None and run.mask_of(value) is None:
                run.set_mask(value, mask)

    # ------------------------------------------------------------ what Keras-style subclasses use

    def add_weight(
        self,
        shape=None,
        initializer=None,
        dtype=None,
        trainable=True,
        autocast=True,
        regularizer=None,
        constraint=None,
        aggregation="none",
        layout=None,
        overwrite_with_gradient=False,
        name=None,
    ):
        """Makes a weight of this layer, inside `build` or the constructor, and returns it as a
        `Variable`.
        """
        dtype = policy.standardize_dtype(dtype) if dtype is not None else self.variable_dtype
        initializers, regularizers = families["initializers"], families["regularizers"]
        if initializer is None:
            initializer = "glorot_uniform" if policy.is_float(dtype) else "zeros"
        variable = Variable(
            initializers.get(initializer),
            shape=()
            if shape is None
            else graph.standardize_shape((shape,) if isinstance(shape, int) else shape),
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            aggregation=aggregation,
            layout=layout,
            name=name,
            regularizer=regularizers.get(regularizer),
            constraint=families["constraints"].get(constraint),
            overwrite=overwrite_with_gradient,
        )
        if not frame.scope_path():
            variable.scope = self.path
        self._own[self._free_key(variable.name)] = variable
        self._on_adopt(variable)
        return variable

    add_variable = add_weight

    def add_loss(self, loss):
        """Adds scalar losses that were computed inside `call`; training minimizes them too."""
        run = frame.current()
        for value in jax.tree_util.tree_leaves(loss):
            if not hasattr(value, "dtype"):
                raise ValueError(
                    explain(
                        f"add_loss of {self._where}", "a tensor that `call` computed", f"{value!r}"
                    )
                )
            if run is None:
                self._losses.append(value)
            else:
                run.add_loss(self, jax.numpy.asarray(value))

    # ------------------------------------------------------------ config

    def get_config(self):
        """The constructor's arguments as plain data."""
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self.dtype_policy),
        }
        if self.activity_regularizer is not None or self.writes_activity_regularizer:
            config["activity_regularizer"] = registry.serialize(self.activity_regularizer)
        config |= self.field_config()
        if "_given" in self.__dict__ and type(self).get_config is Layer.get_config:
            config |= record.automatic_config(self)
        return config

    @classmethod
    def from_config(cls, config):
        """A new layer from its config."""
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = registry.deserialize(config["dtype"])
        try:
            return cls(**config)
        except TypeError as error:
            raise TypeError(
                f"Error when deserializing class '{cls.__name__}' using "
                f"config={registry.shown(config)}.\n\nException encountered: {error}"
            ) from error

    def get_build_config(self):
        """The shapes the layer was built for."""
        shapes = self._build_shapes
        if not shapes:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": dict(shapes)}

    def build_from_config(self, config):
        """Builds for the shapes of `get_build_config()`."""
        if config.get("input_shape") is not None:
            self.build(as_tuples(config["input_shape"]))
        elif config.get("shapes_dict"):
            self.build(**{k: as_tuples(v) for k, v in config["shapes_dict"].items()})

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    __hash__ = object.__hash__


class StatefulLayer(Layer):
    """A layer whose forward pass changes its state: `forward` returns `(y, {name: new value})`,
    what changed only.
    """

    def _forward(self, ctx, call, args, kwargs):
        outputs, changed = super()._forward(ctx, call, args, kwargs)
        ctx._scope.update(changed)
        return outputs


class Composite(Layer):
    """A layer made of others: `forward(self, w, sub, x, ctx)` runs its children through the cursor
    `sub`.

    Children are attributes, set in `__post_init__` or by `children(*inputs)` when the input is
    known.
    """

    def children(self, *inputs):
        """Children that depend on the inputs (`Spec`s): `{attribute name: layer}`."""
        return {}

    def _make_weights(self, specs):
        super()._make_weights(specs)
        self.__dict__["_children_are_for"] = _ranks(specs)
        for name, child in self.children(*specs).items():
            setattr(self, name, child)

    def _children_for(self, scope, call):
        """The children by name, those that depend on the inputs too."""
        if not isinstance(scope, Scope) or type(self).children is Composite.children:
            return self._children
        specs = list(call.specs().values())
        if self.__dict__.get("_children_are_for") == _ranks(specs):
            return self._children
        with uncounted():
            return {**self._children, **self.children(*specs)}

    def _forward(self, ctx, call, args, kwargs):
        scope = ctx._scope
        sub = Sub(scope, self, self._children_for(scope, call))
        return self.forward(self._own_values(scope, call), sub, *args, ctx=ctx, **kwargs)


def _ranks(specs):
    """What children depend on: the number of axes and the size of the last one of each input."""
    return [(spec.ndim, spec.shape[-1]) for spec in specs]


@functools.cache
def is_plain_class(cls):
    """Whether calls of a class may be run without binding arguments: one input, no mask made."""
    own = {"_bind", "_convert", "_pass_masks", "compute_mask", "_specs_of", "is_native"}
    changed = {name for name in own if getattr(cls, name) is not getattr(Layer, name)}
    if not is_native_class(cls) or not cls._computes_in_float or changed - {"is_native"}:
        return False
    ways = (Layer._forward, StatefulLayer._forward)
    alone = not issubclass(cls, Composite)
    return alone and cls._forward in ways and target_of(cls).own == 1


@functools.cache
def is_native_class(cls):
    """Whether layers of a class run on values by path; the others are run on their variables."""
    return cls._native and not cls.is_lifted() and cls.build in cls._native_builds


Layer.build = scoped(Layer.build)
Layer._native_builds = (Layer.build,)


def cast_with_mask(x, dtype):
    mask = getattr(x, "_keras_mask", None)
    run = frame.current()
    mask = run.mask_of(x) if run is not None else mask
    y = x.astype(dtype)
    if mask is not None and run is not None:
        run.set_mask(y, mask)
    return y


@typing.dataclass_transform(eq_default=False)
def layer(
    module: str = "keras.layers", *aliases: str, **options: typing.Any
) -> typing.Callable[[type[typed.Class]], type[typed.Class]]:
    """Decorator for layer classes: a `record` whose other keyword arguments are those of
    `Layer`.
    """
    return record.record(module, *aliases, **options)


registry.public("keras.layers.Layer", "keras.Layer")(Layer)
__all__ = ["Composite", "Ctx", "Layer", "Pair", "StatefulLayer", "Sub", "layer"]
