"""Silero VAD hears when somebody speaks.

Its net for 16 kHz looks at chunks of 32 ms, each behind the last 4 ms of the one before: the
magnitudes of a short-time Fourier transform, four convolutions and an LSTM that goes on from chunk
to chunk. It is put together from layers of jkeras. The Fourier transform is `STFTSpectrogram` as it
is, for the kernels in the file are no others. What is heard is half a minute of a phone call
between two women, whose turns are known. The package's safetensors are not read: they hold other
weights than its ONNX files.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.records.onnx_weights import weights_of
from benchmarks.records.record import Record, Row, exported, files_of, largest_difference

PACKAGE = "silero-vad==6.2.3"
CALL = "pyannote-audio==4.0.7"
RATE = 16000  # samples in a second
CHUNK, BEFORE = 512, 64  # samples: of a chunk, and of the one before that it also sees
WINDOW, HOP = 256, 128  # samples
CONVOLUTIONS = {"conv1": (128, 1), "conv2": (64, 2), "conv3": (64, 2), "conv4": (128, 1)}
UNITS = 128
ROUNDED = 5e-5  # kernels of `STFTSpectrogram` are Keras's, whose angles are rounded by 3e-5
QUIET = 6.0  # seconds until nobody speaks


def data() -> pathlib.Path:
    """The folder of the weights."""
    return files_of(PACKAGE) / "silero_vad" / "data"


def encoder() -> Any:
    """(batch, 576) samples -> (batch, 128)."""
    from jkeras import Input, Model, layers, ops

    samples = Input((BEFORE + CHUNK,))
    x = ops.pad(samples, ((0, 0), (0, BEFORE)), mode="reflect")[..., None]
    fourier = {"frame_length": WINDOW, "frame_step": HOP, "fft_length": WINDOW, "periodic": True}
    x = layers.STFTSpectrogram(mode="stft", scaling=None, **fourier)(x)
    real, imaginary = ops.split(x, 2, axis=-1)
    # the mode "magnitude" holds all magnitudes above 3e-4, which quiet chunks go below
    x = ops.sqrt(real**2 + imaginary**2)
    for name, (filters, strides) in CONVOLUTIONS.items():
        x = layers.ZeroPadding1D(1)(x)
        x = layers.Conv1D(filters, 3, strides=strides, activation="relu", name=name)(x)
    return Model(samples, x[:, 0], name="encoder")


def net(stateful: bool = False) -> Any:
    """(1, chunks, 576) -> (1, chunks, 1): the probability that somebody speaks.

    Args:
        stateful: each call goes on where the last one ended.
    """
    from jkeras import Input, Model, layers

    chunks = Input(batch_shape=(1, None, BEFORE + CHUNK))
    x = layers.TimeDistributed(encoder(), name="each")(chunks)
    x = layers.LSTM(UNITS, return_sequences=True, stateful=stateful, name="memory")(x)
    x = layers.ReLU()(x)
    return filled(Model(chunks, layers.Dense(1, activation="sigmoid", name="said")(x)))


def filled(model: Any) -> Any:
    """It with the weights of the package's ONNX; PyTorch's kernels have their last axis first, and
    its LSTM has two biases, which are added."""
    of = weights_of(data() / "silero_vad_16k_op15.onnx")
    each = model.get_layer("each").layer
    for number, name in enumerate(CONVOLUTIONS):
        prefix = f"model.encoder.{number}.reparam_conv"
        each.get_layer(name).set_weights([of[f"{prefix}.weight"].T, of[f"{prefix}.bias"]])
    kernels = [of[f"model.decoder.rnn.weight_{kind}"].T for kind in ("ih", "hh")]
    bias = of["model.decoder.rnn.bias_ih"] + of["model.decoder.rnn.bias_hh"]
    model.get_layer("memory").set_weights([*kernels, bias])
    last = [of["model.decoder.decoder.2.weight"][..., 0].T, of["model.decoder.decoder.2.bias"]]
    model.get_layer("said").set_weights(last)
    return model


def chunks_of(audio: np.ndarray) -> np.ndarray:
    """(1, chunks, 576) of the whole chunks of a recording, silence before it."""
    behind = np.concatenate([np.zeros(BEFORE, "float32"), audio])
    windows = np.lib.stride_tricks.sliding_window_view(behind, BEFORE + CHUNK)
    return windows[None, ::CHUNK]


def of_onnx(chunks: np.ndarray) -> np.ndarray:
    """What the package's own net says, chunk by chunk."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data() / "silero_vad.onnx")
    state, said = np.zeros((2, 1, UNITS), "float32"), []
    for chunk in chunks[0]:
        given = {"input": chunk[None], "state": state, "sr": np.array(RATE)}
        probability, state = session.run(None, given)
        said.append(probability)
    return np.stack(said, 1)


