"""ONNX files, through the converter jax2onnx."""

import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.errors import explain, place_of
from jkeras.core.say.extras import install_line
from jkeras.export.archive import check_texts
from jkeras.export.lowering import Inference, explained, on_one_device
from jkeras.export.signature import names_of, signature_of, standardized
from jkeras.ops.kernels import traced_for
from jkeras.saving.files import check_target, replacing

if TYPE_CHECKING:
    from jkeras.saving.types import Model

OPSET = 21  # read by onnxruntime from 1.20 on


def write(
    model: "Model",
    filepath: str | os.PathLike,
    input_signature: Any = None,
    opset_version: int = OPSET,
) -> None:
    """Writes the forward pass of a model at inference, with the weights inside.

    Args:
        input_signature: as of `Model.export`.
        opset_version: of ONNX's operators.

    Raises:
        ImportError: the converter is not installed.
        ValueError: what the converter cannot do.
    """
    to_onnx = _converter()
    check_target(filepath, overwrite=True)
    signature = input_signature
    if signature is None:
        signature = signature_of(model)
    check_texts(model, signature)
    arguments = standardized(signature, place_of(model))
    leaves, treedef = jax.tree_util.tree_flatten(arguments)

    def run(*values: Any) -> Any:
        with Inference():
            return model(*treedef.unflatten(values))

    def flat_outputs(*values: Any) -> tuple:
        return tuple(jax.tree_util.tree_leaves(run(*values)))

    with (
        explained(arguments, place_of(model)),
        on_one_device(),
        traced_for("onnx"),
        warnings.catch_warnings(),
    ):
        # makes the weights, before the converter puts its own into jax.numpy
        outputs = jax.eval_shape(run, *leaves)
        warnings.simplefilter("ignore")  # of dtypes, from the converter's own code
        try:
            converted = to_onnx(
                flat_outputs,
                leaves,
                model_name=model.name,
                opset=opset_version,
                input_names=names_of(signature),
                output_names=_names(outputs),
            )
        except NotImplementedError as error:
            raise ValueError(
                explain(
                    place_of(model),
                    "operations that jax2onnx converts",
                    str(error),
                    'export to "stablehlo"',
                )
            ) from error
    with replacing(filepath, links=True) as temporary, open(temporary, "wb") as file:
        file.write(converted.SerializeToString())


def _converter() -> Callable[..., Any]:
    """The function that converts."""
    try:
        from jax2onnx import to_onnx
    except ImportError as error:
        raise ImportError(
            f'`format="onnx"` needs the converter jax2onnx: `{install_line("onnx")}`.'
        ) from error
    return to_onnx


def _names(outputs: Any) -> list[str]:
    """A name for each output: its path in the structure, or "output".

    >>> _names({"a": 1.0, "b": [2.0]}), _names(1.0)
    (['a', 'b/0'], ['output'])
    """
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(outputs)]
    return [jax.tree_util.keystr(path, simple=True, separator="/") or "output" for path in paths]
