"""The settings of `model.quantize`."""

from typing import Self

from jkeras.core.weights.policy import check_mode
from jkeras.core.record import Any, Record, record
from jkeras.core.names.registry import deserialize, public, serialize
from jkeras.core.session.keras_version import is_316
from jkeras.quantizers.quantizers import AbsMaxQuantizer


@public("keras.quantizers.QuantizationConfig")
class QuantizationConfig(Record):
    """Base of configurations: which quantizers weights and activations get.

    Args:
        weight_quantizer, activation_quantizer: quantizers, or None.
    Raises:
        NotImplementedError: from `mode`, which a subclass has.

    >>> Int8QuantizationConfig().mode
    'int8'
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None) -> None:
        self.weight_quantizer = weight_quantizer
        self.activation_quantizer = activation_quantizer

    @property
    def mode(self) -> str:
        """The mode's name."""
        raise NotImplementedError(
            "Do not instantiate QuantizationConfig directly. Use one of its subclasses, such as "
            "Int8QuantizationConfig."
        )

    def without_data(self) -> Self:
        """The configuration as layers keep it."""
        return self

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "weight_quantizer": serialize(self.weight_quantizer),
            "activation_quantizer": serialize(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The configuration of a config."""
        arguments = dict(config)
        for name, value in config.items():
            if name.endswith("quantizer"):
                arguments[name] = deserialize(value)
        return cls(**arguments)

    @staticmethod
    def weight_quantizer_or_default(config: "QuantizationConfig | None", default: Any) -> Any:
        """The weight quantizer of a configuration, or `default`."""
        if config is None or config.weight_quantizer is None:
            return default
        return config.weight_quantizer

    @staticmethod
    def activation_quantizer_or_default(config: "QuantizationConfig | None", default: Any) -> Any:
        """The activation quantizer of a configuration; `default` without one."""
        if config is None:
            return default
        return config.activation_quantizer


def _check_weights(config: QuantizationConfig, value_range: tuple[int, int] | None = None) -> None:
    quantizer = config.weight_quantizer
    if quantizer is None:
        return
    expected = "output_dtype='int8'"
    fits = quantizer.output_dtype == "int8"
    if value_range is not None:
        expected = f"{expected} and value_range={value_range}"
        fits = fits and tuple(quantizer.value_range) == value_range
    if not fits:
        raise ValueError(
            f"{type(config).__name__} requires a weight_quantizer with {expected}. Received: "
            f"{quantizer!r}"
        )


@public("keras.quantizers.Int8QuantizationConfig")
class Int8QuantizationConfig(QuantizationConfig):
    """8-bit integers for weights and activations.

    Args:
        weight_quantizer: quantizer to int8; None: an `AbsMaxQuantizer` of the layer's axes.
        activation_quantizer: an `AbsMaxQuantizer` by default; None leaves activations as they are.
    Raises:
        ValueError: a weight quantizer with another `output_dtype`.

    >>> type(Int8QuantizationConfig().activation_quantizer).__name__
    'AbsMaxQuantizer'
    """

    mode = "int8"

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default") -> None:
        if activation_quantizer == "default":
            activation_quantizer = AbsMaxQuantizer()
        super().__init__(weight_quantizer, activation_quantizer)
        _check_weights(self)


@public("keras.quantizers.Int4QuantizationConfig")
class Int4QuantizationConfig(QuantizationConfig):
    """4-bit integers for weights; activations stay as they are by default.

    Args:
        weight_quantizer: quantizer to int8 with `value_range=(-8, 7)`, for `block_size=None` or -1;
            None: as the layer does it.
        activation_quantizer: quantizer, for the same block sizes; None by default.
        block_size: inputs that share a scale; None or -1: all.
    Raises:
        ValueError: another block size, quantizers together with blocks, or a weight quantizer to
            other numbers.

    >>> Int4QuantizationConfig().block_size
    128
    """

    mode = "int4"

    def __init__(
        self,
        weight_quantizer: Any = None,
        activation_quantizer: Any = "default",
        block_size: int | None = 128,
    ) -> None:
        if activation_quantizer == "default":
            activation_quantizer = None
        super().__init__(weight_quantizer, activation_quantizer)
        in_blocks = block_size not in (None, -1)
        if in_blocks and block_size <= 0:
            raise ValueError(
                "block_size must be a whole number above 0, or None or -1 for no blocks. "
                f"Received: {block_size}"
            )
        self.block_size = block_size
        quantizer = self.weight_quantizer or self.activation_quantizer
        if in_blocks and quantizer is not None:
            raise ValueError(
                "Quantizers of one's own go with block_size=None or -1 only. Received: "
                f"block_size={block_size}"
            )
        _check_weights(self, (-8, 7))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "block_size": self.block_size}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The configuration of a config; older ones have no `block_size`."""
        return super().from_config({"block_size": None, **config})


@public("keras.quantizers.Float8QuantizationConfig")
class Float8QuantizationConfig(QuantizationConfig):
    """8-bit floats, also for training.

    >>> Float8QuantizationConfig().get_config()
    {}
    """

    mode = "float8"

    def __init__(self) -> None:
        super().__init__(None, None)

    def get_config(self) -> dict[str, Any]:
        """Nothing."""
        return {}


@public("keras.quantizers.TernaryQuantizationConfig")
class TernaryQuantizationConfig(QuantizationConfig):
    """Weights among -1, 0 and 1 with one scale, five of them in a byte (Ma et al. 2024,
    arXiv:2402.17764). Of Keras's development branch.

    >>> TernaryQuantizationConfig().mode
    'ternary'
    """

    mode = "ternary"

    def __init__(self) -> None:
        super().__init__(None, None)

    def get_config(self) -> dict[str, Any]:
        """Nothing."""
        return {}


class CalibratedConfig(QuantizationConfig):
    """Base of configurations that need data.

    Args: those that both share.
        dataset, tokenizer: the data; not written to configs.
        weight_bits, num_samples, sequence_length: sizes.
        group_size: weights that share a scale; -1: a whole channel.
        quantization_layer_structure: which layers belong together.
    """

    dataset: Any
    tokenizer: Any
    weight_bits: int = 4
    num_samples: int = 128
    sequence_length: int = 512
    group_size: int = 128
    quantization_layer_structure: Any = None
    allowed_bits = (2, 3, 4, 8)
    new_in_316 = ()  # arguments that Keras 3.15 cannot read

    def __post_init__(self) -> None:
        self.weight_quantizer = self.activation_quantizer = None
        for wrong, expected, received in (
            (
                self.weight_bits not in self.allowed_bits,
                f"Unsupported weight_bits. {self.mode.upper()} only supports "
                f"{'/'.join(map(str, self.allowed_bits))}-bit weights.",
                f"weight_bits={self.weight_bits}",
            ),
            (
                self.num_samples <= 0,
                "num_samples must be a positive integer.",
                f"num_samples={self.num_samples}",
            ),
            (
                self.sequence_length <= 0,
                "sequence_length must be a positive integer.",
                f"sequence_length={self.sequence_length}",
            ),
            (
                self.group_size < -1 or self.group_size == 0,
                "Invalid group_size. Supported values are -1 (a whole channel) or a positive one.",
                f"group_size={self.group_size}",
            ),
        ):
            if wrong:
                raise ValueError(f"{type(self).__name__}: {expected} Received: {received}")

    def dtype_policy_string(self) -> str:
        """The name of the policy: mode, bits, group size."""
        return f"{self.mode}/{self.weight_bits}/{self.group_size}"

    def without_data(self) -> Self:
        """The configuration as layers keep it: neither data nor other layers."""
        return type(self)(**{**self.get_config(), "quantization_layer_structure": None})

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, without the data."""
        config = {f.name: getattr(self, f.name) for f in self._fields}
        config |= {"dataset": None, "tokenizer": None}
        if is_316():
            return config | {"quantization_layer_structure": None}
        return {name: value for name, value in config.items() if name not in self.new_in_316}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The configuration of a config."""
        return cls(**config)


@record(
    "keras.quantizers",
    arguments="dataset, tokenizer, weight_bits, num_samples, calibration_batch_size, per_channel, "
    "sequence_length, hessian_damping, group_size, symmetric, activation_order, "
    "quantization_layer_structure",
    keyword_only="weight_bits, num_samples, per_channel, sequence_length, hessian_damping, "
    "group_size, symmetric, activation_order, calibration_batch_size, "
    "quantization_layer_structure",
)
class GPTQConfig(CalibratedConfig):
    """GPTQ: weights rounded one after the other, each making up for the errors before it (Frantar
    et al. 2022, arXiv:2210.17323).

    Args:
        dataset: iterable of texts, or of arrays of tokens; not written to configs.
        tokenizer: function from a text to tokens, or an object with such a `tokenize`; not written
            to configs.
        weight_bits: 2, 3, 4 or 8.
        num_samples, sequence_length: how many sequences calibrate, of how many tokens each.
        calibration_batch_size: how many samples go through a block at once.
        per_channel: each output has scales of its own.
        hessian_damping: added to the Hessian's diagonal, as a part of its mean, in [0, 1].
        group_size: inputs that share a scale; -1: all.
        symmetric: the zero lies in the middle of the range.
        activation_order: the most important columns first.
        quantization_layer_structure: dict of the lists "pre_block_layers" and "sequential_blocks";
            by default what `model.get_quantization_layer_structure(mode)` gives.
    Raises:
        ValueError: values outside these ranges, or sizes that are not positive.

    >>> GPTQConfig(None, None).dtype_policy_string()
    'gptq/4/128'
    """

    per_channel: bool = True
    hessian_damping: float = 0.01
    symmetric: bool = False
    activation_order: bool = False
    calibration_batch_size: int = 8
    mode = "gptq"
    new_in_316 = ("calibration_batch_size",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.calibration_batch_size <= 0:
            raise ValueError(
                "GPTQConfig: calibration_batch_size must be a positive integer. Received: "
                f"calibration_batch_size={self.calibration_batch_size}"
            )
        if not 0 <= self.hessian_damping <= 1:
            raise ValueError(
                "GPTQConfig: hessian_damping must be between 0 and 1. Received: "
                f"hessian_damping={self.hessian_damping}"
            )


@record(
    "keras.quantizers",
    arguments="dataset, tokenizer, weight_bits, num_samples, sequence_length, group_size, "
    "num_grid_points, apply_clip, quantization_layer_structure",
    keyword_only="weight_bits, num_samples, sequence_length, group_size, num_grid_points, "
    "apply_clip, quantization_layer_structure",
)
class AWQConfig(CalibratedConfig):
    """AWQ: weights scaled by how large their activations are before they are rounded (Lin et al.
    2023, arXiv:2306.00978).

    Args:
        weight_bits: 4.
        dataset, tokenizer, num_samples, sequence_length, group_size, quantization_layer_structure:
            as for `GPTQConfig`.
        num_grid_points: scales that are tried.
        apply_clip: cut the largest weights of each group where that makes the outputs of samples
            better; in Keras 3.16 by default.
    Raises:
        ValueError: other bits, or sizes that are not positive.

    >>> AWQConfig(None, None).mode
    'awq'
    """

    num_grid_points: int = 20
    apply_clip: bool | None = None
    mode = "awq"
    allowed_bits = (4,)
    calibration_batch_size = 1  # samples at once
    new_in_316 = ("apply_clip",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.apply_clip is None:
            self.apply_clip = is_316()
        if self.num_grid_points <= 0:
            raise ValueError(
                "AWQConfig: num_grid_points must be a positive integer. Received: "
                f"num_grid_points={self.num_grid_points}"
            )


WITHOUT_DATA = {
    "int8": Int8QuantizationConfig,
    "int4": Int4QuantizationConfig,
    "float8": Float8QuantizationConfig,
    "ternary": TernaryQuantizationConfig,
}


def resolve(mode: str | None, config: Any) -> QuantizationConfig:
    """The configuration that `quantize(mode, config)` means.

    Raises:
        ValueError: neither is given, the mode is unknown, or the two contradict each other.

    >>> resolve("int4", None).block_size
    128
    """
    if isinstance(config, str):
        mode = config
        config = None
    if mode is not None:
        check_mode(mode)
    if config is None:
        config = _default_config(mode)
    if not isinstance(config, QuantizationConfig):
        raise ValueError(
            "Argument `config` must be an instance of `QuantizationConfig`. "
            f"Received: config={config} (of type {type(config)})"
        )
    if mode is not None and config.mode != mode:
        raise ValueError(f"Contradictory arguments: mode='{mode}' but config.mode='{config.mode}'")
    if config.mode not in WITHOUT_DATA and not isinstance(config, CalibratedConfig):
        raise ValueError(
            f"Mode '{config.mode}' requires a valid `config` argument of type "
            f"`{config.mode.upper()}Config`. Received: {type(config)}"
        )
    return config


def _default_config(mode: str | None) -> QuantizationConfig:
    if mode is None:
        raise ValueError("quantize: expected a `mode`, or a `config` that has one.")
    if mode not in WITHOUT_DATA:
        raise ValueError(
            f"For {mode.upper()}, you must pass a `{mode.upper()}Config` object in the "
            "`config` argument."
        )
    return WITHOUT_DATA[mode]()
