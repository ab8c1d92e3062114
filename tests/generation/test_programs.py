"""What only changes values compiles nothing: counted are XLA's compilations."""

import contextlib

import jax
import numpy as np
import pytest

from jkeras.generation import Generator, Sampler, SamplingParams
from tests.generation.models import VOCABULARY, made

EVENT = "/jax/core/compile/backend_compile_duration"
RNG = np.random.default_rng(0)


@contextlib.contextmanager
def compilations():
    """A list that gets an entry for each program that XLA compiles."""
    found = []

    def listen(event, duration, **kwargs):
        if event == EVENT:
            found.append(kwargs.get("fun_name", event))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def test_compilations_are_seen():
    with compilations() as found:
        jax.jit(lambda x: x + 17.25)(np.ones(3, "float32"))
    assert len(found) == 1


@pytest.mark.promise("other lengths, temperatures and numbers of prompts take")
def test_lengths_temperatures_and_rows():
    """Twelve lengths, three temperatures, one to eight rows."""
    model = made("grouped")
    with compilations() as found:
        for length in range(4, 16):
            for number, temperature in enumerate((0.0, 0.7, 1.3)):
                rows = (length + 3 * number) % 8 + 1
                prompts = RNG.integers(0, VOCABULARY, (rows, length)).tolist()
                texts = model.generate(prompts, length + 16, Sampler(temperature))
                assert [len(text) for text in texts] == [length + 16] * rows
        for rows in range(1, 9):
            prompts = RNG.integers(0, VOCABULARY, (rows, 5)).tolist()
            model.generate(prompts, 21, Sampler(0.9, top_k=rows, top_p=0.9, min_p=0.01), stop=rows)
    assert len(found) <= 6, found


@pytest.mark.promise("Rows of one batch may have different ones")
@pytest.mark.promise("They are values: other numbers compile nothing")
def test_settings_are_values():
    """Other numbers of the same kinds are no other program."""
    model = made("grouped")
    generator = Generator(model, 24)
    prompts = RNG.integers(0, VOCABULARY, (2, 5))
    kinds = {"repetition_penalty": 1.2, "frequency_penalty": 0.5, "no_repeat_ngram_size": 2}
    for scale in (1, 2):
        given = [
            SamplingParams(temperature=0.5 * scale, top_k=3 * scale, logit_bias={scale: 1.0}),
            SamplingParams(seed=scale, **{k: scale * v for k, v in kinds.items()}),
        ]
        generator(model.params, prompts, sampling=given, rng=scale)
    assert generator.programs() == {"prefill": 1, "decode": 1}


@pytest.mark.promise("Penalties keep counts of tokens only where a row has one")
def test_what_is_not_asked_for_is_not_there():
    """Neither states of penalties, nor sorting outside of a branch that is not taken."""
    model = made("grouped")
    generator = Generator(model, 24)
    rows = generator.begin(model.params, [[1, 2]])
    assert rows.states == () and rows.logs is None
    asked = SamplingParams(frequency_penalty=1.0)
    assert generator.begin(model.params, [[1, 2]], sampling=asked).states[0].shape == (
        1,
        VOCABULARY,
    )
    step = jax.make_jaxpr(generator.chosen)(rows)
    outside = {equation.primitive.name for equation in step.eqns}
    assert "cond" in outside and not outside & {"sort", "top_k", "cumsum"}
    assert "sort" in str(step)
