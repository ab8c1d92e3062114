"""Dtype policies of quantized layers, and one policy for each layer by its path."""

import collections.abc
import re

from jkeras.core.weights import policy
from jkeras.core.names import registry
from jkeras.core.names.patterns import check_patterns, fitting
from jkeras.core.weights.policy import DTypePolicy, of_modes
from jkeras.core.names.registry import public


@of_modes("int8", "int4")
@public("keras.dtype_policies.QuantizedDTypePolicy")
class QuantizedDTypePolicy(DTypePolicy):
    """Weights in few bits; everything else as in the policy `source_name`.

    Args:
        mode: "int8", "int4", "float8", "gptq", "awq" or "ternary".
        source_name: name of a policy; by default the one that new layers get.

    Raises:
        ValueError: another mode, or "int8" together with computing in float16.

    >>> QuantizedDTypePolicy("int8", "mixed_bfloat16").name
    'int8_from_mixed_bfloat16'
    """

    def __init__(self, mode, source_name=None):
        source_name = policy.dtype_policy().name if source_name is None else source_name
        self._compute_dtype, self._variable_dtype = self._parse(source_name)
        policy.check_mode(mode)
        if (mode, self._compute_dtype) == ("int8", "float16"):
            raise ValueError(
                f"Quantization mode='{mode}' doesn't work well with compute_dtype='float16'. Take "
                "a policy that computes in float32 or bfloat16."
            )
        self._name, self._source_name, self._mode = f"{mode}_from_{source_name}", source_name, mode
        self.is_mixed = self._compute_dtype != self._variable_dtype

    quantization_mode = property(lambda self: self._mode, doc="How the weights are stored.")

    def get_config(self):
        """The constructor's arguments."""
        return {
            "mode": self._name.removesuffix(f"_from_{self._source_name}"),
            "source_name": self._source_name,
        }

    def __repr__(self):
        return f'<{type(self).__name__} "{self.name}">'


@of_modes("float8")
@public("keras.dtype_policies.QuantizedFloat8DTypePolicy")
class QuantizedFloat8DTypePolicy(QuantizedDTypePolicy):
    """Products of 8-bit floats.

    Args:
        mode, source_name: as for `QuantizedDTypePolicy`.
        amax_history_length: how many steps the largest magnitude is remembered, from which scales
            follow.
    Raises:
        TypeError: a length that is no integer.

    >>> QuantizedFloat8DTypePolicy("float8", "float32").amax_history_length
    1024
    """

    default_amax_history_length = 1024

    def __init__(self, mode, source_name=None, amax_history_length=1024):
        super().__init__(mode, source_name)
        if not isinstance(amax_history_length, int):
            raise TypeError(
                "`amax_history_length` must be an integer. Received: "
                f"amax_history_length={amax_history_length}"
            )
        self.amax_history_length = amax_history_length

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "amax_history_length": self.amax_history_length}

    def __eq__(self, other):
        return super().__eq__(other) and self.amax_history_length == other.amax_history_length

    __hash__ = DTypePolicy.__hash__


class _NumberedPolicy(QuantizedDTypePolicy):
    """Base of policies whose mode carries numbers, as in "gptq/4/128"; the last is the size of a
    group of weights.
    """

    _none_is_all = False  # whether files have "None" for one group

    def __init__(self, mode, source_name=None):
        kind, *names = self._form
        numbers = self._numbers(mode)
        if numbers[-1] < -1 or numbers[-1] == 0:
            raise ValueError(
                f"Invalid {names[-1]} in mode. Supported values are -1 (one group) or a positive "
                f"integer, but got {numbers[-1]} from '{mode}'."
            )
        if len(numbers) == 2 and numbers[0] not in self._bits:
            raise ValueError(
                f"Invalid weight_bits in mode. {kind.upper()} only supports "
                f"{', '.join(map(str, self._bits))}-bit weights, but got {numbers[0]} from "
                f"'{mode}'."
            )
        super().__init__(kind, source_name)
        for name, number in zip(names, numbers):
            setattr(self, name, number)
        self.mode = kind
        self._name = f"{'/'.join([kind, *map(str, numbers)])}_from_{self._source_name}"

    def _numbers(self, mode):
        """The numbers that a mode carries.

        Raises:
            ValueError: it is not of the form of this class.
        """
        kind, *names = self._form
        parts = mode.split("/")
        numbers = [int(p) for p in parts[1:] if re.fullmatch(r"-?\d+", p)]
        if parts[1:] == ["None"] and self._none_is_all:
            numbers = [-1]
        if parts[0] != kind or not len(numbers) == len(parts) - 1 == len(names):
            pattern = f"'{'/'.join([kind, *(f'<{n}>' for n in names)])}'"
            raise ValueError(
                f"Invalid mode for {type(self).__name__}. Expected format {pattern} with integers, "
                f"but got '{mode}'."
            )
        return numbers


@of_modes("int4/")
@public("keras.dtype_policies.Int4DTypePolicy")
class Int4DTypePolicy(_NumberedPolicy):
    """Weights of 4 bits, with a scale for each block of them.

    Args:
        mode: "int4/128": 128 inputs share a scale; "int4/-1", or "int4/None": all inputs do.
        source_name: as for `QuantizedDTypePolicy`.
    Raises:
        ValueError: a mode of another form.

    >>> Int4DTypePolicy("int4/128", "float32").block_size
    128
    """

    _form, _none_is_all = ("int4", "block_size"), True


