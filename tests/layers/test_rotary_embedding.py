"""RotaryEmbedding beside keras-hub's (recorded) and a closed form, and in cached generation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import generation, layers, ops
from jkeras.generation import Generator
from tests.generation.models import VOCABULARY, WIDTH
from tests.layers.record_rotary import CASES, DTYPES, PATH, given

SCALE = {"float32": 1.0, "bfloat16": 2.0**16, "float16": 2.0**13}  # of the rounding of float32


@pytest.fixture(scope="module")
def recorded():
    return dict(np.load(PATH))


@pytest.mark.promise("`layers.RotaryEmbedding` has the numbers of keras-hub's")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_beside_keras_hub(recorded, name, dtype):
    """To the rounding of frequencies, which 10,000 positions make larger."""
    x, call = given(name, CASES[name])
    y = layers.RotaryEmbedding(**CASES[name][1], dtype=dtype)(x, **call)
    assert y.dtype == dtype and y.shape == x.shape
    far = max(map(np.max, call.values()), default=10)
    atol = far * 4e-7 + 1e-6 + 2.0**-22 * SCALE[dtype]
    np.testing.assert_allclose(y.astype("float32"), recorded[f"{name} {dtype}"], atol=atol)


def turned(x, places, size=None, interleaved=False, theta=10000.0):
    """By complex numbers, in float64: (time, features)."""
    size = x.shape[-1] if size is None else size
    angles = np.outer(places, theta ** -(np.arange(0, size, 2) / size))
    first = slice(0, size, 2) if interleaved else slice(0, size // 2)
    second = slice(1, size, 2) if interleaved else slice(size // 2, size)
    y = x.astype("float64")
    pairs = (y[:, first] + 1j * y[:, second]) * np.exp(1j * angles)
    y[:, first], y[:, second] = pairs.real, pairs.imag
    return y


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("size", [None, 4, 10])
def test_parts_and_pairs(size, interleaved):
    x = np.random.default_rng(0).normal(size=(1, 40, 10)).astype("float32")
    layer = layers.RotaryEmbedding(rotary_dim=size, interleaved=interleaved)
    expected = turned(x[0], np.arange(40), size, interleaved)
    np.testing.assert_allclose(layer(x)[0], expected, atol=1e-5)
    places = np.array([[3] * 20 + [10000] * 20])
    expected = turned(x[0], places[0], size, interleaved)
    np.testing.assert_allclose(layer(x, positions=places)[0], expected, atol=5e-3)
    again = layers.RotaryEmbedding.from_config(layer.get_config())
    np.testing.assert_array_equal(again(x), layer(x))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_positions_keep_their_precision(dtype):
    """Also as floats, which layers of half precision cast: 4,001 is none of bfloat16's numbers."""
    x = np.ones((1, 2, 4), "float32")
    layer = layers.RotaryEmbedding(dtype=dtype)
    places = np.array([[4001, 10001]])
    expected = turned(x[0], places[0])
    for kind in ("int32", "float32"):
        y = layer(x, positions=jnp.asarray(places, kind))
        np.testing.assert_allclose(np.asarray(y[0], "float64"), expected, atol=0.02)
    assert np.isfinite(np.asarray(layer(1e4 * x), "float32")).all()


def test_products_depend_on_distances():
    rng = np.random.default_rng(0)
    layer = layers.RotaryEmbedding()
    query, key = rng.normal(size=(2, 1, 1, 16)).astype("float32")
    at = lambda x, place: layer(x, positions=np.array([place]))[0, 0]  # noqa: E731
    near = at(query, 7) @ at(key, 3)
    np.testing.assert_allclose(at(query, 1007) @ at(key, 1003), near, rtol=1e-3)


