"""Attention, concepts, importance and influence beside closed forms, numpy and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers

RANDOM = np.random.default_rng(0)


class TestRollout:
    def model(self, **options):
        inputs = jkeras.Input((5, 8))
        y = inputs
        for i in range(3):
            attention = layers.MultiHeadAttention(2, 4, name=f"attention{i}", **options)
            y = layers.LayerNormalization()(layers.Add()([y, attention(y, y)]))
        return jkeras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(y)))

    def weights(self, model, x):
        """Each layer's weights, from calls by hand."""
        found = []
        y = jnp.asarray(x)
        for layer in model.layers:
            if isinstance(layer, layers.MultiHeadAttention):
                attended, weights = layer(y, y, return_attention_scores=True)
                found.append(np.asarray(weights))
            elif isinstance(layer, layers.Add):
                y = y + attended
            elif isinstance(layer, layers.LayerNormalization):
                y = layer(y)
        return found

    @pytest.mark.parametrize("dropout", [0.0, 0.1])
    def test_by_numpy(self, dropout):
        model = self.model(dropout=dropout)
        x = RANDOM.normal(size=(4, 5, 8)).astype("float32")
        wanted = np.eye(5)
        for weights in self.weights(model, x):
            wanted = (0.5 * weights.mean(1) + 0.5 * np.eye(5)) @ wanted
        ours = explain.attention_rollout(model, x, batch_size=3)
        np.testing.assert_allclose(ours, wanted, atol=1e-6)
        np.testing.assert_allclose(ours.sum(-1), np.ones((4, 5)), atol=1e-6)

    def test_compiles_once(self):
        model = self.model()
        x = RANDOM.normal(size=(2, 5, 8)).astype("float32")
        explain.attention_rollout(model, x)
        programs = len(model._explanations)
        explain.attention_rollout(model, 2 * x)
        explain.concept_direction(model, x, -x, at="attention1")
        more = len(model._explanations)
        explain.concept_direction(model, 3 * x, -x, at="attention1")
        assert programs + 1 == more == len(model._explanations)

    def test_of_chosen_layers(self):
        model = self.model()
        x = RANDOM.normal(size=(2, 5, 8)).astype("float32")
        weights = self.weights(model, x)[1].mean(1)
        for place in ("attention1", model.get_layer("attention1")):
            ours = explain.attention_rollout(model, x, at=[place], residual=0.0)
            np.testing.assert_allclose(ours, weights, atol=1e-6)

    def test_errors(self):
        inputs, others = jkeras.Input((5, 8)), jkeras.Input((3, 8))
        crossed = layers.MultiHeadAttention(2, 4)(inputs, others)
        model = jkeras.Model([inputs, others], crossed)
        x = [np.ones((2, 5, 8), "float32"), np.ones((2, 3, 8), "float32")]
        with pytest.raises(ValueError, match="attend to their own tokens"):
            explain.attention_rollout(model, x)
        with pytest.raises(ValueError, match="attention layers in the model, received none"):
            explain.attention_rollout(jkeras.Sequential([layers.Dense(1)]), x[0])


class TestConcepts:
    def model(self):
        return jkeras.Sequential(
            [
                jkeras.Input((6,)),
                layers.Dense(4, activation="tanh", name="hidden"),
                layers.Dense(5, activation="tanh"),
                layers.Dense(3),
            ]
        )

    def test_counts_are_those_of_finite_differences(self):
        model, random = self.model(), np.random.default_rng(5)
        x = 2 * random.normal(size=(40, 6)).astype("float32")
        normal = random.normal(size=4).astype("float32")

        def moved(step):
            add = {"hidden": step * normal}
            return np.asarray(model.tap(model.params, model.state, x, add=add)[0][:, 2])

        wanted = np.mean(moved(1e-2) > moved(-1e-2))
        assert 0 < wanted < 1
        assert explain.tcav(model, x, 2, at="hidden", normal=normal, batch_size=7) == wanted

    def test_a_direction_that_decides(self):
        model = jkeras.Sequential(
            [jkeras.Input((6,)), layers.Identity(name="all"), layers.Dense(1)]
        )
        model.layers[-1].kernel.assign(np.eye(6)[:, :1])
        others = np.random.default_rng(6).normal(size=(500, 6)).astype("float32")
        concept = others + 3 * np.eye(6, dtype="float32")[0]
        direction = explain.concept_direction(model, concept, others, at="all")
        assert direction[0] > 0.95 and np.isclose(np.linalg.norm(direction), 1, atol=1e-5)
        assert explain.tcav(model, others, at="all", concept=concept, random=others) == 1.0
        assert explain.tcav(model, others, at="all", concept=others, random=concept) == 0.0

    def test_random_concepts_are_about_a_half(self):
        model, numbers = self.model(), np.random.default_rng(7)
        x = numbers.normal(size=(64, 6)).astype("float32")
        shares = []
        for _ in range(40):
            concept, random = numbers.normal(size=(2, 30, 6)).astype("float32")
            given = {"at": "hidden", "concept": concept, "random": random}
            shares.append(explain.tcav(model, x, 1, **given))
        assert abs(np.mean(shares) - 0.5) < 0.1

    def test_errors(self):
        with pytest.raises(ValueError, match="`concept` and `random`"):
            explain.tcav(self.model(), np.ones((1, 6)), 1, at="hidden")


