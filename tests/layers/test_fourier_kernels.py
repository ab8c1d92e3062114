"""The kernels of STFTSpectrogram are those of the Fourier transform, also far from angle zero."""

import numpy as np
import pytest

import jkeras


@pytest.mark.parametrize(("side", "part"), [("real", np.real), ("imag", np.imag)])
@pytest.mark.parametrize("length", [256, 2048])
def test_kernels_are_exact_to_rounding(side: str, part, length: int) -> None:
    bins = length // 2 + 1
    kernel = jkeras.initializers.STFT(side, window=None)((length, 1, bins))
    wanted = part(np.fft.rfft(np.eye(length)))
    np.testing.assert_allclose(kernel[:, 0], wanted, rtol=0, atol=1e-7)


def test_of_one_sample_is_that_sample() -> None:
    kernel = jkeras.initializers.STFT("real", window=None)((1, 1, 1))
    np.testing.assert_array_equal(kernel, [[[1.0]]])
