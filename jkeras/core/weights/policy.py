"""Dtype policies: in what type a layer computes and in what type its weights are stored."""

import operator
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from jkeras.core.say import shown
from jkeras.core.names.dtypes import ALLOWED_DTYPES, is_float, standardize_dtype
from jkeras.core.errors import suggestion
from jkeras.core.graph.keras_tensor import KerasTensor, is_tensor
from jkeras.core.names.registry import Thing, deserialize, get_registered_object, public
from jkeras.core.session.settings import settings

MIXED = ("mixed_float16", "mixed_bfloat16")
QUANTIZATION_MODES = ("int8", "float8", "int4", "gptq", "awq", "ternary")
# how files have most policies
KNOWN = (*MIXED, *ALLOWED_DTYPES)
PLAIN = {"module": "keras", "class_name": "DTypePolicy", "registered_name": None}
NEED_DATA = ("gptq", "awq")
QUANTIZED = {}  # the class of a policy by its mode; the classes of `quantized_policy` enter it


def check_mode(mode, modes=QUANTIZATION_MODES, error=ValueError):
    """Raises for a mode of quantization that there is not.

    >>> check_mode("int8")
    >>> check_mode("int7")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: Invalid quantization mode. Expected one of ('int8', ...
    """
    if mode not in modes:
        raise error(
            f"Invalid quantization mode. Expected one of {modes}. Received: mode={mode!r}."
            f"{suggestion(mode, modes)}"
        )


def of_modes(*modes):
    """Decorator: the policies whose names begin with one of the modes are of this class."""

    def enter(cls: Thing) -> Thing:
        QUANTIZED.update(dict.fromkeys(modes, cls))
        return cls

    return enter


@public(
    "keras.DTypePolicy",
    "keras.dtype_policies.DTypePolicy",
    "keras.mixed_precision.DTypePolicy",
    "keras.mixed_precision.Policy",
)
class DTypePolicy:
    """In what type a layer computes (`compute_dtype`) and keeps its weights (`variable_dtype`).

    Args:
        name: a dtype, or "mixed_float16" / "mixed_bfloat16", which compute in half precision on
            float32 weights; by default that of the policy that new layers get.
        source_name: without effect; Keras has it.
    Raises:
        TypeError: a name that is no string.
        ValueError: an unknown name.

    >>> DTypePolicy("mixed_bfloat16").compute_dtype
    'bfloat16'
    """

    _internal, __dir__ = shown.POLICY, shown.public_dir

    def __init__(self, name=None, *, source_name=None) -> None:
        name = dtype_policy().name if name is None else name
        self._name, self._source_name = name, source_name
        self._compute_dtype, self._variable_dtype = self._parse(name)
        if self._compute_dtype != "string":
            self.plain_dtype = jnp.dtype(self._compute_dtype)
            self.is_mixed = self._compute_dtype != self._variable_dtype

    @staticmethod
    def _parse(name):
        if not isinstance(name, str):
            raise TypeError(
                f"A policy's 'name' must be a string: 'mixed_float16', say. Received: {name} "
                f"(of type {type(name)})"
            )
        if name in MIXED:
            return name.removeprefix("mixed_"), "float32"
        try:
            dtype = standardize_dtype(name)
        except ValueError:
            raise ValueError(
                f"Cannot convert '{name}' to a policy. There are 'mixed_float16', "
                "'mixed_bfloat16', and one for each dtype, as "
                f"'float32'.{suggestion(name, (*MIXED, *ALLOWED_DTYPES))}"
            ) from None
        return dtype, dtype

    name = property(operator.attrgetter("_name"), doc="The policy's name.")
    compute_dtype = property(
        operator.attrgetter("_compute_dtype"), doc="The type in which a layer computes."
    )
    variable_dtype = property(
        operator.attrgetter("_variable_dtype"), doc="The type in which weights are stored."
    )
    quantization_mode = None  # of a quantized policy: how
    plain_dtype = None  # numpy's, in which a layer computes; None: it is more than such a type
    is_mixed = False  # whether weights are cast to it
    is_by_path = False  # whether it is another one for each layer

    def of(self, layer: Any) -> Self:
        """The policy of a layer that has this one: itself, but for a `DTypePolicyMap`."""
        return self

    def changed(self, path, new):
        """What a layer at a path that had this policy has when it gets another one."""
        return new

    def convert_input(self, x: Any, autocast: bool, dtype: str) -> Any:
        """An input as an array; a float one in `dtype` where `autocast` is on."""
        if isinstance(x, KerasTensor):
            if autocast and is_float(x.dtype) and x.dtype != dtype:
                return KerasTensor(x.shape, dtype, sparse=x.sparse, name=x.name)
            return x
        if is_tensor(x) or isinstance(x, (np.ndarray, np.generic)):
            x = jnp.asarray(x)
            return x.astype(dtype) if autocast and is_float(x.dtype) and x.dtype != dtype else x
        return x

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The policy of a config."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return _kind(self) is _kind(other) and self.name == other.name

    def __hash__(self) -> int:
        return hash((_kind(self), self.name))

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


