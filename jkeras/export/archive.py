"""`ExportArchive`: several functions of layers in one file."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax

from jkeras.core.say import console
from jkeras.core.errors import ExportError, explain, place_of
from jkeras.core.layer import Layer
from jkeras.core.weights.paths import walk
from jkeras.core.names.registry import public
from jkeras.core.weights.variable import Variable
from jkeras.export import artifact
from jkeras.export.loading import Endpoint
from jkeras.export.lowering import PLATFORMS, host_layer, lower
from jkeras.export.signature import signature_of, standardized
from jkeras.saving.files import check_target, replacing

DEFAULT_PLATFORMS = ("cpu", "cuda", "tpu")


@public("keras.export.ExportArchive")
class ExportArchive:
    """Functions of layers, lowered to StableHLO, and the weights they read, on the way to a file
    that `load` reads.

    A function is traced when it is added, for inference; the weights are those of the moment of
    `write_out`.

    Args:
        platforms: where the programs shall run, among "cpu", "cuda", "rocm" and "tpu"; the same
            file for all.

    >>> import tempfile, jax, jkeras
    >>> layer = jkeras.layers.Dense(1, kernel_initializer="ones")
    >>> model = jkeras.Sequential([jkeras.Input((2,)), layer])
    >>> archive = ExportArchive()
    >>> logits = archive.track_and_add_endpoint("logits", model)
    >>> signature = [jkeras.InputSpec("float32", (None, 2))]
    >>> _ = archive.add_endpoint("serve", lambda x: jax.nn.sigmoid(logits(x)), signature)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     archive.write_out(f"{folder}/model", verbose=False)
    ...     loaded = jkeras.export.load(f"{folder}/model")
    >>> loaded.endpoints["logits"]([[1.0, 2.0]]).tolist(), sorted(loaded.endpoints)
    ([[3.0]], ['logits', 'serve'])
    """

    def __init__(self, *, platforms: str | Sequence[str] = DEFAULT_PLATFORMS) -> None:
        if isinstance(platforms, str):
            platforms = (platforms,)
        self.platforms = tuple(platforms)
        if not self.platforms or not set(self.platforms) <= set(PLATFORMS):
            raise ValueError(
                explain(
                    "ExportArchive", f"`platforms` among {', '.join(PLATFORMS)}", repr(platforms)
                )
            )
        self._tracked = {}  # variables, in order
        self._programs = {}
        self._collections = {}

    @property
    def variables(self) -> list[Variable]:
        """The variables that were tracked."""
        return list(self._tracked)

    @property
    def trainable_variables(self) -> list[Variable]:
        """The trainable ones of `variables`."""
        return [v for v in self._tracked if v.trainable]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The other ones of `variables`."""
        return [v for v in self._tracked if not v.trainable]

    def track(self, resource: Any) -> None:
        """Puts the weights of a layer or model, or a variable, into the file.

        There is no need to for those that an endpoint reads.

        Raises:
            ValueError: a layer that is not built, or something that has no weights.
        """
        self._tracked |= dict.fromkeys(_variables_of(resource))

    def add_endpoint(
        self, name: str, fn: Callable[..., Any], input_signature: Any = None, **kwargs: Any
    ) -> Any:
        """Adds a function under a name.

        Args:
            fn: a model, or any function of arrays that calls layers, reads variables or does
                neither.
            input_signature: list of its arguments, each a structure of `InputSpec`, `KerasTensor`,
                `jax.ShapeDtypeStruct` or arrays. None: those of the model, where `fn` is one or its
                `call`. Where the size of the first axis is None (in arrays it always is) it is one
                and the same for all inputs.

        Returns:
            `fn`, for other endpoints to call.

        Raises:
            ValueError: a name that is there, no signature, or what no program can do: texts, layers
                that run on the host, state that is written, random numbers at inference.
        """
        if kwargs:
            raise ValueError(
                f"`add_endpoint` got the arguments {sorted(kwargs)}, which mean something with "
                "TensorFlow alone. Leave them out."
            )
        if not isinstance(name, str) or not name or name in self._programs:
            raise ValueError(
                explain(
                    "ExportArchive.add_endpoint", "a name that no other endpoint has", repr(name)
                )
            )
        where = f"Endpoint '{name}'"
        owner = fn
        if not isinstance(fn, Layer):
            owner = getattr(fn, "__self__", None)
        if input_signature is None:
            input_signature = _signature_of_call(owner, fn, where)
        check_texts(owner, input_signature)
        arguments = standardized(input_signature, where)
        self._programs[name] = lower(fn, arguments, self.platforms, where)
        return fn

    def track_and_add_endpoint(
        self, name: str, resource: Any, input_signature: Any = None, **kwargs: Any
    ) -> Any:
        """`track` and `add_endpoint` of a layer or model."""
        self.track(resource)
        return self.add_endpoint(name, resource, input_signature, **kwargs)

    def add_variable_collection(self, name: str, variables: Iterable[Variable]) -> None:
        """Puts variables into the file that are found in `collections[name]` of what `load` gives,
        by their paths.

        Raises:
            ValueError: a name that is there, or something that is no variable.
        """
        if not isinstance(variables, (list, tuple, set)):
            variables = [variables]
        variables = list(variables)
        if not isinstance(name, str) or name in self._collections:
            raise ValueError(
                explain(
                    "ExportArchive.add_variable_collection",
                    "a name that no other one has",
                    repr(name),
                )
            )
        for variable in variables:
            if not isinstance(variable, Variable):
                raise ValueError(explain(f"Collection '{name}'", "variables", repr(variable)))
        paths = [v.path for v in variables]
        if len(set(paths)) != len(paths):
            twice = next(path for path in paths if paths.count(path) > 1)
            raise ValueError(
                explain(
                    f"Collection '{name}'",
                    "variables of different paths",
                    f"two '{twice}'",
                    "give their layers different names",
                )
            )
        self._collections[name] = variables

    def write_out(
        self, filepath: str | os.PathLike, options: Any = None, verbose: bool = True
    ) -> None:
        """Writes the file; killed at any moment the old one or the new one is there.

        Args:
            filepath: of a file; what is there is replaced.
            options: has no meaning here; None.
            verbose: print the endpoints.

        Raises:
            ValueError: no endpoint was added, or options.
        """
        if options is not None:
            raise ValueError(
                "`options` of `write_out` are TensorFlow's, and mean nothing here. Leave them out."
            )
        if not self._programs:
            raise ValueError(
                explain(
                    "ExportArchive.write_out",
                    "one or more endpoints",
                    "none",
                    "call `add_endpoint` or `track_and_add_endpoint` first",
                )
            )
        artifact.check_library()
        check_target(filepath, overwrite=True)
        with replacing(filepath, links=True) as temporary:
            artifact.write(temporary, self._programs, self.variables, self._collections)
        if verbose:
            console.say(f"Exported for {', '.join(self.platforms)} to {os.fsdecode(filepath)}")
            for name, program in self._programs.items():
                console.say(f"  {name}: {Endpoint(program.exported, ())}")


