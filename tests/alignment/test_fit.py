"""Models that `fit` trains on preferences and rewards: beside the losses by hand, in microbatches,
in half precision, with and without adapters, cut off and gone on with.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import alignment, lora
from jkeras.alignment.aligned import without_adapter
from tests.alignment.models import VOCABULARY, answers, language_model, pairs, texts, unpaired

LORA = {".*(attention|dense).*kernel": 2}


def sums(model, params, rows, name):
    logits, _ = model.apply(params, model.state, rows[name], training=False)
    return alignment.answer_log_probs(logits, rows[name], rows[f"{name}_mask"])[0]


def leaves(params):
    return [np.asarray(v) for v in jax.tree.leaves(params)]


def assert_same(some, others, **tolerance):
    assert len(some) == len(others)
    for a, b in zip(some, others):
        np.testing.assert_allclose(a, b, **tolerance)


def changed(adapter):
    """An adapter that does something."""
    rng = np.random.default_rng(2)
    change = lambda v: v + jnp.asarray(rng.normal(size=v.shape) * 0.3, v.dtype)
    return jax.tree.map(change, adapter)


# ---------------------------------------------------------------- steps by hand


def test_a_step_of_dpo_by_hand():
    """Texts one by one without padding, `jax.grad`, one step of gradient descent."""
    model, reference = language_model(0), language_model(1)
    prompts, chosen, rejected = texts(4)
    start = model.params
    state, ref_params = model.state, reference.params

    def of_one(model, params, prompt, answer):
        tokens = jnp.array([prompt + answer])
        logits, _ = model.apply(params, state, tokens)
        values = jax.nn.log_softmax(logits[0, :-1])[jnp.arange(tokens.shape[1] - 1), tokens[0, 1:]]
        return values[len(prompt) - 1 :].sum()

    def loss(params):
        margins = [
            sum(
                sign
                * (
                    of_one(model, params, prompt, answer)
                    - of_one(reference, ref_params, prompt, answer)
                )
                for sign, answer in ((1, good), (-1, bad))
            )
            for prompt, good, bad in zip(prompts, chosen, rejected)
        ]
        return -jax.nn.log_sigmoid(0.3 * jnp.stack(margins)).mean()

    value, gradient = jax.value_and_grad(loss)(start)
    expected = jax.tree.map(lambda w, g: w - 0.5 * g, start, gradient)
    dpo = alignment.DPO(model, reference, beta=0.3)
    dpo.compile(jkeras.optimizers.SGD(0.5))
    history = dpo.fit(alignment.pairs(prompts, chosen, rejected), verbose=0)
    np.testing.assert_allclose(history.history["loss"][0], value, rtol=1e-5)
    assert_same(leaves(model.params), leaves(expected), atol=1e-6)
    assert_same(leaves(reference.params), leaves(ref_params))


@pytest.mark.promise("its log-probabilities are written beside")
def test_three_references_are_one():
    """In the data, as a model, and the base under an adapter: the same losses."""
    rows, histories = pairs(), []
    for way in ("data", "model", "adapter"):
        model = language_model()
        base = language_model()
        base.set_weights(model.get_weights())
        dpo = alignment.DPO(model, base if way == "model" else None)
        lora.attach(model, changed(lora.init(lora.kernels(model), LORA, 3)))
        data = rows
        if way == "data":
            frozen = alignment.DPO(base)
            data = frozen.with_reference(rows, batch_size=3)
            np.testing.assert_allclose(
                data["ref_chosen_logps"], sums(base, base.params, rows, "chosen"), rtol=1e-5
            )
        dpo.compile(jkeras.optimizers.Adam(1e-2))
        histories.append(dpo.fit(data, batch_size=4, epochs=2, verbose=0, shuffle=False).history)
    for history in histories[1:]:
        for name, values in history.items():
            np.testing.assert_allclose(values, histories[0][name], rtol=1e-4, err_msg=name)
    assert histories[0]["loss"][0] != np.float32(np.log(2))  # the adapter did something


def test_the_reference_under_an_adapter_is_written_once():
    model = language_model()
    rows, plain = pairs(), language_model().params
    dpo = alignment.DPO(model)
    dpo.compile("adam", lora=LORA)
    lora.attach(model, changed(model.lora))
    written = dpo.with_reference(rows)
    np.testing.assert_allclose(
        written["ref_rejected_logps"], sums(language_model(), plain, rows, "rejected"), rtol=1e-5
    )
    assert dpo.evaluate(rows, verbose=0)[0] == pytest.approx(
        dpo.evaluate(written, verbose=0)[0], rel=1e-5
    )


@pytest.mark.promise("microbatches, whose gradient is that")
@pytest.mark.promise("| pairs of answers | nothing |")
@pytest.mark.parametrize(
    "make, rows",
    [
        (lambda m: alignment.DPO(m, reference_free=True), pairs()),
        (lambda m: alignment.DPO(m, loss_type="ipo", reference_free=True), pairs()),
        (lambda m: alignment.ORPO(m), pairs()),
        (lambda m: alignment.KTO(m, language_model(1), loss_type="apo_zero_unpaired"), unpaired()),
        (lambda m: alignment.GRPO(m), answers()),
        (lambda m: alignment.GRPO(m, loss_type="bnpo"), answers()),
        (lambda m: alignment.GRPO(m, language_model(1), beta=0.1, loss_type="bnpo"), answers()),
        (lambda m: alignment.GRPO(m, loss_type="dr_grpo"), answers()),
    ],
    ids=["dpo", "ipo", "orpo", "kto", "grpo", "bnpo", "bnpo with kl", "dr_grpo"],
)
def test_microbatches_are_the_whole_batch(make, rows):
    """Rows have weights and answers of different lengths."""
    weights = np.linspace(0.5, 2, 8).astype("float32")
    found = []
    for count in (1, 4):
        model = language_model()
        trained = make(model)
        trained.compile(jkeras.optimizers.SGD(0.3), microbatches=count)
        history = trained.fit(rows, sample_weight=weights, batch_size=8, verbose=0)
        found.append([history.history["loss"], *leaves(model.params)])
    assert_same(*found, rtol=2e-4, atol=2e-6)
    start = leaves(language_model().params)
    assert max(abs(a - b).max() for a, b in zip(found[0][1:], start)) > 1e-4


def test_an_epoch_with_a_smaller_last_batch_is_the_mean_over_rows():
    """7 rows in batches of 4: the loss without a step is the mean over all rows."""
    rows = {name: array[:7] for name, array in pairs().items()}
    model = language_model()
    dpo = alignment.DPO(model, reference_free=True)
    dpo.compile("sgd")
    one = [dpo.evaluate({n: v[i : i + 1] for n, v in rows.items()}, verbose=0)[0] for i in range(7)]
    together = dpo.evaluate(rows, batch_size=4, verbose=0)[0]
    np.testing.assert_allclose(together, np.mean(one), rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    """Numbers of the data are not rounded, and float16 has a loss scale."""
    rows = pairs()
    model = language_model(dtype=policy)
    model.dtype_policy = policy
    dpo = alignment.DPO(model)
    refs = {f"ref_{name}_logps": np.full(8, -1000.7, "float32") for name in ("chosen", "rejected")}
    dpo.compile(jkeras.optimizers.Adam(1e-3))
    is_scaled = isinstance(dpo.optimizer, jkeras.optimizers.LossScaleOptimizer)
    assert is_scaled == (policy == "mixed_float16")
    exact = alignment.DPO(language_model())
    exact.compile("adam")
    loss = dpo.evaluate({**rows, **refs}, verbose=0)[0]
    assert loss == pytest.approx(exact.evaluate({**rows, **refs}, verbose=0)[0], abs=2e-3)
    history = dpo.fit({**rows, **refs}, epochs=5, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert {v.dtype for v in dpo.trainable_variables} == {"float32"}
    assert dpo.predict(rows, verbose=0)["chosen"].dtype == "float32"


@pytest.mark.parametrize("mode", ["int8", "int4"])
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_a_base_in_few_bits_is_the_reference(mode):
    model = language_model()
    model.quantize(mode)
    rows = pairs()
    dpo = alignment.DPO(model)
    dpo.compile(jkeras.optimizers.Adam(1e-2), lora=LORA)
    before = leaves(without_adapter(model.state))
    history = dpo.fit(rows, epochs=3, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.log(2), rel=1e-4)
    assert history["loss"][-1] < history["loss"][0]
    assert_same(leaves(without_adapter(model.state)), before)


def of_hub(model, names=("token_ids", "padding_mask")):
    """A model of keras-hub's inputs, which uses both."""
    tokens, there = (
        jkeras.Input((None,), dtype=d, name=n) for n, d in zip(names, ("int32", "bool"))
    )
    logits = model(tokens) * jkeras.ops.cast(there, "float32")[..., None]
    return jkeras.Model(dict(zip(names, (tokens, there))), logits)


