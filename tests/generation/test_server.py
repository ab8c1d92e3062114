"""Texts from slots that are refilled are those of their prompts alone."""

import threading

import jax
import numpy as np
import pytest

from jkeras.generation import (
    Generator,
    Sampler,
    SamplingParams,
    Server,
    ServerClosedError,
    ServerOptions,
)
from tests.generation.models import VOCABULARY, made

RNG = np.random.default_rng(0)
PROMPTS = [RNG.integers(0, VOCABULARY, size).tolist() for size in RNG.integers(1, 30, 40)]


@pytest.mark.promise("A text that has ended makes room")
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


@pytest.mark.promise("A text that has ended makes room")
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


# ---------------------------------------------------------------- requests


class Letters:
    def encode(self, text):
        return [ord(letter) - 97 for letter in text]

    def decode(self, tokens):
        return "".join(chr(97 + token) for token in tokens)


ASKED = [
    SamplingParams(temperature=0.0, max_new_tokens=9),
    SamplingParams(temperature=1.5, seed=3, max_new_tokens=14),
    SamplingParams(temperature=1.2, seed=4, top_k=5, stop=[2, 7], min_new_tokens=4),
    SamplingParams(temperature=0.0, frequency_penalty=0.7, presence_penalty=0.2),
    SamplingParams(temperature=0.0, repetition_penalty=1.4, max_new_tokens=1),
    SamplingParams(temperature=0.9, seed=-5, logit_bias={3: 4.0, 4: -50.0}, top_p=0.8),
    SamplingParams(temperature=0.0, no_repeat_ngram_size=2, max_new_tokens=20),
    SamplingParams(temperature=2.0, seed=1, min_p=0.02, typical_p=0.9),
]


@pytest.fixture(scope="module")
def server():
    generator = Generator(made("grouped"), 40, logprobs=2)
    options = ServerOptions(queue=30)
    return Server(generator, slots=3, steps=5, tokenizer=Letters(), options=options)


def alone(server, prompt, params):
    generator = server.generator
    rows = generator.begin(generator.model.params, [prompt], sampling=params)
    rows = generator.go_on(generator.model.params, rows)
    return rows, np.asarray(rows.tokens[0])[: int(rows.lengths[0])]


@pytest.mark.promise("Each text is the one that its prompt alone gives")
def test_each_as_it_asks(server):
    """Requests come while others are written, each with settings of its own."""
    requests = []
    for number, prompt in enumerate(PROMPTS[:16]):
        requests.append((prompt, server.submit(prompt, ASKED[number % len(ASKED)])))
        if number % 3 == 0:
            server.step()
    while server.step():
        pass
    assert server.generator.programs()["prefill"] <= 2  # one for each length of few
    for prompt, request in requests:
        rows, text = alone(server, prompt, request.params)
        found = request.result(0)
        np.testing.assert_array_equal(found.tokens, text)
        begin, end = len(prompt), len(text)
        np.testing.assert_allclose(found.logprobs, rows.logs.chosen[0, begin:end], atol=1e-4)
        np.testing.assert_allclose(found.top_logprobs, rows.logs.likeliest[0, begin:end], atol=1e-4)
        assert found.finish_reason == ("stop" if text[-1] in request.params.stop else "length")
    server.close()


@pytest.mark.promise("What is wrong with a request")
def test_wrong_requests_are_alone(server):
    good = server.submit([1, 2], ASKED[0])
    wrong = {
        "one token or more": ([], None),
        "a length from 1 to 40": ([1] * 41, None),
        "tokens from 0 to 22": ([5, 23], None),
        "tokens from 0 to 22, the": ([-1], None),
        "prompts of whole numbers": ([0.5], None),
        "one axis of whole numbers": ([[1, 2]], None),
        "a `SamplingParams` or `Sampler`": ([1], {"temperature": 0}),
        "`stop` of tokens below 23": ([1], SamplingParams(stop=23)),
        "`logit_bias` of tokens below 23": ([1], SamplingParams(logit_bias={23: 1.0})),
    }
    for message, (prompt, params) in wrong.items():
        request = server.submit(prompt, params)
        with pytest.raises(ValueError, match=message):
            request.result(0)
    for options in ({"stop": [""]}, {"stop": [3]}, {"sample": -1}):
        assert isinstance(server.submit([1], **options).error, ValueError)
    assert server.submit("ab").error is None and server.submit("A").error is not None
    server.close()
    assert len(good.result(0).new_tokens) == 9


