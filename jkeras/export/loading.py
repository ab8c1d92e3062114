"""Exported programs, read back: functions of arrays."""

import functools
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.export import artifact
from jkeras.saving.reading import explained, opened

if TYPE_CHECKING:
    from jax.export import Exported


class Endpoint:
    """One function of an artifact.

    Attributes:
        input_signature: list of the arguments, with `jax.ShapeDtypeStruct` instead of arrays.
        output_signature: the same for what it returns.
        platforms: where it runs: "cpu", "cuda", "rocm", "tpu".
    """

    def __init__(self, exported: "Exported", weights: Iterable[jax.Array]) -> None:
        self._exported = exported
        self._weights = weights
        inputs = map(_spec, exported.in_avals)
        (_, *arguments), _ = jax.tree_util.tree_unflatten(exported.in_tree, inputs)
        self.input_signature = arguments
        outputs = map(_spec, exported.out_avals)
        self.output_signature = jax.tree_util.tree_unflatten(exported.out_tree, outputs)
        self.platforms = tuple(exported.platforms)

    def call(self, *args: Any) -> Any:
        """The outputs, for functions of yours that are compiled as a whole."""
        return self._exported.call(self._weights, *self._arrays(args))

    def __call__(self, *args: Any) -> Any:
        return self._compiled(self._weights, *self._arrays(args))

    @functools.cached_property
    def _compiled(self) -> Callable[..., Any]:
        return jax.jit(self._exported.call)

    def _arrays(self, args: tuple) -> list:
        """The arguments as arrays of the dtypes that the program takes, as a model converts its
        inputs.
        """
        specs, treedef = jax.tree_util.tree_flatten(self.input_signature)
        try:
            values = treedef.flatten_up_to(list(args))
        except (ValueError, TypeError):
            raise ValueError(
                explain(
                    "An exported program",
                    f"the arguments {text_of(tuple(self.input_signature))}",
                    f"the structure {jax.tree_util.tree_structure(args)}",
                )
            ) from None
        return treedef.unflatten(
            jnp.asarray(value, spec.dtype) for value, spec in zip(values, specs)
        )

    def __repr__(self) -> str:
        inputs = text_of(tuple(self.input_signature))
        return f"<Endpoint {inputs} -> {text_of(self.output_signature)}>"


class Artifact:
    """What `load` gives: endpoints by name, and the first of them as the artifact itself.

    Attributes:
        endpoints: {name: `Endpoint`}.
        collections: {name: {path of a variable: array}}, of
            `ExportArchive.add_variable_collection`.
        input_signature, output_signature, platforms: of the first endpoint.

    >>> import tempfile, jkeras
    >>> layer = jkeras.layers.Dense(1, kernel_initializer="ones")
    >>> model = jkeras.Sequential([jkeras.Input((2,)), layer])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.export(f"{folder}/model", verbose=False)
    ...     artifact = load(f"{folder}/model")
    >>> artifact.endpoints
    {'serve': <Endpoint (float32[b,2]) -> float32[b,1]>}
    """

    def __init__(
        self, endpoints: dict[str, Endpoint], collections: dict[str, dict[str, jax.Array]]
    ) -> None:
        self.endpoints = endpoints
        self.collections = collections
        self._first = next(iter(endpoints.values()))
        self.input_signature = self._first.input_signature
        self.output_signature = self._first.output_signature
        self.platforms = self._first.platforms
        self.call = self._first.call

    def __call__(self, *args: Any) -> Any:
        return self._first(*args)


@public("jkeras.export.load")
def load(filepath: str | os.PathLike, safe_mode: bool = True) -> Artifact:
    """Reads what `Model.export` or `ExportArchive` wrote.

    Args:
        filepath: the file.
        safe_mode: False lets its programs call kernels that are not JAX's own; a file that asks for
            that can run whatever it likes.

    Returns:
        An `Artifact`: a function of the inputs.

    Raises:
        SerializationError (a ValueError): the file is damaged, or something else; the message has
        the path.

    >>> import tempfile, jkeras
    >>> layer = jkeras.layers.Dense(1, kernel_initializer="ones")
    >>> model = jkeras.Sequential([jkeras.Input((2,)), layer])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.export(f"{folder}/model", verbose=False)
    ...     serve = load(f"{folder}/model")
    >>> serve([[1.0, 2.0], [3.0, 4.0]]).tolist()
    [[3.0], [7.0]]
    """
    artifact.check_library()
    with explained(filepath), opened(filepath) as file:
        contents = artifact.read(file, safe_mode)
        endpoints = {name: Endpoint(*program) for name, program in contents.programs.items()}
        return Artifact(endpoints, contents.collections)


def _spec(aval: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype)


def text_of(structure: Any) -> str | None:
    """A structure of specs in short.

    >>> vector = jax.ShapeDtypeStruct((3,), "float32")
    >>> text_of({"a": vector, "b": [vector, jax.ShapeDtypeStruct((2, 3), "int32")]})
    '{a: float32[3], b: [float32[3], int32[2,3]]}'
    """
    if structure is None:
        return None
    if isinstance(structure, dict):
        return "{" + ", ".join(f"{k}: {text_of(v)}" for k, v in structure.items()) + "}"
    if isinstance(structure, (list, tuple)):
        inner = ", ".join(map(text_of, structure))
        if isinstance(structure, list):
            return f"[{inner}]"
        return f"({inner})"
    return f"{structure.dtype}[{','.join(map(str, structure.shape))}]"