def test_a_model_that_takes_a_padding_mask():
    """Padding is what stands behind the last token of an answer."""
    rows, found = pairs(), []
    for wrap in (lambda model: model, of_hub):
        dpo = alignment.DPO(wrap(language_model()), wrap(language_model(1)))
        dpo.compile(jkeras.optimizers.SGD(0.1))
        history = dpo.fit(dpo.with_reference(rows), epochs=2, verbose=0, shuffle=False).history
        found.append(history["loss"])
    np.testing.assert_allclose(*found, rtol=1e-5)
    with pytest.raises(ValueError, match="of 'token_ids' and 'padding_mask'"):
        alignment.DPO(of_hub(language_model(), ("a", "b"))).with_reference(rows)
    with pytest.raises(ValueError, match="its own `generate`"):
        alignment.GRPO(of_hub(language_model())).rollouts([[1]], reward, max_length=4)


def test_preferences_are_learned():
    """On rows it has not seen."""
    model = language_model()
    rows, unseen = pairs(96), pairs(64, seed=5)
    dpo = alignment.DPO(model)
    rows, unseen = dpo.with_reference(rows), dpo.with_reference(unseen)
    dpo.compile(jkeras.optimizers.Adam(1e-2))
    told = dpo.evaluate(unseen, verbose=0, return_dict=True)
    assert abs(told["reward_margin"]) < 1e-6 and told["loss"] == pytest.approx(np.log(2), rel=1e-5)
    dpo.fit(rows, epochs=8, verbose=0)
    told = dpo.evaluate(unseen, verbose=0, return_dict=True)
    assert told["reward_accuracy"] > 0.9 and told["loss"] < 0.5