def test_wrong_arguments():
    x = np.ones((2, 3, 6), "float32")
    for arguments, match in (
        ({"rope_type": "foo"}, "`rope_type` of 'linear', 'dynamic', 'yarn', 'default'.*'foo'"),
        ({"max_wavelength": 0}, "`max_wavelength` above 0"),
        ({"scaling_factor": -1.0}, "`scaling_factor` above 0"),
        ({"rotary_dim": 8}, "an even number of features .* at most 6.*8 of the"),
        ({"rotary_dim": 3}, "an even number of features that are rotated"),
        ({"rotary_dim": 0}, "`rotary_dim` of 1 or more"),
        ({"sequence_axis": 3}, "an input with axes 3 of time"),
        ({"sequence_axis": -1}, "an input with axes -1 of time, -1 of features"),
        ({"rope_type": "yarn", "denominator_dim": 8}, "no `denominator_dim`"),
        ({"rope_type": "yarn", "max_wavelength": 1}, "`max_wavelength` above 1"),
    ):
        with pytest.raises(ValueError, match=match):
            layers.RotaryEmbedding(**arguments)(x)
    with pytest.raises(ValueError, match="an even number of features"):
        layers.RotaryEmbedding()(np.ones((2, 3, 5)))
    with pytest.raises(ValueError, match="of the batch.*one of 2 axes"):
        layers.RotaryEmbedding()(np.ones((3, 4)))
    for places in (np.arange(4), np.zeros((3, 3)), np.zeros((2, 3, 1))):
        with pytest.raises(ValueError, match=r"positions of shape \(2, 3\), or \(3,\)"):
            layers.RotaryEmbedding()(x, positions=places)


# ---------------------------------------------------------------- generation


