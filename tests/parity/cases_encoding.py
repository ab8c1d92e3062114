"""Rows of the live comparison with Keras: numbers as categories, sounds as spectrograms."""

from tests.parity.case import Case

CASES = [
    Case("CategoryEncoding", dict(num_tokens=5), inputs=[(3, 4)], ints=5),
    Case("CategoryEncoding", dict(num_tokens=5, output_mode="one_hot"), inputs=[(3, 1)], ints=5),
    Case("CategoryEncoding", dict(num_tokens=5, output_mode="one_hot"), inputs=[(3,)], ints=5),
    Case("CategoryEncoding", dict(num_tokens=5, output_mode="count"), inputs=[(3, 6)], ints=5),
    Case("CategoryEncoding", dict(num_tokens=5, output_mode="count"), inputs=[(4,)], ints=5),
    Case("Discretization", dict(bin_boundaries=(-0.5, 0.0, 0.5)), inputs=[(3, 4)]),
    Case("Discretization", dict(bin_boundaries=(-0.5, 0.0, 0.5), dtype="int64"), inputs=[(3, 4)]),
    Case("Discretization", dict(bin_boundaries=(0.0,), output_mode="one_hot"), inputs=[(3, 1)]),
    Case(
        "Discretization", dict(bin_boundaries=(0.0, 0.2), output_mode="multi_hot"), inputs=[(3, 4)]
    ),
    Case("Discretization", dict(bin_boundaries=(0.0, 0.2), output_mode="count"), inputs=[(3, 4)]),
    Case("STFTSpectrogram", dict(frame_length=16), inputs=[(2, 64, 2)]),
    Case(
        "STFTSpectrogram",
        dict(mode="magnitude", frame_length=12, frame_step=5, padding="same"),
        inputs=[(2, 50, 1)],
    ),
    Case(
        "STFTSpectrogram",
        dict(mode="psd", frame_length=16, fft_length=32, expand_dims=True),
        inputs=[(2, 64, 2)],
    ),
    Case(
        "STFTSpectrogram",
        dict(mode="stft", frame_length=16, data_format="channels_first"),
        inputs=[(2, 2, 64)],
    ),
    Case(
        "STFTSpectrogram",
        dict(mode="real", frame_length=16, expand_dims=True, data_format="channels_first"),
        inputs=[(2, 2, 64)],
    ),
    Case(
        "STFTSpectrogram",
        dict(mode="imag", frame_length=16, window="hamming", scaling="spectrum"),
        inputs=[(2, 64, 1)],
    ),
    Case(
        "STFTSpectrogram",
        dict(mode="angle", frame_length=16, periodic=True, scaling=None),
        inputs=[(2, 64, 1)],
    ),
    Case(
        "MelSpectrogram",
        dict(fft_length=64, sequence_stride=32, num_mel_bins=6, sampling_rate=1000),
        inputs=[(2, 300)],
    ),
    Case(
        "MelSpectrogram",
        dict(
            fft_length=64,
            sequence_stride=20,
            sequence_length=50,
            num_mel_bins=4,
            mag_exp=1.0,
            sampling_rate=1000,
            power_to_db=False,
            window="hamming",
        ),
        inputs=[(300,)],
    ),
]
