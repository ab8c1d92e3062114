"""Vocabularies and texts that are none: what would be looked up wrongly in silence is refused, with
the file and the line.
"""

import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.core.errors import SerializationError

LAYERS = (layers.StringLookup, layers.TextVectorization)


def write(folder, content):
    path = folder / "vocabulary.txt"
    path.write_bytes(content)
    return str(path)


@pytest.mark.promise("A mark of the byte order at its beginning is no part")
@pytest.mark.parametrize("cls", LAYERS)
def test_a_mark_of_the_byte_order_is_no_part_of_the_first_word(tmp_path, cls):
    layer = cls(vocabulary=write(tmp_path, "\ufeffgrün\nb\n".encode()))
    assert layer.get_vocabulary()[-2:] == ["grün", "b"]
    numbers = np.asarray(layer(["grün", "b", "c"])).ravel()
    assert numbers[1] == numbers[0] + 1 and numbers[2] not in numbers[:2]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_ends_of_lines(tmp_path, ends):
    layer = layers.StringLookup(vocabulary=write(tmp_path, ends.join([b"a", b"b", b""])))
    assert layer.get_vocabulary() == ["[UNK]", "a", "b"]


@pytest.mark.promise("A vocabulary is text, in")
def test_another_encoding(tmp_path):
    path = write(tmp_path, "grün\nb\n".encode("utf-16"))
    layer = layers.StringLookup(vocabulary=path, encoding="utf-16")
    assert layer.get_vocabulary() == ["[UNK]", "grün", "b"]
    path = write(tmp_path, "grün\nb\n".encode("latin-1"))
    assert layers.StringLookup(vocabulary=path, encoding="latin-1")(["grün"]).tolist() == [1]


BAD = {
    "utf-16": ("a\nb\n".encode("utf-16"), "in line 1"),
    "utf-16 without a mark": ("a\nb\n".encode("utf-16-le"), "a NUL.* in line 1"),
    "latin-1": ("a\nb\ngrün\n".encode("latin-1"), "byte 6, in line 3"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(20), "byte 0, in line 1"),
    "NUL": (b"a\nb\0\n", "a NUL.* in line 2"),
    "a sequence that is cut off": ("a\nü".encode()[:-1], "in line 2"),
}


@pytest.mark.promise("are refused, with the file and the line")
@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("cls", LAYERS)
def test_a_file_that_is_no_text(tmp_path, cls, name):
    content, words = BAD[name]
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match=f"text file in utf-8.*{path}.*{words}.*UTF-8"):
        cls(vocabulary=path)


def test_a_vocabulary_of_numbers_that_are_none(tmp_path):
    path = write(tmp_path, b"1\nb\n")
    with pytest.raises(ValueError, match="expected whole numbers"):
        layers.IntegerLookup(vocabulary=path)


@pytest.mark.promise("A mark of the byte order at its beginning is no part")
@pytest.mark.parametrize("name", ["[UNK]", ""])
def test_a_special_token_twice(tmp_path, name):
    options = dict(mask_token="", oov_token="[UNK]")
    with pytest.raises(ValueError, match="repeated term"):
        layers.StringLookup(vocabulary=["", "[UNK]", "a", name], **options)
    assert layers.StringLookup(vocabulary=["", "[UNK]", "a"], **options)(["a"]).tolist() == [2]
    # in a file each line is a token, as in Keras
    path = write(tmp_path, b"[UNK]\na\n")
    assert layers.StringLookup(vocabulary=path)(["a", "[UNK]", "b"]).tolist() == [2, 1, 0]


def test_what_was_saved_with_a_special_token_inside_is_loaded(tmp_path):
    path = write(tmp_path, b"a\n[UNK]\nb\n")
    model = jkeras.Sequential(
        [layers.Input((), dtype="string"), layers.StringLookup(vocabulary=path)]
    )
    model.save(tmp_path / "m.keras")
    again = jkeras.models.load_model(tmp_path / "m.keras")
    words = np.array(["a", "[UNK]", "b", "c"], object)
    assert again.layers[-1](words).tolist() == model.layers[-1](words).tolist() == [1, 2, 3, 0]


