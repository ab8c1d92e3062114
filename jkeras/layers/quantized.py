"""Layers whose weights can be stored in few bits: how they get there, and what they compute from
there.
"""

import functools
from types import MappingProxyType
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.names import registry
from jkeras.core.run.adapting import weight_of
from jkeras.core.errors import explain
from jkeras.core.weights.policy import check_mode
from jkeras.core.layer import Layer
from jkeras.core.record import Kind
from jkeras.kernel.spec import Spec, Weight
from jkeras.ops.kernels import rounds_inputs
from jkeras.quantizers.coding import (
    Coding,
    Trits,
    float8_product,
    integer_product,
    straight_through,
)
from jkeras.quantizers.configs import Int4QuantizationConfig, QuantizationConfig, resolve
from jkeras.quantizers.quantizers import AbsMaxQuantizer
from jkeras.core.run.call import Call
from jkeras.layers.stored_names import STEPS, stored_names
from jkeras.core.weights.types import Function


class _ConfigKind(Kind):
    """A `QuantizationConfig`, or its config."""

    def read(self, value: Any) -> Any:
        return registry.deserialize(value) if isinstance(value, dict) else value


Quantization = _ConfigKind()


class QuantizedLayer(Layer):
    """Base of layers with a weight that `quantize` puts into integers ("int8", "int4") or float8.

    Integers replace the weight under its name; beside it come `<name>_scale`, and for blocks
    of 4-bit numbers `<name>_zero` and `g_idx`. A subclass says in `codings` how each weight is
    kept.
    """

    _adapted = "kernel"  # name of the main weight
    _beside = ("bias",)  # names of those that stay floats
    _codings = MappingProxyType({})  # of the weights that integers stand for now
    quantization_modes = ("int8", "int4", "float8")
    is_in_groups = False  # as GPTQ and AWQ leave a weight
    ternary_threshold = None  # from which magnitude on mode "ternary" has a sign; None: by the mean

    def codings(self, bits: int, block: int | None) -> dict[str, Any]:
        """How the weights are stored: `{name: Coding}`."""
        return {"kernel": Coding(bits, 0, -1, self._float_shapes["kernel"][-1], block)}

    @property
    def _is_quantized(self) -> bool:
        """Whether the weights are stored in few bits now."""
        return f"{self._adapted}_scale" in self._own

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """The names of the variables by mode, in the order of files; None: without a mode."""
        return stored_names(self._adapted, self._beside, self.quantization_modes)

    @property
    def _kernel(self) -> Any:
        """Keras's name of the variable in which the weight lies, if it is no packed one."""
        return self._variable_of_weight(self.quantization_mode != "ternary")

    @property
    def _packed_kernel(self) -> Any:
        """Keras's name of the variable in which the weight lies five trits a byte."""
        return self._variable_of_weight(self.quantization_mode == "ternary")

    _embeddings = _kernel

    def _variable_of_weight(self, is_there: bool) -> Any:
        if not is_there or self._adapted not in self._own:
            raise AttributeError(f"{self._where} has no float weight and no packed one so.")
        return self._own[self._adapted]

    # ------------------------------------------------------------ on the way there

    def quantize(
        self, mode: str | None = None, config: dict[str, Any] | None = None, type_check: bool = True
    ) -> None:
        """Puts the weights of a built layer into few bits; its dtype policy then says so.

        Args:
            mode: "int8", "int4" or "float8" (products of 8-bit floats on weights that stay as they
                are); in "gptq" and "awq" the layer computes with its floats until it is calibrated,
                which `Model.quantize` does.
            config: a `jkeras.quantizers.QuantizationConfig` instead of the mode's own.
            type_check: refuse a subclass, which may compute something else from the weights.

        Raises:
            ValueError: not built, quantized already, or mode and config do not fit.
            NotImplementedError: the layer has not this mode, or is of a subclass.
        """
        config = resolve(mode, config)
        mode = config.mode
        self._check_quantizable(mode, type_check)
        self.quantization_config = config.without_data()
        weights = {name: self._own[name].value for name in self._encoded_at_once(mode)}
        self._make_quantized(mode)
        for name, value in weights.items():
            for key, array in self.encode(name, value, config.weight_quantizer).items():
                self._own[key].assign(array)
                self._own[key].forget_initializer()  # `init` finds this value again
        self.set_untracked(_state_kept=True)
        if self._own_policy.quantization_mode is None:
            self.dtype_policy = f"{self._full_mode(mode)}_from_{self._own_policy.name}"

    def _encoded_at_once(self, mode: str) -> Any:
        """The names of the weights that get their integers in `quantize`."""
        return () if mode == "float8" else self.quantized_weights

    def _full_mode(self, mode: str) -> Any:
        """A mode with the size of its blocks, as policies are named."""
        if mode != "int4":
            return mode
        block = self._block()
        return f"int4/{-1 if block is None else block}"

    def _check_quantizable(self, mode: str, type_check: bool) -> Any:
        """Raises where the layer as it is cannot be quantized; see `quantize`."""
        if not self.built:
            raise ValueError(
                f"{self._where}: Cannot quantize a layer that isn't yet built. To fix it: call it "
                "on an input first."
            )
        if self._is_quantized:
            raise ValueError(
                f"{self._where} is already quantized with dtype_policy='{self._own_policy.name}'. "
                f"Received: mode={mode}"
            )
        if (mode, self.compute_dtype) == ("int8", "float16"):
            raise ValueError(
                explain(
                    self._where,
                    "a layer that computes in float32 or bfloat16 for mode 'int8'",
                    "compute_dtype='float16'",
                    "load it with another dtype policy first",
                )
            )
        if type_check and registry.public_name(type(self)) is None:
            raise NotImplementedError(
                f"Layer {type(self).__name__} does not have a `quantize` method implemented; it "
                "may be inherited: pass `type_check=False` to quantize it all the same."
            )
        self._check_mode(mode)

    def _check_mode(self, mode: str) -> Any:
        check_mode(mode, self.quantization_modes, NotImplementedError)

    def _make_weights(self, specs: Sequence[Spec]) -> None:
        mode = self.quantization_mode
        if mode is not None:
            self._check_mode(mode)
        if mode == "float8":
            self._make_quantized(mode)  # before the other weights, as in Keras
        super()._make_weights(specs)
        if mode not in (None, "float8"):
            self._make_quantized(mode)

    @property
    def quantized_weights(self) -> tuple[str, ...]:
        """The names of the weights that integers stand for."""
        return (self._adapted,)

    def shapes_in_few_bits(self) -> Any:
        """{name: shape} of the float weights that integers stand for now."""
        return {name: tuple(self._float_shapes[name]) for name in self._codings}

    def _block(self) -> int:
        config = self.quantization_config
        of = config if isinstance(config, Int4QuantizationConfig) else self._own_policy
        size = getattr(of, "block_size", None)
        return None if size == -1 else size

    def _make_quantized(self, mode: str) -> None:
        """Replaces the float variables by those of a mode; values come later."""
        if mode == "float8":
            for name, spec in self._float8_specs().items():
                self._put_spec(name, spec, overwrite_with_gradient=True)
            return
        shapes = {name: tuple(self._own[name].shape) for name in self.quantized_weights}
        self._set_form(mode, shapes)
        specs = self._integer_specs(shapes)
        self._replace_weights(mode, shapes)
        for name, spec in specs.items():
            self._put_spec(name, spec)

    def _replace_weights(self, mode: str, names: Sequence[str]) -> None:
        """Removes the float weights that integers replace."""
        for name in names:
            delattr(self, name)

    def _set_form(self, mode: str, shapes: dict[str, Any]) -> None:
        """Sets how weights of these shapes are stored."""
        self.set_untracked(_float_shapes=shapes)
        if mode == "ternary":
            codings = {"kernel": Trits(tuple(shapes["kernel"]), self.ternary_threshold)}
            self.set_untracked(in_other_forms=("kernel",))
        else:
            bits, block = (8, None) if mode == "int8" else (4, self._block())
            codings = self.codings(bits, block)
        self.set_untracked(_codings=codings)

    def _float8_specs(self) -> dict[str, Any]:
        """The specs of a scale and a history of largest magnitudes for each step of a product."""
        length = getattr(self._own_policy, "amax_history_length", 1024)
        specs = {}
        for step in STEPS:
            specs[f"{step}_scale"] = Weight((), "ones", "float32", autocast=False)
            specs[f"{step}_amax_history"] = Weight((length,), "zeros", "float32", autocast=False)
        return specs

    def _integer_specs(self, shapes: dict[str, Any]) -> dict[str, Any]:
        """The specs of the arrays that stand for float weights of these shapes."""
        specs = {}
        for name, shape in shapes.items():
            like = jax.ShapeDtypeStruct(shape, self.variable_dtype)
            arrays = jax.eval_shape(functools.partial(self.encode, name), like)
            for role, key in self._keys(name).items():
                if key in arrays and key not in specs:  # `g_idx` is shared
                    roles = {"scale": "ones", "g_idx": self._group_indices}
                    roles |= self._codings[name].initializers
                    initializer = roles.get(role, "zeros")
                    dtype = self._part_dtype(key, arrays[key])
                    is_cast = role != "g_idx"  # numbers of groups do not bear rounding
                    shape = arrays[key].shape
                    specs[key] = Weight(shape, initializer, dtype, False, autocast=is_cast)
        return specs

    def _put_spec(self, name: str, spec: Weight, **options: Any) -> None:
        self._put(
            name,
            spec.shape,
            spec.initializer,
            dtype=spec.dtype,
            trainable=spec.trainable,
            autocast=spec.autocast,
            **options,
        )

    def _put(self, name: str, shape: tuple[int, ...], initializer: str, **options: Any) -> None:
        setattr(self, name, self.add_weight(shape, initializer, name=name, **options))

    def _part_dtype(self, key: str, array: jax.Array) -> Any:
        return array.dtype

    def _group_indices(self, shape: tuple[int, ...], dtype: str | None = None) -> jax.Array:
        return jnp.floor_divide(jnp.arange(shape[0], dtype=dtype), self._block())

    # ------------------------------------------------------------ on values by path

    def _stored_specs(self, specs: dict[str, Weight], *inputs: Any) -> dict[str, Weight]:
        mode = self.quantization_mode
        if mode is None:
            return specs
        self._check_mode(mode)
        if mode == "float8":
            return self._float8_specs() | specs
        shapes = {name: specs[name].shape for name in self.quantized_weights}
        others = {name: spec for name, spec in specs.items() if name not in shapes}
        return others | self._as_built(specs, *inputs)._integer_specs(shapes)

    def _as_built(self, specs: dict[str, Weight], *inputs: Any) -> Any:
        """The layer with the attributes that it has when it is built for these inputs."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.__dict__.update(self.attributes_when_built(*inputs))
        shapes = {name: tuple(specs[name].shape) for name in self.quantized_weights}
        twin._set_form(self.quantization_mode, shapes)
        return twin

    def as_run(self, scope: Any, call: Call) -> Any:
        """The layer that runs a call: with the attributes that follow from the inputs, where it is
        not built for them.
        """
        if scope.is_built or self.quantization_mode in (None, "float8"):
            return self
        inputs = call.specs().values()
        return self._as_built(self.weight_specs(*inputs), *inputs)

    def declaration(self, call: Call) -> dict[str, Any]:
        """The layer's own weights for the inputs of a call, those that `quantize` gave values with
        these.
        """
        specs = super().declaration(call)
        for name, variable in self._own.items():
            # `quantize` gave it its value
            is_value = variable.initializer is None and self.quantization_mode is not None
            if is_value and tuple(variable.shape) == tuple(specs[name].shape):
                specs[name] = weight_of(variable)
        return specs

    def own_values(self, scope: Any, call: Call | None, is_called: bool = False) -> dict[str, Any]:
        w = super().own_values(scope, call, is_called)
        if self.quantization_mode == "float8" and "bias" in w and w["bias"].dtype == "float32":
            # as the hardware's fused product and sum has it
            w["bias"] = w["bias"].astype("bfloat16").astype("float32")
        return w

    def in_own_form(self, key: str, array: Any) -> Any:
        """A weight from a file as this layer keeps it."""
        if key not in self.in_other_forms:
            return array
        return self._codings[self._adapted].in_own_form(array)

    def quantized_build(self, input_shape: Any, mode: str, config: Any = None) -> None:
        """Makes the variables of a mode, as `quantize` does; Keras's name of that step.

        Raises:
            NotImplementedError: the layer has not this mode.
        """
        self._check_mode(mode)
        self._make_quantized(mode)

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the layer, which has to be quantized; Keras's name of that step.

        Raises:
            NotImplementedError: it is not, or not in one of its modes.
        """
        self._check_mode(self.quantization_mode)
        return self.call(*args, **kwargs)

    # ------------------------------------------------------------ between the two forms

    def encode(self, name: str, value: jax.Array, quantizer: Any = None) -> dict[str, Any]:
        """The arrays that stand for a float weight, by the names of their variables."""
        parts, keys = self._codings[name].encode(value, quantizer), self._keys(name)
        return {keys[role]: array for role, array in parts.items()}

    def decode(self, name: str, w: Mapping[str, Any]) -> jax.Array:
        """The float weight that the layer's arrays stand for."""
        return self._codings[name].decode(self.parts(name, w), self.compute_dtype)

    def parts(self, name: str, w: Mapping[str, Any]) -> dict[str, Any]:
        """What stands for a weight, by the names that its `Coding` has for it."""
        return {role: w[key] for role, key in self._keys(name).items() if key in w}

    def _keys(self, name: str) -> dict[str, Any]:
        return {
            "integers": name,
            "scale": f"{name}_scale",
            "zero": f"{name}_zero",
            "g_idx": "g_idx",
        }

    # ------------------------------------------------------------ computing

    @property
    def activation_quantizer(self) -> Any:
        """What rounds the inputs of products; None: they stay as they are."""
        default = AbsMaxQuantizer() if self.quantization_mode == "int8" else None
        return QuantizationConfig.activation_quantizer_or_default(self.quantization_config, default)

    @property
    def inputs_quantizer(self) -> Any:
        """Keras's name of `activation_quantizer`."""
        return self.activation_quantizer

    def round_inputs(self, x: jax.Array, quantizer: Any) -> tuple[jax.Array, ...]:
        """(rounded inputs, their scale as a product's output has it)."""
        return quantizer(x, axis=-1)

    def quantized_product(
        self,
        x: jax.Array,
        w: Mapping[str, Any],
        contract: Function,
        name: str = "kernel",
        training: bool = False,
    ) -> jax.Array:
        """`contract(x, weight)` with a weight in few bits, and inputs rounded where the
        configuration says so.
        """
        if self.quantization_mode == "float8":
            return float8_product(contract, x, w[name], w, training)
        if not rounds_inputs():
            return contract(x, self.decode(name, w))
        quantizer, coding = self.activation_quantizer, self._codings[name]

        def rounded(x: jax.Array, w: Mapping[str, Any]) -> jax.Array:
            x, scale = (x, None) if quantizer is None else self.round_inputs(x, quantizer)
            if coding.outer:  # one scale for each output: it can wait
                kernel = coding.integers(self.parts(name, w))
                scale = w[f"{name}_scale"] if scale is None else scale * w[f"{name}_scale"]
            else:
                kernel = self.decode(name, w)
            y = integer_product(contract, x, kernel).astype(self.compute_dtype)
            return y if scale is None else y / scale

        return straight_through(
            rounded,
            lambda x, w: contract(x, self.decode(name, w)),
            x,
            {key: w[key] for key in self._keys(name).values() if key in w},
        )