def call() -> tuple[np.ndarray, list[tuple[float, float]]]:
    """The call, within -1 and 1, and from when until when somebody speaks, in seconds."""
    from scipy.io import wavfile

    folder = files_of(CALL) / "pyannote" / "audio" / "sample"
    rate, audio = wavfile.read(folder / "sample.wav")
    assert rate == RATE
    lines = [line.split() for line in (folder / "sample.rttm").read_text().splitlines()]
    turns = [(float(line[3]), float(line[3]) + float(line[4])) for line in lines]
    return (audio / 2**15).astype("float32"), turns


def spoken(turns: Sequence[tuple[float, float]], chunks: int) -> np.ndarray:
    """Of each chunk, whether somebody speaks at its middle."""
    middles = (np.arange(chunks) + 0.5) * CHUNK / RATE
    return np.any([(begin <= middles) & (middles < end) for begin, end in turns], 0)


def area_under_roc(truth: np.ndarray, said: np.ndarray) -> float:
    """By a metric of jkeras."""
    import jkeras

    metric = jkeras.metrics.AUC(num_thresholds=2000)
    metric.update_state(truth, said)
    return float(metric.result())


def in_parts(chunks: np.ndarray) -> np.ndarray:
    """What a stateful net says of three parts, one after the other."""
    model = net(stateful=True)
    parts = np.array_split(chunks, 3, axis=1)
    return np.concatenate([model(part) for part in parts], 1)


def measure() -> list[Row]:
    audio, turns = call()
    chunks, model = chunks_of(audio), net()
    said, theirs = model.predict(chunks, verbose=0), of_onnx(chunks)
    truth = spoken(turns, chunks.shape[1])
    noise = np.random.default_rng(0).normal(0, 0.03, 10 * RATE).astype("float32")
    quiet = said[0, : int(QUIET * RATE / CHUNK)]
    accuracy = np.mean((said[0, :, 0] > 0.5) == truth)
    return [
        Row(
            "area under ROC, chunks of the call",
            area_under_roc(truth, said[0, :, 0]),
            "0.95 of calls (Earnings 21), version 5",
            area_under_roc(truth, theirs[0, :, 0]),
            least=0.95,
        ),
        Row(
            "accuracy at 0.5, chunks of the call",
            accuracy,
            keras=float(np.mean((theirs[0, :, 0] > 0.5) == truth)),
            least=0.9,
        ),
        Row("largest probability while nobody speaks", quiet.max(), most=0.2),
        Row("the same, noise", model.predict(chunks_of(noise), verbose=0).max(), most=0.2),
        Row("largest difference from its ONNX", largest_difference(said, theirs), most=ROUNDED),
        Row(
            "the same, a stateful LSTM in three calls",
            largest_difference(in_parts(chunks), theirs),
            most=ROUNDED,
        ),
        *exported(model, chunks[:, 300:332], most=1e-5),
    ]


RECORD = Record(
    group="nets",
    title="Silero VAD: who speaks when, of a phone call",
    about="A short-time Fourier transform, convolutions and an LSTM, put together from layers, say "
    "what their ONNX says of each chunk of half a minute.",
    packages=(PACKAGE, CALL),
    licence="MIT, both",
    source="The wiki of snakers4/silero-vad, quality metrics of version 5, 2024",
    measure=measure,
    needs=("onnx", "scipy", "jax2onnx", "onnxruntime"),
)
