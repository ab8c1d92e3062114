"""Functions of JAX and modules of flax as layers: JaxLayer, FlaxLayer."""

import functools
import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.names import dtypes, typed
from jkeras.core.errors import explain
from jkeras.core.layer import StatefulLayer, layer
from jkeras.core.record import OF_BASE, Any
from jkeras.core.names.registry import deserialize, serialize
from jkeras.core.weights.rng import SeedGenerator, as_key
from jkeras.kernel.spec import Weight
from jkeras.layers.lambda_layer import _Function
from jkeras.layers.nnx_module import NnxFunction, is_nnx

CALL_ARGUMENTS = ("params", "state", "rng", "inputs", "training")
INIT_ARGUMENTS = ("rng", "inputs", "training")


class Leaf:
    """The initializer of one array among those that a function makes together from one key."""

    def __init__(self, value, make=None, index=None):
        self.value, self.make, self.index = value, make, index

    def __call__(self, shape, dtype=None):
        return jnp.asarray(self.value, dtype)

    def sample(self, key, shape, dtype=None):
        """The array that a key gives."""
        if self.make is None:
            return self(shape, dtype)
        return jnp.asarray(jax.tree_util.tree_leaves(self.make(key))[self.index], dtype)


class Structure:
    """Where weights stand in a pytree; leaves that are no arrays and numbers stay as they are."""

    def __init__(self, tree, names):
        leaves, self.treedef = jax.tree_util.tree_flatten_with_path(tree)
        self.leaves = [value for _, value in leaves]
        self.names = [None] * len(leaves)
        for i, (path, value) in enumerate(leaves):
            if isinstance(value, (np.ndarray, np.generic, jax.Array, bool, int, float)):
                self.names[i] = _free("_".join(_part(key) for key in path) or "value", names)

    def fill(self, values):
        """The pytree with the values of weights by name."""
        return jax.tree_util.tree_unflatten(
            self.treedef,
            [v if name is None else values[name] for name, v in zip(self.names, self.leaves)],
        )


def _part(key):
    return str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))).replace(
        "/", "_"
    )


def _free(name, names):
    count, base = 1, name
    while name in names:
        name, count = f"{base}_{count}", count + 1
    names.add(name)
    return name


