"""Layers whose weights GPTQ and AWQ put into few bits, once they have seen inputs."""

from types import MappingProxyType
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import jax

from jkeras.core.errors import explain
from jkeras.core.session.keras_version import is_316
from jkeras.core.weights.policy import NEED_DATA
from jkeras.layers.lora import LoraLayer
from jkeras.quantizers.configs import CalibratedConfig
from jkeras.quantizers.groups import Grid, Groups, rows_and_columns
from jkeras.kernel.spec import Spec, Weight
from jkeras.core.weights.variable import Variable


class CalibratedLayer(LoraLayer):
    """Base of layers with a kernel that "gptq" and "awq" put on a grid, beside the other modes.

    `quantize` makes the arrays that will stand for the kernel. Until `calibrate` gives them values,
    products are of the float kernel, and what they are of may be watched.

    Attributes:
        is_gptq_calibrated, is_awq_calibrated: whether the arrays have values.
    """

    is_gptq_calibrated = is_awq_calibrated = False
    adapts_integers = ("kernel",)
    _statistics = None  # of the inputs of products, while they are watched
    _shown_names = MappingProxyType({"quantized_kernel": "kernel"})  # Keras's names of variables

    @property
    def is_waiting(self) -> bool:
        """Whether the layer computes with its float kernel until it is calibrated."""
        is_calibrated = self.is_gptq_calibrated or self.is_awq_calibrated
        return self.is_in_groups and self._adapted in self._own and not is_calibrated

    # ------------------------------------------------------------ calibration

    def watch(self) -> None:
        """Begins to keep statistics of the inputs of products."""
        rows, _ = rows_and_columns(self._float_shapes[self._adapted])
        self.set_untracked(_statistics=_method(self.quantization_mode).begin(rows))

    def _see(self, x: jax.Array) -> None:
        """Adds the inputs of a product to the statistics."""
        rows, _ = rows_and_columns(self._float_shapes[self._adapted])
        if isinstance(x, jax.core.Tracer) or x.size % rows:
            raise ValueError(
                explain(
                    self._where,
                    f"inputs for mode '{self.quantization_mode}' that are arrays, in rows of "
                    f"{rows} numbers as its kernel has them",
                    f"{x}" if isinstance(x, jax.core.Tracer) else f"shape {tuple(x.shape)}",
                    "leave the layer out with `filters`, or run its block without loops of JAX "
                    "and without remat",
                )
            )
        update = _method(self.quantization_mode).update
        self.set_untracked(_statistics=update(self._statistics, x.reshape(-1, rows)))

    def end_watch(self) -> tuple[jax.Array, ...]:
        """Ends `watch`; returns the statistics."""
        return self.__dict__.pop("_statistics", None)

    def calibrate(self, statistics: tuple[jax.Array, ...], config: dict[str, Any]) -> None:
        """Puts the kernel into few bits and forgets its floats.

        Args:
            statistics: those that `watch` and calls of the layer gave.
            config: the `GPTQConfig` or `AWQConfig`.
        """
        name, mode = self._adapted, config.mode
        coding, kernel = self._codings[name], self._own[name].value
        weights = kernel.reshape(rows_and_columns(coding.shape)).T
        arrays = coding.packed(*_method(mode).solve(weights, statistics, config))
        for role, array in arrays.items():
            variable = self._own[self._keys(name)[role]]
            variable.assign(array)
            variable.forget_initializer()  # `init` finds this value again
        self._forget_floats(mode)

    def _forget_floats(self, mode: str) -> None:
        delattr(self, self._adapted)
        setattr(self, f"is_{mode}_calibrated", True)

    # ------------------------------------------------------------ the arrays

    def _check_quantizable(self, mode: str, type_check: bool) -> None:
        super()._check_quantizable(mode, type_check)
        if mode in NEED_DATA:
            rows_and_columns(self._own[self._adapted].shape)
            if self.lora_enabled:
                self._refuse_lora(mode)

    def _check_adaptable(self) -> None:
        if self.quantization_mode in NEED_DATA:
            self._refuse_lora(self.quantization_mode)
        super()._check_adaptable()

    def _refuse_lora(self, mode: str) -> Any:
        raise NotImplementedError(
            f"{self._where}: lora is not supported with mode '{mode}'. Quantize to 'int8' or "
            "'int4'."
        )

    def _full_mode(self, mode: str) -> str:
        if mode in NEED_DATA:
            return self.quantization_config.dtype_policy_string()
        return super()._full_mode(mode)

    def _encoded_at_once(self, mode: str) -> tuple[Any, ...]:
        return () if mode in NEED_DATA else super()._encoded_at_once(mode)

    def _make_weights(self, specs: Sequence[Spec]) -> None:
        super()._make_weights(specs)
        if self.quantization_mode in NEED_DATA:
            delattr(self, self._adapted)  # a file has the arrays

    def _replace_weights(self, mode: str, names: dict[str, Any]) -> None:
        if mode not in NEED_DATA:  # otherwise the floats are needed until the layer is calibrated
            super()._replace_weights(mode, names)

    def _set_form(self, mode: str, shapes: dict[str, Any]) -> Any:
        self.set_untracked(is_in_groups=mode in NEED_DATA)
        if mode not in NEED_DATA:
            return super()._set_form(mode, shapes)
        config = self.quantization_config
        of = config if isinstance(config, CalibratedConfig) else self._own_policy
        grid = Grid(of.weight_bits, group=of.group_size)
        form = mode == "awq", is_316()
        groups = {name: Groups(shape, grid, *form) for name, shape in shapes.items()}
        self.set_untracked(_float_shapes=shapes, _codings=groups)
        if of.weight_bits == 2:  # in files of Keras 3.15 one number in a byte, from 3.16 on four
            self.set_untracked(in_other_forms=(self._keys(self._adapted)["integers"],))

    def _stored_specs(self, specs: dict[str, Weight], *inputs: Any) -> dict[str, Weight]:
        stored = super()._stored_specs(specs, *inputs)
        if self.is_waiting:
            stored = {self._adapted: specs[self._adapted], **stored}
        return stored

    def _put(self, name: str, shape: tuple[int, ...], initializer: str, **options: Any) -> None:
        super()._put(name, shape, initializer, **options)
        if self.is_in_groups:
            self._own[name].name = self._shown_names.get(name, name)

    def _keys(self, name: str) -> dict[str, Any]:
        keys = super()._keys(name)
        if self.is_in_groups:
            factors = {"factors": "awq_scales", "g_idx": keys.pop("g_idx")}
            keys = {**keys, "integers": f"quantized_{name}", **factors}
        return keys

    # ------------------------------------------------------------ use

    def weight_in_use(self, variable: Variable) -> Variable:
        """The kernel as it is multiplied; in few bits the numbers (outputs, inputs)."""
        if not self.is_in_groups or self.is_waiting:
            return super().weight_in_use(variable)
        w = {key: own.value for key, own in self._own.items()}
        return self._codings[self._adapted].integers(self.parts(self._adapted, w))

    def product_in_groups(self, x: jax.Array, w: Mapping[str, Any]) -> jax.Array:
        """The product with the kernel, which is watched until it is in few bits."""
        if not self.is_waiting:
            return self.contract(x, self.decode(self._adapted, w))
        if self._statistics is not None:
            self._see(x)
        return self.contract(x, w[self._adapted])

    # ------------------------------------------------------------ files have the arrays alone

    def _stored(self) -> Any:
        stored = super()._stored()
        if self.is_in_groups:
            stored.pop(self._adapted, None)
        return stored

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Puts the layer's own weights into a dict-like store, numbered.

        Raises:
            ValueError: the layer is not calibrated, so that its kernel would be lost.
        """
        if self.is_waiting:
            raise ValueError(
                explain(
                    self._where,
                    f"a layer that is calibrated: files of mode '{self.quantization_mode}' have "
                    "no float kernel",
                    "one that has never been calibrated",
                    "quantize its model, with data in the config",
                )
            )
        super().save_own_variables(store)

    def _after_loading(self, stored: MutableMapping[str, Any]) -> None:
        if self.is_waiting:
            delattr(self, self._adapted)
        if self.is_in_groups:
            setattr(self, f"is_{self.quantization_mode}_calibrated", True)
        super()._after_loading(stored)


def _method(mode: str) -> Any:
    """The module of GPTQ or AWQ, which few programs need."""
    from jkeras.quantizers.calibration import METHODS

    return METHODS[mode]
