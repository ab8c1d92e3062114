"""Methods that look for circuits find the one that was built into a model, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers
from tests.explain.circuits import (
    VOCABULARY,
    induction_model,
    prompts,
    with_attention_of_operations,
)

CLEAN, CORRUPTED, NEXT = prompts()
HEADS = "mha_*/heads"


@pytest.fixture(scope="module")
def model():
    model = induction_model()
    assert (np.asarray(model(CLEAN))[:, -1].argmax(-1) == NEXT).all()
    return model


def score(y):
    """How much more likely what comes next is, in logits, the mean over rows."""
    last = y[:, -1]
    right = jnp.take_along_axis(last, jnp.asarray(NEXT)[:, None], axis=1)[:, 0]
    return (right - last.mean(-1)).mean()


@pytest.mark.promise("Activation patching finds the heads")
def test_activation_patching_finds_both_heads_where_they_act(model):
    found = explain.activation_patching(model, CLEAN, CORRUPTED, HEADS, score)
    assert found.places == ["mha_0/heads", "mha_1/heads"]
    assert found.scores.shape == (2, 10, 2)
    wanted = np.zeros((2, 10, 2))
    wanted[0, 5, 0] = 1  # what comes behind the token remembers it
    wanted[1, 9, 1] = 1  # the last token finds it
    np.testing.assert_allclose(found.recovered, wanted, atol=0.02)
    # by hand, one of them
    there = model.tap(model.params, model.state, CLEAN, at="mha_0/heads")[2]["mha_0/heads"]
    edit = {"mha_0/heads": lambda h: h.at[:, 5, 0].set(there[:, 5, 0])}
    by_hand = score(model.tap(model.params, model.state, CORRUPTED, edit=edit)[0])
    np.testing.assert_allclose(found.scores[0, 5, 0], by_hand, rtol=1e-5)
    few = explain.activation_patching(model, CLEAN, CORRUPTED, HEADS, score, batch_size=7)
    np.testing.assert_allclose(few.scores, found.scores, rtol=1e-5)
    heads = explain.activation_patching(model, CLEAN, CORRUPTED, HEADS, score, axes=[2])
    np.testing.assert_allclose(heads.recovered, [[1, 0], [0, 1]], atol=0.02)


def test_patching_is_pure(model):
    def run(params):
        given = (model, CLEAN, CORRUPTED, HEADS, score)
        return explain.activation_patching(*given, params=params, state=model.state).scores

    np.testing.assert_allclose(jax.jit(run)(model.params), run(model.params), rtol=1e-4)


@pytest.mark.promise("operations of its own code stand for what it does not name")
def test_heads_of_attention_that_is_written_in_operations(model):
    same = with_attention_of_operations(model)
    np.testing.assert_array_equal(same(CLEAN), model(CLEAN))
    given = CLEAN, CORRUPTED, "attention_*/transpose", score
    found = explain.activation_patching(same, *given)
    assert found.places == ["attention_0/transpose", "attention_1/transpose"]
    ours = explain.activation_patching(model, CLEAN, CORRUPTED, HEADS, score)
    np.testing.assert_allclose(found.scores, ours.scores, rtol=1e-5)
    weights = explain.activations(same, CLEAN, "attention_*/div#1")
    patterns = explain.activations(model, CLEAN, "mha_*/pattern")
    for ours, theirs in zip(weights.values(), patterns.values(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    for name in ("key", "query"):
        path = "attention_0/transpose", f"attention_1/{name}"
        through = explain.path_patching(same, CLEAN, CORRUPTED, path, score, frozen=given[2])
        path = "mha_0/heads", {"key": "mha_1/keys", "query": "mha_1/queries"}[name]
        expected = explain.path_patching(model, CLEAN, CORRUPTED, path, score, frozen=HEADS)
        np.testing.assert_allclose(through.effects, expected.effects, atol=1e-4)


@pytest.mark.promise("Ablation finds the parts without which")
@pytest.mark.parametrize("by", ["zero", "mean"])
def test_ablation_finds_the_heads_without_which_nothing_is_found(model, by):
    found = explain.ablation(model, CLEAN, HEADS, score, by=by, axes=[2])
    lost = -np.asarray(found.effects) / float(found.before)
    assert lost[0, 0] > 0.5 and lost[1, 1] > 0.5
    np.testing.assert_allclose([lost[0, 1], lost[1, 0]], [0, 0], atol=0.05)
    assert found.clean is None


@pytest.mark.promise("Path patching finds what acts through")
def test_path_patching_finds_that_keys_are_composed(model):
    effects = {}
    for name in ("queries", "keys", "values"):
        path = "mha_0/heads", f"mha_1/{name}"
        found = explain.path_patching(model, CLEAN, CORRUPTED, path, score, frozen="mha_*/heads")
        effects[name] = np.asarray(found.recovered)
    wanted = np.zeros((1, 10, 2))
    wanted[0, 5, 0] = 1
    np.testing.assert_allclose(effects["keys"], wanted, atol=0.02)
    np.testing.assert_allclose(effects["queries"], np.zeros_like(wanted), atol=0.02)
    np.testing.assert_allclose(effects["values"], np.zeros_like(wanted), atol=0.02)


@pytest.mark.promise("Edge attribution finds the same to first")
def test_edge_attribution_finds_the_same_edge(model):
    receivers = ["mha_1/queries", "mha_1/keys", "mha_1/values"]
    edges = explain.edge_attribution(
        model, CLEAN, CORRUPTED, ("mha_0/heads", receivers), score, frozen="mha_*/heads"
    )
    sizes = {path: np.abs(found.effects) for path, found in edges.items()}
    best = sizes["mha_1/keys"]
    assert best.argmax() == np.ravel_multi_index((0, 5, 0), best.shape)
    assert best.max() > 20 * max(sizes[p].max() for p in ("mha_1/queries", "mha_1/values"))


def test_edges_are_path_patching_to_first_order():
    x = jkeras.Input((4, 3))
    a = layers.Dense(3, activation="tanh", name="a")(x)
    b = layers.Dense(3, name="b")(layers.Add(name="sum")([x, a]))
    model = jkeras.Model(x, layers.Dense(1, name="out")(b))
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(2, 4, 3)).astype("float32")
    corrupted = clean + 1e-3 * rng.normal(size=clean.shape).astype("float32")
    given = (model, clean, corrupted, ("a", "b"), lambda y: jnp.tanh(y).sum())
    exact = explain.path_patching(*given, frozen=[])
    edges = explain.edge_attribution(*given, frozen=[])["b"]
    np.testing.assert_allclose(edges.effects, exact.effects, rtol=2e-2, atol=1e-6)


@pytest.mark.promise("The methods find these two heads")
def test_the_pattern_of_an_induction_head(model):
    pattern = explain.activations(model, CLEAN, "mha_1/pattern")
    np.testing.assert_allclose(pattern[:, 1, 9, 5], 1, atol=0.02)
    others = explain.activations(model, CLEAN, "mha_0/pattern")
    np.testing.assert_allclose(others[:, 0, 9, 8], 1, atol=0.02)


# ---------------------------------------------------------------- logits


@pytest.mark.promise("The logit lens reads the residual stream")
def test_the_logit_lens(model):
    found = explain.logit_lens(model, CLEAN, "block_*")
    kernel = np.asarray(model.get_layer("head").kernel)
    seen = model.tap(model.params, model.state, CLEAN, at="block_0")[2]["block_0"]
    np.testing.assert_allclose(found["block_0"], seen @ kernel, atol=1e-4)
    np.testing.assert_allclose(found["block_1"], model(CLEAN), atol=1e-5)
    says = np.asarray(found["block_0"])[:, -1]
    np.testing.assert_allclose(says, np.zeros_like(says), atol=1e-4)  # nothing yet
    with pytest.raises(ValueError, match="places of the shape"):
        explain.logit_lens(model, CLEAN, ["mha_0/heads", "block_1"])


@pytest.mark.promise("Logit attribution says what each head adds")
def test_logit_attribution_finds_the_head_that_says_it(model):
    parts = ["words", "mha_0/results", "mha_1/results"]
    found = explain.logit_attribution(model, CLEAN, NEXT, parts, into="block_1")
    total = found.rest + sum(np.asarray(p).reshape(3, -1).sum(1) for p in found.parts.values())
    np.testing.assert_allclose(total, found.logits, rtol=1e-4)
    np.testing.assert_allclose(found.parts["mha_1/results"][:, 1], found.logits, rtol=1e-3)
    np.testing.assert_allclose(found.parts["mha_0/results"], np.zeros((3, 2)), atol=1e-4)


@pytest.mark.promise("the layer behind heads stands in a dict")
def test_logit_attribution_of_heads_that_are_operations(model):
    same = with_attention_of_operations(model)
    heads = {"attention_*/transpose": "attention_*/attention_output"}
    found = explain.logit_attribution(same, CLEAN, NEXT, {"words": None, **heads}, into="block_1")
    parts = ["words", "mha_*/results"]
    expected = explain.logit_attribution(model, CLEAN, NEXT, parts, into="block_1")
    for ours, theirs in zip(found.parts.values(), expected.parts.values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.rest, expected.rest, atol=1e-4)
    with pytest.raises(ValueError, match="a layer for each"):
        heads = {"attention_*/transpose": "attention_0/attention_output"}
        explain.logit_attribution(same, CLEAN, NEXT, heads, into="block_1")


@pytest.mark.promise("A norm in between counts as linear")
@pytest.mark.promise("What is not linear is refused")
@pytest.mark.parametrize("norm", ["LayerNormalization", "RMSNormalization"])
@pytest.mark.parametrize("width", [8, 7])
def test_logit_attribution_through_a_norm_adds_up(norm, width):
    rng = np.random.default_rng(0)
    tokens = jkeras.Input((5,), dtype="int32")
    h = layers.Embedding(9, width, name="words")(tokens)
    mha = layers.MultiHeadAttention(2, 3, name="mha", bias_initializer="normal")
    mid = layers.Add(name="mid")([h, mha(h, h, use_causal_mask=True)])
    end = layers.Add(name="end")([mid, layers.Dense(width, "gelu", name="mlp")(mid)])
    normed = getattr(layers, norm)(name="norm")(end)
    model = jkeras.Model(tokens, layers.Dense(4, bias_initializer="normal")(normed))
    for weight in model.get_layer("norm").weights:
        weight.assign(rng.normal(size=weight.shape))
    x = rng.integers(0, 9, (3, 5))
    parts = ["words", "mha", "mlp"]
    options = {"into": "end", "norm": "norm", "position": 2}
    found = explain.logit_attribution(model, x, 1, parts, **options)
    np.testing.assert_allclose(found.logits, np.asarray(model(x))[:, 2, 1], rtol=1e-5)
    total = found.rest + sum(found.parts.values())
    np.testing.assert_allclose(total, found.logits, rtol=1e-3, atol=1e-4)
    by_head = explain.logit_attribution(model, x, 1, ["mha/results"], **options)
    bias = explain.logit_attribution(model, x, 1, ["mha"], **options).parts["mha"]
    share = by_head.parts["mha/results"].sum(1)
    assert not np.allclose(share, bias)  # of the projection, which no head has
    with pytest.raises(ValueError, match="nothing but linear layers behind"):
        explain.logit_attribution(model, x, 1, parts, into="end")
    with pytest.raises(ValueError, match="`norm` of the form"):
        explain.logit_attribution(model, x, 1, parts, into="end", norm="mlp")


# ---------------------------------------------------------------- directions


@pytest.mark.promise("A steering vector is the difference")
def test_a_steering_vector_says_another_token(model):
    given = (model, CLEAN, CORRUPTED, "block_1")
    vector = explain.steering_vector(*given)
    seen = [explain.activations(model, x, "block_1")[:, -1].mean(0) for x in (CLEAN, CORRUPTED)]
    np.testing.assert_allclose(vector, seen[0] - seen[1], atol=1e-6)
    one = explain.steering_vector(model, CLEAN[:1], CORRUPTED[:1], "block_1")
    y = model.tap(model.params, model.state, CORRUPTED, add={"block_1": 3 * one})[0]
    assert (np.asarray(y)[:, -1].argmax(-1) == NEXT[0]).all()


@pytest.mark.promise("A linear probe says what can be read")
def test_a_probe_finds_what_is_there_and_not_what_is_not(model):
    rng = np.random.default_rng(1)
    texts = rng.integers(0, VOCABULARY, (120, 10))
    before = np.concatenate([texts[:, :1], texts[:, :-1]], axis=1)
    values = explain.activations(model, texts, "block_0")
    there = explain.linear_probe(values[:, 1:], before[:, 1:])
    assert there.accuracy > 0.98 and there.selectivity > 0.7
    nowhere = explain.linear_probe(explain.activations(model, texts, "words")[:, 1:], before[:, 1:])
    assert nowhere.accuracy < 0.2 and nowhere.majority < 0.2
    rows = there.weights.T @ values[0, 3] + there.bias
    assert there.classes[rows.argmax()] == before[0, 3]


def test_a_probe_is_as_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 4))
    labels = (values @ rng.normal(size=(4, 3)) + rng.normal(size=(300, 3))).argmax(-1)
    probe = explain.linear_probe(values, labels, test_size=0.2, l2=1e-2)
    each = np.random.default_rng(0).permutation(300)
    train = ~np.isin(np.arange(300), each[:60])
    x = (values - values[train].mean(0)) / values[train].std(0)
    other = linear_model.LogisticRegression(C=1 / (2 * 1e-2 * train.sum()), max_iter=1000)
    other.fit(x[train], labels[train])
    wanted = other.coef_.T - other.coef_.T.mean(1, keepdims=True)
    ours = probe.weights * values[train].std(0)[:, None]
    np.testing.assert_allclose(ours - ours.mean(1, keepdims=True), wanted, atol=2e-3)
    assert probe.accuracy == pytest.approx(other.score(x[~train], labels[~train]), abs=0.02)


def test_a_group_is_on_one_side():
    values, labels = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) // 4 % 2
    marks = np.eye(10)[np.arange(40) // 4]  # which tell the group, and so its label
    both = np.concatenate([values, 10 * marks], axis=1)
    leaks = explain.linear_probe(both, labels)
    proper = explain.linear_probe(both, labels, groups=np.arange(40) // 4)
    assert leaks.accuracy == 1.0 and proper.accuracy < 0.9


@pytest.mark.promise("A sparse autoencoder has many directions")
@pytest.mark.parametrize("options", [{"k": 2}, {"l1": 0.03}])
def test_a_sparse_autoencoder_finds_the_directions(options, tmp_path):
    rng = np.random.default_rng(0)
    true = rng.normal(size=(20, 16))
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    chosen = np.argsort(rng.random((4000, 20)), axis=1)[:, :2]
    values = np.zeros((4000, 20))
    np.put_along_axis(values, chosen, rng.uniform(1, 2, (4000, 2)), axis=1)
    x = (values @ true).astype("float32")
    jkeras.utils.set_random_seed(0)
    model = explain.SparseAutoencoder(16, 40, **options)
    model.compile(jkeras.optimizers.Adam(3e-3), "mse")
    model.fit(x, x, batch_size=64, epochs=20, verbose=0)
    similar = (true @ model.directions.T).max(1)
    assert np.mean(similar > 0.9) >= 0.9, similar
    np.testing.assert_allclose(np.linalg.norm(model.directions, axis=1), np.ones(40), atol=1e-4)
    if "k" in options:
        assert int((model.encode(x[:50]) > 0).sum(-1).max()) <= 2
    model.save(tmp_path / "sae.keras")
    custom = {"SparseAutoencoder": explain.SparseAutoencoder}
    again = jkeras.models.load_model(tmp_path / "sae.keras", custom_objects=custom)
    np.testing.assert_allclose(again.predict(x[:5], verbose=0), model(x[:5]), atol=1e-6)


@pytest.mark.parametrize(
    "run, message",
    [
        (lambda m: explain.activation_patching(m, CLEAN[:1], CORRUPTED, HEADS, score), "shape of"),
        (
            lambda m: explain.activation_patching(m, CLEAN, CORRUPTED, "*", score),
            "places of one shape",
        ),
        (
            lambda m: explain.activation_patching(m, CLEAN, CORRUPTED, HEADS, score, axes=[0]),
            "none of them that of the rows",
        ),
        (
            lambda m: explain.activation_patching(
                m, CLEAN, CORRUPTED, HEADS, lambda y: y[:, -1].argmax(-1)
            ),
            "`score` to give floats",
        ),
        (
            lambda m: explain.path_patching(
                m, CLEAN, CORRUPTED, ("mha_0/heads", "mha_1/keys"), score, frozen="*/keys"
            ),
            "no receiver in `frozen`",
        ),
        (lambda m: explain.ablation(m, CLEAN, HEADS, score, by="noise"), "`by`"),
        (lambda m: explain.linear_probe(np.ones((3, 2)), np.ones(4)), "`labels`"),
        (lambda m: explain.SparseAutoencoder(4, 8, k=9), "`k` of at most 8"),
    ],
)
def test_wrong_use(model, run, message):
    with pytest.raises(ValueError, match=message):
        run(model)


def test_options_that_there_are_not(model):
    with pytest.raises(TypeError, match="unexpected keyword argument 'axis'"):
        explain.activation_patching(model, CLEAN, CORRUPTED, HEADS, score, axis=[1])
