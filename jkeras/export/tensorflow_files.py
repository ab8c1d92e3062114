"""SavedModel folders and LiteRT files, through `jax2tf` and TensorFlow, where that is installed."""

import os
import types
import typing
from collections.abc import Iterable, Sequence

import jax
import numpy as np

from jkeras.core.errors import explain, place_of
from jkeras.core.session.host_random import untouched
from jkeras.export.archive import check_texts
from jkeras.export.lowering import explained, on_one_device, on_weights
from jkeras.export.signature import names_of, signature_of, standardized
from jkeras.ops.kernels import traced_for
from jkeras.saving.files import check_target, replacing

if typing.TYPE_CHECKING:
    from jkeras.saving.types import Model


class _Converted(typing.NamedTuple):
    """A forward pass as TensorFlow has it.

    Attributes:
        module: holds the weights as `tf.Variable`s.
        structured: function of the arguments as the model takes them.
        flat: function of arrays by position, in the order of `specs`; its outputs are a dict.
        arguments: structures of `tf.TensorSpec`, one for each.
        specs: all of these, flat.
    """

    module: typing.Any
    structured: typing.Callable
    flat: typing.Callable
    arguments: tuple
    specs: list


def write_saved_model(
    model: "Model",
    filepath: str | os.PathLike,
    input_signature: typing.Any = None,
    platforms: str | Sequence[str] = ("cpu",),
) -> None:
    """Writes a folder that TensorFlow loads: `tf.saved_model.load(filepath).serve(x)`, and the
    signatures "serve" and "serving_default", whose inputs have the names of the model's.

    Raises:
        ImportError: TensorFlow is not installed.
    """
    tf, jax2tf = _libraries("tf_saved_model")
    converted = _convert(model, input_signature, platforms, tf, jax2tf)
    module = converted.module
    module.serve = tf.function(
        converted.structured, input_signature=converted.arguments, autograph=False
    )
    flat = tf.function(converted.flat, input_signature=converted.specs, autograph=False)
    signatures = {name: flat for name in ("serve", "serving_default")}
    tf.saved_model.save(module, os.fsdecode(filepath), signatures=signatures)


def write_litert(
    model: "Model",
    filepath: str | os.PathLike,
    input_signature: typing.Any = None,
    **options: typing.Any,
) -> None:
    """Writes a `.tflite` file. Unknown sizes, that of the batch too, are 1 in it.

    Args:
        options: attributes of TensorFlow's converter, such as `optimizations`.

    Raises:
        ImportError: TensorFlow is not installed.
        ValueError: another ending, an option that the converter does not have, or operations that
            it does not know.
    """
    if not os.fsdecode(filepath).endswith(".tflite"):
        raise ValueError(
            f"A file of LiteRT has a name that has to end with '.tflite'. Received: {filepath}"
        )
    tf, jax2tf = _libraries("litert")
    check_target(filepath, overwrite=True)
    converted = _convert(model, input_signature, ("cpu",), tf, jax2tf, fixed=True)
    flat = tf.function(converted.flat, input_signature=converted.specs, autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [flat.get_concrete_function()], converted.module
    )
    for name, value in options.items():
        if not hasattr(converter, name):
            raise ValueError(f"`export` got {name}={value!r}, which LiteRT's converter has not.")
        setattr(converter, name, value)
    try:
        content = converter.convert()
    except Exception as error:
        expected = "operations that LiteRT's converter knows"
        advice = 'export to "stablehlo" or "onnx"'
        raise ValueError(explain(place_of(model), expected, str(error)[:500], advice)) from error
    with replacing(filepath, links=True) as temporary, open(temporary, "wb") as file:
        file.write(content)


