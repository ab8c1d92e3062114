"""Magika tells what kind of file something is from its first and last bytes.

Each of 2048 bytes becomes 64 numbers; four neighbours are taken together and normalized; a
convolution looks at five such groups, and the largest answer of each filter says which of 214 kinds
it is. It is put together from layers of jkeras with the weights of its ONNX. What it is shown are
the files of some packages whose names end so that their kind is known.
"""

import json
import pathlib
from typing import Any

import numpy as np

from benchmarks.records.onnx_weights import weights_of
from benchmarks.records.record import (
    Record,
    Row,
    exported,
    files_of,
    importable,
    largest_difference,
)

PACKAGE = "magika==1.0.3"
SHOWN = ("gensim==4.4.0", "matplotlib==3.10.0", "spliceai==1.3.1", "basic-pitch==0.4.0", PACKAGE)
KINDS = {
    ".bz2": "bzip",
    ".c": "c",
    ".cpp": "cpp",
    ".css": "css",
    ".csv": "csv",
    ".gz": "gzip",
    ".h5": "h5",
    ".jpg": "jpeg",
    ".js": "javascript",
    ".json": "json",
    ".lua": "lua",
    ".md": "markdown",
    ".npy": "npy",
    ".npz": "npz",
    ".onnx": "onnx",
    ".pdf": "pdf",
    ".pkl": "pickle",
    ".png": "png",
    ".py": "python",
    ".pyc": "pythonbytecode",
    ".so": "elf",
    ".svg": "svg",
    ".ttf": "ttf",
    ".yml": "yaml",
    ".zip": "zip",
}
MOST = 16  # files of a kind
SMALLEST = 64  # bytes: below them there is too little to tell by
HALF, BLOCK = 1024, 4096  # bytes: seen of each end, and read there
PADDING = 256  # the number that stands for no byte
EPSILON = 1e-6  # of both normalizations
FAR = 1e-5


def folder() -> pathlib.Path:
    """Of the net."""
    return files_of(PACKAGE) / "magika" / "models" / "standard_v3_3"


def net_file() -> pathlib.Path:
    """The ONNX."""
    return folder() / "model.onnx"


def weights() -> list[np.ndarray]:
    """In the order of the layers: vectors of bytes; scale and shift; kernel and bias of the
    convolution; scale and shift; kernel and bias of the last layer."""
    of = {name.split("MagikaV2/")[-1]: array for name, array in weights_of(net_file()).items()}
    scales = [of[f"LayerNorm_{n}/Reshape_{part}:0"].ravel() for n in (0, 1) for part in (2, 3)]
    return [
        # there a matrix product of the byte one-hot, and a bias
        of["jax2tf_get_logits_/Const:0"] + of["Dense_0/Reshape:0"][0],
        *scales[:2],
        of["Conv_0/transpose_3:0"][..., 0].T,
        of["const_fold_opt__209"].ravel(),
        *scales[2:],
        of["jax2tf_get_logits_/Const_24:0"],
        of["Dense_1/Reshape:0"][0],
    ]


def net() -> Any:
    """(batch, 2048) bytes -> (batch, 214): how likely each kind is."""
    from jkeras import Input, Model, layers, ops

    arrays = weights()
    width, channels, filters = arrays[3].shape
    seen = Input((2 * HALF,), dtype="int32")
    x = layers.Embedding(*arrays[0].shape)(seen)
    x = layers.Reshape((-1, channels))(ops.gelu(x, approximate=True))
    x = layers.LayerNormalization(axis=1, epsilon=EPSILON)(x)
    x = layers.Conv1D(filters, width)(x)
    x = layers.GlobalMaxPooling1D()(ops.gelu(x, approximate=True))
    x = layers.LayerNormalization(epsilon=EPSILON)(x)
    model = Model(seen, layers.Dense(arrays[-1].size, "softmax")(x))
    model.set_weights(arrays)
    return model


