"""What `model.generate` is asked for: bounds, several texts, probabilities, texts by tokenizers."""

import jax
import numpy as np
import pytest

from jkeras.generation import Sampler, SamplingParams
from tests.generation.models import VOCABULARY, made

PROMPTS = [[3, 4, 5], [6], [7, 8]]


class Letters:
    """A tokenizer whose tokens are letters, with one of two letters."""

    words = [*"abcdefghijklmnopqrstu", "ab", "é"]

    def encode(self, text):
        return [self.words.index(letter) for letter in text]

    def decode(self, tokens):
        return "".join(self.words[token] for token in tokens)


@pytest.fixture(scope="module")
def model():
    return made("grouped")


@pytest.fixture(scope="module")
def greedy(model):
    return [text.tolist() for text in model.generate(PROMPTS, 40)]


def begins(text, whole):
    return text.tolist() == whole[: len(text)]


@pytest.mark.promise("`max_new_tokens` counts from the end of each prompt")
def test_bounds(model, greedy):
    texts = model.generate(PROMPTS, max_new_tokens=9)
    assert [len(text) for text in texts] == [12, 10, 11]
    assert all(map(begins, texts, greedy))
    texts = model.generate(PROMPTS, 11, max_new_tokens=9)
    assert [len(text) for text in texts] == [11, 10, 11]
    assert model.generate([1, 2], 2).tolist() == model.generate([1, 2], max_new_tokens=0).tolist()
    each = [SamplingParams(temperature=0.0, max_new_tokens=n) for n in (0, 1, 5)]
    texts = model.generate(PROMPTS, sampler=each)
    assert [len(text) for text in texts] == [3, 2, 7]
    assert all(map(begins, texts, greedy))


def test_without_a_cache(greedy):
    """The model gets no more positions than it is asked for, and the bounds hold."""
    texts = made("recurrent").generate(PROMPTS, max_new_tokens=4, n=2)
    assert [len(text) for pair in texts for text in pair] == [7, 7, 5, 5, 6, 6]


@pytest.mark.promise("before `min_new_tokens` none of them is written")
def test_no_end_before_so_many_tokens(model, greedy):
    stop = greedy[0][4]
    for least in (0, 1, 2, 5):
        text = model.generate(PROMPTS[0], 40, stop=stop, min_new_tokens=least)
        new = text[3:].tolist()
        assert stop not in new[:least] and stop not in new[least:-1]
        assert len(text) == 40 or new[-1] == stop


@pytest.mark.promise("`n=3` gives three texts for each prompt")
def test_several_texts_for_a_prompt(model):
    """The first one is that of `n=1`, and a text is the same whatever the others are."""
    sampler = Sampler(2.0)
    one = model.generate(PROMPTS, 20, sampler, rng=3)
    three = model.generate(PROMPTS, 20, sampler, rng=3, n=3)
    two = model.generate(PROMPTS[:2], 20, sampler, rng=3, n=2)
    for number, texts in enumerate(three):
        assert texts[0].tolist() == one[number].tolist()
        assert len({tuple(text) for text in texts}) == 3
    for pair, texts in zip(two, three):
        assert [text.tolist() for text in pair] == [text.tolist() for text in texts[:2]]
    alone = model.generate(PROMPTS[0], 20, sampler, rng=3, n=2)
    assert [text.tolist() for text in alone] == [text.tolist() for text in two[0]]
    tokens = list(model.generate(PROMPTS[0], 20, sampler, rng=3, n=2, stream=True))
    np.testing.assert_array_equal(np.stack(tokens), np.stack(alone)[:, 3:].T)


@pytest.mark.promise("A seed of `SamplingParams`")
def test_a_seed_is_that_of_the_prompt_alone(model):
    each = [SamplingParams(temperature=2.0, seed=seed) for seed in (5, 6, 7)]
    texts = model.generate(PROMPTS, 20, each)
    for prompt, text, seed in zip(PROMPTS, texts, (5, 6, 7)):
        alone = model.generate(prompt, 20, Sampler(2.0), rng=seed)
        np.testing.assert_array_equal(text, alone)