def _variables_of(resource: Any) -> list[Variable]:
    """The variables of a layer that is built, or the variable itself."""
    if isinstance(resource, Variable):
        return [resource]
    if not isinstance(resource, Layer):
        raise ValueError(
            explain(
                "ExportArchive.track",
                "a layer, model or variable",
                f"{resource!r} (of type {type(resource).__name__})",
            )
        )
    if not resource.built:
        raise ValueError(
            explain(
                place_of(resource),
                "a layer that is built",
                "one without weights yet",
                "call it on data once, before it is exported",
            )
        )
    return resource.weights


def _signature_of_call(owner: Any, fn: Callable[..., Any], where: str) -> list:
    """The arguments of a model, of which a function is the call."""
    if not isinstance(owner, Layer) or fn not in (owner, owner.call, owner.__call__):
        raise ValueError(
            explain(
                where,
                "an `input_signature` for a function that is no model",
                "None",
                "pass a list of `InputSpec(shape=…, dtype=…)`, one for each argument",
            )
        )
    return signature_of(owner)


def check_texts(owner: Any, signature: Any) -> None:
    """Raises where texts go into a layer; the message names the layers that take them."""
    dtypes = [getattr(leaf, "dtype", "") for leaf in jax.tree_util.tree_leaves(signature)]
    if not isinstance(owner, Layer) or "string" not in map(str, dtypes):
        return
    for _, module in walk(owner):
        if getattr(module, "runs_on_host", False):
            raise ExportError(host_layer(module))
