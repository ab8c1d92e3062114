"""Basic Pitch writes down which notes are played when, of any instrument and of several at once.

A constant-Q transform of two seconds of sound, nine octaves of three bins to the semitone, stands
beside itself moved by the intervals of overtones, and few convolutions say of each frame which
pitches, which notes and which beginnings of notes are in it. It is put together from layers and
operations of jkeras; the filters of the transform and the weights are those in its ONNX. What it
hears are scales and chords that are made here.
"""

import pathlib
from typing import Any

import numpy as np

from benchmarks.records.onnx_weights import weights_of
from benchmarks.records.record import Record, Row, exported, files_of, largest_difference

PACKAGE = "basic-pitch==0.4.0"
RATE, SAMPLES = 22050, 43844
HOP = 256  # samples from frame to frame
OCTAVES, BINS = 9, 309  # BINS: the highest of the 324 that the octaves have
CONTOURS = 264  # bins of those that it answers of
MOVED = (-36, 0, 36, 57, 72, 84, 93, 101)  # bins, by which half, one, two, … of a pitch is higher
LOWEST = 21  # the number of the lowest note, A0, in MIDI
LIKELY, HELD = 0.3, 11  # a note is one if it stays so likely for so many frames
WITHIN = 0.05  # seconds
Notes = list[tuple[int, float]]  # number in MIDI, second at which it begins


def net_file() -> pathlib.Path:
    """The ONNX."""
    return files_of(PACKAGE) / "basic_pitch" / "saved_models" / "icassp_2022" / "nmp.onnx"


