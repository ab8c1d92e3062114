"""What cannot be written on after is refused on the host: tokens that a model does not know, and
positions that it does not have.
"""

import numpy as np
import pytest

import jkeras
from jkeras import generation, layers
from tests.generation.models import VOCABULARY, WIDTH, Block, begin, ends

LENGTH = 12


class Table(layers.Layer):
    """Positions in a table that a layer of a user's own looks up by itself."""

    supports_cache = True

    def build(self, shape):
        self.table = self.add_weight(shape=(LENGTH, WIDTH), name="table")

    def call(self, x):
        return x + self.table[generation.positions(x)]


class FromOne(layers.Layer):
    """Positions that are counted from 1, by the function of arrays."""

    supports_cache = True

    def build(self, shape):
        self.table = layers.Embedding(LENGTH + 1, WIDTH)

    def call(self, x):
        return x + self.table(generation.positions(x) + 1)


class Wrapping(layers.Layer):
    """Positions that begin anew where the table ends."""

    supports_cache = True

    def build(self, shape):
        self.table = self.add_weight(shape=(LENGTH, WIDTH), name="table")

    def call(self, x):
        return x + self.table[generation.positions(x) % LENGTH]


class Whole(jkeras.Model):
    """Without a graph, and without a cache."""

    def __init__(self):
        super().__init__()
        self.tokens = layers.Embedding(VOCABULARY, WIDTH)
        self.positions = layers.Embedding(LENGTH, WIDTH)
        self.recurrent = layers.LSTM(VOCABULARY, return_sequences=True)

    def call(self, tokens):
        places = jkeras.ops.arange(tokens.shape[1])
        return self.recurrent(self.tokens(tokens) + self.positions(places))


def with_layer(positions, *others):
    def make():
        tokens, x = begin()
        for layer in (positions(), *(other() for other in others)):
            x = layer(x)
        return ends(tokens, x)

    return make


def added():
    tokens, x = begin()
    return ends(tokens, x + layers.PositionEmbedding(LENGTH)(x))


def whole():
    model = Whole()
    model(np.zeros((1, 4), "int32"))
    return model


LSTM = lambda: layers.LSTM(WIDTH, return_sequences=True)  # noqa: E731
LIMITED = {
    "PositionEmbedding": added,
    "uncached": with_layer(lambda: layers.PositionEmbedding(LENGTH), LSTM),
    "own table": with_layer(Table, Block),
    "own table, uncached": with_layer(Table, LSTM),
    "from one": with_layer(FromOne),
    "in a stack": with_layer(lambda: layers.Stack(FromOne(), 2)),
    "a model's call": whole,
}


@pytest.mark.promise("That is found wherever")
@pytest.mark.promise("a text that is longer than its positions, are refused")
@pytest.mark.parametrize("name", LIMITED)
def test_a_text_ends_where_the_positions_do(name):
    model = LIMITED[name]()
    texts = model.generate([[5, 6], [7]], LENGTH)
    assert [len(text) for text in texts] == [LENGTH, LENGTH]
    for _ in range(2):  # the second time too
        with pytest.raises(ValueError, match=f"at most {LENGTH}.*positions|positions.*{LENGTH}"):
            model.generate([5, 6], LENGTH + 1)


def test_positions_that_begin_anew_have_no_end():
    assert len(with_layer(Wrapping)().generate([5, 6], 3 * LENGTH)) == 3 * LENGTH


def test_beams_and_servers_end_there_too():
    model, prompts = added(), np.array([[5, 6]])
    with pytest.raises(ValueError, match=f"at most {LENGTH}"):
        generation.beam_search(model, model.params, prompts, max_length=LENGTH + 1)
    server = generation.Server(generation.Generator(model, LENGTH + 1), slots=1)
    with pytest.raises(ValueError, match=f"at most {LENGTH}"):
        list(server(model.params, [[5, 6]]))


def small():
    return ends(*begin())


WAYS = {
    "generate": lambda model, prompt: model.generate(prompt, 8),
    "generate many": lambda model, prompt: model.generate([[1, 2, 3], prompt], 8),
    "stream": lambda model, prompt: list(model.generate(prompt, 8, stream=True)),
    "server": lambda model, prompt: list(
        generation.Server(generation.Generator(model, 8))(model.params, [prompt])
    ),
    "Generator": lambda model, prompt: generation.Generator(model, 8)(
        model.params, np.array([prompt])
    ),
    "beams": lambda model, prompt: generation.beam_search(
        model, model.params, np.array([prompt]), max_length=8
    ),
}