def test_labels_are_learned_by_kto():
    model = language_model()
    rows = unpaired(64)
    kto = alignment.KTO(model)
    rows = kto.with_reference(rows)
    kto.compile(jkeras.optimizers.Adam(1e-2))
    before = kto.predict(rows, verbose=0)["answer"]
    kto.fit(rows, epochs=6, verbose=0)
    difference = kto.predict(rows, verbose=0)["answer"] - before
    assert difference[rows["label"] == 1].mean() > 0 > difference[rows["label"] == 0].mean()


# ---------------------------------------------------------------- rewards


def reward(prompts, answers):
    return [float(np.mean(answer == 5)) for answer in answers]


def grpo_with_rollouts(lora=LORA, **options):
    model = language_model()
    grpo = alignment.GRPO(model, **options)
    grpo.compile(jkeras.optimizers.Adam(3e-2), lora=lora)
    plan = dict(max_length=7, num_generations=8, batch_size=16, seed=1)
    return grpo, grpo.rollouts([[1], [2, 3], [4], [6, 7, 8]], reward, **plan)


def test_rollouts():
    grpo, rollouts = grpo_with_rollouts(beta=0.1)
    batches = list(rollouts)
    assert len(batches) == len(rollouts) == 2
    rows = {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}
    logits = grpo.model(rows["tokens"])
    ours = alignment.token_log_probs(logits, rows["tokens"], rows["mask"])
    np.testing.assert_allclose(rows["old_logps"], ours, atol=1e-5)
    np.testing.assert_allclose(rows["ref_logps"], ours, atol=1e-5)  # the adapter is new
    for row in range(32):
        begin = rows["mask"][row].argmax()
        assert rows["tokens"][row][:begin].tolist() in [[1], [2, 3], [4], [6, 7, 8]]
        assert rows["mask"][row].tolist() == [0] * begin + [1] * (7 - begin)
        assert rows["rewards"][row] == np.float32(np.mean(rows["tokens"][row][begin:] == 5))
    assert abs(rows["advantages"].sum()) < 1e-3
    rollouts.set_epoch(1)
    assert not np.array_equal(next(iter(rollouts))["tokens"], batches[0]["tokens"])


def test_rewards_grow():
    grpo, rollouts = grpo_with_rollouts(lora=None)
    history = grpo.fit(rollouts, epochs=10, verbose=0).history
    assert history["reward"][0] < 0.2 and np.mean(history["reward"][-3:]) > 0.9