@of_modes("ternary")
@public("keras.dtype_policies.TernaryDTypePolicy")
class TernaryDTypePolicy(QuantizedDTypePolicy):
    """Weights that are -1, 0 or 1 times a number. Of Keras 3.16.

    Args:
        mode: "ternary".
        source_name: as for `QuantizedDTypePolicy`.

    >>> TernaryDTypePolicy("ternary", "float32").name
    'ternary_from_float32'
    """


@of_modes("gptq")
@public("keras.dtype_policies.GPTQDTypePolicy")
class GPTQDTypePolicy(_NumberedPolicy):
    """Weights of few bits by GPTQ.

    Args:
        mode: "gptq/4/128": bits (2, 3, 4 or 8), weights in a group (-1: all).
        source_name: as for `QuantizedDTypePolicy`.
    Raises:
        ValueError: a mode of another form.

    >>> GPTQDTypePolicy("gptq/4/128", "float32").weight_bits
    4
    """

    _form, _bits = ("gptq", "weight_bits", "group_size"), (2, 3, 4, 8)


@of_modes("awq")
@public("keras.dtype_policies.AWQDTypePolicy")
class AWQDTypePolicy(_NumberedPolicy):
    """Weights of 4 bits by AWQ.

    Args:
        mode: "awq/4/128": bits (4), weights in a group (-1: all).
        source_name: as for `QuantizedDTypePolicy`.
    Raises:
        ValueError: a mode of another form.

    >>> AWQDTypePolicy("awq/4/128", "float32").group_size
    128
    """

    _form, _bits = ("awq", "weight_bits", "group_size"), (4,)


@public("keras.dtype_policies.DTypePolicyMap")
class DTypePolicyMap(DTypePolicy, collections.abc.MutableMapping):
    """Policies by the paths of layers; a key is a path, or a regular expression for whole paths.

    Args:
        default_policy: of the other layers; by default the one that new layers get.
        policy_map: dict from keys to policies.
    Raises:
        ValueError: a `default_policy` that is a map or no policy; when a policy is looked up,
            several expressions that fit the path.
        TypeError: `policy_map` is no dict.

    >>> policies = DTypePolicyMap("float32", {"encoder/.*": DTypePolicy("bfloat16")})
    >>> policies["encoder/dense"].name, policies["decoder"].name
    ('bfloat16', 'float32')
    """

    is_by_path = True

    def __init__(self, default_policy=None, policy_map=None):
        if isinstance(default_policy, DTypePolicyMap):
            raise ValueError("`default_policy` cannot be a `DTypePolicyMap`.")
        if policy_map is not None and not isinstance(policy_map, dict):
            raise TypeError(
                f"If specified, `policy_map` must be a dict. Received: policy_map={policy_map} of "
                f"type {type(policy_map)}"
            )
        self._default = policy.get(default_policy)
        self._default_argument = default_policy
        self._policies = policy_map or {}

    default_policy = property(
        lambda self: self._default, doc="The policy of layers that no key fits."
    )
    name = property(
        lambda self: f"map_{self._default.name}", doc="The default policy's name after `map_`."
    )
    compute_dtype = property(lambda self: self._default.compute_dtype, doc="The default policy's.")
    variable_dtype = property(
        lambda self: self._default.variable_dtype, doc="The default policy's."
    )
    quantization_mode = property(
        lambda self: self._default.quantization_mode, doc="The default policy's."
    )

    def of(self, layer):
        """The policy of a layer, by its path."""
        return self[layer.path]

    def changed(self, path, new):
        """This map, where the layer at a path now has another policy."""
        self._policies[path] = new
        return self

    def __getitem__(self, key):
        if key in self._policies:
            return self._policies[key]
        matching = fitting(self._policies, key)
        if len(matching) > 1:
            raise ValueError(
                f"Path '{key}' matches multiple dtype policy specification keys: {matching}. "
                "Write them so that one of them fits each path."
            )
        return self._policies[matching[0]] if matching else self._default

    def __setitem__(self, key, value):
        if key in self._policies:
            raise ValueError(
                f"{key} already exist in the DTypePolicyMap with value {self._policies[key]}. "
                "Delete it before you set another."
            )
        try:
            self._policies[key] = policy.get(value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Cannot interpret the assigned value as a policy. Received: {value} of type "
                f"{type(value)}"
            ) from error

    def __delitem__(self, key):
        del self._policies[key]

    def __contains__(self, key):
        return key in self._policies

    def __len__(self):
        return len(self._policies)

    def __iter__(self):
        return iter(self._policies)

    def get_config(self):
        """The constructor's arguments. Without a default policy the others are written without
        their sources too.
        """
        written = registry.serialize(self._policies)
        if self._default_argument is None:
            for config in (w["config"] for w in written.values() if isinstance(w, dict)):
                config["source_name" if "mode" in config else "name"] = None
        return {"default_policy": registry.serialize(self._default_argument), "policy_map": written}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The map of a config."""
        check_patterns(config["policy_map"] or (), cls.__name__)
        return cls(
            registry.deserialize(config["default_policy"], custom_objects)
            if isinstance(config["default_policy"], dict)
            else config["default_policy"],
            registry.deserialize(config["policy_map"], custom_objects),
        )

    def __eq__(self, other):
        if type(self) is not type(other) or self._default != other.default_policy:
            return False
        return self._policies == dict(other)

    __hash__ = object.__hash__

    def __repr__(self):
        mapping = [(key, value.name) for key, value in self._policies.items()]
        return f"<DTypePolicyMap default_policy={self._default.name}, mapping={mapping}>"