# its weights are found by running functions of the user's, which is not native
@layer(
    "keras.layers",
    arguments="call_fn, init_fn, params, state, seed, native_serialization_platforms",
)
class JaxLayer(StatefulLayer, is_native=False):
    """A function of JAX as a layer.

    `call_fn` takes arguments of these names: `inputs`, and where it needs them `params` (trained),
    `state` (changed by the call), `rng` (a key in training, else None) and `training`. It returns
    the outputs, or `(outputs, new_state)` if it takes `state`.

    Args:
        call_fn: the function, see above.
        init_fn: takes `rng`, `inputs` (placeholders) and perhaps `training`; returns `params`, or
            `(params, state)` if `call_fn` takes `state`.
        params, state: pytrees, instead of `init_fn`.
        seed: of the keys.
        native_serialization_platforms: ignored.
    Raises:
        ValueError: neither `init_fn` nor values, functions with other arguments, or a new state of
            another structure.

    >>> def call(params, inputs):
    ...     return inputs @ params["w"]
    >>> def init(rng, inputs):
    ...     return {"w": jax.numpy.ones((inputs.shape[-1], 3))}
    >>> print(JaxLayer(call, init)(np.ones((1, 5), "float32")))
    [[5. 5. 5.]]
    """

    call_fn: _Function()
    init_fn: _Function() = None
    params: OF_BASE
    state: OF_BASE
    seed: Any = None
    native_serialization_platforms: Any = None
    call_context = {"training": False}

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            call_fn: typing.Any,
            init_fn: typing.Any = None,
            params: typing.Any = None,
            state: typing.Any = None,
            seed: typing.Any = None,
            native_serialization_platforms: typing.Any = None,
            *,
            activity_regularizer: typed.Regularization = None,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    def _base_init(self, params=None, state=None, **kwargs):
        super()._base_init(**kwargs)
        self.set_untracked(_initial_arrays=(params, state), _structures=None)

    def __post_init__(self):
        self.set_untracked(_call_names=self._names(self.call_fn, "call_fn", CALL_ARGUMENTS))
        if self.init_fn is not None:
            self.set_untracked(_init_names=self._names(self.init_fn, "init_fn", INIT_ARGUMENTS))
        has_arrays = any(v is not None for v in self._initial_arrays)
        if self.init_fn is None and not has_arrays and {"params", "state"} & set(self._call_names):
            raise ValueError(
                explain(self._where, "`init_fn`, or `params` and `state`", "none of them")
            )
        if "rng" in self._call_names:
            self.seed_generator = SeedGenerator(self.seed)
        if has_arrays:
            self.build()

    def _names(self, function, role, allowed):
        names = list(inspect.signature(function).parameters)
        wrong = [name for name in names if name not in allowed]
        if wrong or "inputs" not in names:
            raise ValueError(
                explain(
                    self._where,
                    f"`{role}` with the argument `inputs` and no others than {allowed}",
                    f"{names}",
                )
            )
        return names

    def weight_specs(self, *inputs):
        trees, make = self._initial_arrays, None
        if trees == (None, None) and self.init_fn is not None:
            make = functools.partial(self._made, inputs[0])
            trees = make(as_key(None))
        names, specs, index = set(), {}, 0
        self.set_untracked(_structures=[Structure(tree, names) for tree in trees])
        for structure, trainable in zip(self._structures, (True, False)):
            for name, value in zip(structure.names, structure.leaves):
                if name is not None:
                    dtype = getattr(value, "dtype", None) or dtypes.standardize_dtype(type(value))
                    specs[name] = Weight(
                        np.shape(value),
                        Leaf(value, make, index),
                        trainable=trainable,
                        dtype=None if dtypes.is_float(str(dtype)) else str(dtype),
                    )
                index += 1
        return specs

    def _made(self, inputs, key):
        """(params, state) from `init_fn`, on placeholders of the inputs."""
        ones = jax.tree_util.tree_map(
            lambda s: jnp.ones([1 if d is None else d for d in s.shape], s.dtype),
            inputs,
            is_leaf=lambda s: hasattr(s, "dtype"),
        )
        arguments = {"rng": self._init_keys(key), "inputs": ones, "training": True}
        made = self.init_fn(**{name: arguments[name] for name in self._init_names})
        if "state" in self._call_names:
            return made
        return (made, None)

    def _init_keys(self, key):
        return key

    def forward(self, w, inputs, ctx):
        params, state = (structure.fill(w) for structure in self._structures)
        values = {
            "params": params,
            "state": state,
            "inputs": inputs,
            "training": ctx.training,
            "rng": None,
        }
        if "rng" in self._call_names and ctx.training:
            values["rng"] = ctx.key
        out = self.call_fn(**{name: values[name] for name in self._call_names})
        if "state" not in self._call_names:
            return out, {}
        out, new = out
        old, leaves = self._structures[1], jax.tree_util.tree_leaves(new)
        if jax.tree_util.tree_structure(new) != old.treedef:
            raise ValueError(
                explain(
                    self._where,
                    f"a new state of the structure {old.treedef}",
                    f"{jax.tree_util.tree_structure(new)}",
                    "return all of it from `call_fn`",
                )
            )
        return out, {
            name: jnp.asarray(value) for name, value in zip(old.names, leaves) if name is not None
        }

    def get_config(self):
        return {k: v for k, v in super().get_config().items() if k != "seed"}

    @classmethod
    def from_config(cls, config):
        return super().from_config(
            {**config, **{k: deserialize(config[k]) for k in ("call_fn", "init_fn")}}
        )


