"""Texts of a grammar; left out where llguidance is not there."""

import json
import re
import sys

import jax
import numpy as np
import pytest

from jkeras.generation import Generator, Grammar, Sampler, SamplingParams
from tests.generation.models import VOCABULARY, made

WORDS = ["{", "}", '"', ":", ",", "a", "b", *map(str, range(10)), "true", "false", "[", "]"]
WORDS += ['"a', "<end>"]
STOP = VOCABULARY - 1
TOKENS = [word.encode() for word in WORDS]
PROMPTS = [[5, 6], [7], [8, 8, 8]]
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


def test_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(ImportError, match="llguidance: `pip install"):
        Grammar.regex("a", TOKENS, STOP)


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("llguidance")
    return made("grouped")


def written(found):
    return "".join(WORDS[token] for token in found.new_tokens)


@pytest.mark.promise("what a JSON schema allows, and nothing else")
@pytest.mark.parametrize("name", ["grouped", "recurrent"])
def test_json(model, name):
    """Whatever the model would rather write; each row its own text."""
    grammar = Grammar.json_schema(SCHEMA, TOKENS, STOP)
    sampler = SamplingParams(temperature=2.0, max_new_tokens=60)
    options = {"processors": [grammar], "stop": STOP, "logprobs": 0, "rng": 1}
    model = model if name == "grouped" else made(name)
    found = model.generate(PROMPTS, sampler=sampler, n=2, **options)
    ended = [each for several in found for each in several if each.finish_reason == "stop"]
    texts = {written(each).removesuffix("<end>") for each in ended}
    assert len(ended) >= 4 and len(texts) >= 3
    for text in texts:
        value = json.loads(text)
        assert set(value) == {"a", "b"} and type(value["b"]) is bool and type(value["a"]) is int


def test_a_regular_expression(model):
    grammar = Grammar.regex(r"a[0-9]{3}b*", TOKENS, STOP)
    for rng in range(3):
        options = {"processors": [grammar], "stop": STOP, "logprobs": 0, "rng": rng}
        found = model.generate(PROMPTS, 20, Sampler(3.0), **options)
        for each in found:
            assert re.fullmatch(r"a[0-9]{3}b*(<end>)?", written(each))
    assert len(grammar._matchers) > 5


def test_in_other_loops(model):
    """Step by step, and under `jax.jit`."""
    grammar = Grammar.lark("start: A A\nA: /[ab][0-9]/", TOKENS, STOP)
    generator = Generator(model, 12, Sampler(2.0), stop=STOP, processors=[grammar])
    prompts, lengths = np.array([[5, 6], [7, 0]]), np.array([2, 1])
    tokens, ends = generator(model.params, prompts, lengths, 5)
    for row, begin, end in zip(np.asarray(tokens), lengths, np.asarray(ends)):
        text = "".join(WORDS[token] for token in row[begin:end])
        assert re.fullmatch(r"([ab][0-9]){2}<end>", text)
    steps = list(generator.stream(model.params, prompts, lengths, 5))
    assert [int(step[0]) for step in steps] == np.asarray(tokens)[0, 2 : ends[0]].tolist()
    again = jax.jit(lambda params: generator(params, prompts, lengths, 5)[0])(model.params)
    np.testing.assert_array_equal(again, tokens)


def test_what_cannot_go_on_is_an_error(model):
    """With nothing that is allowed no token is silently taken."""
    grammar = Grammar.regex("a{3}", [*TOKENS[:5], b"x", *TOKENS[6:]], STOP)
    with pytest.raises(Exception, match="Grammar: expected texts that the grammar allows"):
        model.generate([1], 8, processors=[grammar], stop=STOP)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Grammar.regex("(", TOKENS, STOP), "a grammar that can be read"),
        (lambda: Grammar.json_schema({"type": "no"}, TOKENS, STOP), "a grammar that can be read"),
        (lambda: Grammar.regex("a", list("abc"), 2), "the bytes of each token"),
        (lambda: Grammar.regex("a", TOKENS, 99), "`stop` of a token below 23"),
    ],
)
def test_wrong_grammars(model, make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_tokenizer_of_tokenizers(model):
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: number for number, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(words, [], unk_token="<end>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(["<end>"])
    grammar = Grammar.regex("[ab]{2}", tokenizer, STOP)
    found = model.generate([1], 9, processors=[grammar], stop=STOP, logprobs=0)
    assert re.fullmatch("[ab]{2}<end>", written(found))
