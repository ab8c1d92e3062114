"""Low-rank adaptation of a layer's main weight."""

import operator
from types import MappingProxyType
from typing import Any
from collections.abc import Mapping, MutableMapping, Sequence

import jax
import numpy as np

from jkeras.core.errors import place_of
from jkeras.core.names.family import families
from jkeras.core.weights.variable import Variable
from jkeras.initializers import HeUniform, Zeros
from jkeras.kernel import low_rank
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.quantized import QuantizedLayer
from jkeras.core.names import typed
from jkeras.core.run.context import Context
from jkeras.core.weights.types import DType


class AdaptedWeight:
    """An attribute that shows a layer's main weight as it is used: the variable, or once the layer
    is adapted the sum, as an array in the compute dtype.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Variable:
        if layer is None:
            return self
        variable = vars(layer).get(self.name)
        if variable is None and not layer.is_in_groups:
            raise AttributeError(
                f"{place_of(layer)} has no attribute {self.name!r} before it is built."
            )
        return layer.weight_in_use(variable)

    def __set__(self, layer: Any, value: Any) -> None:
        vars(layer)[self.name] = value

    def __delete__(self, layer: Any) -> None:
        del vars(layer)[self.name]


class LoraLayer(QuantizedLayer):
    """Base of layers whose main weight may be adapted: `w + alpha / rank * a @ b`, where only a and
    b are trained.

    `a` has the weight's shape with `rank` as its last axis, `b` is `(rank, last)`. A file
    holds the sum. Hu et al. 2021, arXiv:2106.09685.
    """

    # Keras's Dense and Embedding forget the constructor's `lora_alpha` when they are built
    _keeps_alpha = True
    # a key decides the first values; the seed is there so that none is drawn
    adapts_integers = ()  # weights that may have a change beside them when they are in few bits
    _lora_initializers = MappingProxyType({"a": HeUniform(seed=0), "b": Zeros()})

    def __post_init__(self) -> None:
        if self.lora_alpha is None:
            self.lora_alpha = self.lora_rank

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data; the scale only beside a rank."""
        config = super().get_config()
        if self.lora_rank:
            return config
        return {k: v for k, v in config.items() if k not in ("lora_rank", "lora_alpha")}

    _is_changed = property(operator.attrgetter("lora_rank"))

    @property
    def lora_enabled(self) -> bool:
        """Whether the weight is adapted."""
        return f"lora_{self._adapted}_a" in self._own

    def _make_weights(self, specs: Sequence[Spec]) -> None:
        super()._make_weights(specs)
        if self.lora_rank:
            if not self._keeps_alpha:
                self.lora_alpha = self.lora_rank
            self._add_lora("he_uniform", "zeros")

    def _stored_specs(self, specs: dict[str, Weight], *inputs: Any) -> dict[str, Weight]:
        stored = super()._stored_specs(specs, *inputs)
        if not self.lora_rank:
            return stored
        return stored | self._lora_specs(specs[self._adapted].shape)

    def _lora_specs(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """The specs of the two small matrices, for a weight of this shape."""
        self._check_adaptable()
        name = self._adapted
        sizes = {"a": (*shape[:-1], self.lora_rank), "b": (self.lora_rank, shape[-1])}
        penalty = getattr(self, f"{name}_regularizer")
        return {
            f"lora_{name}_{matrix}": Weight(
                size, self._lora_initializers[matrix], "float32", True, penalty
            )
            for matrix, size in sizes.items()
        }

    def weight_in_use(self, variable: Variable) -> Variable:
        """The main weight as it is multiplied: its variable, the sum with the two matrices, or the
        integers that stand for it, unpacked.
        """
        coding = self._codings.get(self._adapted)
        if coding is not None and coding.is_packed:
            integers = coding.integers({"integers": variable.value})
            return integers.reshape(self._float_shapes[self._adapted])
        if not self.lora_enabled or self._is_quantized:
            return variable
        w = {name: own.value for name, own in self._own.items()}
        return self.adapted(w).astype(self.compute_dtype)

    def _check_adaptable(self) -> None:
        """Raises where the weight cannot be adapted: it has a constraint."""
        name = self._adapted
        if getattr(self, f"{name}_constraint", None) is not None:
            raise ValueError(
                f"{self._where}: Lora is incompatible with {name.removesuffix('s')} constraints, "
                "which would not see the adapted weight. To fix it: remove "
                f"`{name}_constraint`."
            )

    def enable_lora(
        self,
        rank: int,
        lora_alpha: float | None = None,
        a_initializer: typed.Named = "he_uniform",
        b_initializer: typed.Named = "zeros",
    ) -> None:
        """Freezes the weight of a built layer and adds the two small matrices that are trained
        instead.

        Args:
            rank: the small size of both.
            lora_alpha: scale of their product, which is divided by the rank; by default the rank.
        """
        self._check_adaptable()
        if not self.built:
            raise ValueError(
                f"{self._where}: Cannot enable lora on a layer that isn't yet built. To fix it: "
                "call it on an input first."
            )
        if self.lora_enabled:
            raise ValueError(
                f"{self._where}: lora is already enabled. This can be done once only for a layer."
            )
        self.lora_rank, self.lora_alpha = rank, lora_alpha
        if lora_alpha is None:
            self.lora_alpha = rank
        self._add_lora(a_initializer, b_initializer)

    def _add_lora(self, a_initializer: Any, b_initializer: Any) -> None:
        name, weight = self._adapted, self._own[self._adapted]
        shape = tuple(weight.shape)
        if name in self._codings:
            shape = self._float_shapes[name]
        specs = self._lora_specs(shape)
        initializers = {
            "a": families["initializers"].get(a_initializer),
            "b": families["initializers"].get(b_initializer),
        }
        self.set_untracked(_lora_initializers=initializers)
        for key, initializer in zip(specs, initializers.values()):
            self._put(
                key,
                specs[key].shape,
                initializer,
                dtype=specs[key].dtype,
                regularizer=specs[key].regularizer,
            )
        weight.trainable = False

    @property
    def _lora_scale(self) -> float:
        """By what the product of the two matrices is multiplied."""
        counts = self._keeps_alpha or self.lora_enabled
        return (self.lora_alpha if counts else self.lora_rank) / self.lora_rank

    def adapted(self, w: Mapping[str, Any]) -> jax.Array:
        """The adapted weight, from the layer's weights by name."""
        weight, a = w[self._adapted], w.get(f"lora_{self._adapted}_a")
        if a is None:
            return weight
        return weight + self._delta(w)

    def _delta(self, w: Mapping[str, Any], a: Any = None) -> jax.Array:
        if a is None:
            a = w[f"lora_{self._adapted}_a"]
        return self._lora_scale * (a @ w[f"lora_{self._adapted}_b"])

    def contract(
        self, x: jax.Array, kernel: jax.Array, preferred_element_type: DType | None = None
    ) -> jax.Array:
        """The product that the layer is made of."""
        raise NotImplementedError

    def low_rank_product(self, x: jax.Array, a: Any, b: Any) -> Any:
        """`contract(x, a @ b)` without making `a @ b`."""
        return self.contract(x, a) @ b

    def product(self, x: jax.Array, w: Mapping[str, Any], ctx: Context) -> jax.Array:
        """`contract(x, kernel)` with the adapted kernel, be it in floats or in few bits."""
        in_few_bits = f"{self._adapted}_scale" in w or "inputs_scale" in w
        if not in_few_bits and not self.is_in_groups:
            return self.contract(x, self.adapted(w) if self.lora_rank else w[self._adapted])
        y = self._product_in_few_bits(x, w, ctx)
        change = low_rank.beside(w, self._adapted)  # that of floats is in the kernel already
        if change is None:
            return y
        return y + self.low_rank_product(x, change.a, change.scaled_b).astype(y.dtype)

    def _product_in_few_bits(self, x: jax.Array, w: Mapping[str, Any], ctx: Context) -> jax.Array:
        if self.is_in_groups:
            return self.product_in_groups(x, w)
        y = self.quantized_product(x, w, self.contract, training=ctx.training)
        if f"lora_{self._adapted}_a" not in w:
            return y
        if self.quantization_mode == "float8":
            raise NotImplementedError(
                f"{self._where}: lora and float8 do not go together. Quantize to 'int8'."
            )
        return (y + self._delta(w, self.contract(x, w["lora_kernel_a"]))).astype(self.compute_dtype)

    # ------------------------------------------------------------ files hold the adapted weight
    # alone

    def _stored(self) -> Any:
        variables = {
            k: v for k, v in self._own.items() if not k.startswith(f"lora_{self._adapted}_")
        }
        return {
            k: variables[k]
            for k in sorted(variables, key=lambda k: (k != self._adapted, k != "bias"))
        }

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Puts the layer's own weights into a dict-like store, numbered; the adapted weight as the
        sum.
        """
        values = {k: v.value for k, v in self._own.items()}
        if self.lora_enabled and self._codings:
            values |= self.encode(
                self._adapted, self.decode(self._adapted, values) + self._delta(values)
            )
        elif values and not self._is_quantized:
            values[self._adapted] = self.adapted(values)
        for i, key in enumerate(self._stored()):
            store[str(i)] = np.asarray(values[key])

    def _after_loading(self, stored: MutableMapping[str, Any]) -> None:
        """An adaptation starts again at zero."""
        for variable in [v for k, v in self._own.items() if k not in stored]:
            variable.assign(np.zeros(variable.shape, variable.dtype))