@pytest.mark.promise("`logprobs=2` gives")
@pytest.mark.parametrize("name", ["grouped", "recurrent"])
def test_logarithms_of_probabilities(name):
    """Those of the model, by a pass over the whole text."""
    model = made(name)
    sampler = SamplingParams(temperature=1.5, top_k=5, repetition_penalty=1.3)
    found = model.generate(PROMPTS, 16, sampler, rng=0, logprobs=2)
    plain = model.generate(PROMPTS, 16, sampler, rng=0)
    for prompt, each, tokens in zip(PROMPTS, found, plain):
        assert each.tokens.tolist() == tokens.tolist() and each.finish_reason == "length"
        logs = np.asarray(jax.nn.log_softmax(model(each.tokens[None])))[0, len(prompt) - 1 : -1]
        new = each.new_tokens
        np.testing.assert_allclose(each.logprobs, logs[np.arange(len(new)), new], atol=1e-4)
        np.testing.assert_allclose(each.top_logprobs, np.sort(logs)[:, :-3:-1], atol=1e-4)
        of_top = np.take_along_axis(logs, each.top_tokens, axis=1)
        np.testing.assert_allclose(of_top, each.top_logprobs, atol=1e-4)
        np.testing.assert_allclose(each.cumulative_logprob, each.logprobs.sum(), rtol=1e-5)


def test_more_probabilities_than_tokens(model):
    found = model.generate([1], max_new_tokens=2, logprobs=50)
    assert found.top_tokens.shape == (2, VOCABULARY)
    np.testing.assert_allclose(np.exp(found.top_logprobs).sum(1), 1, atol=1e-5)
    assert model.generate([1], max_new_tokens=2, logprobs=0).top_tokens.shape == (2, 0)


@pytest.mark.promise("prompts may be texts")
def test_texts(model):
    tokenizer = Letters()
    prompts = ["abc", "d"]
    tokens = model.generate([tokenizer.encode(text) for text in prompts], 12)
    texts = model.generate(prompts, 12, tokenizer=tokenizer)
    assert texts == [tokenizer.decode(text) for text in tokens]
    assert model.generate("abc", 12, tokenizer=tokenizer) == texts[0]
    stripped = model.generate(prompts, 12, tokenizer=tokenizer, strip_prompt=True)
    assert [a + b for a, b in zip(prompts, stripped)] == texts
    pieces = list(model.generate("abc", 12, tokenizer=tokenizer, stream=True))
    assert len(pieces) == 9 and "abc" + "".join(pieces) == texts[0]
    steps = list(model.generate(prompts, 12, tokenizer=tokenizer, stream=True))
    assert ["".join(parts) for parts in zip(*steps)] == stripped
    found = model.generate("abc", 12, tokenizer=tokenizer, logprobs=0, n=2)
    assert [each.text for each in found] == texts[:1] * 2


def test_the_models_own_tokenizer():
    model = made("grouped")
    model.tokenizer = Letters()
    assert model.generate("abc", 12).startswith("abc")
    assert model.generate([0, 1], 12).tolist()[:2] == [0, 1]


def test_a_tokenizer_of_tokenizers(model):
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: number for number, word in enumerate(Letters.words)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, "a"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = tokenizers.decoders.Fuse()
    found = model.generate("abc", 12, tokenizer=tokenizer)
    assert found == model.generate("abc", 12, tokenizer=Letters())


class HalfLetters(Letters):
    """A tokenizer of bytes, of which letters may have two."""

    def decode(self, tokens):
        return bytes([0xC3, 0xA9][token % 2] for token in tokens).decode("utf-8", "replace")


def test_no_half_letters_in_a_stream(model):
    tokenizer = HalfLetters()
    pieces = list(model.generate("abcd", 24, Sampler(2.0), rng=1, tokenizer=tokenizer, stream=True))
    whole = model.generate("abcd", 24, Sampler(2.0), rng=1, tokenizer=tokenizer, strip_prompt=True)
    assert "".join(pieces) == whole and "é" in pieces and "" in pieces


