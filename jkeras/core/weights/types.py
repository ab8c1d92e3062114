"""The types of arguments and results that functions have in common: what a checker and a reader are
told. Nothing here does anything when it runs.

A function of arrays takes what is `TensorLike` and gives a `jax.Array`. An op also takes symbolic
tensors, of which it gives symbolic ones: the stubs that `tests/make_stubs.py` writes say both.
"""

import typing
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.weights.variable import Variable


class SupportsArray(typing.Protocol):
    """What numpy makes an array of: a tensor of another library, a table's column."""

    def __array__(self) -> typing.Any: ...


class SupportsDense(typing.Protocol):
    """A sparse array of JAX, whose module takes long to import."""

    def todense(self) -> typing.Any: ...


class SupportsDType(typing.Protocol):
    """What has a dtype, such as `jnp.float32`."""

    @property
    def dtype(self) -> np.dtype[typing.Any]: ...


class OwnWeight:
    """An attribute that shows one of a layer's weights, for a checker: such attributes come with
    `build`. Of a layer without that weight it is None.
    """

    if typing.TYPE_CHECKING:

        def __get__(self, layer: object, owner: typing.Any = None) -> Variable: ...

        def __set__(self, layer: object, value: typing.Any) -> None: ...


# ---------------------------------------------------------------- values

Number: typing.TypeAlias = bool | int | float | complex
Numbers: typing.TypeAlias = (
    Number | np.ndarray | np.generic | list[typing.Any] | tuple[typing.Any, ...]
)
Tensor: typing.TypeAlias = jax.Array | KerasTensor  # what flows through a model
# tensors of a graph that is being made: of these a layer gives such
Symbolic: typing.TypeAlias = (
    KerasTensor | list[KerasTensor] | tuple[KerasTensor, ...] | dict[str, KerasTensor]
)
# what becomes an array; of text there are no arrays
TensorLike: typing.TypeAlias = jax.Array | Variable | Numbers | SupportsArray | SupportsDense
Operand: typing.TypeAlias = TensorLike | KerasTensor  # where values and symbolic tensors may meet
# an array, or nested lists, tuples and dicts of arrays: what a checker cannot say better
Structure: typing.TypeAlias = typing.Any
Function: typing.TypeAlias = Callable[..., typing.Any]
Config: typing.TypeAlias = Mapping[str, typing.Any]

# ---------------------------------------------------------------- what describes them

DType: typing.TypeAlias = str | type[typing.Any] | np.dtype[typing.Any] | SupportsDType
DTypeName: typing.TypeAlias = str  # such as "float32": what `standardize_dtype` gives
Shape: typing.TypeAlias = Sequence[int]
PartialShape: typing.TypeAlias = Sequence[int | None]  # None: an unknown size
# the sizes of a symbolic tensor are int or None, and those of arrays int
Sizes: typing.TypeAlias = tuple[typing.Any, ...]
Axis: typing.TypeAlias = int | Sequence[int]  # one, or several
PerAxis: typing.TypeAlias = int | Sequence[int]  # one number, or one for each axis
Seed: typing.TypeAlias = (
    int | jax.Array | np.ndarray | np.integer[typing.Any] | SeedGenerator | None
)

# ---------------------------------------------------------------- closed sets of names

Aggregation: typing.TypeAlias = typing.Literal["none", "mean", "sum", "only_first_replica"]
DataFormat: typing.TypeAlias = typing.Literal["channels_last", "channels_first"]
Padding: typing.TypeAlias = typing.Literal["valid", "same", "VALID", "SAME"]
CausalPadding: typing.TypeAlias = Padding | typing.Literal["causal", "CAUSAL"]
Reduction: typing.TypeAlias = (
    typing.Literal["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"] | None
)
OutputMode: typing.TypeAlias = typing.Literal[
    "int", "one_hot", "multi_hot", "count", "tf_idf", "binary", "tf-idf"
]
Resampling: typing.TypeAlias = typing.Literal["nearest", "bilinear"]
Interpolation: typing.TypeAlias = typing.Literal[
    "nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"
]
FillMode: typing.TypeAlias = typing.Literal["constant", "nearest", "wrap", "mirror", "reflect"]
PadMode: typing.TypeAlias = typing.Literal[
    "constant",
    "edge",
    "reflect",
    "symmetric",
    "wrap",
    "linear_ramp",
    "maximum",
    "mean",
    "median",
    "minimum",
    "empty",
]
BoxFormat: typing.TypeAlias = typing.Literal[
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
]
