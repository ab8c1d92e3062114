"""Losses over log-probabilities: beside trl's own trainers, whose numbers `record_trl.py` wrote, in
closed form, and at extremes.
"""

import json
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras import alignment
from jkeras.alignment.pairs_loss import LOSSES

RECORDED = json.loads((pathlib.Path(__file__).parent / "trl.json").read_text())
FOUND = RECORDED["found"]
ARRAYS = {name: np.array(value) for name, value in RECORDED["arrays"].items()}
LOGITS, REF_LOGITS = (ARRAYS[name].astype("float32") for name in ("logits", "ref_logits"))
TOKENS, MASK = ARRAYS["tokens"], ARRAYS["mask"]


def sums(logits):
    """(log-probabilities of answers, their lengths)."""
    return alignment.answer_log_probs(logits, TOKENS, MASK)


def halves(array):
    return tuple(jnp.split(jnp.asarray(array), 2))


def test_log_probs_beside_trl():
    ours = alignment.token_log_probs(LOGITS, TOKENS, MASK)
    np.testing.assert_allclose(ours, FOUND["log_probs"], atol=1e-5)


@pytest.mark.promise("have the names and numbers of trl")
@pytest.mark.parametrize("loss_type, beta, smoothing, expected", FOUND["dpo"])
def test_dpo_beside_trl(loss_type, beta, smoothing, expected):
    if loss_type not in ("robust", "exo_pair"):
        smoothing = None  # which trl does not look at there
    policy, lengths = sums(LOGITS)
    loss = alignment.dpo_loss(
        halves(policy),
        halves(sums(REF_LOGITS)[0]),
        beta=beta,
        loss_type=loss_type,
        label_smoothing=smoothing,
        lengths=halves(lengths),
    )
    assert loss.shape == (len(TOKENS) // 2,)
    np.testing.assert_allclose(loss.mean(), expected, rtol=2e-5)


def test_each_loss_of_pairs_is_recorded():
    assert {row[0] for row in FOUND["dpo"]} == set(LOSSES)


@pytest.mark.parametrize("beta, expected", FOUND["orpo"])
def test_orpo_beside_trl(beta, expected):
    policy, lengths = sums(LOGITS)
    loss = alignment.orpo_loss(*halves(policy / lengths), 0.0, beta=beta)
    np.testing.assert_allclose(loss.mean(), expected, rtol=2e-5)


@pytest.mark.parametrize("loss_type, expected", FOUND["kto"])
def test_kto_beside_trl(loss_type, expected):
    ratios = sums(LOGITS)[0] - sums(REF_LOGITS)[0]
    kl = alignment.kto_kl(jnp.full(3, 0.4))
    loss = alignment.kto_loss(
        ratios, ARRAYS["labels"], kl, beta=0.3, loss_type=loss_type, weights=(1.5, 0.5)
    )
    np.testing.assert_allclose(loss.mean(), expected, rtol=2e-5)


@pytest.mark.parametrize("loss_type, beta, expected", FOUND["grpo"])
def test_grpo_beside_trl(loss_type, beta, expected):
    logps, ref = (alignment.token_log_probs(v, TOKENS, MASK) for v in (LOGITS, REF_LOGITS))
    batch = {"advantages": ARRAYS["advantages"], "mask": MASK[:, 1:], "ref_logps": ref}
    loss = alignment.grpo_loss(
        logps,
        batch | {"old_logps": 0.9 * logps + 0.1 * ref},
        beta=beta,
        epsilon=(0.2, 0.3),
        loss_type=loss_type,
        max_completion_length=10,
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


# ---------------------------------------------------------------- closed forms


def test_smoothing_is_the_mean_over_labels_that_are_wrong_sometimes():
    policy = jnp.array([-1.0, 2.0]), jnp.array([0.5, -3.0])
    right, wrong = alignment.dpo_loss(policy, None), alignment.dpo_loss(policy[::-1], None)
    smooth = alignment.dpo_loss(policy, None, label_smoothing=0.3)
    np.testing.assert_allclose(smooth, 0.7 * right + 0.3 * wrong, rtol=1e-6)
    np.testing.assert_allclose(right, np.log1p(np.exp(-0.1 * (policy[0] - policy[1]))), rtol=1e-6)
    # the mean over wrong labels of the robust loss is the loss of the right ones
    robust = [
        alignment.dpo_loss(p, None, loss_type="robust", label_smoothing=0.3)
        for p in (policy, policy[::-1])
    ]
    np.testing.assert_allclose(0.7 * robust[0] + 0.3 * robust[1], right, rtol=1e-5)


def test_gradient_of_dpo_is_that_of_the_paper():
    """Equation 7: beta times how wrong the implicit rewards are."""
    policy = jnp.array([-1.0]), jnp.array([0.5])
    chosen, rejected = jax.grad(lambda p: alignment.dpo_loss(p, None, beta=0.4).sum())(policy)
    wrong = 1 / (1 + np.exp(0.4 * (-1.0 - 0.5)))
    np.testing.assert_allclose([chosen[0], rejected[0]], [-0.4 * wrong, 0.4 * wrong], rtol=1e-6)


def test_orpo_of_probabilities():
    p, q = np.array([0.1, 0.5, 0.9, 0.999]), np.array([0.3, 0.2, 0.95, 1e-4])
    odds = (p / (1 - p)) / (q / (1 - q))
    loss = alignment.orpo_loss(np.log(p), np.log(q), 2.0, beta=0.5)
    np.testing.assert_allclose(loss, 2 + 0.5 * np.log1p(1 / odds), rtol=1e-5)


def test_advantages_beside_numpy():
    rewards = ARRAYS["rewards"]
    centred = rewards - rewards.mean(1, keepdims=True)
    for scale, by in (
        ("group", rewards.std(1, ddof=1, keepdims=True)),
        ("batch", rewards.std(ddof=1)),
    ):
        ours = alignment.group_advantages(rewards, scale)
        np.testing.assert_allclose(ours, centred / (by + 1e-4), rtol=1e-5)
    np.testing.assert_allclose(alignment.group_advantages(rewards, "none"), centred, rtol=1e-5)
    assert not alignment.group_advantages(jnp.full((2, 3), 7.0)).any()


def test_a_ratio_is_clipped_where_that_is_worse():
    """Arithmetic by hand: ratios 2 and a half, advantages of both signs."""
    logps = jnp.log(jnp.array([[2.0], [0.5], [2.0], [0.5]]))
    batch = {
        "advantages": jnp.array([1.0, 1.0, -1.0, -1.0]),
        "mask": jnp.ones((4, 1)),
        "old_logps": jnp.zeros((4, 1)),
    }

    def loss(logps):
        return 4 * alignment.grpo_loss(logps, batch, epsilon=(0.2, 0.3))

    np.testing.assert_allclose(loss(logps), -1.3 - 0.5 + 2.0 + 0.8, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(loss)(logps)[:, 0], [0, -0.5, 2, 0], atol=1e-6)


def test_a_new_policy_has_the_policy_gradient():
    """Without `old_logps` the ratio is 1, and the gradient that of `advantage * log p`."""
    batch = {"advantages": jnp.array([2.0, -1.0]), "mask": jnp.array([[1, 1, 0], [1, 0, 0]])}
    gradient = jax.grad(alignment.grpo_loss)(jnp.full((2, 3), -0.3), batch)
    np.testing.assert_allclose(gradient, [[-0.5, -0.5, 0], [0.5, 0, 0]], atol=1e-6)


# ---------------------------------------------------------------- extremes and wrong use


def test_logits_in_bfloat16_are_summed_in_float32():
    """A sum over many tokens in bfloat16 is one of few of them."""
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.normal(size=(2, 9, 4000)), "bfloat16")
    tokens = rng.integers(0, 4000, (2, 9))
    ours = alignment.token_log_probs(logits, tokens)
    wide = np.asarray(logits, "float64")[:, :-1]
    exact = np.take_along_axis(wide, tokens[:, 1:, None], -1)[..., 0]
    exact = exact - np.log(np.exp(wide).sum(-1))
    assert ours.dtype == jnp.float32
    np.testing.assert_allclose(ours, exact, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e4, 1e-4, 1e30])