@public("keras.dtype_policies.FloatDTypePolicy")
class FloatDTypePolicy(DTypePolicy):
    """A `DTypePolicy` under its older name.

    Args:
        name, source_name: as for `DTypePolicy`.

    >>> FloatDTypePolicy("mixed_bfloat16").compute_dtype
    'bfloat16'
    """


def _kind(policy):
    """The class of a policy; the same one for the older name of `DTypePolicy`."""
    return DTypePolicy if type(policy) is FloatDTypePolicy else type(policy)


def dtype_policy() -> DTypePolicy:
    """The policy of layers that have no `dtype`.

    >>> dtype_policy().name
    'float32'
    """
    return settings.dtype_policy or DTypePolicy(settings.floatx)


def set_dtype_policy(policy: Any) -> None:
    """Sets the default policy, by name or as a `DTypePolicy`.

    >>> set_dtype_policy("mixed_bfloat16")
    >>> dtype_policy().variable_dtype
    'float32'
    >>> set_dtype_policy("float32")
    """
    try:
        if policy is None:
            raise ValueError("None names no policy")
        settings.dtype_policy = get(policy)
    except ValueError as error:
        raise ValueError(
            "Invalid `policy` argument. It takes a `DTypePolicy` or the name of one: "
            f"'mixed_float16', say. Received: {policy} (of type "
            f"{type(policy)}){suggestion(policy, (*MIXED, *ALLOWED_DTYPES))}"
        ) from error


def check_needs_no_data(policy):
    """Raises ValueError for a policy of a built layer that only calibration on data leads to."""
    if policy.quantization_mode in NEED_DATA:
        mode = policy.quantization_mode
        raise ValueError(
            f"Implicitly enabling {mode.upper()} quantization by setting `dtype_policy` to "
            f"{policy.name!r} is not supported, since it needs data. Use "
            f"`model.quantize({mode!r}, config=...)`."
        )


def get(identifier: Any) -> Any:
    """The policy that a name, dtype, config or policy stands for; the default one for None.

    Args:
        identifier: name, such as "mixed_bfloat16" or "int8_from_float32"; dtype; config; policy;
            None.
    Returns:
        A `DTypePolicy`.
    Raises:
        ValueError: none of these.

    >>> get("mixed_float16").compute_dtype
    'float16'
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return _of_config(identifier)
    if isinstance(identifier, str):
        if identifier.startswith(QUANTIZATION_MODES):
            return quantized(identifier)
        return DTypePolicy(identifier)
    try:
        return DTypePolicy(standardize_dtype(identifier))
    except ValueError:
        raise ValueError(
            "Cannot interpret `dtype` argument. It takes the name of a dtype or policy, or a "
            f"DTypePolicy. Received: {identifier}"
        ) from None


def of_config(config: dict[str, Any]) -> "str | DTypePolicy":
    """What a layer takes for the config of a policy: a plain policy's name, since constructors of
    users may look for a text; else the policy.
    """
    name = config["config"].get("name") if isinstance(config.get("config"), dict) else None
    is_plain = name in KNOWN and config == PLAIN | {"config": {"name": name}}
    if is_plain and get_registered_object("DTypePolicy") is None:  # a user's own would be meant
        return name
    policy = deserialize(config)
    return policy.name if type(policy) is DTypePolicy else policy


def _of_config(config):
    made = deserialize(config)
    if not isinstance(made, DTypePolicy):
        raise ValueError(
            f"Expected the config of a dtype policy, a dict with 'class_name'. Received: {config}"
        )
    return made


def quantized(name):
    """The quantized policy of a name: "int8_from_float32", "int4/128_from_mixed_bfloat16".

    >>> quantized("int4/-1_from_float32").block_size
    -1
    """
    mode, separator, source = name.partition("_from_")
    if not separator:
        raise ValueError(
            "Cannot convert `policy` into a valid pair (`mode`, `source_name`): expected a name "
            f"such as 'int8_from_float32'. Received: policy={name}"
        )
    kind, slash, _ = mode.partition("/")
    if kind == "int4":
        kind += slash  # "int4/128" carries the size of a block, "int4" has one scale for all
    return QUANTIZED.get(kind, QUANTIZED["int8"])(mode, source)
