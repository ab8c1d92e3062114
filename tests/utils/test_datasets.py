"""Data sets of windows, halves and folders: what their batches hold, without TensorFlow."""

import wave

import numpy as np
import pytest

import jkeras
from jkeras import utils
from jkeras.utils import folders, tensorflow_data
from jkeras.utils.datasets import Dataset


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch):
    monkeypatch.setattr(tensorflow_data, "tensorflow", lambda: None)
    monkeypatch.setattr(folders, "tensorflow", lambda: None)


def test_windows_of_the_documented_example():
    data = np.arange(99)
    found = utils.timeseries_dataset_from_array(data, None, 10, sequence_stride=3, sampling_rate=2)
    rows = np.concatenate(list(found))
    assert rows[0].tolist() == list(range(0, 20, 2)) and rows[1].tolist() == list(range(3, 23, 2))
    assert rows[-1].tolist() == list(range(78, 98, 2))
    windows, targets = utils.timeseries_dataset_from_array(data[:-10], data[10:], 10)[0]
    assert windows.shape == (80, 10) and targets[0] == 10


@pytest.mark.parametrize(
    "options",
    [
        dict(sampling_rate=0),
        dict(sequence_stride=50),
        dict(start_index=-1),
        dict(end_index=50),
        dict(start_index=5, end_index=4),
        dict(format="x"),
    ],
)
def test_windows_out_of_range(options):
    with pytest.raises(ValueError):
        utils.timeseries_dataset_from_array(np.arange(20), None, 3, **options)


def test_split():
    left, right = utils.split_dataset(
        (np.arange(10), np.arange(10) * 2), left_size=0.7, shuffle=True, seed=1
    )
    pairs = [*left, *right]
    assert len(left) == 7 and sorted(int(x) for x, _ in pairs) == list(range(10))
    assert all(y == 2 * x for x, y in pairs)
    batches, _ = utils.split_dataset(Dataset(lambda i: i, np.arange(10), 4), right_size=2)
    assert [len(b) for b in batches] == [4, 4]
    for sizes in (dict(left_size=0.6, right_size=0.6), dict(left_size=11), dict()):
        with pytest.raises(ValueError):
            utils.split_dataset(np.arange(10), **sizes)
    for wrong in (dict(dataset=np.arange(10), left_size="3"), dict(dataset="abc", left_size=1)):
        with pytest.raises(TypeError):
            utils.split_dataset(**wrong)
    with pytest.raises(ValueError, match="asarray"):
        utils.split_dataset(list(range(10)), left_size=3)


@pytest.mark.promise("Where it is not, and with")
def test_data_sets_made_from_others():
    ds = Dataset(lambda i: (i, -i), np.arange(7), 3)
    assert [len(x) for x, _ in ds.take(1)] == [3] and [x.tolist() for x, _ in ds.skip(2)] == [[6]]
    assert [x for x, _ in ds.unbatch()] == list(range(7))
    assert ds.unbatch().map(lambda x, y: x * 2).batch(4)[0].tolist() == [0, 2, 4, 6]
    mixed = ds.shuffle(seed=1)
    first, second = (np.concatenate([x for x, _ in mixed]) for _ in range(2))
    assert sorted(first) == list(range(7)) and first.tolist() != second.tolist()


def test_fit_takes_one():
    x = np.linspace(0, 1, 40)
    ds = utils.timeseries_dataset_from_array(
        x[:, None].astype("float32"), x[5:], 5, batch_size=8, shuffle=True
    )
    model = jkeras.Sequential([jkeras.layers.Flatten(), jkeras.layers.Dense(1)])
    model.compile("adam", "mse")
    assert len(model.fit(ds, epochs=2, verbose=0).history["loss"]) == 2


# ---------------------------------------------------------------- folders


def _write(tmp_path, ending, make):
    for k, name in enumerate(["cat", "dog"]):
        (tmp_path / name).mkdir()
        for i in range(5):
            make(tmp_path / name / f"{i}{ending}", k, i)
    (tmp_path / ".hidden").mkdir()


