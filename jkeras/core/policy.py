"""Dtype policies: in what type a layer computes and in what type its weights are kept."""

import operator

import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import DtypeError, suggestion
from jkeras.core.registry import public
from jkeras.core.settings import settings

ALLOWED_DTYPES = (
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "int4",
    "uint4",
    "float8_e4m3fn",
    "float8_e5m2",
)
MIXED = ("mixed_float16", "mixed_bfloat16")
QUANTIZATION_MODES = ("int8", "float8", "int4", "gptq", "awq")
PYTHON_DTYPES = {bool: "bool", int: "int32", float: "float32", complex: "complex64", str: "string"}


def standardize_dtype(dtype):
    """The name of a dtype given as a name, a numpy or JAX dtype, or a Python type; floatx for None.

    >>> standardize_dtype(None), standardize_dtype(int), standardize_dtype(np.float16)
    ('float32', 'int32', 'float16')
    """
    if dtype is None:
        return settings.floatx
    if isinstance(dtype, str):
        name = {"float": "float32", "int": "int32"}.get(dtype, dtype)
    elif dtype in PYTHON_DTYPES:
        name = PYTHON_DTYPES[dtype]
        name = settings.floatx if name == "float32" else name
    else:
        name = getattr(dtype, "name", None) or _numpy_name(dtype)
    if name not in ALLOWED_DTYPES and name != "string":
        raise DtypeError(f"Invalid dtype: {dtype}.{suggestion(name, ALLOWED_DTYPES)}")
    return name


def _numpy_name(dtype):
    try:
        return np.dtype(dtype).name
    except TypeError:
        if str(dtype).startswith("torch."):
            return str(dtype).removeprefix("torch.")
        raise DtypeError(f"Invalid dtype: {dtype}") from None


def is_float(dtype):
    """Whether a dtype is a float type (half precision and float8 too).

    >>> is_float("bfloat16"), is_float("int32")
    (True, False)
    """
    return dtype is not None and jnp.issubdtype(
        np.dtype(dtype) if not isinstance(dtype, str) else jnp.dtype(dtype), jnp.floating
    )


@public(
    "keras.DTypePolicy",
    "keras.dtype_policies.DTypePolicy",
    "keras.mixed_precision.DTypePolicy",
    "keras.mixed_precision.Policy",
)
class DTypePolicy:
    """In what type a layer computes (`compute_dtype`) and keeps its weights (`variable_dtype`).

    Args:
        name: a float type, or "mixed_float16" / "mixed_bfloat16", which compute in half precision
            on float32 weights.

    >>> DTypePolicy("mixed_bfloat16").compute_dtype
    'bfloat16'
    """

    def __init__(self, name=None, *, source_name=None):
        name = settings.floatx if name is None else name
        if not isinstance(name, str):
            raise TypeError(
                f"'name' must be a string, such as 'mixed_float16'. Received: name={name} "
                f"(of type {type(name)})"
            )
        self._name, self._source_name = name, source_name
        self._compute_dtype, self._variable_dtype = self._parse(name)

    @staticmethod
    def _parse(name):
        if name in MIXED:
            return name.removeprefix("mixed_"), "float32"
        try:
            dtype = standardize_dtype(name)
        except ValueError:
            raise ValueError(
                f"Cannot convert '{name}' to a mixed precision DTypePolicy. Valid policies include "
                "'mixed_float16', 'mixed_bfloat16', and the name of any dtype, such as 'float32'."
                f"{suggestion(name, (*MIXED, *ALLOWED_DTYPES))}"
            ) from None
        return dtype, dtype

    name = property(operator.attrgetter("_name"), doc="The policy's name.")
    compute_dtype = property(
        operator.attrgetter("_compute_dtype"), doc="The type in which a layer computes."
    )
    variable_dtype = property(
        operator.attrgetter("_variable_dtype"), doc="The type in which weights are kept."
    )
    quantization_mode = None  # of a quantized policy: how
    varies = False  # whether `of` gives layers different ones

    def of(self, layer):
        """The policy of a layer that was given this one: itself, but for a `DTypePolicyMap`."""
        return self

    def changed(self, path, new):
        """What a layer at a path that had this policy has when it is given another one."""
        return new

    def convert_input(self, x, autocast, dtype):
        """An input as an array; a float one in `dtype` where `autocast` is on."""
        from jkeras.core.graph import KerasTensor, is_tensor

        if isinstance(x, KerasTensor):
            if autocast and is_float(x.dtype) and x.dtype != dtype:
                return KerasTensor(x.shape, dtype, name=x.name)
            return x
        if is_tensor(x) or isinstance(x, (np.ndarray, np.generic)):
            x = jnp.asarray(x)
            return x.astype(dtype) if autocast and is_float(x.dtype) and x.dtype != dtype else x
        return x

    def get_config(self):
        """The constructor's arguments."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        """The policy of a config."""
        return cls(**config)

    def __eq__(self, other):
        return type(self) is type(other) and self.name == other.name

    def __hash__(self):
        return hash((type(self), self.name))

    def __repr__(self):
        return f'<DTypePolicy "{self.name}">'


@public("keras.dtype_policies.FloatDTypePolicy")
class FloatDTypePolicy(DTypePolicy):
    """A `DTypePolicy` under its older name.

    >>> FloatDTypePolicy("mixed_bfloat16").compute_dtype
    'bfloat16'
    """


def dtype_policy():
    """The policy of layers that are given no `dtype`.

    >>> dtype_policy().name
    'float32'
    """
    return settings.dtype_policy or DTypePolicy(settings.floatx)


def set_dtype_policy(policy):
    """Sets the default policy, by name or as a `DTypePolicy`.

    >>> set_dtype_policy("mixed_bfloat16")
    >>> dtype_policy().variable_dtype
    'float32'
    >>> set_dtype_policy("float32")
    """
    if policy is None:
        raise ValueError(
            "`policy` must be the name of a policy, such as 'mixed_float16', or a `DTypePolicy`. "
            "Received: policy=None"
        )
    settings.dtype_policy = get(policy) if not isinstance(policy, DTypePolicy) else policy


def get(identifier):
    """The policy that a name, dtype, config or policy stands for; the default one for None.

    >>> get("mixed_float16").compute_dtype
    'float16'
    """
    from jkeras.core import registry

    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return registry.deserialize(identifier)
    if isinstance(identifier, str):
        if identifier.startswith(QUANTIZATION_MODES) and identifier not in ALLOWED_DTYPES:
            from jkeras.core.quantized_policy import of_name

            return of_name(identifier)
        return DTypePolicy(identifier)
    try:
        return DTypePolicy(standardize_dtype(identifier))
    except ValueError:
        raise ValueError(
            "Cannot interpret `dtype` argument. Expected a string or an instance of DTypePolicy. "
            f"Received: dtype={identifier}"
        ) from None