@pytest.fixture(scope="module")
def model():
    return small()


@pytest.mark.promise("A token that the model does not know")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("token", [VOCABULARY, -1, 2**32 + 3])
def test_tokens_are_of_the_vocabulary(way, token, model):
    number = 1 if way == "generate many" else 0
    words = rf"from 0 to {VOCABULARY - 1}.*received {token} in prompt {number} at 1.*tokenizer"
    with pytest.raises(ValueError, match=words):
        WAYS[way](model, [5, token])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("prompt", [[5.7, 2.2], []])
def test_prompts_are_tokens(way, prompt, model):
    with pytest.raises(ValueError, match="prompts of (tokens|one token)|one token or more"):
        WAYS[way](model, prompt)


@pytest.mark.parametrize("prompts", ["hello", ["hello", "you"], [["hello"]]])
def test_a_text_needs_a_tokenizer(prompts, model):
    with pytest.raises(ValueError, match="whole numbers.*hello.*tokenizer"):
        model.generate(prompts, 6)


def test_padding_is_not_looked_at(model):
    lengths = np.array([1, 2])
    for side, prompts in (("right", [[5, -100], [6, 7]]), ("left", [[-100, 5], [6, 7]])):
        options = {"prompt_lengths": lengths, "padding_side": side}
        texts = model.generate(np.array(prompts), 8, **options)
        assert texts[0].tolist() == model.generate([5], 8).tolist()
    with pytest.raises(ValueError, match="-100 in prompt 1 at 1"):
        left = generation.Generator(model, 8, padding_side="left")
        left(model.params, np.array([[0, 5], [6, -100]]), lengths)


def test_one_stop_token_and_integers_of_numpy(model):
    greedy = model.generate([5], 8)
    stop = int(greedy[2])
    first = greedy.tolist().index(stop, 1) + 1
    for given in (stop, [stop], np.int64(stop), np.array([stop])):
        assert model.generate([5], 8, stop=given).tolist() == greedy[:first].tolist()
    for wrong in ("end", ["end"], [1.5], -1, True):
        with pytest.raises(ValueError, match="`stop` of tokens"):
            model.generate([5], 8, stop=wrong)
    with pytest.raises(ValueError, match=f"`stop` of tokens below {VOCABULARY}"):
        model.generate([5], 8, stop=VOCABULARY)
    sampler = generation.Sampler()
    texts = [model.generate([5], np.int64(8), sampler, rng=rng) for rng in (1, np.int64(1))]
    assert texts[0].tolist() == texts[1].tolist()


def test_the_vocabulary_is_that_of_the_tokens():
    """Not that of another table, nor that of the logits."""
    tokens, x = begin()
    segments = layers.Embedding(2, WIDTH)(jkeras.ops.where(tokens > 5, 1, 0))
    model = jkeras.Model(tokens, layers.Dense(7)(x + segments))
    assert len(model.generate([5, VOCABULARY - 1], 4)) == 4
    with pytest.raises(ValueError, match=f"from 0 to {VOCABULARY - 1}"):
        model.generate([5, VOCABULARY], 4)


class Sliced(layers.Layer):
    """The first rows of a table, as keras-hub takes them."""

    def build(self, shape):
        self.table = self.add_weight(shape=(LENGTH, WIDTH), name="table")

    def call(self, x):
        return x + jkeras.ops.slice(self.table, (0, 0), (x.shape[1], WIDTH))


class WithSliced(jkeras.Model):
    def __init__(self):
        super().__init__()
        self.parts = [layers.Embedding(VOCABULARY, WIDTH), Sliced(), layers.Dense(VOCABULARY)]

    def call(self, tokens):
        for part in self.parts:
            tokens = part(tokens)
        return tokens


def test_a_layer_that_has_no_place_for_so_many_is_named():
    model = WithSliced()
    model(np.zeros((1, 4), "int32"))
    assert len(model.generate([5, 6], LENGTH)) == LENGTH
    with pytest.raises(ValueError, match=f"texts of {LENGTH + 1} tokens.*Sliced.call"):
        model.generate([5, 6], LENGTH + 1)


def test_an_input_of_floats_hides_no_vocabulary():
    """As an `Input` without a dtype has them."""
    model = jkeras.Sequential([jkeras.Input((None,)), layers.Embedding(9, VOCABULARY)])
    with pytest.raises(ValueError, match="tokens from 0 to 8, the model's vocabulary"):
        model.generate([1, 12], 8)