def in_float64(seen: np.ndarray) -> np.ndarray:
    """What the net says when numpy computes it with twice the bits."""
    vectors, *scales_1, kernel, bias, scale_2, shift_2, last, last_bias = [
        array.astype("float64") for array in weights()
    ]

    def gelu(x):
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def normalized(x):
        centred = x - x.mean(1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(1, keepdims=True) + EPSILON)

    x = gelu(vectors[seen]).reshape(len(seen), -1, kernel.shape[1])
    scale, shift = (array[:, None] for array in scales_1)
    x = normalized(x) * scale + shift
    places = x.shape[1] - len(kernel) + 1
    x = gelu(sum(x[:, n : n + places] @ tap for n, tap in enumerate(kernel)) + bias)
    x = normalized(x.max(1)) * scale_2 + shift_2
    exponents = np.exp(x @ last + last_bias)
    return exponents / exponents.sum(1, keepdims=True)


def seen_of(file: pathlib.Path) -> np.ndarray:
    """(2048,): the first bytes behind white space and the last before it, or padding."""
    content = file.read_bytes()
    begin, end = content[:BLOCK].lstrip()[:HALF], content[-BLOCK:].rstrip()[-HALF:]
    seen = np.full(2 * HALF, PADDING, "int32")
    seen[: len(begin)] = list(begin)
    seen[len(seen) - len(end) :] = list(end)
    return seen


def shown() -> list[pathlib.Path]:
    """Files of known kinds, the first of each kind and package by name. Those that end in .html
    are left out, being templates."""
    files = []
    for package in SHOWN:
        for ending in KINDS:
            found = sorted(files_of(package).rglob(f"*{ending}"))
            files += [file for file in found if file.stat().st_size >= SMALLEST][:MOST]
    return files


def of_tool(files: list[pathlib.Path]) -> list[str]:
    """What the package's own tool says, with onnxruntime."""
    importable(PACKAGE)
    from magika import Magika

    found = Magika().identify_paths(files)
    return [each.prediction.dl.label for each in found]


def beside_onnx(x: np.ndarray, said: np.ndarray) -> list[Row]:
    """How far what is said is from what the ONNX says, and each of them from float64."""
    import onnxruntime

    (theirs,) = onnxruntime.InferenceSession(net_file()).run(None, {"bytes": x})
    apart = np.abs(said - theirs).max(1)
    far = apart.argsort()[-8:]
    exact = in_float64(x[far])
    return [
        # the variance in the ONNX is a difference of means of squares, which takes digits away
        Row(f"files that its ONNX says otherwise by {FAR}", (apart > FAR).sum(), most=1),
        Row(
            "largest difference from float64, of the 8 furthest from the ONNX",
            largest_difference(said[far], exact),
            keras=f"{largest_difference(theirs[far], exact):.1e}, its ONNX",
            most=FAR,
        ),
    ]


def measure() -> list[Row]:
    files, model = shown(), net()
    kinds = np.array(json.loads((folder() / "config.min.json").read_text())["target_labels_space"])
    truth = np.array([KINDS[file.suffix] for file in files])
    x = np.stack([seen_of(file) for file in files])
    said = model.predict(x, verbose=0)
    found, tool = kinds[said.argmax(1)], np.array(of_tool(files))
    right = [np.mean(found[truth == kind] == kind) for kind in np.unique(truth)]
    return [
        Row(
            f"accuracy, {len(files)} files",
            np.mean(found == truth),
            "about 0.99 of its test set",
            float(np.mean(tool == truth)),
            least=0.97,
        ),
        Row(f"mean accuracy of {len(right)} kinds", np.mean(right), least=0.9),
        Row("files of which it says what the package's tool says", np.mean(found == tool), least=1),
        *beside_onnx(x, said),
        *exported(model, x[:8], most=FAR),
    ]


RECORD = Record(
    group="nets",
    title="Magika: the kinds of files",
    about="An embedding, a convolution and two normalizations, put together from layers, tell the "
    "kind of the files of some packages by their bytes, as its own tool does.",
    packages=SHOWN,
    licence="Apache-2.0; of the files that are shown, those of their packages",
    source="The package's own description, of its test set",
    measure=measure,
    needs=("click", "onnx", "jax2onnx", "onnxruntime"),
)