@pytest.mark.promise("an end may be a text")
@pytest.mark.parametrize("stream", [False, True])
def test_stop_texts(model, stream):
    """A text ends where one of them does, whatever the tokens are."""
    tokenizer = Letters()
    whole = model.generate(["abc", "d"], 40, Sampler(2.0), rng=2, tokenizer=tokenizer)
    stop = whole[0][9:11]
    options = {"tokenizer": tokenizer, "rng": 2, "stop": [stop, "nowhere"], "strip_prompt": True}
    found = model.generate(["abc", "d"], 40, Sampler(2.0), stream=stream, **options)
    if stream:
        found = ["".join(parts) for parts in zip(*found)]
    for text, prompt, new in zip(whole, ("abc", "d"), found):
        new_whole = text[len(prompt) :]
        end = new_whole.find(stop)
        expected = new_whole if end < 0 else new_whole[: end + 2]
        assert new.startswith(expected) if stream else new == expected
    assert len(found[0]) < 37


def test_a_stop_text_within_a_token(model):
    """What the last token has behind it is no part of the text."""
    tokenizer = Letters()
    bias = SamplingParams(temperature=0.0, logit_bias={21: 1e9})  # always "ab"
    found = model.generate("c", 9, bias, tokenizer=tokenizer, stop="aba", logprobs=0)
    assert found.text == "caba" and found.tokens.tolist() == [2, 21, 21]
    assert found.finish_reason == "stop"
    kept = model.generate("c", 9, bias, tokenizer=tokenizer, stop="ba", min_new_tokens=4)
    assert kept == "c" + "ab" * 4 + "a"


def test_why_a_text_ended(model, greedy):
    stop = greedy[0][6]
    found = model.generate(PROMPTS[0], 40, stop=stop, logprobs=0)
    assert found.finish_reason == "stop" and found.tokens[-1] == stop
    assert model.generate(PROMPTS[0], 9, logprobs=0).finish_reason in ("stop", "length")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "`max_length`, or `max_new_tokens`"),
        ({"max_length": 2}, "a length from 1 to 2 for each of 3 prompts"),
        ({"max_length": 0}, "`max_length` of 1 or more"),
        ({"max_new_tokens": -1}, "`max_new_tokens` of 0 or more"),
        ({"max_new_tokens": 2.5}, "`max_new_tokens` of 0 or more"),
        ({"max_length": 9, "n": 0}, "`n` of 1 or more"),
        ({"max_length": 9, "logprobs": -1}, "`logprobs` of 0 or more"),
        ({"max_length": 9, "logprobs": 1, "stream": True}, "either `stream` or `logprobs`"),
        ({"max_length": 9, "stop": "x"}, "with a `tokenizer`"),
        ({"max_length": 9, "stop": [""], "tokenizer": Letters()}, "that are not empty"),
        ({"max_length": 9, "sampler": [SamplingParams()]}, "one for each of 3 prompts"),
        ({"max_length": 9, "processors": [3]}, "`processors` that are called"),
        ({"max_length": 9, "tokenizer": str.split, "stop": "x"}, "a method `decode`"),
        ({"max_length": 9, "sampler": SamplingParams(logit_bias={99: 1.0})}, "of tokens below 23"),
        ({"max_length": 9, "sampler": "greedy"}, "as `sampler` a `Sampler`"),
        ({"max_length": 9, "sampler": Sampler}, "as `sampler` a `Sampler`"),
        ({"max_length": 9, "rng": "seed"}, "`rng`, a key or a whole number"),
    ],
)
def test_wrong_arguments(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        model.generate(PROMPTS, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_k": 2.5},
        {"top_p": 1.5},
        {"typical_p": 0.0},
        {"repetition_penalty": -1.0},
        {"presence_penalty": float("inf")},
        {"no_repeat_ngram_size": -1},
        {"seed": "x"},
        {"logit_bias": {-1: 1.0}},
        {"logit_bias": {1: float("nan")}},
    ],
)
def test_wrong_settings(arguments):
    with pytest.raises(ValueError, match=f"SamplingParams: expected `{next(iter(arguments))}`"):
        SamplingParams(**arguments)


def test_a_function_that_chooses(model):
    second = lambda logits, rng: logits.argsort()[-2].astype("int32")  # noqa: E731
    text = model.generate([1, 2], 8, second)
    logits = np.asarray(model(text[None]))[0]
    assert text[2:].tolist() == logits.argsort()[1:-1, -2].tolist()
