"""`Model.export`: the formats, and what to use instead of those that are not written."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jkeras.core.say import console
from jkeras.core.errors import check_choice
from jkeras.core.session.settings import is_interactive_logging_enabled
from jkeras.export import onnx_file, tensorflow_files
from jkeras.export.archive import ExportArchive

if TYPE_CHECKING:
    from jkeras.saving.types import Model

INSTEAD = {
    "openvino": 'needs OpenVINO. Export to "onnx", which OpenVINO reads',
    "torch": 'needs PyTorch. Export to "onnx", or save the weights as `.safetensors`, which '
    "PyTorch reads",
}
# further arguments of each format; None: any, which the converter looks at
ALLOWED = {"stablehlo": (), "onnx": ("opset_version",), "tf_saved_model": (), "litert": None}


def export_model(
    model: "Model",
    filepath: str | os.PathLike,
    format: str,
    verbose: bool | None,
    input_signature: Any,
    platforms: str | Sequence[str],
    **kwargs: Any,
) -> None:
    """Writes a model in a format; see `Model.export`."""
    if format in INSTEAD:
        raise NotImplementedError(f'`format="{format}"` {INSTEAD[format]}.')
    check_choice("format", format, ALLOWED, f"Model.export: Unrecognized format={format!r}")
    unknown = sorted(set(kwargs) - set(kwargs if ALLOWED[format] is None else ALLOWED[format]))
    if unknown:
        raise ValueError(
            f"`export` got the arguments {unknown}, which mean nothing for the format "
            f'"{format}". Leave them out.'
        )
    if verbose is None:
        verbose = is_interactive_logging_enabled()
    if format == "stablehlo":
        archive = ExportArchive(platforms=platforms)
        archive.track_and_add_endpoint("serve", model, input_signature)
        archive.write_out(filepath, verbose=verbose)
        return
    if format == "onnx":
        onnx_file.write(model, filepath, input_signature, **kwargs)
    elif format == "litert":
        tensorflow_files.write_litert(model, filepath, input_signature, **kwargs)
    else:
        tensorflow_files.write_saved_model(model, filepath, input_signature, platforms)
    if verbose:
        console.say(f"Exported to {os.fsdecode(filepath)}")