def test_log_probs_at_extremes(scale):
    def loss(logits):
        return alignment.token_log_probs(logits, TOKENS, MASK).sum()

    value, gradient = jax.value_and_grad(loss)(jnp.asarray(LOGITS * scale))
    assert jnp.isfinite(value) and jnp.isfinite(gradient).all()


@pytest.mark.parametrize("loss_type", LOSSES)
def test_losses_of_pairs_at_extremes(loss_type):
    def loss(policy):
        ones = jnp.ones(4), jnp.ones(4)
        return alignment.dpo_loss(policy, None, loss_type=loss_type, lengths=ones).sum()

    policy = jnp.array([-1e4, 0, -1e4, 1e4]), jnp.array([0, -1e4, -1e4, -1e4])
    value, gradients = jax.value_and_grad(loss)(policy)
    assert jnp.isfinite(value) and jnp.isfinite(jnp.stack(gradients)).all()


@pytest.mark.parametrize("values", [(-1e4, 0.0), (0.0, -1e4), (0.0, 0.0), (-1e-8, -50.0)])
def test_other_losses_at_extremes(values):
    first, second = (jnp.full(1, value) for value in values)

    def loss(first, second):
        batch = {
            "advantages": jnp.array([-1.0, 1.0]),
            "mask": jnp.ones((2, 1)),
            "old_logps": jnp.stack([second, first]),
            "ref_logps": jnp.stack([second, first]),
        }
        logps = jnp.stack([first, first])
        odds = alignment.orpo_loss(first, second, -first).sum()
        kto = alignment.kto_loss(first - second, jnp.ones(1), 1e4).sum()
        return odds + kto + alignment.grpo_loss(logps, batch, beta=0.1)

    value, gradients = jax.value_and_grad(loss, (0, 1))(first, second)
    assert jnp.isfinite(jnp.stack([value, gradients[0][0], gradients[1][0]])).all()


