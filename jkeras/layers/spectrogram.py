"""Sounds as pictures of their frequencies: STFTSpectrogram, MelSpectrogram."""

import math
import typing
import warnings
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jkeras import ops
from jkeras.core.errors import check_choice, explain
from jkeras.core.graph.input_spec import InputSpec
from jkeras.core.layer import Layer, layer
from jkeras.core.record import Any
from jkeras.core.session.settings import epsilon, standardize_data_format
from jkeras.initializers import STFT
from jkeras.layers.base import DataLayer
from jkeras.core.weights.types import DataFormat
from jkeras.core.run.context import Context
from jkeras.kernel.spec import Spec, Weight

MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


@layer("keras.layers")
class STFTSpectrogram(Layer):
    """The short-time Fourier transform of a signal: (batch, time, channels) -> (batch, frames,
    channels * bins).

    Made with convolutions whose kernels are weights, so that they can be trained. There are
    `fft_length // 2 + 1` bins.

    Args:
        mode: "log" of the magnitude, "magnitude", "psd" (power spectral density), "real", "imag",
            "angle" or "stft" (real and imaginary parts one after the other).
        frame_length: samples in a frame.
        frame_step: samples from one frame to the next, by default half a frame.
        fft_length: by default the smallest power of two that holds a frame.
        window: name of a window of scipy, or its values.
        periodic: whether the window is periodic rather than symmetric.
        scaling: of the window: "density", "spectrum" or None.
        padding: "valid" or "same".
        expand_dims: give channels an axis of their own: (batch, frames, bins, channels).
        data_format: with "channels_first", channels come before the frames.

    Raises:
        ValueError: wrong arguments. TypeError: a signal that is not float16, float32 or float64.

    >>> import numpy as np
    >>> wave = np.sin(2 * np.pi * np.arange(160) / 8).reshape(1, 160, 1)  # 2 turns in 16 points
    >>> found = STFTSpectrogram(frame_length=16, frame_step=8)(wave)
    >>> found.shape, int(found[0, 0].argmax())
    ((1, 19, 9), 2)
    """

    mode: str = "log"
    frame_length: int = 256
    frame_step: int | None = None
    fft_length: int | None = None
    window: Any = "hann"
    periodic: bool = False
    scaling: str | None = "density"
    padding: typing.Literal["valid", "same"] = "valid"
    expand_dims: bool = False
    data_format: DataFormat | None = None

    def __post_init__(self) -> None:
        step, fft = self.frame_step, self.fft_length
        if self.frame_length < 1:
            raise ValueError(
                explain(
                    self._where, "`frame_length` of 1 or more", f"frame_length={self.frame_length}"
                )
            )
        check_choice("mode", self.mode, MODES, self._where)
        check_choice("scaling", self.scaling, ("density", "spectrum", None), self._where)
        check_choice("padding", self.padding, ("valid", "same"), self._where)
        for wrong, expected, received in (
            (
                step is not None and not 1 <= step <= self.frame_length,
                f"`frame_step` from 1 to frame_length={self.frame_length}",
                f"frame_step={step}",
            ),
            (
                fft is not None and fft < self.frame_length,
                f"`fft_length` of frame_length={self.frame_length} or more",
                f"fft_length={fft}",
            ),
        ):
            if wrong:
                raise ValueError(explain(self._where, expected, received))
        if fft is not None and fft & (fft - 1):
            warnings.warn(
                "A Fourier transform is quick for powers of two, and `fft_length` is none. "
                f"Received: {fft}",
                stacklevel=4,
            )
        self._kernels = {
            side: STFT(side, self.window, self.scaling, self.periodic) for side in ("real", "imag")
        }
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=3)

    _step = property(lambda self: self.frame_step or self.frame_length // 2)
    _fft = property(lambda self: self.fft_length or 2 ** math.ceil(math.log2(self.frame_length)))

    def weight_specs(self, inputs: Spec) -> dict[str, Weight]:
        shape = (self.frame_length, 1, self._fft // 2 + 1)
        return {
            f"{side}_kernel": self.weight(f"{side}_kernel", shape, initializer=kernel)
            for side, kernel in self._kernels.items()
            if self.mode != {"real": "imag", "imag": "real"}[side]
        }

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        if str(inputs.dtype) not in ("float16", "float32", "float64"):
            raise TypeError(
                explain(self._where, "a signal of float16, float32 or float64", f"{inputs.dtype}")
            )
        parts = [self._transformed(inputs, kernel.astype(inputs.dtype)) for kernel in w.values()]
        if self.mode in ("real", "imag"):
            return self._arranged(parts[0])
        real, imag = parts  # (batch, channels, frames, bins)
        if self.mode == "angle":
            return self._arranged(jnp.arctan2(imag, real))
        if self.mode == "stft":
            return self._arranged(jnp.concatenate(parts, axis=-1))
        power = jnp.square(real) + jnp.square(imag)
        if self.mode == "psd":  # all bins but the first and last stand for negative frequencies too
            return self._arranged(power.at[..., 1:-1].multiply(2))
        magnitude = jnp.sqrt(jnp.maximum(power, epsilon()))
        if self.mode == "log":
            magnitude = jnp.log(jnp.maximum(magnitude, epsilon()))
        return self._arranged(magnitude)

    def _transformed(self, inputs: jax.Array, kernel: jax.Array) -> jax.Array:
        """Each channel convolved with a kernel: (batch, channels, frames, bins)."""
        if self.data_format == "channels_first":
            signal = inputs
        else:
            signal = inputs.swapaxes(1, 2)
        batch, channels, time = signal.shape
        out = ops.conv(
            signal.reshape(-1, time, 1),
            kernel,
            strides=self._step,
            padding=self.padding,
            data_format="channels_last",
        )
        return out.reshape(batch, channels, *out.shape[1:])

    def _arranged(self, x: jax.Array) -> jax.Array:
        """(batch, channels, frames, bins) in the order asked for."""
        channels_first = self.data_format == "channels_first"
        if self.expand_dims:
            if channels_first:
                return x
            return x.transpose(0, 2, 3, 1)
        batch, channels, frames, bins = x.shape
        if channels_first:
            return x.swapaxes(2, 3).reshape(batch, channels * bins, frames)
        return x.swapaxes(1, 2).reshape(batch, frames, channels * bins)


@layer("keras.layers")
class MelSpectrogram(DataLayer):
    """The power of a signal in bands of the mel scale: (batch, time) or (time,) -> (…,
    num_mel_bins, frames).

    Args:
        top_db: how far below the loudest value, in decibels, the lowest may be.
        ref_power: the power that counts as 0 decibels.
        fft_length, sequence_stride, sequence_length, window: of the short-time Fourier transform.
        sampling_rate: of the signal, in Hz.
        num_mel_bins: number of bands.
        min_freq, max_freq: range of the bands; the highest is half the sampling rate.
        power_to_db: in decibels relative to `ref_power`, at most `top_db` below the loudest of all.
        mag_exp: exponent of the magnitude: 1 energy, 2 power.
        min_power: smaller powers count as this one.

    Raises:
        ValueError: `fft_length` below `sequence_length`.

    >>> import numpy as np
    >>> layer = MelSpectrogram(fft_length=64, sequence_stride=32, num_mel_bins=8)
    >>> layer(np.ones((2, 320), "float32")).shape
    (2, 8, 11)
    """

    fft_length: int = 2048
    sequence_stride: int = 512
    sequence_length: int | None = None
    window: Any = "hann"
    sampling_rate: int = 16000
    num_mel_bins: int = 128
    min_freq: float = 20.0
    max_freq: float | None = None
    power_to_db: bool = True
    top_db: float = 80.0
    mag_exp: float = 2.0
    min_power: float = 1e-10
    ref_power: float = 1.0

    def __post_init__(self) -> None:
        self.sequence_length = self.sequence_length or self.fft_length
        self.max_freq = self.max_freq or int(self.sampling_rate / 2)
        if self.fft_length < self.sequence_length:
            raise ValueError(
                explain(
                    self._where,
                    f"`fft_length` of sequence_length={self.sequence_length} or more",
                    f"fft_length={self.fft_length}",
                )
            )

    def forward(self, w: Mapping[str, Any], inputs: jax.Array, ctx: Context) -> jax.Array:
        if self.compute_dtype in ("float32", "float64"):
            wide = self.compute_dtype
        else:
            wide = "float32"
        real, imag = ops.stft(
            jnp.asarray(inputs, wide),
            self.sequence_length,
            self.sequence_stride,
            self.fft_length,
            window=self.window,
            center=True,
        )  # (…, frames, bins)
        power = jnp.sqrt(jnp.square(real) + jnp.square(imag)) ** self.mag_exp
        bands = power @ self.linear_to_mel_weight_matrix(
            self.num_mel_bins, power.shape[-1], self.sampling_rate, self.min_freq, self.max_freq
        )
        if self.power_to_db:
            reference = jnp.maximum(jnp.abs(jnp.asarray(self.ref_power)), self.min_power)
            bands = 10.0 * jnp.log10(jnp.maximum(bands, self.min_power)) - 10.0 * jnp.log10(
                reference
            )
            bands = jnp.maximum(bands, bands.max() - self.top_db)
        return bands.swapaxes(-1, -2).astype(self.compute_dtype)

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: int = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: int = 3800.0,
        dtype: str = "float32",
    ) -> jax.Array:
        """The matrix (num_spectrogram_bins, num_mel_bins) from bins of frequency to bands of the
        mel scale.

        Bands are triangles of height 1 on the scale mel(f) = 2595 log10(1 + f / 700), each from the
        centre of the band below to that of the band above. The bin of frequency 0 is in none (as in
        HTK).
        """

        def mel(hertz: jax.Array) -> jax.Array:
            return 1127.0 * jnp.log(1.0 + hertz / 700.0)

        bins = mel(jnp.linspace(0, sampling_rate / 2.0, num_spectrogram_bins, dtype=dtype))[
            1:, None
        ]
        edges = jnp.linspace(
            mel(jnp.asarray(lower_edge_hertz, dtype)),
            mel(jnp.asarray(upper_edge_hertz, dtype)),
            num_mel_bins + 2,
        )
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        triangles = jnp.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
        return jnp.pad(jnp.maximum(triangles, 0), ((1, 0), (0, 0)))