class TestPermutationImportance:
    X = RANDOM.normal(size=(60, 4)).astype("float32")
    Y = (X[:, :1] - 2 * X[:, 1:2]).astype("float32")

    def model(self):
        model = jkeras.Sequential(
            [jkeras.Input((4,)), layers.Dense(5, activation="tanh"), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        return model

    def test_as_scikit_learn(self):
        inspection = pytest.importorskip("sklearn.inspection")
        model = self.model()

        class Estimator:
            def fit(self, x, y):
                return self

            def score(self, x, y):
                return -np.mean((model.predict(np.float32(x), verbose=0) - y) ** 2)

        wanted = inspection.permutation_importance(
            Estimator(), self.X, self.Y, n_repeats=3, random_state=0
        )
        seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max + 1)
        permutations = np.zeros((4, 3, 60), int)
        for feature in range(4):
            random, order = np.random.RandomState(seed), np.arange(60)
            column = np.arange(60)
            for repeat in range(3):
                random.shuffle(order)
                column = column[order]
                permutations[feature, repeat] = column
        for loss in (None, "mse"):
            ours = explain.permutation_importance(
                model, self.X, self.Y, loss=loss, permutations=permutations
            )
            np.testing.assert_allclose(ours.values, wanted.importances, atol=1e-6)
            np.testing.assert_allclose(ours.mean, wanted.importances_mean, atol=1e-6)
            np.testing.assert_allclose(ours.std, wanted.importances_std, atol=1e-6)

    def test_a_key_says_which(self):
        model = self.model()
        one, again, other = (
            explain.permutation_importance(model, self.X, self.Y, repeats=2, rng=rng).values
            for rng in (1, 1, 2)
        )
        np.testing.assert_array_equal(one, again)
        assert one.shape == (4, 2) and not np.allclose(one, other)

    def test_several_inputs(self):
        """A column in a dict counts as it does in one array."""
        first, second = jkeras.Input((2,), name="numbers"), jkeras.Input((), name="kind")
        columns = [first, layers.Reshape((1,))(second)]
        out = layers.Dense(1, name="out")(layers.Concatenate()(columns))
        several = jkeras.Model({"numbers": first, "kind": second}, out)
        one = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1, name="out")])
        one.set_weights(several.get_weights())
        x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
        y = x @ [1.0, -2.0, 3.0]
        orders = np.random.default_rng(1).permuted(np.tile(np.arange(20), (3, 2, 1)), axis=-1)
        wanted = explain.permutation_importance(one, x, y, loss="mse", permutations=orders)
        found = explain.permutation_importance(
            several,
            {"numbers": x[:, :2], "kind": x[:, 2]},
            y,
            loss="mse",
            permutations={"numbers": orders[:2], "kind": orders[2:]},
        )
        assert found["kind"].values.shape == (1, 2)
        both = np.concatenate([found["numbers"].mean, found["kind"].mean])
        np.testing.assert_allclose(both, wanted.mean, rtol=1e-5)
        given = {"loss": "mse", "rng": 0}
        x = {"numbers": x[:, :2], "kind": x[:, 2].round().astype("int32")}
        found = explain.permutation_importance(several, x, y, **given)
        assert {name: len(part.mean) for name, part in found.items()} == {"numbers": 2, "kind": 1}
        with pytest.raises(ValueError, match="inputs of as many rows each"):
            explain.permutation_importance(several, {**x, "kind": x["kind"][:3]}, y, **given)

    def test_without_a_loss(self):
        model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(1)])
        with pytest.raises(ValueError, match="a compiled model.*loss="):
            explain.permutation_importance(model, self.X, self.Y)