def constant_q(samples: Any, of: dict[str, np.ndarray]) -> Any:
    """(batch, samples) -> (batch, frames, bins): decibels, from 0 to 1 in each row.

    The highest octave is filtered out by two kernels, a cosine and a sine; for the next the sound
    is halved in rate (Schörkhuber and Klapuri 2010).
    """
    from jkeras import ops

    halving = of["const_fold_opt__734"].reshape(-1, 1, 1)
    waves = [of[f"const_fold_opt__{n}"][:, 0, 0].T[:, None] for n in (655, 664)]
    kernel, x, octaves = np.concatenate(waves, -1), samples[..., None], []
    for octave in range(OCTAVES):
        around = ((0, 0), (kernel.shape[0] // 2, kernel.shape[0] // 2), (0, 0))
        padded = ops.pad(x, around, mode="reflect")
        octaves.insert(0, ops.conv(padded, kernel, strides=HOP >> octave, padding="valid"))
        padded = ops.pad(x, ((0, 0), (127, 127), (0, 0)))
        x = ops.conv(padded, halving, strides=2, padding="valid")
    parts = [ops.concatenate(side, -1) for side in zip(*(ops.split(x, 2, -1) for x in octaves))]
    lengths = of["model_1/cq_t2010v2_1/Sqrt;model_1/cq_t2010v2_1/Sqrt"].ravel()
    power = sum((part[..., -BINS:] * lengths) ** 2 for part in parts)
    decibels = 10 * ops.log10(power + 1e-10)
    above = decibels - ops.min(decibels, (1, 2), keepdims=True)
    return ops.divide_no_nan(above, ops.max(above, (1, 2), keepdims=True))


def moved(x: Any, bins: int) -> Any:
    """(batch, frames, bins) with what is `bins` higher in place of each, 0 beyond the ends."""
    from jkeras import ops

    if bins < 0:
        return ops.pad(x[..., :bins], ((0, 0), (0, 0), (-bins, 0)))
    return ops.pad(x[..., bins:], ((0, 0), (0, 0), (0, bins)))


def net() -> Any:
    """(batch, samples) -> beginnings and notes, (batch, frames, 88), and pitches, (batch, frames,
    264), how likely each is."""
    from jkeras import Input, Model, layers, ops

    of = weights_of(net_file())

    def conv(x, kernel, bias, activation, strides=1):
        array = of[f"const_fold_opt__{kernel}"].transpose(2, 3, 1, 0)
        *size, _, filters = array.shape
        layer = layers.Conv2D(filters, size, (1, strides), "same", activation=activation)
        layer.build(x.shape)
        layer.set_weights([array, next(of[name] for name in of if name.startswith(bias))])
        return layer(x)

    normalization = "model_1/batch_normalization/FusedBatchNormV3;" * 2
    scale, shift = (of[normalization[:-1] + end] for end in ("", "1"))
    samples = Input((SAMPLES,))
    x = constant_q(samples, of) * scale + shift
    x = ops.stack([moved(x, bins)[..., :CONTOURS] for bins in MOVED], -1)
    pitches = conv(x, 727, "model_1/re_lu_1", "relu")
    pitches = conv(pitches, 710, "model_1/contours-reduced/BiasAdd", "sigmoid")
    notes = conv(pitches, 738, "model_1/conv2d_2/BiasAdd", "relu", strides=3)
    notes = conv(notes, 702, "model_1/conv2d_3/BiasAdd", "sigmoid")
    begin = ops.concatenate([notes, conv(x, 707, "model_1/re_lu_3", "relu", strides=3)], -1)
    begin = conv(begin, 680, "model_1/conv2d_5/BiasAdd", "sigmoid")
    return Model(samples, [begin[..., 0], notes[..., 0], pitches[..., 0]])


def played() -> list[Notes]:
    """Two seconds each: scales upwards from several notes, and chords."""
    major, begin = (0, 2, 4, 5, 7, 9, 11), 0.1
    scales = [
        [(lowest + step, begin + 0.25 * n) for n, step in enumerate(major)]
        for lowest in (36, 48, 60, 72)
    ]
    chords = [(0, 4, 7), (5, 9, 12), (7, 11, 14)]
    cadences = [
        [(lowest + step, begin + 0.6 * n) for n, chord in enumerate(chords) for step in chord]
        for lowest in (48, 60)
    ]
    return scales + cadences


def sound(notes: Notes) -> np.ndarray:
    """(samples,): each note has eight overtones that fade, as of a string that is plucked and
    damped where the next begins; there is a little noise."""
    time = np.arange(SAMPLES) / RATE
    begins = sorted({begin for _, begin in notes})
    damped = dict(zip(begins, [*begins[1:], np.inf]))
    signal = np.zeros(SAMPLES)
    for number, begin in notes:
        since = time - begin
        edges = np.clip(since / 0.005, 0, 1) * np.clip((damped[begin] - time) / 0.03, 0, 1)
        for overtone in range(1, 9):
            frequency = overtone * 440 * 2 ** ((number - 69) / 12)
            wave = np.sin(2 * np.pi * frequency * since + overtone) / overtone
            signal += edges * np.exp(-4 * overtone**0.5 * np.maximum(since, 0)) * wave
    noise = np.random.default_rng(0).normal(0, 0.01, SAMPLES)
    return (0.5 * signal / np.abs(signal).max() + noise).astype("float32")


def found(begin: np.ndarray, notes: np.ndarray) -> Notes:
    """Of one row, (frames, 88): where the beginning of a note is likeliest and above a half, and
    the note goes on."""
    around = np.pad(begin, ((1, 1), (0, 0)))
    peaks = (begin > 0.5) & (begin > around[:-2]) & (begin >= around[2:])
    held = [
        (frame, key)
        for frame, key in np.argwhere(peaks)
        if notes[frame + 1 : frame + 1 + HELD, key].min(initial=1) > LIKELY
    ]
    return [(LOWEST + int(key), frame * HOP / RATE) for frame, key in held]


def right(said: Notes, notes: Notes) -> int:
    """How many notes are found, each once, in their time."""
    left = list(said)
    for number, begin in notes:
        hits = [each for each in left if each[0] == number and abs(each[1] - begin) < WITHIN]
        if hits:
            left.remove(hits[0])
    return len(said) - len(left)


def score(said: list[np.ndarray], pieces: list[Notes]) -> float:
    """F-measure of all notes."""
    heard = [found(*row) for row in zip(*said[:2])]
    hits = sum(right(*pair) for pair in zip(heard, pieces))
    return 2 * hits / (sum(map(len, heard)) + sum(map(len, pieces)))


def of_onnx(x: np.ndarray) -> list[np.ndarray]:
    """What the package's own net says, and behind it the constant-Q transform inside."""
    import onnx
    import onnxruntime

    whole = onnx.load(net_file())
    inside = [node.output[0] for node in whole.graph.node if "div_no_nan" in node.output[0]][-1]
    whole.graph.output.append(onnx.helper.make_tensor_value_info(inside, 1, None))
    session = onnxruntime.InferenceSession(whole.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: x[..., None]})


def in_float64(x: np.ndarray) -> np.ndarray:
    """The constant-Q transform with twice the bits."""
    import jax

    weights = weights_of(net_file())
    floats = {name: v.astype("float64") for name, v in weights.items() if v.dtype == "float32"}
    jax.config.update("jax_enable_x64", True)  # `jax.enable_x64` is there since 0.8 alone
    try:
        return np.asarray(constant_q(x.astype("float64"), floats))
    finally:
        jax.config.update("jax_enable_x64", False)


def transform(x: np.ndarray, theirs: np.ndarray) -> Row:
    """How far it is from float64, ours and theirs: decibels of what is almost nothing are far."""
    ours, exact = constant_q(x, weights_of(net_file())), in_float64(x)
    return Row(
        "largest difference of the transform from float64",
        largest_difference(ours, exact),
        keras=f"{largest_difference(theirs, exact):.1e}, its ONNX",
        most=5e-4,
    )


def measure() -> list[Row]:
    pieces, model = played(), net()
    x = np.stack([sound(notes) for notes in pieces])
    said = model.predict(x, verbose=0)
    *theirs, transformed = of_onnx(x)
    return [
        Row(
            f"F-measure of {sum(map(len, pieces))} notes, pitch and beginning within 50 ms",
            score(said, pieces),
            keras=score(theirs, pieces),
            least=0.97,
        ),
        transform(x, transformed),
        *[
            Row(f"largest difference from its ONNX, {what}", largest_difference(*pair), most=5e-4)
            for what, *pair in zip(("beginnings", "notes", "pitches"), said, theirs)
        ],
        *exported(model, x[:1], most=5e-4),
    ]


RECORD = Record(
    group="nets",
    title="Basic Pitch: the notes of scales and chords",
    about="A constant-Q transform, overtones beside each other and convolutions, put together from "
    "layers and operations, find the notes that its ONNX finds.",
    packages=(PACKAGE,),
    licence="Apache-2.0",
    source="Bittner et al., ICASSP 2022",
    measure=measure,
    needs=("onnx", "jax2onnx", "onnxruntime"),
)
