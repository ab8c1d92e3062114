"""Texts from slots that are refilled are those of their prompts alone."""

import jax
import numpy as np
import pytest

from jkeras.generation import Generator, Sampler, Server
from tests.generation.models import VOCABULARY, made

RNG = np.random.default_rng(0)
PROMPTS = [RNG.integers(0, VOCABULARY, size).tolist() for size in RNG.integers(1, 30, 40)]


@pytest.mark.promise("One that has ended makes")
@pytest.mark.parametrize("name", ["grouped", "stacked", "recurrent"])
def test_as_alone(name):
    model = made(name)
    prompts = PROMPTS if name == "grouped" else PROMPTS[:10]
    generator = Generator(model, 40, Sampler(1.0, top_k=8), stop=[3, 5])
    server = Server(generator, slots=4, steps=8)
    texts = dict(server(model.params, prompts))
    assert sorted(texts) == list(range(len(prompts)))
    for number, prompt in enumerate(prompts):
        alone, ends = generator(model.params, [prompt], rng=number)
        np.testing.assert_array_equal(texts[number], np.asarray(alone[0])[: int(ends[0])])
    assert len({len(text) for text in texts.values()}) > 1  # they end at different times
    assert generator.programs()["prefill"] <= 2


@pytest.mark.promise("One that has ended makes")
@pytest.mark.promise("`jkeras.generation`, with the")
def test_prompts_are_taken_as_slots_come_free():
    model = made("grouped")
    taken = []

    def prompts():
        for number in range(5):
            taken.append(number)
            yield [number + 1]

    keys = (jax.random.key(i) for i in range(5))
    texts = Server(Generator(model, 8), slots=2)(model.params, prompts(), keys)
    next(texts)
    assert taken == [0, 1]
    assert len(list(texts)) == 4 and taken == list(range(5))


def test_a_prompt_as_long_as_a_text():
    model = made("grouped")
    generator = Generator(model, 4)
    texts = dict(Server(generator, slots=2)(model.params, [[1, 2, 3, 4], [5]]))
    assert texts[0].tolist() == [1, 2, 3, 4] and len(texts[1]) == 4


def test_wrong_arguments():
    with pytest.raises(ValueError, match="Server: expected `slots` of 1 or more"):
        Server(Generator(made("grouped"), 8), slots=0)