def test_what_is_masked_reaches_nothing():
    """NaN and infinity in padding, tokens of -100 there, and a row without an answer."""
    mask = MASK * (np.arange(len(MASK)) > 0)[:, None]
    outside = ~np.pad(mask[:, 1:], [(0, 0), (0, 1)]).astype(bool)
    bad = jnp.where(outside[..., None], jnp.nan, LOGITS)
    tokens = np.where(mask, TOKENS, -100)

    def loss(logits, tokens, mask):
        return jnp.sum(alignment.answer_log_probs(logits, tokens, mask)[0])

    value, gradient = jax.value_and_grad(jax.jit(loss))(bad, tokens, mask)
    expected = sum(np.array(FOUND["log_probs"])[1:].ravel())
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert jnp.isfinite(gradient).all() and not gradient[0].any()
    batch = {"advantages": ARRAYS["advantages"], "mask": mask[:, 1:]}
    for loss_type in ("grpo", "bnpo", "dr_grpo"):
        gradient = jax.grad(
            lambda logps, kind=loss_type: alignment.grpo_loss(
                logps, batch, loss_type=kind, max_completion_length=6
            )
        )(jnp.full(mask[:, 1:].shape, -jnp.inf, "float32").at[mask[:, 1:] == 1].set(-1.0))
        assert jnp.isfinite(gradient).all() and not gradient[0].any()


def test_a_token_outside_the_vocabulary_is_nan_and_none_of_another():
    tokens = np.array([[1, 2, 3, 99, -1]])
    values = alignment.token_log_probs(jnp.zeros((1, 5, 5)), tokens)
    np.testing.assert_allclose(values, [[-math.log(5)] * 2 + [np.nan] * 2], rtol=1e-6)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: alignment.answer_log_probs(LOGITS, TOKENS, 0 * MASK), "answers of one token"),
        (lambda: alignment.token_log_probs(LOGITS[:, 1:], TOKENS), "logits"),
        (lambda: alignment.token_log_probs(LOGITS, TOKENS * 1.0), "whole numbers"),
        (lambda: alignment.dpo_loss((0, 0), None, loss_type="sigmod"), "sigmoid"),
        (lambda: alignment.dpo_loss((0, 0), None, beta=0), "beta"),
        (lambda: alignment.dpo_loss((0, 0), None, beta=float("nan")), "beta"),
        (lambda: alignment.dpo_loss((0, 0), None, loss_type="ipo"), "lengths"),
        (lambda: alignment.dpo_loss((0, 0), None, label_smoothing=0.5), "label_smoothing"),
        (
            lambda: alignment.dpo_loss((0, 0), None, loss_type="hinge", label_smoothing=0.1),
            "label_smoothing",
        ),
        (lambda: alignment.orpo_loss(0, 0, 0, beta=-1), "beta"),
        (lambda: alignment.kto_loss(0, 1, loss_type="kta"), "kto"),
        (lambda: alignment.kto_loss(0, 1, weights=(1, -1)), "weights"),
        (lambda: alignment.group_advantages(jnp.ones((4, 1))), "two answers"),
        (lambda: alignment.group_advantages(jnp.ones(4)), "two answers"),
        (lambda: alignment.group_advantages(jnp.ones((2, 2)), "groups"), "group"),
        (lambda: alignment.grpo_loss(0, {}, loss_type="dapoo"), "grpo"),
        (lambda: alignment.grpo_loss(0, {}, loss_type="dr_grpo"), "max_completion_length"),
        (lambda: alignment.grpo_loss(0, {}, epsilon=(2, 1)), "epsilon"),
        (
            lambda: alignment.grpo_loss(
                jnp.zeros((1, 2)),
                {"mask": jnp.ones((1, 2)), "advantages": jnp.ones(1)},
                beta=0.1,
            ),
            "ref_logps",
        ),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