class Block(layers.Layer):
    """Attention whose queries and keys are rotated, written out by one's own hand."""

    def __init__(self, sequence_axis=1, places=None, **kwargs):
        super().__init__(**kwargs)
        self.each = [layers.Dense(WIDTH) for _ in range(3)]
        self.rotate = layers.RotaryEmbedding(sequence_axis=sequence_axis)
        self.places = places

    def call(self, x, positions=None):
        heads = [ops.reshape(dense(x), (*x.shape[:2], 2, WIDTH // 2)) for dense in self.each]
        query, key = (self.rotate(y, positions=positions) for y in heads[:2])
        y = ops.nn.dot_product_attention(query, key, heads[2], is_causal=True)
        return x + ops.reshape(y, x.shape)


class Rotated(layers.Layer):
    """Attention of inputs that were rotated, by a layer that has a cache."""

    supports_cache = True

    def __init__(self, rotate=None, sequence_axis=1, places=None, **kwargs):
        super().__init__(**kwargs)
        self.rotate = layers.RotaryEmbedding(sequence_axis=sequence_axis)
        self.attend = layers.MultiHeadAttention(2, 8)
        self.places = places

    def call(self, x):
        positions = None if self.places is None else self.places(x)
        y = self.rotate(x, positions=positions)
        return x + self.attend(y, x, y, use_causal_mask=True)


class Swapped(Rotated):
    """Time lies on another axis where it is rotated."""

    supports_cache = True

    def call(self, x):
        heads = x.reshape(*x.shape[:2], 2, WIDTH // 2)
        y = jnp.swapaxes(self.rotate(jnp.swapaxes(heads, 1, 2)), 1, 2).reshape(x.shape)
        return x + self.attend(y, x, y, use_causal_mask=True)


class FromThree(Rotated):
    """Positions that begin at a place, said in one of two ways."""

    supports_cache = True

    def call(self, x):
        start = 3 if self.places is None else 3 + generation.positions(x)[0, 0]
        y = self.rotate(x, start_index=start)
        return x + self.attend(y, x, y, use_causal_mask=True)


def with_blocks(*blocks):
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(VOCABULARY, WIDTH, embeddings_initializer="normal")(tokens)
    for block in blocks:
        x = block(x)
    return jkeras.Model(tokens, layers.Dense(VOCABULARY, kernel_initializer="normal")(x))


def functional():
    """With operations in a graph, where MultiHeadAttention is given what was rotated."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(VOCABULARY, WIDTH, embeddings_initializer="normal")(tokens)
    for _ in range(2):
        y = layers.RotaryEmbedding(rotary_dim=8, interleaved=True)(x)
        x = x + layers.MultiHeadAttention(2, 8)(y, x, y, use_causal_mask=True)
    return jkeras.Model(tokens, layers.Dense(VOCABULARY, kernel_initializer="normal")(x))


def own(x):
    return generation.positions(x)


def counted(x):
    return jnp.arange(x.shape[1])


def doubled(x):
    return 2 * generation.positions(x)


MODELS = {  # name: (model, whether it has a cache)
    "functional": (functional, True),
    "in a layer": (lambda: with_blocks(Rotated(), Rotated()), True),
    "in a loop": (lambda: with_blocks(layers.Stack(Rotated(), 3)), True),
    "positions that are asked for": (lambda: with_blocks(Rotated(places=own)), True),
    "a first position": (lambda: with_blocks(FromThree()), True),
    "operations": (lambda: with_blocks(Block(), Block()), False),
    "positions that are counted": (lambda: with_blocks(Rotated(places=counted)), False),
    "positions that are computed": (lambda: with_blocks(Rotated(places=doubled)), False),
    "a first position that is computed": (lambda: with_blocks(FromThree(places=own)), False),
    "time elsewhere": (lambda: with_blocks(Swapped(sequence_axis=2)), False),
    "heads taken for time": (lambda: with_blocks(Swapped(sequence_axis=1)), False),
}


@pytest.mark.promise("is told the positions in the whole text")
@pytest.mark.filterwarnings("ignore:.*expected a cache")
@pytest.mark.parametrize("name", MODELS)
def test_texts_are_those_of_whole_passes(name):
    make, has_cache = MODELS[name]
    jkeras.utils.set_random_seed(0)
    model = make()
    generator = Generator(model, 14)
    prompts, lengths = np.array([[3, 4, 5], [6, 0, 0]]), np.array([3, 1])
    tokens, _ = generator(model.params, prompts, lengths)
    assert (generator.why_uncached is None) == has_cache, generator.why_uncached
    rows = np.zeros((2, 14), int)
    rows[:, :3] = prompts
    for place in range(1, 14):  # what is behind has no part in a logit
        logits = np.asarray(model(rows))[:, place - 1]
        rows[:, place] = np.where(place < lengths, rows[:, place], logits.argmax(-1))
    np.testing.assert_array_equal(tokens, rows)
    assert len(set(tokens.ravel().tolist())) > 3


def test_models_of_packed_rows():
    """Their positions are those that a row is given, in training and while it writes."""
    names = "tokens", "segment_ids", "positions"
    tokens, ids, places = (jkeras.Input((None,), dtype="int32", name=n) for n in names)
    x = layers.Embedding(VOCABULARY, WIDTH, embeddings_initializer="normal")(tokens)
    y = layers.RotaryEmbedding()(x, positions=places)
    attend = layers.MultiHeadAttention(2, 8)
    x = x + attend(y, x, y, segment_ids=ids, use_causal_mask=True)
    model = jkeras.Model([tokens, ids, places], layers.Dense(VOCABULARY)(x))
    text, other = [3, 4, 5, 6], [7, 8, 9]
    rows = {"tokens": [[*other, *text]], "segment_ids": [[1] * 3 + [2] * 4]}
    rows["positions"] = [[0, 1, 2, 0, 1, 2, 3]]
    alone = {"tokens": [text], "segment_ids": [[1] * 4], "positions": [[0, 1, 2, 3]]}
    rows, alone = ({n: np.array(v[n]) for n in names} for v in (rows, alone))
    np.testing.assert_allclose(model(rows)[:, 3:], model(alone), atol=1e-5)
    generator = Generator(model, 12)
    written, _ = generator(model.params, np.array([text]))
    assert generator.why_uncached is None
    plain, _ = Generator(model, 12, cache=False)(model.params, np.array([text]))
    np.testing.assert_array_equal(written, plain)


def test_gradients_and_jit():
    """The rotation keeps lengths, so that gradients are rotated back."""
    layer = layers.RotaryEmbedding()
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 3, 8)), "float32")
    y, back = jax.vjp(jax.jit(lambda x: layer(x)), x)
    np.testing.assert_allclose(back(y)[0], x, atol=1e-5)
    np.testing.assert_allclose(jnp.linalg.norm(y, axis=-1), jnp.linalg.norm(x, axis=-1), rtol=1e-5)