def _libraries(format: str) -> tuple[types.ModuleType, types.ModuleType]:
    """(TensorFlow, jax2tf)."""
    try:
        with untouched():  # from which the first draws
            import tensorflow
            from jax.experimental import jax2tf
    except ImportError as error:
        raise ImportError(
            f'`format="{format}"` needs TensorFlow: `pip install tensorflow`. Without it, export '
            'to "stablehlo", which JAX runs on every platform, or to "onnx".'
        ) from error
    return tensorflow, jax2tf


def _convert(
    model: "Model",
    input_signature: typing.Any,
    platforms: str | Sequence[str],
    tf: types.ModuleType,
    jax2tf: types.ModuleType,
    fixed: bool = False,
) -> _Converted:
    """The forward pass at inference, with the weights.

    Args:
        fixed: whether unknown sizes are 1.
    """
    signature = signature_of(model) if input_signature is None else input_signature
    check_texts(model, signature)
    arguments = standardized(signature, place_of(model))
    if fixed:
        arguments = jax.tree_util.tree_map(_of_static_sizes, arguments)
    with explained(arguments, place_of(model)), on_one_device(), traced_for("tf"):
        run, variables = on_weights(model, arguments)
        weights = [jax.ShapeDtypeStruct(v.shape, v.own_dtype) for v in variables]
        outputs = jax.eval_shape(run, weights, *arguments)
        program = jax2tf.convert(
            run,
            polymorphic_shapes=[None, *jax.tree_util.tree_map(_polymorphic, arguments)],
            native_serialization_platforms=platforms,
            with_gradient=False,
        )
    module = tf.Module()
    module.weights = [
        tf.Variable(np.asarray(v.value), trainable=False, name=v.path) for v in variables
    ]
    leaves, treedef = jax.tree_util.tree_flatten(arguments)
    names = names_of(signature, _names_of_arguments(arguments))
    specs = [_tensor_spec(tf, *pair) for pair in zip(leaves, names, strict=True)]

    def structured(
        *args: typing.Any,
    ) -> typing.Any:  # TensorFlow traces it later, outside the block above
        with on_one_device(), traced_for("tf"):
            return program(module.weights, *args)

    def flat(*values: typing.Any) -> dict[str, typing.Any]:
        leaves = jax.tree_util.tree_leaves(structured(*treedef.unflatten(values)))
        return dict(zip(_output_names(outputs), leaves, strict=True))

    return _Converted(module, structured, flat, treedef.unflatten(specs), specs)


def _of_static_sizes(struct: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    shape = [size if isinstance(size, int) else 1 for size in struct.shape]
    return jax.ShapeDtypeStruct(shape, struct.dtype)


def _polymorphic(struct: jax.ShapeDtypeStruct) -> str:
    """A shape as jax2tf takes it: "(b, 3)"."""
    return f"({', '.join(map(str, struct.shape))},)" if struct.shape else "()"


def _tensor_spec(tf: types.ModuleType, struct: jax.ShapeDtypeStruct, name: str) -> typing.Any:
    shape = [size if isinstance(size, int) else None for size in struct.shape]
    return tf.TensorSpec(shape, str(struct.dtype), name)


def _names_of_arguments(arguments: Iterable[typing.Any]) -> list[str]:
    """The names that TensorFlow has for arrays without one, by their argument.

    >>> _names_of_arguments(([1.0, 2.0], 3.0))
    ['args_0', 'args_0_1', 'args_1']
    """
    return [
        f"args_{i}_{j}".removesuffix("_0")
        for i, argument in enumerate(arguments)
        for j in range(len(jax.tree_util.tree_leaves(argument)))
    ]


def _output_names(outputs: typing.Any) -> list[str]:
    """The keys of a flat dict of outputs, or "output_0" and so on.

    >>> _output_names({"a": 1.0, "b": 2.0}), _output_names([1.0, 2.0])
    (['a', 'b'], ['output_0', 'output_1'])
    """
    count = len(jax.tree_util.tree_leaves(outputs))
    if isinstance(outputs, dict) and len(outputs) == count:
        return sorted(outputs)
    return [f"output_{i}" for i in range(count)]