class Cut(jkeras.callbacks.Callback):
    """Ends a training after so many steps, without a word."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def ended(make, folder, cuts=()):
    """The weights at the end of a training that is cut off after some steps, and begun anew."""
    for cut in [*cuts, None]:
        trained, data, options = make()
        checkpoint = jkeras.saving.Checkpointer(folder, every=1)
        callbacks = [] if cut is None else [Cut(cut)]
        try:
            trained.fit(data, verbose=0, checkpoint=checkpoint, callbacks=callbacks, **options)
        except KeyboardInterrupt:
            assert cut is not None
    return [*leaves(trained.model.params), *(np.asarray(v) for v in trained.optimizer.variables)]


def dpo_with_dropout():
    dpo = alignment.DPO(language_model(dropout=0.3))
    dpo.compile(jkeras.optimizers.Adam(1e-2), lora=LORA, microbatches=2)
    return dpo, pairs(24), {"batch_size": 8, "epochs": 3}


def grpo_in_two_steps():
    grpo, rollouts = grpo_with_rollouts(beta=0.1)
    return grpo, rollouts, {"epochs": 3}


@pytest.mark.promise("resumes in the middle of an epoch, with the answers that were written")
@pytest.mark.parametrize("make", [dpo_with_dropout, grpo_in_two_steps])
def test_cut_off_in_the_middle_of_an_epoch(make, tmp_path):
    whole = ended(make, tmp_path / "whole")
    again = ended(make, tmp_path / "again", cuts=(2, 3))
    for a, b in zip(whole, again):
        np.testing.assert_array_equal(a, b)


def test_rollouts_of_other_prompts_are_refused(tmp_path):
    grpo, rollouts = grpo_with_rollouts()
    batches = iter(rollouts)
    next(batches)
    state = batches.get_state()
    others = grpo.rollouts([[1], [2]], reward, max_length=7, num_generations=8)
    with pytest.raises(ValueError, match="4 prompts"):
        iter(others).set_state(state)


def test_weights_that_changed_in_between_write_new_answers():
    """A first look at the data is not taken for that of other weights."""
    grpo, rollouts = grpo_with_rollouts()
    first = rollouts.rows(0)
    assert rollouts.rows(0) is first
    rollouts.rows(0)
    grpo.model.set_weights([w + 0.5 for w in grpo.model.get_weights()])
    assert not np.array_equal(rollouts.rows(0)["old_logps"], first["old_logps"])


# ---------------------------------------------------------------- files, wrong use


def test_a_file(tmp_path):
    model = language_model()
    dpo = alignment.DPO(model, beta=0.2, loss_type="robust", label_smoothing=0.1)
    dpo.compile("adam")
    rows = dpo.with_reference(pairs())
    dpo.fit(rows, verbose=0)
    dpo.save(tmp_path / "dpo.keras")
    again = jkeras.saving.load_model(tmp_path / "dpo.keras")
    assert (again.beta, again.loss_type, again.label_smoothing) == (0.2, "robust", 0.1)
    assert again.evaluate(rows, verbose=0) == dpo.evaluate(rows, verbose=0)
    for made in (
        alignment.ORPO(model, beta=0.3),
        alignment.KTO(model, weights=(2, 1)),
        alignment.GRPO(model, loss_type="dr_grpo"),
    ):
        config = type(made).from_config(made.get_config()).get_config()
        assert {k: v for k, v in config.items() if k != "model"} == {
            k: v for k, v in made.get_config().items() if k != "model"
        }


def without(name):
    return {k: v for k, v in pairs().items() if k != name}


def fit_of_all_weights():
    dpo = alignment.DPO(language_model())
    dpo.compile("adam")
    dpo.fit(pairs(), verbose=0)


def reference_after_training():
    dpo = alignment.DPO(language_model())
    dpo.compile("adam")
    dpo.fit(dpo.with_reference(pairs()), verbose=0)
    dpo.with_reference(pairs())


def a_head_that_learns_too():
    dpo = alignment.DPO(language_model())
    dpo.compile("adam", lora=LORA)
    dpo.model.get_layer("head").trainable = True
    dpo.fit(pairs(), verbose=0)


def empty_answers():
    rows = pairs()
    rows["chosen_mask"][3] = 0
    dpo = alignment.DPO(language_model(), reference_free=True)
    dpo.compile("adam")
    dpo.fit(rows, verbose=0)


@pytest.mark.filterwarnings("ignore:.*the loss of epoch 1 is NaN")
@pytest.mark.promise("that come batch by batch the loss is NaN")
def test_an_empty_answer_in_a_batch_is_no_zero():
    rows = pairs()
    rows["rejected_mask"][3] = 0
    dpo = alignment.DPO(language_model(), reference_free=True)
    dpo.compile("sgd")
    assert np.isnan(dpo.fit(iter([rows]), steps_per_epoch=1, verbose=0).history["loss"][0])


def missing_part():
    dpo = alignment.DPO(language_model(), reference_free=True)
    dpo.compile("adam")
    dpo.fit(without("rejected_mask"), verbose=0)


def with_a_loss():
    dpo = alignment.DPO(language_model(), reference_free=True)
    dpo.compile("adam", "mse")
    dpo.fit(pairs(), verbose=0)


def with_metrics():
    dpo = alignment.DPO(language_model(), reference_free=True)
    dpo.compile("adam", metrics=["accuracy"])
    dpo.fit(pairs(), verbose=0)


def with_labels():
    dpo = alignment.DPO(language_model(), reference_free=True)
    dpo.compile("adam")
    dpo.fit(pairs(), np.ones(8), verbose=0)


def rollouts(function=reward, prompts=((1,), (2,)), **options):
    grpo = alignment.GRPO(language_model())
    grpo.compile("adam")
    grpo.fit(grpo.rollouts(prompts, function, **{"max_length": 6, **options}), verbose=0)


def an_adapter_of_before():
    model = language_model()
    lora.attach(model, changed(lora.init(lora.kernels(model), LORA, 3)))
    dpo = alignment.DPO(model)
    rows = dpo.with_reference(pairs())  # as it is
    np.testing.assert_allclose(
        rows["ref_chosen_logps"], sums(model, model.params, rows, "chosen"), rtol=1e-5
    )
    dpo.compile("adam")
    dpo.fit(rows, verbose=0)
    dpo.fit(pairs(), verbose=0)


def shared_layers():
    model = language_model()
    alignment.DPO(model, jkeras.Model(model.inputs, model.outputs))


def same_model():
    model = language_model()
    alignment.DPO(model, model)


@pytest.mark.promise("Where no reference is to be had")
@pytest.mark.parametrize(
    "call, words",
    [
        (fit_of_all_weights, "with_reference"),
        (reference_after_training, "reference"),
        (a_head_that_learns_too, "'head/"),
        (empty_answers, "none in row 3"),
        (missing_part, "without 'rejected_mask'"),
        (with_a_loss, "no `loss` and no metrics in `compile`"),
        (with_metrics, "no `loss` and no metrics in `compile`"),
        (with_labels, "labels beside it"),
        (an_adapter_of_before, "or the base under it"),
        (shared_layers, "of both"),
        (same_model, "another model"),
        (lambda: alignment.DPO(lambda x: x), "a model as `model`"),
        (lambda: alignment.DPO(language_model(), loss_type="ippo"), "ipo"),
        (lambda: alignment.GRPO(language_model(), temperature=0), "temperature"),
        (lambda: rollouts(lambda p, a: [1.0]), "16 finite numbers"),
        (lambda: rollouts(lambda p, a: [float("nan")] * len(a)), "nan of answer 0"),
        (lambda: rollouts(num_generations=1), "two answers"),
        (lambda: rollouts(batch_size=5), "batch_size"),
        (lambda: rollouts(max_length=1), "lengths"),
        (lambda: rollouts(prompts=[[]]), "lengths"),
        (lambda: rollouts(prompts=[[VOCABULARY]]), "vocabulary"),
        (lambda: rollouts(prompts_per_epoch=3), "prompts_per_epoch"),
        (lambda: rollouts(scale_rewards="all"), "scale"),
        (lambda: alignment.pairs([[1]], [[2]], [[2]]), "the same twice, in row 0"),
        (lambda: alignment.pairs([[1]], [[]], [[2]]), "answer 0"),
        (lambda: alignment.pairs([[]], [[1]], [[2]]), "prompt 0"),
        (lambda: alignment.pairs([[1]], [[2.5]], [[2]]), "whole numbers"),
        (lambda: alignment.pairs(["ab"], [[2]], [[3]]), "whole numbers"),
        (lambda: alignment.pairs([[1]], [[-100]], [[3]]), "from 0 on"),
        (lambda: alignment.pairs([[1], [2]], [[2]], [[3]]), "as many of each"),
        (lambda: alignment.pairs([], [], []), "one or more"),
        (lambda: alignment.pairs([[1, 2]], [[2]], [[3, 4]], length=3), "row 0"),
        (lambda: alignment.unpaired([[1]], [[2]], [1]), "two rows"),
    ],
)
def test_what_is_wrong_is_said(call, words):
    with pytest.raises(ValueError, match=words):
        call()
