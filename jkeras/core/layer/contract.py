"""The layer contract: a record of hyper-parameters and two pure methods, `init` and `apply`.

A built-in layer writes `weight_specs` and `forward`. `init`, `apply`, `build`, calling on arrays
and on symbolic tensors, counting, configs and files follow from these.
"""

import functools
import inspect
import typing
from collections.abc import Sequence

import jax

from jkeras.core.run import calling, eager, remat, running
from jkeras.core.weights import frame, policy
from jkeras.core.graph import inference, keras_tensor
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.layer import making, masking
from jkeras.core import record
from jkeras.core.names import registry
from jkeras.core.say import shown
from jkeras.core.run import symbolic
from jkeras.core.names import typed
from jkeras.core.run.adapting import weight_of
from jkeras.core.run.building import as_specs, as_tensors, build_scope, call_build, scoped
from jkeras.core.run.call import Call, target_of
from jkeras.core.run.context import Children, Context
from jkeras.core.run.derived import children_for, ranks_of
from jkeras.core.errors import check_name, explain, suggestion
from jkeras.core.names.family import families
from jkeras.core.graph.host_numbers import WIDEST
from jkeras.core.graph.input_spec import check_input
from jkeras.core.layer.layer_config import LayerConfig
from jkeras.core.layer.legacy_shape import take_first_shape
from jkeras.core.weights.module import Module
from jkeras.kernel.scope import current_flow
from jkeras.core.layer.pure import Pair, PureInterface
from jkeras.core.names.renamed import renamed
from jkeras.core.session.settings import auto_name
from jkeras.core.weights.types import (
    DType,
    Function,
    PartialShape,
    Sizes,
    Structure,
)
from jkeras.core.weights.variable import Variable
from jkeras.core.layer.traits import NAMES, Traits, traits_of
from jkeras.core.layer.view import WeightView
from jkeras.kernel.spec import Weight


def no_weights(self: "Layer", *inputs: typing.Any) -> dict[str, Weight]:
    """The layer's own weights for these inputs (`Spec`s): `{name: Weight}` in Keras's order."""
    return {}


def no_forward(self: "Layer", w: typing.Any, *inputs: typing.Any, ctx: typing.Any) -> typing.Any:
    """The pure forward pass. `w`: own weights by name, in the compute dtype."""
    raise NotImplementedError(
        f"Layer {type(self).__name__} does not have a `call` method implemented. It must define "
        "`forward(self, w, x, ctx)`, or `call(self, x)` as in Keras."
    )


def no_attributes(self: "Layer", *inputs: typing.Any) -> dict[str, typing.Any]:
    """What Keras shows on a layer that was built for these inputs (`Spec`s), by attribute."""
    return {}


def no_children(self: "Layer", *inputs: typing.Any) -> dict[str, "Layer"]:
    """Children that depend on the inputs (`Spec`s): `{attribute name: layer}`."""
    return {}