class TestInfluence:
    X = RANDOM.normal(size=(80, 3)).astype("float32")
    Y = (X @ [1.0, -1.0, 0.5] + RANDOM.normal(size=80) > 0).astype("float32")[:, None]
    L2 = 0.05

    def fitted(self, rows):
        """Logistic regression by Newton's method, with a penalty: a float64 vector of weights."""
        x, y = self.X[rows].astype(float), self.Y[rows, 0]
        w = np.zeros(3)
        for _ in range(30):
            p = 1 / (1 + np.exp(-x @ w))
            gradient = x.T @ (p - y) / len(y) + self.L2 * w
            hessian = (x.T * (p * (1 - p))) @ x / len(y) + self.L2 * np.eye(3)
            w -= np.linalg.solve(hessian, gradient)
        return w

    def losses(self, w, x, y):
        z = x @ w
        return np.logaddexp(0, z) - y[:, 0] * z

    def model(self):
        model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(1, use_bias=False)])
        model.layers[0].kernel.assign(self.fitted(np.arange(80))[:, None])
        return model

    def run(self, **options):
        loss = jkeras.losses.BinaryCrossentropy(from_logits=True)
        rows = self.X[:5], self.Y[:5], self.X, self.Y
        return explain.influence(self.model(), *rows, loss=loss, damping=self.L2, **options)

    @pytest.mark.promise("`deep_lift`, `conductance`, `tracin`")
    def test_is_what_leaving_a_row_out_changes(self):
        ours = self.run()
        before = self.losses(self.fitted(np.arange(80)), self.X[:5], self.Y[:5])
        changes = []
        for left_out in range(80):
            w = self.fitted(np.delete(np.arange(80), left_out))
            changes.append(self.losses(w, self.X[:5], self.Y[:5]) - before)
        changes = np.array(changes).T
        for row in range(5):
            assert np.corrcoef(-ours[row] / 80, changes[row])[0, 1] > 0.95

    def test_is_that_of_the_whole_hessian(self):
        model = self.model()
        w = model.layers[0].kernel.numpy()[:, 0].astype(float)
        p = 1 / (1 + np.exp(-self.X @ w))
        hessian = (self.X.T * (p * (1 - p))) @ self.X / 80 + self.L2 * np.eye(3)
        gradients = self.X * (p - self.Y[:, 0])[:, None]
        wanted = -gradients[:5] @ np.linalg.solve(hessian, gradients.T)
        for batch_size in (7, 100):
            ours = self.run(batch_size=batch_size)
            np.testing.assert_allclose(ours, wanted, atol=1e-4 * np.abs(wanted).max())

    def test_tracin_over_checkpoints(self):
        model = self.model()
        loss = jkeras.losses.BinaryCrossentropy(from_logits=True)
        checkpoints = [jax.tree_util.tree_map(lambda v, s=s: s * v, model.params) for s in (1, 2)]
        rows = self.X[:5], self.Y[:5], self.X, self.Y
        both = explain.tracin(
            model, *rows, loss=loss, checkpoints=checkpoints, learning_rates=[0.1, 0.2]
        )
        wanted = 0
        for scale, rate in ((1, 0.1), (2, 0.2)):
            p = 1 / (1 + np.exp(-self.X @ (scale * model.layers[0].kernel.numpy()[:, 0])))
            gradients = self.X * (p - self.Y[:, 0])[:, None]
            wanted = wanted + rate * gradients[:5] @ gradients.T
        np.testing.assert_allclose(both, wanted, atol=1e-5)

    def test_without_a_loss(self):
        with pytest.raises(ValueError, match="loss='mse'"):
            explain.tracin(self.model(), self.X, self.Y, self.X, self.Y)
