"""What learns from data and what reads it, as Keras 3.16 does; much of it in both versions."""

import wave
import zipfile

import numpy as np
import pytest

import jkeras
from jkeras.saving import KerasFileEditor


@pytest.fixture
def sounds(tmp_path):
    """A folder of two classes of three sounds each, of 8, 9 and 10 numbers at 100 Hz."""
    for label in "ab":
        (tmp_path / label).mkdir()
        for length in (8, 9, 10):
            with wave.open(str(tmp_path / label / f"{length}.wav"), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(100)
                file.writeframes(np.arange(1, length + 1, dtype="<i2").tobytes())
    return tmp_path


def read(folder, **options):
    options = {"format": "grain", "shuffle": False, "verbose": False, **options}
    return jkeras.utils.audio_dataset_from_directory(str(folder), **options)


def test_sounds_without_tensorflow(sounds):
    (x, y), *rest = read(sounds, batch_size=6)
    assert x.shape == (6, 10, 1) and y.tolist() == [0, 0, 0, 1, 1, 1] and not rest
    np.testing.assert_allclose(np.sort(x[..., -1].max(1)) * 2**15, [8, 8, 9, 9, 10, 10])
    for wrong in ({"ragged": True}, {"format": "torch"}):
        with pytest.raises(ValueError, match="ragged|format"):
            read(sounds, **wrong)


def test_sounds_are_cut_after_they_are_resampled(sounds):
    (x, _), *_ = read(sounds, sampling_rate=200, output_sequence_length=12)
    assert x.shape == (6, 12, 1) and (np.abs(x).sum((1, 2)) > 0).all()
    assert (np.abs(x[:, -1]) > 0).all()  # cut before, they would have 12 of 16 numbers to fill


@pytest.mark.promise("that rounds to no file leaves all of them for training")
def test_a_part_that_rounds_to_nothing_is_not_everything(sounds):
    options = {"validation_split": 0.1, "batch_size": 6}
    (x, _), *_ = read(sounds, subset="training", **options)
    assert len(x) == 6
    with pytest.raises(ValueError, match="No validation audio files"):
        read(sounds, subset="validation", **options)


class Batches:
    """A data set of two batches that says how many it has."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def cardinality(self):
        return len(self.batches)


LEARNING = {
    "Normalization": (lambda: jkeras.layers.Normalization(), np.ones((2, 3))),
    "Discretization": (lambda: jkeras.layers.Discretization(num_bins=3), np.arange(4.0)),
    "StringLookup": (lambda: jkeras.layers.StringLookup(), np.array(["a", "b"])),
    "TextVectorization": (lambda: jkeras.layers.TextVectorization(), np.array(["a b", "c"])),
}


@pytest.mark.parametrize("name", LEARNING)
def test_learning_shows_how_far_it_is(name, keras_316, capsys):
    make, batch = LEARNING[name]
    make().adapt(batch)
    assert capsys.readouterr().out == ""
    make().adapt(Batches(batch, batch))
    assert "2/2 steps" in capsys.readouterr().out
    jkeras.config.set_keras_version("3.15")
    make().adapt(Batches(batch, batch))
    assert capsys.readouterr().out == ""


def test_a_feature_space_shows_it_if_asked(capsys):
    def learned(**options):
        space = jkeras.utils.FeatureSpace({"a": "string_categorical", "b": "float_normalized"})
        space.adapt(Batches({"a": np.array(["x", "y"]), "b": np.array([1.0, 2.0])}), **options)
        return capsys.readouterr().out

    assert learned() == learned(verbose=0) == ""
    assert learned(verbose=1).count("1/1 steps") == 1
    jkeras.config.set_keras_version("3.16")
    try:
        assert "1/1 steps" in learned() and learned(verbose=0) == ""
    finally:
        jkeras.config.set_keras_version("3.15")


def test_a_data_set_begins_its_epoch_before_its_workers():
    seen = []

    class Data(jkeras.utils.PyDataset):
        def __len__(self):
            return 2

        def on_epoch_begin(self):
            seen.append("epoch")

        def __getitem__(self, number):
            seen.append(number)
            return np.ones((2, 1)), np.ones((2, 1))

    model = jkeras.Sequential([jkeras.Input((1,)), jkeras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = Data(workers=2, use_multiprocessing=False)
    seen.clear()
    model.evaluate(data, verbose=0)  # for which a batch is looked at
    seen.clear()
    model.fit(data, epochs=1, verbose=0)
    first = seen.index("epoch")
    assert set(seen[first + 1 :]) == {0, 1} and seen[:first] in ([], [0])  # one to look at


def test_an_editor_refuses_what_swells(tmp_path):
    model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(5)])
    model.save(tmp_path / "good.keras")
    bomb = tmp_path / "bomb.keras"
    with (
        zipfile.ZipFile(tmp_path / "good.keras") as good,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file,
    ):
        for name in good.namelist():
            content = good.read(name)
            if name == "config.json":
                content = b'{"x":"' + b" " * 2**26 + b'"}'
            file.writestr(name, content)
    with pytest.raises(ValueError, match="would inflate"):
        KerasFileEditor(bomb)