@typed.keyword_fields
class Layer(PureInterface, LayerConfig, WeightView, Module, record.Record):
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

    traits: typing.ClassVar = Traits()
    # of `training` and `mask`, those `forward` looks at, with Keras's defaults
    call_context: typing.ClassVar = {}
    supports_masking: typing.ClassVar = False
    allow_non_tensor_positional_args: typing.ClassVar = False
    converts_inputs: typing.ClassVar = True  # False: texts and lists come to `call` as they are
    _internal: typing.ClassVar = shown.LAYER
    _is_changed = False  # whether weights were put into another form than `weight_specs` says
    flow_type: typing.ClassVar = frame.Run  # of the forward passes that begin at the layer
    block_of_loop: typing.ClassVar = None  # the layer of which it runs many, each in its turn
    autograph_info__: typing.ClassVar = None  # TensorFlow is to run layers, not to translate them
    native_builds: typing.ClassVar = ()  # the methods `build` that change nothing for values

    def __init__(
        self,
        *,
        activity_regularizer: typed.Regularization = None,
        trainable: bool = True,
        dtype: typing.Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: typing.Any,
    ) -> None:
        Module.__init__(self)
        check_name(name)
        if not isinstance(trainable, bool):
            raise ValueError(
                f"`trainable` has to be a boolean. Received: {trainable} "
                f"(of type {type(trainable)})"
            )
        vars(self).update(
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
            remat_scope=remat.scope(),
        )
        if not trainable:
            self.trainable = False
        self.activity_regularizer = families["regularizers"].get(activity_regularizer)
        take_first_shape(self, kwargs)
        if kwargs:
            names = [*inspect.signature(type(self).__init__).parameters, *record.BASE_ARGUMENTS]
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {kwargs}."
                f"{suggestion(kwargs, names)}"
            )

    if typing.TYPE_CHECKING:  # the arguments that all layers take
        name: typed.Converted[str | None, str] = typed.keyword(default=None, alias="name")
        autocast: bool = True
        built = False
        _of_trainable: bool = typed.keyword(default=True, alias="trainable")
        _of_dtype: typing.Any = typed.keyword(default=None, alias="dtype")
        _of_activity: typed.Regularization = typed.keyword(
            default=None, alias="activity_regularizer"
        )
        _of_shape: typed.Shape = typed.keyword(default=None, alias="input_shape")
        _of_batch_shape: typed.Shape = typed.keyword(default=None, alias="batch_input_shape")
        _of_dim: int | None = typed.keyword(default=None, alias="input_dim")
        _of_batch: int | None = typed.keyword(default=None, alias="batch_size")

        # a subclass's own, which may have any arguments
        def call(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any: ...

    def _base_init(self, **kwargs: typing.Any) -> None:
        """What the constructor of a record hands its other keyword arguments to."""
        Layer.__init__(self, **kwargs)

    def __init_subclass__(cls, **kwargs: typing.Any) -> None:
        cls._stated = {name: kwargs.pop(name) for name in NAMES & kwargs.keys()}
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        if "build" in own:
            cls.build = scoped(own["build"])
        if "compute_output_shape" in own:
            cls._stated["says_output_shape"] = "compute_output_spec" not in own
        cls.traits = traits_of(cls)
        if "compute_mask" in own and "supports_masking" not in own:
            cls.supports_masking = True

    def __new__(cls, *args: typing.Any, **kwargs: typing.Any) -> typing.Self:
        self = super().__new__(cls)
        if cls.__init__ is not cls._record_init:
            # for the automatic config of a class without `get_config`
            vars(self)["_given"] = args, kwargs
        return self

    def _on_adopt(self, part: Module | Variable) -> None:
        if current_flow() is not None:
            making.refuse_in_call(self, part)
        if isinstance(part, Variable) and not self.trainable:
            part.trainable = False  # a frozen layer's weights are frozen from the start

    # ------------------------------------------------------------ what a layer writes

    def shape_by_rule(self, x: KerasTensor) -> Sizes | None:
        """The output's shape for a KerasTensor, the only input, where a rule has it; None: it is
        inferred from a run on shapes, which takes a hundred times as long.
        """
        return x.shape if self.traits.keeps_shape else None

    # a subclass's own may call their arguments as they like
    weight_specs: typing.ClassVar[Function] = no_weights
    forward: typing.ClassVar[Function] = no_forward

    if not typing.TYPE_CHECKING:
        call = eager.CALL

    is_lifted = classmethod(eager.is_lifted)

    def weight(
        self,
        name: str,
        shape: PartialShape,
        *,
        initializer: typed.Named = None,
        dtype: DType | None = None,
        trainable: bool = True,
        autocast: bool = True,
    ) -> Weight:
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

    def build(self, *shapes: typing.Any, **named: typing.Any) -> None:
        """Makes the layer's weights for input shapes: tuples with None for unknown sizes."""
        is_whole = type(self).build is Layer.build  # else a subclass goes on after it
        if not is_whole and type(self).weight_specs is Layer.weight_specs:
            return  # its `super().build(…)`, of any shape
        sizes = [shape for shape in (*shapes, *named.values()) if shape is not None]
        specs = [as_specs(shape, self._input_type) for shape in sizes]
        self._make_weights(specs)
        if is_whole and specs:
            self._build_children(specs)

    def _build_children(self, specs: list) -> None:
        """Builds the children by a pass on shapes."""
        if not self._children:
            return
        if self.traits.has_children or self.is_lifted():
            self.set_untracked(built=True)
            inputs = tuple(map(as_tensors, specs))
            inference.infer(lambda inputs: self.run_abstract(inputs, {}), inputs)

    def run_abstract(
        self,
        args: Sequence[typing.Any],
        kwargs: dict[str, typing.Any],
        training: bool | None = None,
    ) -> Structure:
        """The outputs for arguments of which the shapes count; builds layers on the way."""
        with frame.Run(self, abstract=True, training=training) as run:
            return run.call(self, tuple(args), kwargs)

    def build_for(self, call: Call) -> None:
        """Builds for the arguments of a call."""
        shapes = call.shapes()
        if type(self).build is not Layer.build:
            return call_build(self, shapes)
        with build_scope(self, tuple(shapes.values()), [f"{name}_shape" for name in shapes]):
            self._make_weights(list(call.specs().values()))

    _make_weights = making.make_weights

    def own(self, name: str, variable: Variable) -> None:
        """Makes a variable a weight of the layer, under a name that is free."""
        self._own[self._free_key(name)] = variable
        self._on_adopt(variable)

    attributes_when_built: typing.ClassVar[Function] = no_attributes

    # ------------------------------------------------------------ calling

    __call__ = calling.call_layer

    def rematerialized_call(
        self, layer_call: Function, *args: typing.Any, **kwargs: typing.Any
    ) -> Function:
        """`layer_call` as a function whose inner values are computed again for its gradient instead
        of being saved.
        """
        return remat.remat(layer_call)

    def symbolic_call(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        """The outputs' shapes and dtypes, as KerasTensors without history."""
        return self.compute_output_spec(*args, **kwargs)

    compute_output_spec = symbolic.compute_output_spec
    compute_output_shape = symbolic.compute_output_shape

    def bind_call(
        self, args: Sequence[typing.Any], kwargs: dict[str, typing.Any], cast: bool = True
    ) -> Call:
        """The arguments of a call, bound to names."""
        return Call(self, args, kwargs, cast)

    _convert = masking.converted

    @property
    def type_of_numbers(self) -> str | None:
        """The dtype that the layer's inputs go to, see `host_numbers.fitted`. None: they are to
        stay of their own kind, as ids do, or in a user's `call`, of which it is unknown.
        """
        takes_floats = self.traits.takes_floats
        if takes_floats is None:
            takes_floats = self.autocast and self.traits.computes_in_float and not self.is_lifted()
        return WIDEST if takes_floats else None

    def type_of_call(self, *args: typing.Any, **kwargs: typing.Any) -> str | None:
        """As `type_of_numbers`, for a call with these arguments."""
        return self.type_of_numbers

    # by which layers of libraries for Keras, tokenizers say, ask for inputs as they are
    _allow_non_tensor_positional_args = renamed("allow_non_tensor_positional_args")
    _convert_input_args = renamed("converts_inputs")

    check_input = check_input

    # ------------------------------------------------------------ running

    run_on, as_run = running.run_on, running.itself
    own_values = running.own_values
    pass_masks = masking.pass_masks

    def is_native(self) -> bool:
        """Whether the layer runs on values by path, without variables and without ambient state."""
        return is_native_class(type(self)) and not isinstance(vars(self).get("activation"), Module)

    @property
    def declared_input_spec(self) -> typing.Any:
        """What the layer asks of its input whatever it was built for."""
        return vars(self).get("_before_build", vars(self))["input_spec"]

    def declaration(self, call: Call) -> dict[str, Weight]:
        """The layer's own weights for the inputs of a call, ready to be made: `{name: Weight}`."""
        specs = {name: self.resolved(w) for name, w in self.specs_for(call).items()}
        for name, variable in tuple(self._own.items()):  # what was added to the object by hand
            if name not in specs:
                specs[name] = weight_of(variable)
        return specs

    def specs_for(self, call: Call) -> dict[str, Weight]:
        """The layer's own weights for the inputs of a call, as stored: `{name: Weight}`."""
        inputs = call.specs().values()
        return self._stored_specs(self.weight_specs(*inputs), *inputs)

    def _stored_specs(self, specs: dict[str, Weight], *inputs: typing.Any) -> dict[str, Weight]:
        """The weights in the form in which they are stored, from what `weight_specs` says."""
        return specs

    def resolved(self, weight: Weight) -> Weight:
        """A weight spec with its initializer and dtype as objects."""
        initializer = weight.initializer
        if isinstance(initializer, str):
            initializer = families["initializers"].get(initializer)
        return weight.replace(
            shape=keras_tensor.standardize_shape(weight.shape),
            initializer=initializer,
            dtype=policy.standardize_dtype(weight.dtype or self.variable_dtype),
        )

    def seed_generator_name(self) -> str:
        """The name by which the layer's seed generator is its child."""
        generator = self.seed_generator
        return next(name for name, child in tuple(self._children.items()) if child is generator)

    # a user's own may call its second argument otherwise
    compute_mask: typing.ClassVar[Function] = masking.compute_mask

    # ------------------------------------------------------------ what Keras-style subclasses use

    add_weight = add_variable = making.add_weight

    def add_loss(self, loss: Structure) -> None:
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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    __hash__ = object.__hash__


class StatefulLayer(Layer, is_stateful=True):
    """A layer whose forward pass changes its state: `forward` returns `(y, {name: new value})`,
    what changed only.
    """


class Composite(Layer, has_children=True):
    """A layer made of others: `forward(self, w, sub, x, ctx)` runs its children through the cursor
    `sub`.

    Children are attributes, set in `__post_init__` or by `children(*inputs)` when the input is
    known.
    """

    children: typing.ClassVar[Function] = no_children

    def _make_weights(self, specs: list) -> None:
        super()._make_weights(specs)
        for name, child in self.children(*specs).items():
            setattr(self, name, child)
        self.set_untracked(_children_are_for=ranks_of(specs))  # now that all are there

    def cursor(self, scope: typing.Any, call: Call | None = None) -> Children:
        """The children, each on its slice of a scope; those that depend on the inputs too."""
        others = {}
        if not scope.is_built and type(self).children is not Composite.children:
            specs = list(call.specs().values())
            others = children_for(self, specs, scope.flow.declared is not None)
        # looked at last, since another thread may build the layer now
        kind = scope.flow.children_type or Children
        return kind(scope, self, {**self._children, **others})


@functools.cache
def is_plain_class(cls: type[Layer]) -> bool:
    """Whether calls of a class may be plain: `forward` of one input, no mask made, and nothing of
    the way in which layers are called changed.
    """
    own = ("bind_call", "pass_masks", "compute_mask", "specs_for")
    if any(getattr(cls, name) is not getattr(Layer, name) for name in own):
        return False
    if cls.__hash__ is not object.__hash__:  # nothing can be cached of layers that compare by value
        return False
    if cls.traits.has_children:  # a model keeps an input of its own type as it is, too
        if cls.children is not Composite.children:
            return False
    elif cls._convert is not Layer._convert:
        return False
    return is_native_class(cls) and cls.traits.computes_in_float and target_of(cls).own == 1


@functools.cache
def is_native_class(cls: type[Layer]) -> bool:
    """Whether layers of a class run on values by path; the others are run on their variables."""
    return cls.traits.is_native and not cls.is_lifted() and cls.build in cls.native_builds


Layer.build = scoped(Layer.build)


@functools.cache
def hands_masks_on(cls: type[Layer]) -> bool:
    """Whether outputs have the masks of inputs, and none where these have none."""
    return cls.compute_mask is Layer.compute_mask


Layer.is_plain = staticmethod(is_plain_class)
Layer.hands_masks_on = staticmethod(hands_masks_on)
Layer.native_builds = (Layer.build,)


@typing.dataclass_transform(eq_default=False)
def layer(
    module: str = "keras.layers", *aliases: str, **options: typing.Any
) -> typing.Callable[[type[typed.Class]], type[typed.Class]]:
    """Decorator for layer classes: a `record` whose other keyword arguments are those of
    `Layer`.
    """
    return record.record(module, *aliases, **options)


registry.public("keras.layers.Layer", "keras.Layer")(Layer)
__all__ = ["Children", "Composite", "Context", "Layer", "Pair", "StatefulLayer", "layer"]
