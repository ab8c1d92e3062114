"""Beam search beside all texts there are, and beside transformers where it is there."""

import itertools

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.generation import Generator, beam_search
from tests.generation.models import VOCABULARY, made


def table(size, seed):
    """A model whose next token depends on the last one, and its logarithms of probabilities."""
    logits = np.random.default_rng(seed).normal(size=(size, size)).astype("float32") * 2
    model = jkeras.Sequential([jkeras.Input((None,)), layers.Embedding(size, size)])
    model.layers[0].set_weights([logits])
    return model, np.asarray(jax.nn.log_softmax(logits))


def score(logs, text, begin, penalty):
    return (
        sum(logs[a, b] for a, b in itertools.pairwise(text[begin - 1 :]))
        / (len(text) - begin) ** penalty
    )


@pytest.mark.parametrize("penalty", [1.0, 0.0, 2.0])
def test_with_beams_for_all_it_is_the_best_text(penalty):
    """As many beams as there are texts find the best of all, those that end early among them."""
    model, logs = table(4, 0)
    tokens, lengths, scores = beam_search(
        model,
        model.params,
        [[1, 2]],
        max_length=5,
        beams=64,
        length_penalty=penalty,
        stop=[0],
    )
    texts = [
        (1, 2, *rest)
        for count in (1, 2, 3)
        for rest in itertools.product(range(4), repeat=count)
        if 0 not in rest[:-1] and (count == 3 or rest[-1] == 0)
    ]
    best = max(texts, key=lambda text: score(logs, text, 2, penalty))
    assert tuple(np.asarray(tokens[0])[: int(lengths[0])]) == best
    np.testing.assert_allclose(scores[0], score(logs, best, 2, penalty), rtol=1e-5)


@pytest.mark.parametrize("name", ["grouped", "stacked"])
def test_one_beam_is_greedy_and_more_are_better(name):
    model = made(name)
    prompts, lengths = np.random.default_rng(0).integers(0, VOCABULARY, (3, 5)), np.array([5, 2, 4])
    one = beam_search(model, model.params, prompts, lengths, max_length=12, beams=1)
    greedy = Generator(model, 12)(model.params, prompts, lengths)
    np.testing.assert_array_equal(one[0], greedy[0])
    left = np.stack([np.roll(row, -length) for row, length in zip(prompts, lengths)])
    options = {"max_length": 12, "beams": 1, "padding_side": "left"}
    again = beam_search(model, model.params, left, lengths, **options)
    np.testing.assert_array_equal(again[0], one[0])
    for row, begin, found in zip(np.asarray(one[0]), lengths, np.asarray(one[2])):
        logs = jax.nn.log_softmax(model(row[None]))[0]
        expected = sum(float(logs[i - 1, row[i]]) for i in range(begin, 12)) / (12 - begin)
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    four = beam_search(model, model.params, prompts, lengths, max_length=12, beams=4)
    assert (np.asarray(four[2]) >= np.asarray(one[2]) - 1e-5).all()
    with pytest.raises(ValueError, match="`beams` of 1 or more"):
        beam_search(model, model.params, prompts, max_length=12, beams=0)


@pytest.mark.promise("tokens and scores are those of transformers")
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("penalty", [1.0, 0.5, -1.0])
def test_as_transformers(penalty, early_stopping):
    """Tokens and scores, on models whose next token depends on the last one."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tests.generation.torch_table import TableModel

    for seed in range(5):
        model, _ = table(9, seed)
        theirs = TableModel(torch.tensor(np.asarray(model.get_weights()[0])))
        prompts = np.random.default_rng(seed).integers(1, 9, (4, 3))
        config = transformers.GenerationConfig(
            num_beams=3,
            do_sample=False,
            max_length=14,
            length_penalty=penalty,
            early_stopping=early_stopping,
            eos_token_id=0,
            pad_token_id=8,
            return_dict_in_generate=True,
            output_scores=True,
        )
        expected = theirs.generate(torch.tensor(prompts), generation_config=config)
        tokens, _, scores = beam_search(
            model,
            model.params,
            prompts,
            max_length=14,
            beams=3,
            length_penalty=penalty,
            early_stopping=early_stopping,
            stop=[0],
            pad=8,
        )
        texts = expected.sequences.numpy()
        np.testing.assert_array_equal(np.asarray(tokens)[:, : texts.shape[1]], texts)
        np.testing.assert_allclose(scores, expected.sequences_scores.numpy(), atol=1e-5)
