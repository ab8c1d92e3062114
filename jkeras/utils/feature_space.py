"""FeatureSpace: tables of floats, whole numbers and texts as vectors."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

import jax
import jax.numpy as jnp
import numpy as np

from jkeras import layers, tree
from jkeras.core.run import tensorflow_graph
from jkeras.core.errors import check_choice, explain, violated
from jkeras.core.graph.keras_tensor import KerasTensor, any_symbolic, is_symbolic
from jkeras.core.layer import Layer, layer
from jkeras.core.record import Any, Record, record
from jkeras.core.names.registry import public, serialize
from jkeras.core.session.settings import auto_name
from jkeras.layers.adapting import shown
from jkeras.layers.base import DataLayer, Value

if TYPE_CHECKING:
    from jkeras.core.run.context import Context

# where Keras's files look for the classes of this file
MODULE = "keras.src.layers.preprocessing.feature_space"
KINDS = (
    "float",
    "float_rescaled",
    "float_normalized",
    "float_discretized",
    "integer_categorical",
    "string_categorical",
    "integer_hashed",
    "string_hashed",
)

VALUES_IN_A_BATCH = 32
# What these learn does not depend on how values are cut into batches; bins do.
BATCHES_DO_NOT_MATTER = (
    layers.Normalization,
    layers.IntegerLookup,
    layers.StringLookup,
    layers.TextVectorization,
)


@record(MODULE)
class Cross(Record):
    """Features that are hashed together.

    Args:
        output_mode: "one_hot" or "int".
    """

    feature_names: Any
    crossing_dim: int
    output_mode: str = "one_hot"

    def __post_init__(self) -> None:
        check_choice("output_mode", self.output_mode, ("int", "one_hot"))
        self.feature_names = tuple(self.feature_names)

    name = property(
        lambda self: "_X_".join(self.feature_names), doc="The names of the features, joined."
    )


@record(MODULE)
class Feature(Record):
    """One column of a table.

    Args:
        dtype: of its values: "float32", "int32", "string".
        preprocessor: a layer.
        output_mode: "one_hot", "int" or "float".
    """

    dtype: str
    preprocessor: Value()
    output_mode: str

    def __post_init__(self) -> None:
        check_choice("output_mode", self.output_mode, ("int", "one_hot", "float"))


@layer(MODULE, name="TFDIdentity")
class Unchanged(DataLayer):
    """The input."""

    def forward(self, w: dict[str, Any], x: Any, ctx: "Context") -> Any:
        return jnp.asarray(x)


@public("keras.utils.FeatureSpace")
class FeatureSpace(Layer):
    """A dict of columns as one vector for each row, or as a dict of encoded columns.

    Args:
        features: dict from names to kinds of features: a name such as "float_normalized",
            "string_categorical" or "integer_hashed", or what the method of this name returns, such
            as `FeatureSpace.string_categorical(max_tokens=10)`.
        output_mode: "concat": one array, the columns in the order of their names, crosses last; or
            "dict".
        crosses: list of tuples of names, or of `FeatureSpace.cross(...)`: features that are hashed
            together.
        crossing_dim, hashing_dim, num_discretization_bins: sizes where only the name of a kind is
            given.
    Raises:
        ValueError: no features, an unknown `output_mode` or kind of feature, or data that is no
            dict.

    >>> data = {"x": [0.0, 1.0], "color": ["red", "blue"]}
    >>> space = FeatureSpace({"x": "float", "color": "string_categorical"})
    >>> space.adapt(data)
    >>> space(data).tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]]
    """

    def __init__(
        self,
        features: dict[str, Any],
        output_mode: str = "concat",
        crosses: Sequence[Any] | None = None,
        crossing_dim: int = 32,
        hashing_dim: int = 32,
        num_discretization_bins: int = 32,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if not features:
            raise ValueError(
                violated(self._where, "`features` cannot be None or empty", f"features={features}")
            )
        if output_mode not in ("concat", "dict"):
            raise ValueError(
                violated(
                    self._where,
                    "Invalid value for argument `output_mode`: it is 'concat' or 'dict'",
                    f"output_mode={output_mode!r}",
                )
            )
        self.crossing_dim = crossing_dim
        self.hashing_dim = hashing_dim
        self.num_discretization_bins = num_discretization_bins
        self.output_mode = output_mode
        self.features = {name: self._feature(name, value) for name, value in features.items()}
        self.crosses = [self._cross(cross) for cross in crosses or ()]
        self.preprocessors = {name: feature.preprocessor for name, feature in self.features.items()}
        self.crossers = {
            cross.name: layers.HashedCrossing(cross.crossing_dim, name=cross.name)
            for cross in self.crosses
        }
        inputs = {
            name: layers.Input((1,), dtype=feature.dtype, name=name)
            for name, feature in self.features.items()
        }
        self._keep(
            inputs=inputs,
            encoded_features=None,
            one_hot_encoders={},
            _is_adapted=not self._adaptable(),
        )

    def _keep(self, **values: Any) -> None:
        """Sets attributes that are no settings of the layer, and need no look at them."""
        vars(self).update(values)

    def _feature(self, name: str, value: Any) -> Feature:
        if isinstance(value, dict):
            value = Value().read(value)
        if isinstance(value, Feature):
            return value
        if value not in KINDS:
            raise ValueError(
                explain(self._where, f"a feature of a kind among {KINDS}", f"{name}={value!r}")
            )
        sizes = {
            "float_discretized": self.num_discretization_bins,
            "integer_hashed": self.hashing_dim,
            "string_hashed": self.hashing_dim,
        }
        make = getattr(self, value)
        if sizes.get(value) is None:
            return make(name=name)
        return make(sizes[value], name=name)

    def _cross(self, value: Any) -> Cross:
        if isinstance(value, dict):
            value = Value().read(value)
        if isinstance(value, Cross):
            return value
        unknown = [name for name in value if name not in self.features]
        for wrong, rule in (
            (unknown, f"names in `crosses` should be present in `features`, not so {unknown}"),
            (not self.crossing_dim, "`crosses` of names need a default `crossing_dim`"),
        ):
            if wrong:
                received = f"crosses={value}, crossing_dim={self.crossing_dim}"
                raise ValueError(violated(self._where, rule, received))
        return Cross(value, self.crossing_dim)

    # ------------------------------------------------------------ kinds of features

    @classmethod
    def cross(
        cls, feature_names: Sequence[str], crossing_dim: int, output_mode: str = "one_hot"
    ) -> Cross:
        """Features that are hashed together into `crossing_dim` bins."""
        return Cross(feature_names, crossing_dim, output_mode=output_mode)

    @classmethod
    def feature(cls, dtype: str, preprocessor: Layer, output_mode: str) -> Feature:
        """A feature with a preprocessing layer of one's own."""
        return Feature(dtype, preprocessor, output_mode)

    @classmethod
    def _kind(
        cls,
        kind: str,
        name: str | None,
        values: str,
        output_mode: str,
        make: Callable[..., Any],
        /,
        **options: Any,
    ) -> Feature:
        name = name or auto_name(kind)
        return Feature(values, make(name=f"{name}_preprocessor", **options), output_mode)

    @classmethod
    def float(cls, name: str | None = None) -> Feature:
        """Floats as they are."""
        return cls._kind("float", name, "float32", "float", Unchanged, dtype="float32")

    @classmethod
    def float_rescaled(
        cls, scale: Any = 1.0, offset: Any = 0.0, name: str | None = None
    ) -> Feature:
        """`x * scale + offset`."""
        return cls._kind(
            "float_rescaled", name, "float32", "float", layers.Rescaling, scale=scale, offset=offset
        )

    @classmethod
    def float_normalized(cls, name: str | None = None) -> Feature:
        """Floats shifted and scaled to mean 0 and variance 1."""
        return cls._kind(
            "float_normalized", name, "float32", "float", layers.Normalization, axis=-1
        )

    @classmethod
    def float_discretized(
        cls,
        num_bins: int,
        bin_boundaries: Sequence[Any] | None = None,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Floats as the bins they fall in."""
        return cls._kind(
            "float_discretized",
            name,
            "float32",
            output_mode,
            layers.Discretization,
            num_bins=num_bins,
            bin_boundaries=bin_boundaries,
        )

    @classmethod
    def integer_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Whole numbers as their indices in a vocabulary."""
        return cls._kind(
            "integer_categorical",
            name,
            "int32",
            output_mode,
            layers.IntegerLookup,
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
        )

    @classmethod
    def string_categorical(
        cls,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        output_mode: str = "one_hot",
        name: str | None = None,
    ) -> Feature:
        """Texts as their indices in a vocabulary."""
        return cls._kind(
            "string_categorical",
            name,
            "string",
            output_mode,
            layers.StringLookup,
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
        )

    @classmethod
    def string_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Texts as hashes."""
        return cls._kind(
            "string_hashed", name, "string", output_mode, layers.Hashing, num_bins=num_bins
        )

    @classmethod
    def integer_hashed(
        cls, num_bins: int, output_mode: str = "one_hot", name: str | None = None
    ) -> Feature:
        """Whole numbers as hashes."""
        return cls._kind(
            "integer_hashed", name, "int32", output_mode, layers.Hashing, num_bins=num_bins
        )

    # ------------------------------------------------------------ learning

    def _adaptable(self) -> list[str]:
        """The features whose layers have something to learn."""
        return [
            name
            for name, preprocessor in self.preprocessors.items()
            if hasattr(preprocessor, "adapt") and not _is_adapted(preprocessor)
        ]

    def adapt(self, dataset: Any, verbose: int | None = None) -> None:
        """Lets the layers of the features learn vocabularies, means and bins.

        Args:
            dataset: a dict of columns, or an iterable of rows or batches that are such dicts.
            verbose: whether it is shown how much of the data set has been read; by default where
                Keras 3.16 is followed.
        """
        if not isinstance(dataset, dict):
            if not hasattr(dataset, "__iter__") or isinstance(dataset, (list, tuple, np.ndarray)):
                raise ValueError(
                    explain(
                        self._where,
                        "a dict of columns or a data set of such dicts",
                        f"{type(dataset).__name__}",
                    )
                )
            rows = shown(dataset, dataset, verbose=verbose)
            dataset = [row[0] if isinstance(row, tuple) else row for row in rows]
        if len(dataset) == 0:
            raise ValueError(explain(self._where, "data to learn from", "an empty data set"))
        for name in self._adaptable():
            preprocessor, batches = self.preprocessors[name], _batches(dataset, name)
            if type(preprocessor) in BATCHES_DO_NOT_MATTER:
                batches = np.concatenate(batches)
            preprocessor.adapt(batches)
        self._keep(_is_adapted=True, encoded_features=None)
        self.get_encoded_features()

    def get_inputs(self) -> dict[str, KerasTensor]:
        """The `Input`s of the features, a dict."""
        self.get_encoded_features()
        return self.inputs

    def get_encoded_features(self) -> Any:
        """What the features become, as symbolic tensors that follow from `get_inputs()`."""
        if self.encoded_features is None:
            self._keep(encoded_features=self._encoded(self.inputs))
            self.built = True
        return self.encoded_features

    # ------------------------------------------------------------ encoding

    def __call__(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(
                explain(
                    self._where, "a dict of features", f"{data!r} (of type {type(data).__name__})"
                )
            )
        if any_symbolic(data):
            return self._encoded(data)
        if tensorflow_graph.holds_tensors_of_graph(data):
            return tensorflow_graph.call_in_graph(self, self._announced, (data,), {})
        columns = {name: _column(value) for name, value in data.items()}
        out = self._encoded({name: column for name, (column, _) in columns.items()})
        if any(single for _, single in columns.values()):
            out = tree.map_structure(_without_batch_of_one, out)
        return out

    def _announced(self, data: dict[str, KerasTensor]) -> Any:
        """What comes out for a dict of KerasTensors of columns, or of single values."""
        shapes = {name: tuple(value.shape) for name, value in data.items()}
        columns = {
            name: KerasTensor(_column_shape(shapes[name]), value.dtype)
            for name, value in data.items()
        }
        out = self._encoded(columns)
        if all(shapes.values()):
            return out
        return tree.map_structure(lambda t: KerasTensor(t.shape[1:], t.dtype), out)

    def _encoded(self, columns: dict[str, Any]) -> Any:
        if not self._is_adapted:
            raise ValueError(
                "You need to call `.adapt(dataset)` before: a FeatureSpace learns its vocabularies "
                "and scales."
            )
        indexed = {name: self.preprocessors[name](column) for name, column in columns.items()}
        crossed = {
            c.name: self.crossers[c.name]([indexed[name] for name in c.feature_names])
            for c in self.crosses
        }
        specs = {**self.features, **{c.name: c for c in self.crosses}}
        encoded = {
            name: self._rows(name, value, specs[name].output_mode)
            for columns in (indexed, crossed)
            for name, value in sorted(columns.items())
        }
        if self.output_mode == "dict":
            return encoded
        return _concatenated(encoded)

    def _rows(self, name: str, value: Any, output_mode: str) -> Any:
        if output_mode != "one_hot":
            return value
        if not str(value.dtype).startswith("int"):
            raise ValueError(
                f"Feature '{name}' has `output_mode='one_hot'`, for which its preprocessor "
                f"gives whole numbers. Received: {value.dtype}."
            )
        if name not in self.one_hot_encoders:
            self.one_hot_encoders[name] = layers.CategoryEncoding(
                self._size(name), output_mode="multi_hot"
            )
        return self.one_hot_encoders[name](value)

    def _size(self, name: str) -> int:
        """How many different numbers a feature or cross has."""
        encoder = self.preprocessors.get(name) or self.crossers.get(name)
        if isinstance(encoder, layers.Discretization):
            # of equal values fewer bins are learnt; the width is the one asked for, as in Keras
            return encoder.num_bins or len(encoder.bin_boundaries) + 1
        for attribute in ("vocabulary_size", "num_tokens", "num_bins"):
            if hasattr(encoder, attribute):
                size = getattr(encoder, attribute)
                return size() if callable(size) else size
        raise ValueError(
            f"Feature '{name}' has `output_mode='one_hot'`, which needs to know how many values "
            "it has. FeatureSpace knows that of its own features alone: take "
            "`output_mode='int'`."
        )

    # ------------------------------------------------------------ files

    def get_config(self) -> dict[str, Any]:
        return {
            "features": serialize(dict(self.features)),
            "output_mode": self.output_mode,
            "crosses": serialize(list(self.crosses)),
            "crossing_dim": self.crossing_dim,
            "hashing_dim": self.hashing_dim,
            "num_discretization_bins": self.num_discretization_bins,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The space of a config."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """The shapes that the features' layers were built for."""
        return {name: layer.get_build_config() for name, layer in self.preprocessors.items()}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the features' layers."""
        for name, shapes in config.items():
            if not self.preprocessors[name].built and shapes:
                self.preprocessors[name].build_from_config(shapes)
        self._keep(_is_adapted=True)

    def save(self, filepath: str | os.PathLike) -> None:
        """Saves the space to a `.keras` file, which `load_model` reads."""
        from jkeras.saving import save_model

        save_model(self, filepath)

    def save_own_variables(self, store: Any) -> None:
        """Nothing: what was learnt is the layers'."""

    def load_own_variables(self, store: Any) -> None:
        """Nothing."""


def _is_adapted(preprocessor: Any) -> bool:
    """Whether a layer has what it would learn by `adapt`."""
    if getattr(preprocessor, "_has_input_vocabulary", False):
        return True
    if getattr(preprocessor, "input_mean", None) is not None:
        return True
    return isinstance(preprocessor, layers.Discretization) and preprocessor.num_bins is None


def _batches(dataset: Any, name: str) -> list[np.ndarray]:
    """The batches of a feature, as Keras makes them of a data set: single values come
    `VALUES_IN_A_BATCH` at a time, and batches of them have an axis for the one feature.

    Args:
        dataset: a dict of columns, or a list of rows or batches.
    """
    if isinstance(dataset, dict):
        values = np.asarray(dataset[name])
    else:
        values = [np.asarray(row[name]) for row in dataset]
    if np.ndim(values[0]) == 0:
        cuts = range(VALUES_IN_A_BATCH, len(values), VALUES_IN_A_BATCH)
        values = np.split(np.stack(values), cuts)
    return [batch[:, None] if batch.ndim == 1 else batch for batch in values]


def _concatenated(encoded: dict[str, Any]) -> Any:
    """One array of all encoded features, one beside the other."""
    for name, value in encoded.items():
        if not str(value.dtype).startswith("float"):
            raise ValueError(
                f"Cannot concatenate features because feature '{name}' has not been encoded "
                f"(it has dtype {value.dtype}). Consider using `output_mode='dict'`."
            )
    values = list(encoded.values())
    if len(values) == 1:
        return values[0]
    if is_symbolic(values[0]):
        return layers.Concatenate(axis=-1)(values)
    return jnp.concatenate(values, axis=-1)


def _without_batch_of_one(value: Any) -> Any:
    if value.shape[0] == 1:
        return value[0]
    return value


def _column_shape(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape of `_column` for values of a shape."""
    if len(shape) == 0:
        return (1, 1)
    if len(shape) == 1:
        return (*shape, 1)
    return shape


def _column(value: Any) -> tuple[Any, bool]:
    """(a column of shape (batch, 1) or more, whether it was a single value)."""
    if not isinstance(value, (jax.Array, np.ndarray)):
        value = np.asarray(value)
    if value.ndim == 0:
        return value.reshape(1, 1), True
    if value.ndim == 1:
        value = value[:, None]
    return value, False