@layer("keras.layers", arguments="module, method, variables")
class FlaxLayer(JaxLayer):
    """A module of `flax.linen` or `flax.nnx` as a layer. The collection "params", or each
    `nnx.Param`, is trained, all others are state.

    Args:
        module: an instance of `flax.linen.Module`; or one of `flax.nnx.Module`, whose values the
            layer begins with, and which stays as it is. Its modes `train()` and `eval()` follow
            `training`.
        method: instead of `__call__`: a method of the module, or a function of the module. Takes
            `inputs` and perhaps `training`.
        variables: what `module.init` returned; by default the layer calls it.

    Raises:
        ValueError: `variables` for a module of nnx, which has its own.

    >>> FlaxLayer.__mro__[1].__name__
    'JaxLayer'
    """

    module: Any
    method: Any = None
    variables: OF_BASE

    if typing.TYPE_CHECKING:

        def __init__(
            self,
            module: typing.Any,
            method: typing.Any = None,
            variables: typing.Any = None,
            *,
            activity_regularizer: typed.Regularization = None,
            input_dim: int | None = None,
            **base: typing.Unpack[typed.LayerArguments],
        ) -> None: ...

    def _base_init(self, variables=None, seed=None, native_serialization_platforms=None, **kwargs):
        params = state = None
        if variables is not None:
            params, state = self._parted(variables)
        super()._base_init(params=params, state=state, **kwargs)
        self.set_untracked(seed=seed, native_serialization_platforms=native_serialization_platforms)

    @staticmethod
    def _parted(variables):
        """(params, state): the collection "params", and the others."""
        variables = dict(variables)
        return (
            {k: v for k, v in variables.items() if k == "params"},
            {k: v for k, v in variables.items() if k != "params"},
        )

    def __post_init__(self):
        if is_nnx(self.module):
            if self._initial_arrays != (None, None):
                expected = "no `variables`, since a module of nnx has its own"
                raise ValueError(explain(self._where, expected, "some"))
            function = NnxFunction(self.module, getattr(self.method, "__func__", self.method))
            self.set_untracked(_initial_arrays=(function.params, function.state))
            self.call_fn, self.init_fn = function.__call__, None
        elif "training" in inspect.signature(self.method or self.module.__call__).parameters:
            self.call_fn, self.init_fn = self._run_in_mode, self._make_in_mode
        else:
            self.call_fn, self.init_fn = self._plain_run, self._plain_make
        super().__post_init__()

    def _run(self, params, state, rng, inputs, **training):
        from flax.linen import DenyList

        return self.module.apply(
            {**params, **state},
            inputs,
            rngs={} if rng is None else {"dropout": rng},
            method=self.method,
            mutable=DenyList(["params"]),
            **training,
        )

    def _make(self, rng, inputs, **training):
        return self._parted(self.module.init(rng, inputs, method=self.method, **training))

    # `call_fn` and `init_fn` are passed what their signatures name

    def _plain_run(self, params, state, rng, inputs):
        return self._run(params, state, rng, inputs)

    def _run_in_mode(self, params, state, rng, inputs, training):
        return self._run(params, state, rng, inputs, training=training)

    def _plain_make(self, rng, inputs):
        return self._make(rng, inputs)

    def _make_in_mode(self, rng, inputs, training):
        return self._make(rng, inputs, training=training)

    def _init_keys(self, key):
        params_key, dropout_key = jax.random.split(key)
        return {"params": params_key, "dropout": dropout_key}

    def get_config(self):
        bound = getattr(self.method, "__self__", None) is self.module
        config = {
            k: v for k, v in StatefulLayer.get_config(self).items() if k not in ("module", "method")
        }
        return {
            **config,
            "native_serialization_platforms": self.native_serialization_platforms,
            "module": serialize(self.module),
            "method": self.method.__name__ if bound else serialize(self.method),
        }

    @classmethod
    def from_config(cls, config):
        module, method = deserialize(config["module"]), config["method"]
        if isinstance(method, str):
            method = getattr(module, method)
        else:
            method = deserialize(method)
        return cls(**{**config, "module": module, "method": method})