def test_texts(tmp_path, capsys):
    _write(tmp_path, ".txt", lambda path, k, i: path.write_text(f"{k}{i} héllo", encoding="utf-8"))
    ds = utils.text_dataset_from_directory(tmp_path, batch_size=4, shuffle=False, max_length=4)
    assert capsys.readouterr().out == "Found 10 files belonging to 2 classes.\n"
    assert ds.class_names == ["cat", "dog"] and len(ds) == 3
    texts, labels = ds[0]
    assert texts.tolist() == ["00 h", "01 h", "02 h", "03 h"] and labels.dtype == "int32"
    both = utils.text_dataset_from_directory(
        tmp_path, validation_split=0.3, subset="both", seed=1, batch_size=None
    )
    assert [len(part) for part in both] == [7, 3]
    assert len({t for part in both for t, _ in part}) == 10
    assert all(int(t[0]) == label for part in both for t, label in part)
    _, hot = utils.text_dataset_from_directory(
        tmp_path, label_mode="categorical", class_names=["dog"]
    )[0]
    assert hot.tolist() == [[1.0]] * 5
    assert utils.text_dataset_from_directory(tmp_path, label_mode="binary", shuffle=False)[0][
        1
    ].shape == (10, 1)
    assert utils.text_dataset_from_directory(tmp_path, labels=None)[0].shape == (10,)
    for options in (
        dict(labels="x"),
        dict(label_mode="x"),
        dict(validation_split=0.5),
        dict(class_names=["cow"]),
        dict(validation_split=0.5, subset="training"),
        dict(labels=[1]),
        dict(format="x"),
    ):
        with pytest.raises(ValueError):
            utils.text_dataset_from_directory(tmp_path, **options)


def test_sounds(tmp_path):
    def make(path, k, i):
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(np.full((10 + i, 2), 16384 * (1 - 2 * k), "<i2").tobytes())

    _write(tmp_path, ".wav", make)
    sounds, labels = utils.audio_dataset_from_directory(tmp_path, shuffle=False)[0]
    assert sounds.shape == (10, 14, 2) and sounds.dtype == "float32"
    assert (
        sounds[0, :10].tolist() == [[0.5, 0.5]] * 10
        and sounds[5, 0, 0] == -0.5
        and not sounds[0, 10:].any()
    )
    assert utils.audio_dataset_from_directory(tmp_path, output_sequence_length=4)[0][0].shape == (
        10,
        4,
        2,
    )
    assert utils.audio_dataset_from_directory(tmp_path, ragged=True, shuffle=False)[0][0][
        4
    ].shape == (14, 2)
    assert utils.audio_dataset_from_directory(tmp_path, sampling_rate=4000, shuffle=False)[0][
        0
    ].shape == (10, 7, 2)


def test_images(tmp_path):
    pytest.importorskip("PIL")
    _write(
        tmp_path,
        ".png",
        lambda path, k, i: utils.save_img(path, np.full((6 + i, 9, 3), 40 * i + k), scale=False),
    )
    ds = utils.image_dataset_from_directory(tmp_path, image_size=(4, 4), shuffle=False)
    images, labels = ds[0]
    assert (
        images.shape == (10, 4, 4, 3)
        and images.dtype == "float32"
        and labels.tolist() == [0] * 5 + [1] * 5
    )
    np.testing.assert_allclose(images[6], 41, rtol=1e-5)
    options = dict(
        image_size=(4, 4), shuffle=False, color_mode="grayscale", data_format="channels_first"
    )
    assert utils.image_dataset_from_directory(tmp_path, crop_to_aspect_ratio=True, **options)[0][
        0
    ].shape == (10, 1, 4, 4)
    padded = utils.image_dataset_from_directory(tmp_path, pad_to_aspect_ratio=True, **options)[0][0]
    odd = utils.image_dataset_from_directory(
        tmp_path, image_size=(20, 39), pad_to_aspect_ratio=True, shuffle=False
    )
    # 25.7 wide: 6.6 pixels left free
    assert np.flatnonzero(odd[0][0][1, 10, :, 0])[[0, -1]].tolist() == [6, 30]
    assert np.allclose(padded[9, 0, 0], [161] * 3 + [0]) and padded[5, 0, :, 0].tolist() == [
        1,
        1,
        0,
        0,
    ]


@pytest.mark.promise("Where it is not, and with")
@pytest.mark.promise("`image_dataset_from_directory` and its")
def test_the_order_of_each_format():
    options = dict(targets=None, sequence_length=2, batch_size=4, shuffle=True, seed=3)
    for name, is_same in (("tf", False), ("grain", True)):
        made = utils.timeseries_dataset_from_array(np.arange(20), format=name, **options)
        first, second = (np.concatenate(list(made)).tolist() for _ in range(2))
        assert (first == second) == is_same and sorted(first) == sorted(second)
        assert first != sorted(first)