NO_TEXTS = {
    "numbers": [1, 2],
    "an array": np.array([1, 2]),
    "floats": np.array([1.5]),
    "truth": [True],
    "None": ["a", None],
    "NaN": np.array(["a", np.nan], object),
    "mixed": ["a", 1],
}


@pytest.mark.parametrize("name", NO_TEXTS)
@pytest.mark.parametrize("cls", LAYERS)
def test_what_is_no_text(cls, name):
    data = NO_TEXTS[name]
    layer = cls()
    with pytest.raises(TypeError, match="expected texts, or bytes, received"):
        layer.adapt(data)
    assert len(layer.get_vocabulary()) == layer.vocabulary_size() <= 2
    with pytest.raises(TypeError, match="expected texts, or bytes, received"):
        cls(vocabulary=["a", "1", "None", "nan"])(data)
    if name in ("floats", "None", "NaN"):  # whole numbers become texts, as in Keras
        with pytest.raises(TypeError, match="expected texts, or bytes, received"):
            cls(vocabulary=data)


@pytest.mark.parametrize("cls", LAYERS)
def test_bytes_that_are_no_text(cls):
    with pytest.raises(ValueError, match="in utf-8, received b'.*xff.*encoding"):
        cls(vocabulary=["a"])([b"a", b"\xff\xfe\x1b[2J"])
    with pytest.raises(ValueError, match="in utf-8, received b'.*xff"):
        cls().adapt([b"\xff"])
    layer = cls(vocabulary=["ü"], encoding="latin-1")
    assert np.ravel(layer([b"\xfc"]))[0] == layer.vocabulary_size() - 1


@pytest.mark.parametrize(
    "data",
    [[1, None], ["1", "b"], [np.nan], [np.inf], np.array([2**63], "uint64"), [1e30], [2**80]],
    ids=str,
)
def test_what_is_no_whole_number(data):
    with pytest.raises((TypeError, ValueError), match="expected whole numbers"):
        layers.IntegerLookup().adapt(data)
    with pytest.raises((TypeError, ValueError), match="expected whole numbers"):
        layers.IntegerLookup(vocabulary=[1, 2])(np.asarray(data))


@pytest.mark.promise("A mark of the byte order at its beginning is no part")
@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_weights_that_are_not_finite(weight, tmp_path):
    options = dict(output_mode="tf_idf", vocabulary=["a", "b"])
    with pytest.raises(ValueError, match="finite `idf_weights`"):
        layers.StringLookup(idf_weights=[1.0, weight], **options)
    layer = layers.TextVectorization(idf_weights=[1.0, 2.0], **options)
    model = jkeras.Sequential([layers.Input((1,), dtype="string"), layer])
    layer._lookup_layer._weights[-1] = weight
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(SerializationError, match="finite `idf_weights`"):
        model.load_weights(tmp_path / "m.weights.h5")


@pytest.mark.parametrize("token", ["a\nb", "a\rb", "a\0b"])
def test_a_token_that_is_no_line(token, tmp_path):
    """A file of lines would give it back as others, and all after it under other numbers."""
    layer = layers.StringLookup()
    layer.adapt([token, "c"])
    model = jkeras.Sequential([layers.Input((), dtype="string"), layer])
    with pytest.raises(ValueError, match="tokens without an end of a line"):
        model.save(tmp_path / "m.keras")
    layer = layers.StringLookup(vocabulary=[token, "c"])
    jkeras.Sequential([layers.Input((), dtype="string"), layer]).save(tmp_path / "m.keras")
    again = jkeras.models.load_model(tmp_path / "m.keras").layers[-1]
    assert again([token, "c"]).tolist() == [1, 2]
