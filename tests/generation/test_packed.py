"""Models that were trained on packed rows, whose input is a dict, write as they were trained."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.generation import Generator, Server, SpeculativeGenerator, beam_search
from tests.generation.models import VOCABULARY, WIDTH

PROMPTS = [[3, 4, 5], [6], [7, 8]]


def inputs(length, *names):
    return [jkeras.Input((length,), dtype="int32", name=name) for name in names]


def functional(length=None, as_dict=False, mixed=False):
    """As docs/data.md has it."""
    tokens, ids, places = inputs(length, "tokens", "segment_ids", "positions")
    x = layers.Embedding(VOCABULARY, WIDTH, "normal")(tokens)
    x = x + layers.Embedding(48, WIDTH, "normal")(places)
    attend = layers.MultiHeadAttention(2, 8)
    of = ids + 0 if mixed else ids
    x = x + attend(x, x, segment_ids=of, use_causal_mask=True)
    y = layers.Dense(VOCABULARY, kernel_initializer="random_normal")(x)
    given = [tokens, ids, places]
    if as_dict:
        given = {"tokens": tokens, "segment_ids": ids, "positions": places}
    return jkeras.Model(given, y)


class Subclassed(jkeras.Model):
    """Without a graph."""

    supports_cache = True

    def __init__(self):
        super().__init__()
        self.tokens = layers.Embedding(VOCABULARY, WIDTH, "normal")
        self.places = layers.Embedding(48, WIDTH, "normal")
        self.attend = layers.MultiHeadAttention(2, 8)
        self.last = layers.Dense(VOCABULARY, kernel_initializer="random_normal")

    def call(self, x):
        y = self.tokens(x["token_ids"]) + self.places(x["position_ids"])
        y = y + self.attend(y, y, segment_ids=x["segment_ids"], use_causal_mask=True)
        return self.last(y)


def subclassed():
    model = Subclassed()
    model({name: np.ones((1, 4), int) for name in ("token_ids", "position_ids", "segment_ids")})
    return model


def stacked():
    """Blocks in a loop, to which the ids are handed on."""
    tokens, ids = inputs(None, "input_ids", "segment_ids")

    class Block(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.attend = layers.MultiHeadAttention(2, 8)

        def call(self, x, segment_ids=None):
            return x + self.attend(x, x, segment_ids=segment_ids, use_causal_mask=True)

    x = layers.Embedding(VOCABULARY, WIDTH, "normal")(tokens)
    x = layers.Stack(Block(), 2)(x, segment_ids=ids)
    return jkeras.Model([tokens, ids], layers.Dense(VOCABULARY)(x))


MODELS = {
    "functional": functional,
    "as dict": lambda: functional(as_dict=True),
    "fixed": lambda: functional(24),
    "ids that are computed": lambda: functional(mixed=True),
    "subclassed": subclassed,
    "stacked": stacked,
}
CACHED = "functional", "as dict", "subclassed"


def made(name):
    jkeras.utils.set_random_seed(0)
    return MODELS[name]()


def by_hand(model, prompt, length):
    """The likeliest tokens, by a pass over a row that a text has for itself."""
    names = [tensor.name for tensor in getattr(model, "inputs", ())]
    names = names or ["token_ids", "position_ids", "segment_ids"]
    run = jax.jit(lambda given: model.apply(model.params, model.state, given, training=False)[0])
    text = list(prompt)
    while len(text) < length:
        made = {}
        for name in names:
            if "position" in name:
                made[name] = np.arange(24)[None]
            elif "segment" in name:
                made[name] = (np.arange(24) < len(text)).astype(int)[None]
            else:
                made[name] = np.array([text + [0] * (24 - len(text))])
        text.append(int(np.argmax(run(made)[0, len(text) - 1])))
    return text


@pytest.mark.promise("A model that takes a dict of `tokens`, `segment_ids` and `positions`")
@pytest.mark.parametrize("name", MODELS)
def test_as_by_hand(name):
    model = made(name)
    texts = model.generate(PROMPTS, 12)
    for prompt, text in zip(PROMPTS, texts):
        assert text.tolist() == by_hand(model, prompt, 12)
    generator = Generator(model, 12)
    generator(model.params, [[1, 2]])
    assert (generator.why_uncached is None) == (name in CACHED)


def test_as_trained():
    """After `fit` on packed rows."""
    model = functional()
    model.compile("adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data = jkeras.utils.pack_sequences([[1, 2, 3, 4, 5, 6]] * 64, 16, batch_size=8)
    model.fit(data, epochs=40, verbose=0)
    assert model.generate([1, 2], 6).tolist() == [1, 2, 3, 4, 5, 6]


def test_in_other_loops():
    model = made("functional")
    greedy = [text.tolist() for text in model.generate(PROMPTS, 12)]
    served = dict(Server(Generator(model, 12), slots=2)(model.params, PROMPTS))
    assert [served[number].tolist() for number in range(3)] == greedy
    beam = beam_search(model, model.params, PROMPTS[:1], max_length=12, beams=1)
    assert beam[0][0].tolist() == greedy[0]
    speculative = SpeculativeGenerator(model, model, 12)
    found = speculative(model.params, model.params, PROMPTS[:1])
    assert found.tokens[0].tolist() == greedy[0] and int(found.passes) < 9


def test_the_end_of_positions():
    model = made("functional")
    assert len(model.generate([1], 48)) == 48
    with pytest.raises(ValueError, match="at most 48, the positions"):
        model.generate([1], 49)


@pytest.mark.promise("A model with an input of another name is refused")
def test_other_inputs_are_refused():
    tokens, other = inputs(None, "tokens", "speaker")
    x = layers.Embedding(VOCABULARY, WIDTH)(tokens) + layers.Embedding(4, WIDTH)(other)
    model = jkeras.Model([tokens, other], layers.Dense(VOCABULARY)(x))
    with pytest.raises(ValueError, match=r"one input of tokens.*inputs \['speaker', 'tokens'\]"):
        model.generate([1], 9)
