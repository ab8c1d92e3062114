"""`Model.export`: the formats, and what to use instead of those that are not written."""

import os

from jkeras.core.errors import check_choice
from jkeras.core.settings import is_interactive_logging_enabled
from jkeras.export import onnx_file
from jkeras.export.archive import ExportArchive

INSTEAD = {
    "tf_saved_model": 'needs TensorFlow. Export to "stablehlo", which JAX runs on every platform; '
    "`jax2tf` of JAX makes a SavedModel of a function of `model.apply`",
    "litert": 'needs TensorFlow. Export to "onnx" for small devices, or to "stablehlo" where JAX '
    "runs",
    "openvino": 'needs OpenVINO. Export to "onnx", which OpenVINO reads',
    "torch": 'needs PyTorch. Export to "onnx", or save the weights as `.safetensors`, which '
    "PyTorch reads",
}


def export_model(model, filepath, format, verbose, input_signature, platforms, **kwargs):
    """Writes a model in a format; see `Model.export`."""
    if format in INSTEAD:
        raise NotImplementedError(f'`format="{format}"` {INSTEAD[format]}.')
    allowed = {"stablehlo": (), "onnx": ("opset_version",)}
    check_choice("format", format, allowed, f"Model.export: Unrecognized format={format!r}")
    unknown = sorted(set(kwargs) - set(allowed[format]))
    if unknown:
        raise ValueError(
            f"`export` got the arguments {unknown}, which mean nothing for the format "
            f'"{format}". Leave them out.'
        )
    if verbose is None:
        verbose = is_interactive_logging_enabled()
    if format == "onnx":
        onnx_file.write(model, filepath, input_signature, **kwargs)
        if verbose:
            print(f"Exported to {os.fspath(filepath)}")
        return
    archive = ExportArchive(platforms=platforms)
    archive.track_and_add_endpoint("serve", model, input_signature)
    archive.write_out(filepath, verbose=verbose)
