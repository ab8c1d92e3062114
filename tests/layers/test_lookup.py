"""Vocabularies, hashes and texts: the documented examples, and closed forms."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.models.host import has_texts, split
from jkeras.saving import assets
from jkeras.utils.datasets import Dataset

WORDS = ["a", "b", "c", "d"]
DATA = [["a", "c", "d", "d"], ["d", "z", "b", "z"]]
NUMBERS = [12, 36, 1138, 42]


def string(**options):
    return layers.StringLookup(vocabulary=WORDS, **options)


def test_numbers_and_masks():
    assert string()(DATA).tolist() == [[1, 3, 4, 4], [4, 0, 2, 0]]
    masked = string(mask_token="")
    assert masked([["a", "", "?"]]).tolist() == [[2, 0, 1]] and masked.get_vocabulary() == [
        "",
        "[UNK]",
        *WORDS,
    ]
    assert string(mask_token="", output_mode="multi_hot")([["a", ""]]).tolist() == [[0, 1, 0, 0, 0]]
    for form in (
        np.array(DATA),
        np.array(DATA, object),
        np.array(DATA, "S"),
        np.array(DATA)[:, ::1].tolist(),
    ):
        assert string()(form).tolist() == [[1, 3, 4, 4], [4, 0, 2, 0]]
    assert string()("b").tolist() == 2
    with pytest.raises(ValueError, match="OOV"):
        string(num_oov_indices=0)(["q"])


def test_the_documented_rows():
    assert string(output_mode="one_hot")(["a", "z"]).tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]
    assert string(output_mode="multi_hot")(DATA).tolist() == [[0, 1, 0, 1, 1], [1, 0, 1, 0, 1]]
    assert string(output_mode="count")(DATA).tolist() == [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]
    weighted = string(output_mode="tf_idf", idf_weights=[0.25, 0.75, 0.6, 0.4])
    np.testing.assert_allclose(
        weighted(DATA), [[0, 0.25, 0, 0.6, 0.8], [1.0, 0, 0.75, 0, 0.4]], rtol=1e-6
    )
    whole = layers.StringLookup(output_mode="tf_idf")
    whole.set_vocabulary(["[UNK]", *WORDS], idf_weights=[0.9, 0.25, 0.75, 0.6, 0.4])
    np.testing.assert_allclose(
        whole(DATA), [[0, 0.25, 0, 0.6, 0.8], [1.8, 0, 0.75, 0, 0.4]], rtol=1e-6
    )
    padded = string(output_mode="count", max_tokens=8, pad_to_max_tokens=True)
    assert padded(DATA).shape == (2, 8)


def test_the_documented_hashes():
    assert string(num_oov_indices=2)([["a", "c", "d"], ["m", "z", "b"]]).tolist() == [
        [2, 4, 5],
        [0, 1, 3],
    ]
    numbers = layers.IntegerLookup(vocabulary=NUMBERS, num_oov_indices=2)
    assert numbers(np.array([[12, 1138, 42], [37, 1000, 36]])).tolist() == [[2, 4, 5], [1, 0, 3]]
    spread = layers.IntegerLookup(vocabulary=[10, 20, 30], num_oov_indices=4, oov_method="farmhash")
    assert spread(np.array([100, 300, 700, 1100, 1700, 2000])).tolist() == [3, 3, 2, 2, 0, 1]
    letters = [["A"], ["B"], ["C"], ["D"], ["E"]]
    for options, want in (
        (dict(), [1, 0, 1, 1, 2]),
        (dict(salt=[133, 137]), [1, 2, 1, 0, 2]),
        (dict(salt=133), [0, 0, 2, 1, 0]),
    ):
        assert layers.Hashing(3, **options)(letters)[:, 0].tolist() == want
    assert layers.Hashing(1000003)(np.array([True, False])).tolist() == [577534, 206339]
    assert layers.Hashing(3, mask_value="")([["A"], ["B"], [""], ["C"], ["D"]])[:, 0].tolist() == [
        1,
        1,
        0,
        2,
        2,
    ]
    features = np.array(list("ABABA")), np.array([101, 101, 101, 102, 102])
    assert layers.HashedCrossing(5)(features).tolist() == [1, 4, 1, 1, 3]
    rows = layers.HashedCrossing(5, output_mode="one_hot")(features)
    assert rows.dtype == "float32" and rows.argmax(1).tolist() == [1, 4, 1, 1, 3]


def test_there_and_back():
    layer = string()
    back = layers.StringLookup(vocabulary=layer.get_vocabulary(), invert=True)
    assert back(layer(DATA)).tolist() == [["a", "c", "d", "d"], ["d", "[UNK]", "b", "[UNK]"]]
    numbers = layers.IntegerLookup(vocabulary=NUMBERS, invert=True)
    assert numbers(np.array([[1, 3, 4], [4, 0, 2]])).tolist() == [[12, 1138, 42], [42, -1, 36]]
    one = string(invert=True)(np.array(3))
    assert one.shape == () and one.tolist() == "c"
    masked = layers.IntegerLookup(vocabulary=NUMBERS, invert=True, mask_token=0)
    assert masked([0, 1, 2]).tolist() == [0, -1, 12]


def test_numbers_inside_jit_and_vmap():
    layer = layers.IntegerLookup(vocabulary=NUMBERS, output_mode="count")
    x = np.array([[12, 1138, 42, 42], [42, 7, 36, 7]])
    want = [[0, 1, 0, 1, 2], [2, 0, 1, 0, 1]]
    assert layer(x).tolist() == jax.jit(layer)(x).tolist() == jax.vmap(layer)(x).tolist() == want
    assert jax.jit(layers.Hashing(7))(x).tolist() == layers.Hashing(7)(x).tolist()


def test_adapt():
    layer = layers.StringLookup()
    layer.adapt([["b", "a"], ["b", "c"]])
    assert layer.get_vocabulary() == ["[UNK]", "b", "c", "a"] and layer.vocabulary_size() == 4
    small = layers.StringLookup(max_tokens=3, mask_token="a")
    small.adapt(np.array(["a", "b", "b", "c", "c", "d"]))
    assert small.get_vocabulary() == ["a", "[UNK]", "c"]
    assert small.get_vocabulary(include_special_tokens=False) == ["c"]
    weighted = layers.StringLookup(output_mode="tf_idf")
    weighted.adapt([["a", "a"], ["a", "b"]])
    a, b = np.log(1 + 2 / 3), np.log(1 + 2 / 2)
    np.testing.assert_allclose(
        weighted([["a", "b"], ["b", "q"]]), [[0, a, b], [(a + b) / 2, 0, b]], rtol=1e-6
    )
    batches = layers.IntegerLookup()
    batches.adapt(iter([np.array([1, 1]), np.array([2, 3])]), steps=1)
    assert batches.get_vocabulary() == [-1, 1]
    with pytest.raises(ValueError, match="static"):
        string().update_state(["a"])
    with pytest.raises(RuntimeError, match="vocabulary"):
        layers.StringLookup(output_mode="count")(["a"])


def test_wrong_vocabularies(tmp_path):
    (tmp_path / "v.txt").write_text("a\nb\n")
    assert layers.StringLookup(vocabulary=str(tmp_path / "v.txt")).get_vocabulary() == [
        "[UNK]",
        "a",
        "b",
    ]
    for options in (
        dict(vocabulary=[]),
        dict(vocabulary=["a", "a"]),
        dict(vocabulary=["a", "m"], mask_token="m"),
        dict(vocabulary=WORDS, max_tokens=4),
        dict(vocabulary="/none"),
        dict(max_tokens=1),
        dict(num_oov_indices=-1),
        dict(output_mode="x"),
        dict(invert=True, output_mode="count"),
        dict(pad_to_max_tokens=True),
        dict(sparse=True),
        dict(idf_weights=[1.0]),
        dict(vocabulary=WORDS, output_mode="tf_idf"),
        dict(salt="x"),
    ):
        with pytest.raises(ValueError):
            layers.StringLookup(**options)
    with pytest.raises(ValueError, match="salt"):
        layers.IntegerLookup(salt=3)


@pytest.mark.promise("A vocabulary is text, in")
@pytest.mark.parametrize(
    "lines, options, vocabulary",
    [
        ("[UNK]\na b\n c\n", {}, ["[UNK]", "[UNK]", "a b", " c"]),
        ("[UNK]\na", dict(invert=True), ["[UNK]", "[UNK]", "a"]),
        ("é\nü\u2028x\nb\n", dict(mask_token=""), ["", "[UNK]", "é", "ü\u2028x", "b"]),
        ("a\r\nb\r\n", {}, ["[UNK]", "a", "b"]),
    ],
)
def test_each_line_of_a_file_is_a_token(tmp_path, lines, options, vocabulary):
    (tmp_path / "v.txt").write_text(lines, encoding="utf-8", newline="")
    assert (
        layers.StringLookup(vocabulary=tmp_path / "v.txt", **options).get_vocabulary() == vocabulary
    )


def test_arguments_that_change_nothing_but_the_config():
    layer = string(oov_method="farmhash", dtype="int64", trainable=False)
    config = layer.get_config()
    assert (
        config["oov_method"] == "farmhash"
        and config["trainable"]
        and config["dtype"]["config"]["name"] == "float32"
    )
    assert layers.StringLookup.from_config(config).get_config() == config
    with pytest.raises(ValueError, match="oov_method"):
        layers.StringLookup(oov_method="x")
    assert layers.IntegerLookup(vocabulary=["4", 5.0]).get_config()["vocabulary"] == [4, 5]
    assert layers.StringLookup(vocabulary=["a", 1]).get_config()["vocabulary"] == ["a", 1]


def test_configs_and_assets(tmp_path):
    for layer in (
        string(mask_token="", num_oov_indices=2),
        layers.IntegerLookup(vocabulary=NUMBERS),
        layers.TextVectorization(vocabulary=WORDS, ngrams=2),
        layers.Hashing(3, salt=1),
        layers.HashedCrossing(4),
        layers.CategoryEncoding(4),
        layers.Discretization(num_bins=3),
    ):
        again = type(layer).from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
    learnt = layers.TextVectorization(output_mode="tf_idf")
    learnt.adapt(["one two", "two"])
    learnt.save_assets(tmp_path)
    store = {}
    learnt.save_own_variables(store)
    other = layers.TextVectorization.from_config(learnt.get_config())
    other.load_own_variables(store)
    other.load_assets(tmp_path)
    np.testing.assert_array_equal(other(["two one x"]), learnt(["two one x"]))


def test_symbolic():
    text = jkeras.Input((1,), dtype="string")
    assert layers.TextVectorization(output_sequence_length=5)(text).shape == (None, 5)
    assert layers.TextVectorization(vocabulary=WORDS, output_mode="count")(text).shape == (None, 5)
    out = string(output_mode="one_hot")(text)
    assert out.shape == (None, 5) and out.dtype == "float32"
    assert layers.HashedCrossing(4)([text, jkeras.Input((1,), dtype="int32")]).shape == (None, 1)


# ---------------------------------------------------------------- texts


def vectorization(**options):
    return layers.TextVectorization(vocabulary=["earth", "wind", "and", "fire"], **options)


def test_texts():
    layer = vectorization()
    assert layer.get_vocabulary() == ["", "[UNK]", "earth", "wind", "and", "fire"]
    assert layer(["Earth, WIND\t& fire!", "and"]).tolist() == [[2, 3, 5], [4, 0, 0]]
    assert layer("wind and").tolist() == [3, 4] and layer([["fire"], [""]]).tolist() == [[5], [0]]
    assert vectorization(output_sequence_length=2)(["earth wind and", ""]).tolist() == [
        [2, 3],
        [0, 0],
    ]
    assert vectorization(standardize=None)(["Earth earth"]).tolist() == [[1, 2]]
    assert vectorization(output_mode="count")(["fire fire x"]).tolist() == [[1, 0, 0, 0, 2]]
    assert vectorization(output_mode="multi_hot")(["fire fire", ""]).tolist() == [
        [0, 0, 0, 0, 1],
        [0] * 5,
    ]
    assert vectorization(split=None)([["earth", "x"]]).tolist() == [[2, 1]]
    assert layer(np.array([], str)).shape == (0, 0) and layer(["", " "]).shape == (2, 0)
    assert vectorization(output_sequence_length=2)(np.array([], str)).shape == (0, 2)
    assert vectorization(output_mode="count")(["", " "]).tolist() == [[0] * 5] * 2
    assert vectorization(output_mode="multi_hot")(np.array([], str)).shape == (0, 5)
    with pytest.raises(ValueError, match="batch, 1"):
        layer([["a", "b"]])


def test_ways_to_make_words():
    letters = layers.TextVectorization(split="character", vocabulary=["h", "é"])
    assert letters(["hé!x"]).tolist() == [[2, 3, 1]]
    pairs = layers.TextVectorization(ngrams=2, vocabulary=["a", "a b"])
    assert pairs(["a b"]).tolist() == [[2, 1, 3]]
    only = layers.TextVectorization(ngrams=(2,), vocabulary=["a b"])
    assert only(["a b c", "a"]).tolist() == [[2, 1], [0, 0]]
    whole = layers.TextVectorization(ngrams=2, split=None, vocabulary=["a", "a b"])
    assert whole(["a", "b"]).tolist() == [2, 1, 3] and whole([["a", "b"]]).tolist() == [[2, 1, 3]]
    own = layers.TextVectorization(
        standardize=np.char.upper, split=lambda x: np.char.split(x, "-"), vocabulary=["A"]
    )
    assert own(["a-b"]).tolist() == [[2, 1]]


def test_adapt_texts():
    layer = layers.TextVectorization(max_tokens=5)
    layer.adapt(
        Dataset(lambda i: np.array(["foo bar", "bar baz", "baz bada boom"])[i], np.arange(3), 2)
    )
    assert layer.get_vocabulary() == ["", "[UNK]", "baz", "bar", "foo"]
    for options in (
        dict(standardize="x"),
        dict(split="x"),
        dict(ngrams="x"),
        dict(output_mode="x"),
        dict(output_sequence_length=3, output_mode="count"),
        dict(ragged=True),
    ):
        with pytest.raises(ValueError):
            layers.TextVectorization(**options)


# ---------------------------------------------------------------- bins


def test_bins_of_the_documented_example():
    x = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]])
    assert layers.Discretization([0.0, 1.0, 2.0])(x).tolist() == [[0, 2, 3, 1], [1, 3, 2, 1]]
    layer = layers.Discretization(num_bins=4)
    layer.adapt(x)
    assert layer(x).tolist() == [[0, 2, 3, 2], [1, 3, 3, 1]]
    large = np.random.default_rng(0).normal(size=20_000)
    layer.adapt([large[:7000], large[7000:]])
    np.testing.assert_allclose(
        layer.bin_boundaries, np.quantile(large, [0.25, 0.5, 0.75]), atol=0.05
    )
    for options in (
        dict(),
        dict(num_bins=2, bin_boundaries=[1.0]),
        dict(num_bins=-1),
        dict(num_bins=1, output_mode="x"),
    ):
        with pytest.raises(ValueError):
            layers.Discretization(**options)


# ---------------------------------------------------------------- models that begin with texts


def test_the_part_of_a_model_that_looks_at_texts():
    text = jkeras.Input((1,), dtype="string", name="text")
    number = jkeras.Input((2,), name="number")
    words = vectorization(output_sequence_length=3)
    vectors = layers.Flatten()(layers.Embedding(10, 2)(words(text)))
    model = jkeras.Model(
        {"text": text, "number": number}, layers.Dense(2)(layers.Concatenate()([vectors, number]))
    )
    prepare, rest = split(model)
    prepared = prepare(
        {"text": np.array(["wind fire", "and"]), "number": np.ones((2, 2), "float32")}
    )
    assert prepared[0].tolist() == [[3, 5, 0], [4, 0, 0]] and rest.predict(
        prepared, verbose=0
    ).shape == (2, 2)
    assert all(a is b for a, b in zip(rest.weights, model.weights))
    listed = jkeras.Sequential([words, layers.Embedding(10, 2), layers.GlobalAveragePooling1D()])
    prepare, rest = split(listed)
    assert rest.predict(prepare(["wind fire", "and"]), verbose=0).shape == (2, 2)
    assert has_texts(np.array(["a"], object)) and not has_texts([np.ones(2)])


def test_vocabularies_as_files_of_an_archive():
    learnt = layers.TextVectorization(output_sequence_length=2)
    learnt.adapt(["b a", "a"])
    model = jkeras.Sequential([jkeras.Input((1,), dtype="string"), learnt, layers.Embedding(5, 2)])
    files = assets.collect(model)
    assert files["assets/layers/text_vectorization/vocabulary.txt"] == b"\n[UNK]\na\nb"
    other = jkeras.Sequential.from_config(model.get_config())
    files |= {"assets/layers/text_vectorization/../../x": b"", "assets/other/y": b""}
    assets.restore(other, files, files.get)
    assert other.layers[0].get_vocabulary() == ["", "[UNK]", "a", "b"]