@pytest.mark.promise("inside of `with` a thread of the server's own writes")
def test_from_threads(server):
    prompts = PROMPTS[16:28]
    found = {}

    def ask(number):
        request = server.submit(prompts[number], ASKED[number % 3], timeout=None)
        found[number] = request, list(request)

    server = Server(server.generator, 2, 3)
    with server:
        with pytest.raises(ValueError, match="one `with` at a time"), server:
            pass
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(prompts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert server.counters().finished == len(prompts)
    with pytest.raises(ServerClosedError):
        server.submit([1])  # nobody would write
    for number, (request, tokens) in found.items():
        _, text = alone(server, prompts[number], request.params)
        assert [*prompts[number], *tokens] == text.tolist()


@pytest.mark.promise("a stop that is a text")
def test_texts(server):
    whole = server.submit("abc", ASKED[0])
    server.close()
    text = whole.result(0).text
    stop = text[4:6]
    request = server.submit("abc", ASKED[0], stop=stop)
    server.close()
    found = request.result(0)
    assert found.text == text[: text.index(stop)] and found.finish_reason == "stop"
    assert request.status == "finished" and len(found.new_tokens) == text.index(stop) + 2


def test_a_seed_is_drawn_where_none_is_given(server):
    requests = [server.submit([1, 2], Sampler(2.0)) for _ in range(3)]
    server.close()
    texts = [request.result(0).tokens for request in requests]
    assert len({text.tobytes() for text in texts}) == 3
    again = server.submit([1, 2], requests[0].params)
    server.close()
    np.testing.assert_array_equal(again.result(0).tokens, texts[0])


def test_samples_of_a_prompt_are_those_of_generate(server):
    params = SamplingParams(temperature=2.0, seed=3, max_new_tokens=6)
    texts = server.generator.model.generate([1, 2], 40, params, n=3)
    requests = [server.submit([1, 2], params, sample=i) for i in range(3)]
    server.close()
    for text, request in zip(texts, requests):
        np.testing.assert_array_equal(request.result(0).tokens, text)


def test_a_prefill_that_fails_is_of_one_request(server):
    broken = Server(server.generator, slots=2, params={})  # without weights
    requests = [broken.submit([1, 2], ASKED[0]) for _ in range(2)]
    broken.close()
    for request in requests:
        assert request.status == "failed"
        with pytest.raises(Exception, match="embedding"):
            request.result(0)


# ---------------------------------------------------------------- prompts of one caller


@pytest.mark.promise("While the next one is not there")
def test_a_prompt_that_comes_late_delays_no_text():
    """The second prompt comes when the first text is there; waiting for it would be forever."""
    model = made("grouped")
    is_there = threading.Event()

    def prompts():
        yield [1]
        assert is_there.wait(120)
        yield [2]

    texts = Server(Generator(model, 8), slots=2)(model.params, prompts())
    assert next(texts)[0] == 0
    is_there.set()
    assert next(texts)[0] == 1


@pytest.mark.promise("a prompt that is refused")
def test_a_refused_prompt_costs_the_others_nothing(server):
    texts = server(server.generator.model.params, [[1], [], [2], [3] * 50, [4]])
    found = {}
    with pytest.raises(ValueError, match="one token or more"):
        for number, text in texts:
            found[number] = text
    assert sorted(found) == [0, 2, 4]


def test_an_error_of_the_source(server):
    def prompts():
        yield [1]
        raise KeyError("no more")

    with pytest.raises(KeyError):
        list(server(server.generator.model.params, prompts()))
    with pytest.raises(ValueError, match="a key in `rngs`"):
        list(server(server.generator.model.params, [[1], [2]], [0]))
