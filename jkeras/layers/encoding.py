"""Numbers as categories: CategoryEncoding, Discretization, Hashing, HashedCrossing."""

import functools
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.graph.host_numbers import refuse_masked
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.errors import explain, violated
from jkeras.core.layer import layer
from jkeras.core.record import Any
from jkeras.core.session.keras_version import is_316
from jkeras.core.session.settings import floatx
from jkeras.layers.adapting import shown
from jkeras.layers.base import DataLayer, refuse_others
from jkeras.layers.host import HostLayer, check_output_mode, encoded, encoded_shape, texts
from jkeras.ops.fingerprint import farmhash64, fingerprint_cat, siphash64
from jkeras.core.weights.types import OutputMode, Structure
from jkeras.core.run.context import Context

CROSS_KEY = 0xDECAFCAFFE  # TensorFlow's start of the hash of a cross


@layer("keras.layers", arguments="num_tokens, output_mode, sparse")
class CategoryEncoding(DataLayer, computes_in_float=False, takes_ids=True):
    """Whole numbers below `num_tokens` as rows of zeros and ones, or of counts.

    Args:
        num_tokens: size of a row; the numbers are below it.
        output_mode: "one_hot": a row for each number, (..., 1) -> (..., num_tokens) or (...) ->
            (..., num_tokens); "multi_hot", "count": a row for each sample, (batch, n) -> (batch,
            num_tokens).
        sparse: whether rows come as JAX's BCOO arrays.
    Raises:
        ValueError: `count_weights` without "count", or `num_tokens` below 1.

    >>> CategoryEncoding(4)(np.array([[0, 1], [3, 3]])).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """

    num_tokens: int | None = None
    output_mode: OutputMode = "multi_hot"
    sparse: bool = False

    def __post_init__(self) -> None:
        if self.output_mode == "binary":
            self.output_mode = "multi_hot"
        check_output_mode(
            self, ("count", "one_hot", "multi_hot"), "Unknown arg for output_mode", sparse=True
        )
        unknown = "use IntegerLookup if it is not known beforehand"
        for wrong, rule in (
            (self.num_tokens is None, "num_tokens must be set to use this layer"),
            (self.num_tokens is not None and self.num_tokens < 1, "`num_tokens` must be >= 1"),
        ):
            if wrong:
                received = f"num_tokens={self.num_tokens}"
                raise ValueError(violated(self._where, rule, received, unknown))

    def forward(
        self,
        w: Mapping[str, Any],
        inputs: jax.Array,
        count_weights: Any = None,
        *,
        ctx: Context | None = None,
    ) -> jax.Array:
        if count_weights is not None:
            if self.output_mode != "count":
                raise ValueError(
                    violated(
                        self._where,
                        "`count_weights` is not used when `output_mode` is not 'count'",
                        f"output_mode={self.output_mode!r}",
                    )
                )
            count_weights = jnp.asarray(count_weights, self.compute_dtype)
        indices = jnp.asarray(inputs)  # they may come as floats; 1.5 is no token then, as in Keras
        if self.output_mode != "multi_hot":
            indices = jnp.where(indices == indices.astype("int32"), indices, -1)
        return encoded(
            indices.astype("int32"),
            self.output_mode,
            self.num_tokens,
            self.compute_dtype,
            count_weights,
            sparse=self.sparse,
        )

    def compute_output_spec(
        self, inputs: Any, count_weights: Any = None, **kwargs: Any
    ) -> Structure:
        return KerasTensor(
            encoded_shape(inputs.shape, self.output_mode, self.num_tokens),
            self.compute_dtype,
            sparse=self.sparse,
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if not self.sparse and not is_316():  # Keras 3.15 writes it never
            del config["sparse"]
        return config


# ---------------------------------------------------------------- bins of numbers


@layer(
    "keras.layers", arguments="bin_boundaries, num_bins, epsilon, output_mode, sparse, dtype, name"
)
class Discretization(DataLayer, computes_in_float=False, takes_floats=True):
    """Numbers as the numbers of the bins they fall in.

    Args:
        bin_boundaries: sorted; a boundary belongs to the bin above it.
        num_bins: of bins with about the same number of values each, learnt by `adapt`.
        epsilon: the error in the ranks that `adapt` may make.
        output_mode: "int", "one_hot", "multi_hot" or "count"; see `CategoryEncoding`.
        sparse: whether rows come as JAX's BCOO arrays.
    Raises:
        ValueError: not one of `num_bins` and `bin_boundaries`, boundaries that are not sorted, or a
            call before there are bins.

    >>> Discretization([0.0, 1.0])(np.array([-1.0, 0.0, 3.0])).tolist()
    [0, 1, 2]
    """

    bin_boundaries: Any = None
    num_bins: int | None = None
    epsilon: float = 0.01
    output_mode: OutputMode = "int"
    sparse: bool = False
    # the dtype is that of the output; the inputs meet the boundaries as they are

    def _base_init(self, **kwargs: Any) -> None:
        refuse_others(type(self), kwargs, ("name", "dtype"))
        super()._base_init(**kwargs)

    def __post_init__(self) -> None:
        check_output_mode(self, sparse=True)
        received = f"num_bins={self.num_bins} and bin_boundaries={self.bin_boundaries}"
        if self.num_bins is not None and self.bin_boundaries is not None:
            raise ValueError(
                violated(
                    self._where,
                    "Both `num_bins` and `bin_boundaries` are set, which say the same",
                    received,
                    "leave out `num_bins`",
                )
            )
        if self.num_bins is None and self.bin_boundaries is None:
            raise ValueError(
                explain(self._where, "one of `num_bins` and `bin_boundaries`", received)
            )
        if self.num_bins is not None and self.num_bins < 0:
            raise ValueError(
                explain(self._where, "`num_bins` of 0 or more", f"num_bins={self.num_bins}")
            )
        if self.bin_boundaries is not None and not _is_sorted(self.bin_boundaries):
            raise ValueError(explain(self._where, "`bin_boundaries` that are sorted", received))
        # values, and how many each is for
        self.summary = None
        if not self.bin_boundaries:
            self.summary = np.zeros((2, 0), "float32")

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        if self.bin_boundaries is None:
            raise ValueError(
                f"{self._where}: there are no bins yet. You need to pass `bin_boundaries` or to "
                "call `adapt(data)` before the layer is called."
            )
        bins = jnp.digitize(jnp.asarray(inputs), jnp.asarray(self.bin_boundaries, "float32"))
        return encoded(bins, self.output_mode, self._depth, self.output_dtype, sparse=self.sparse)

    @property
    def input_dtype(self) -> Any:
        """The dtype of the values, whatever that of the layer is."""
        return floatx()

    @property
    def output_dtype(self) -> str:
        """The dtype of what comes out."""
        if self.output_mode == "int":
            return "int32"
        return self.compute_dtype

    @property
    def _depth(self) -> int:
        """The length of a row."""
        if self.bin_boundaries is None:
            return self.num_bins
        return len(self.bin_boundaries) + 1

    def compute_output_shape(self, input_shape: Any) -> Any:
        if len(input_shape) == 0 and self.output_mode != "int":
            return (self._depth,)  # what Keras says, although a row comes with a batch axis
        return super().compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any) -> Structure:
        return KerasTensor(
            encoded_shape(inputs.shape, self.output_mode, self._depth),
            self.output_dtype,
            sparse=self.sparse,
        )

    def get_config(self) -> dict[str, Any]:
        return {**self.field_config(), "name": self.name, "dtype": self.variable_dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        boundaries = config.get("bin_boundaries")
        if boundaries is None or config.get("num_bins") is None:
            return cls(**config)
        made = cls(**{**config, "bin_boundaries": None})  # was adapted
        made.bin_boundaries = boundaries
        return made

    # ------------------------------------------------------------ learning the bins

    def adapt(self, data: Any, steps: Any = None) -> None:
        """Sets the boundaries so that the values of `data` fall into the bins evenly.

        Args:
            data: an array, or an iterable of batches.
            steps: number of batches to look at.
        """
        if self.num_bins is None:
            raise ValueError(
                explain(
                    self._where, "a layer made with `num_bins`", "one made with `bin_boundaries`"
                )
            )
        if not hasattr(data, "__iter__"):
            received = f"{data!r} (of type {type(data).__name__})"
            raise TypeError(
                explain(f"{self._where}: `adapt`", "an array or an iterable of batches", received)
            )
        self.reset_state()
        if hasattr(data, "shape"):
            self.update_state(data)
        else:
            for batch in shown(_first(data, steps), data, steps):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Takes another batch into account."""
        refuse_masked(data, "data")
        values = np.sort(np.asarray(data, "float32").ravel())
        if np.isnan(values).any():
            raise ValueError(
                explain(
                    f"{self._where}: `adapt`",
                    "numbers, which have an order",
                    f"NaN in {np.isnan(values).sum()} of {values.size} places",
                    "fill them in, or leave them out",
                )
            )
        step = max(values.size * self.epsilon, 1)
        picks = values[int(step - 1) :: int(step)]
        both = np.concatenate([np.stack([picks, np.full_like(picks, step)]), self.summary], axis=1)
        self.summary = _compressed(both[:, np.argsort(both[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Makes the boundaries from what was seen."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def reset_state(self) -> None:
        """Forgets what was seen."""
        if self.num_bins is not None:
            self.summary = np.zeros((2, 0), "float32")

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Nothing: the boundaries are in the config."""

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Takes the summary from files of older versions of Keras."""
        if len(store) == 1:
            self.summary = np.asarray(store["0"])


def _is_sorted(boundaries: list[Any]) -> bool:
    """Whether none is below the one before it, or NaN."""
    return all(a <= b for a, b in zip(boundaries, boundaries[1:]))


def _first(batches, count: int) -> Iterator[Any]:
    for i, batch in enumerate(batches):
        if i == count:
            return
        if isinstance(batch, tuple):
            batch = batch[0]
        yield batch


def _compressed(summary, epsilon: float) -> Any:
    """About 1 / epsilon values that stand for all: their ranks are evenly spaced, interpolated
    between those known.
    """
    if summary.shape[1] * epsilon < 1:
        return summary
    values, weights = summary
    targets = epsilon + np.arange(0.0, 1.0, epsilon)
    ranks = weights.cumsum()
    shares = ranks / ranks[-1]
    new_ranks = np.interp(targets, shares, ranks)
    return np.stack([np.interp(targets, shares, values), np.diff(new_ranks, prepend=0)]).astype(
        "float32"
    )


# ---------------------------------------------------------------- hashes


def as_salt(salt: Any, where: str) -> Any:
    """A salt as a list of two integers, or None."""
    if salt is None:
        return None
    if isinstance(salt, int):
        return [salt, salt]
    if isinstance(salt, (list, tuple)) and len(salt) == 2:
        return list(salt)
    raise ValueError(explain(where, "`salt` to be an integer or two of them", f"salt={salt!r}"))


def hashed(values: Any, bins: int, salt: Any = None, encoding: str = "utf-8") -> np.ndarray:
    """Texts or whole numbers as numbers below `bins`, by FarmHash64, with a salt by SipHash.

    >>> hashed(np.array(["A", "B", "C"]), 3).tolist()
    [1, 0, 1]
    """
    array = np.asarray(values)
    if array.dtype.kind in "fb":  # TensorFlow writes truth values in small letters
        if array.dtype.kind == "f":
            array = array.astype("int64")
        else:
            array = np.where(array, "true", "false")
    function = farmhash64
    if salt is not None:
        function = functools.partial(siphash64, key=salt)
    unique, inverse = np.unique(texts(array, encoding), return_inverse=True)
    indices = np.array([function(text.encode(encoding)) % bins for text in unique], "int64")
    return indices[inverse].reshape(array.shape)


class HashLayer(HostLayer):
    """Base of layers whose numbers of bins are int64 unless they have a dtype."""

    num_bins: int
    output_mode: OutputMode = "int"
    sparse: bool = False

    def _base_init(self, dtype: Any = None, **kwargs: Any) -> None:
        super()._base_init(dtype=dtype, **kwargs)
        self._own_dtype = dtype is not None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_bins is None or self.num_bins <= 0:
            raise ValueError(
                violated(
                    self._where,
                    f"The `num_bins` for `{type(self).__name__}` cannot be `None` or non-positive "
                    "values",
                    f"num_bins={self.num_bins}",
                )
            )
        if not self._own_dtype and self.output_mode == "int":
            self.dtype_policy = "int64"

    def rows(self, indices: Any) -> jax.Array:
        # int64 is int32 unless 64-bit types are on
        dtype = jax.dtypes.canonicalize_dtype(self.compute_dtype)
        return encoded(indices, self.output_mode, self.num_bins, dtype)


@layer("keras.layers")
class Hashing(HashLayer):
    """Texts or whole numbers as the numbers of bins, by a hash that is the same on every machine.

    Args:
        num_bins: of bins, that of `mask_value` included.
        mask_value: the value that gets bin 0, alone.
        salt: an integer or two: hash with SipHash under this key, instead of with FarmHash64.
        output_mode: "int", "one_hot", "multi_hot" or "count"; see `CategoryEncoding`.
        sparse: only False.
    Raises:
        ValueError: `num_bins` that is not positive, or a `dtype` that is no integer's with "int".

    >>> Hashing(3)([["A"], ["B"], ["E"]]).tolist()
    [[1], [0], [2]]
    """

    num_bins: int
    mask_value: Any = None
    salt: Any = None
    output_mode: OutputMode = "int"
    sparse: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_output_mode(
            self, rule="Invalid value for argument `output_mode`. Expected one of the known ones"
        )
        if self.output_mode == "int" and self.compute_dtype not in ("int32", "int64"):
            raise ValueError(
                violated(
                    self._where,
                    'When `output_mode="int"`, `dtype` should be an integer type, "int32" or '
                    '"int64"',
                    f"dtype={self.compute_dtype!r}",
                )
            )
        self.salt = as_salt(self.salt, self._where)

    def indices(self, inputs: Any) -> np.ndarray:
        array = np.asarray(inputs)
        if self.mask_value is None or self.num_bins == 1:
            return hashed(array, self.num_bins, self.salt)
        if array.dtype.kind in "OSU":
            masked = texts(array) == str(self.mask_value)
        else:
            masked = array == self.mask_value
        return np.where(masked, 0, hashed(array, self.num_bins - 1, self.salt) + 1)

    def compute_output_spec(self, inputs: Any) -> Structure:
        return KerasTensor(
            encoded_shape(inputs.shape, self.output_mode, self.num_bins), self.compute_dtype
        )


@layer("keras.layers", arguments="num_bins, output_mode, sparse, name, dtype")
class HashedCrossing(HashLayer):
    """Two or more features together as the numbers of bins: a hash of their values, in order.

    Takes a list of arrays of texts or whole numbers of the shape (), (batch,) or (batch, 1).

    Args:
        num_bins: the number of bins.
        output_mode: "int" or "one_hot".
        sparse: only False.
    Raises:
        ValueError: `num_bins` that is not positive, or inputs that are no list.

    >>> HashedCrossing(5)((np.array(["A", "B"]), np.array([101, 101]))).tolist()
    [1, 4]
    """

    num_bins: int
    output_mode: OutputMode = "int"
    sparse: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_output_mode(self, ("int", "one_hot"))

    def indices(self, inputs: tuple[np.ndarray, ...]) -> np.ndarray:
        columns = self._columns(inputs)
        flat = zip(*(column.ravel().tolist() for column in columns))
        return np.array([self._bin(row) for row in flat]).reshape(columns[0].shape)

    def _bin(self, row: tuple[Any, ...]) -> int:
        result = CROSS_KEY
        for value in row:
            if isinstance(value, int):
                number = value % 2**64
            else:
                number = farmhash64(value.encode())
            result = fingerprint_cat(result, number)
        return result % self.num_bins

    def _columns(self, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(
                violated(self._where, "it should be called on a list or tuple of features", inputs)
            )
        columns = [np.asarray(v) for v in inputs]
        shapes = [c.shape for c in columns]
        dtypes = [str(c.dtype) for c in columns]
        for wrong, rule, received in (
            (
                len(columns) < 2,
                "it crosses two features or more, and takes at least two inputs",
                len(columns),
            ),
            (
                not all(map(_is_column, shapes)),
                "inputs should have shape `()`, `(batch,)` or `(batch, 1)`",
                shapes,
            ),
            (len(set(shapes)) > 1, "inputs should have equal shape", shapes),
            (
                any(c.dtype.kind not in "iuOSU" for c in columns),
                "inputs should have an integer or string dtype",
                dtypes,
            ),
        ):
            if wrong:
                raise ValueError(violated(self._where, rule, received))
        return list(map(_integers_or_texts, columns))

    def compute_output_spec(self, inputs: Any) -> Structure:
        return KerasTensor(
            encoded_shape(inputs[0].shape, self.output_mode, self.num_bins), self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {**self.field_config(), "name": self.name, "dtype": self.variable_dtype}


def _is_column(shape: tuple[int, ...]) -> bool:
    """Whether a feature has a value for each sample: (), (batch,) or (batch, 1)."""
    return len(shape) < 2 or shape[1:] == (1,)


def _integers_or_texts(column: np.ndarray) -> np.ndarray:
    """Whole numbers as they are, everything else as texts."""
    if column.dtype.kind in "iu":
        return column
    return texts(column)
