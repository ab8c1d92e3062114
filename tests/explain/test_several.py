"""Several things at once: inputs in dicts, places in a model, the members of an ensemble."""

import jax
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers

RANDOM = np.random.default_rng(0)
A, B = RANDOM.normal(size=(5, 3)).astype("float32"), RANDOM.normal(size=(5, 2)).astype("float32")
ROWS = {"a": A, "b": B}
Y = RANDOM.normal(size=(5, 2)).astype("float32")
JOINED = np.concatenate([A, B], 1)


def of_dict():
    jkeras.utils.set_random_seed(0)
    a, b = jkeras.Input((3,), name="a"), jkeras.Input((2,), name="b")
    hidden = layers.Dense(4, activation="tanh", name="hidden")(layers.Concatenate()([a, b]))
    return jkeras.Model({"a": a, "b": b}, layers.Dense(2, name="out")(hidden))


def joined(model):
    """The same as a function of one array."""
    return lambda x: model.apply(model.params, model.state, {"a": x[:, :3], "b": x[:, 3:]})[0]


def side_by_side(structure):
    return np.concatenate([structure["a"], structure["b"]], -1)


@pytest.mark.promise("give attributions in the same structure")
class TestDicts:
    @pytest.mark.parametrize(
        "method, options",
        [
            (explain.occlusion, {"window": {"a": (1,), "b": (1,)}}),
            (explain.shapley_values, {"baseline": {"a": A[:2], "b": B[:2]}}),
            (explain.kernel_shap, {"baseline": {"a": A[:2], "b": B[:2]}, "rng": 0}),
        ],
    )
    def test_is_what_one_array_gives(self, method, options):
        model = of_dict()
        ours = method(model, ROWS, 1, batch_size=3, **options)
        assert sorted(ours) == ["a", "b"]
        given = {"window": (1,)} if "window" in options else {"baseline": JOINED[:2]}
        if "rng" in options:
            given["rng"] = 0
        wanted = method(joined(model), JOINED, 1, **given)
        np.testing.assert_allclose(side_by_side(ours), wanted, atol=1e-5)

    @pytest.mark.parametrize("method", [explain.deletion, explain.insertion])
    def test_curves(self, method):
        model, said = of_dict(), explain.saliency(of_dict(), ROWS, 1)
        ours = method(model, ROWS, said, 1, steps=5, baseline={"a": 0.5, "b": 0.5})
        wanted = method(joined(model), JOINED, side_by_side(said), 1, steps=5, baseline=0.5)
        np.testing.assert_allclose(ours, wanted, atol=1e-5)

    def test_infidelity(self):
        model, said = of_dict(), explain.saliency(of_dict(), ROWS, 1)
        changes = RANDOM.normal(size=(4, 5, 5)).astype("float32")
        apart = {"a": changes[..., :3], "b": changes[..., 3:]}
        ours = explain.infidelity(model, ROWS, said, 1, perturbations=apart)
        given = {"perturbations": changes}
        wanted = explain.infidelity(joined(model), JOINED, side_by_side(said), 1, **given)
        np.testing.assert_allclose(ours, wanted, rtol=1e-5)
        drawn = explain.infidelity(model, ROWS, said, 1, rng=0)
        assert drawn.shape == (5,) and (drawn > 0).all()

    def test_randomization(self):
        model = of_dict()
        found = explain.randomization(explain.saliency, model, ROWS, 1, rng=0)
        assert list(found) == ["out", "hidden"] and all(-1 <= v < 1 for v in found.values())

    @pytest.mark.promise("Columns of integers have Shapley values")
    def test_integers_where_no_gradient_is_taken(self):
        """A category has a Shapley value as it stands."""
        table = np.array([0.0, 2.0, 5.0], "float32")
        score = lambda x: x["price"] * 3.0 + jax.numpy.asarray(table)[x["kind"]][:, None]  # noqa: E731
        x = {"price": np.array([[1.0], [2.0]]), "kind": np.array([1, 2])}
        baseline = {"price": np.array([[0.5]]), "kind": np.array([0])}
        ours = explain.shapley_values(score, x, baseline=baseline)
        np.testing.assert_allclose(ours["price"], [[1.5], [4.5]])
        np.testing.assert_allclose(ours["kind"], [2.0, 5.0])
        window, before = {"price": (1,), "kind": ()}, {"price": 0.5, "kind": 0}
        covered = explain.occlusion(score, x, window=window, baseline=before)
        np.testing.assert_allclose(covered["kind"], [2.0, 5.0])
        half = {"price": 0.5, "kind": 0.5}
        with pytest.raises(ValueError, match="occlusion: expected integers as the baseline"):
            explain.occlusion(score, x, window=window, baseline=half)
        baseline["kind"] = np.array([0.5])
        with pytest.raises(ValueError, match="Shapley values: expected integers as the baseline"):
            explain.shapley_values(score, x, baseline=baseline)

    def test_images_of_bytes_are_numbers(self):
        image = RANDOM.integers(0, 255, (2, 4), "uint8")
        weights = RANDOM.normal(size=(4, 1)).astype("float32")
        score = lambda x: x @ weights  # noqa: E731
        before = np.full((1, 4), 0.5, "float32")
        wanted = (image - 0.5) * weights[:, 0]
        ours = explain.shapley_values(score, image, baseline=before)
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-3)
        ours = explain.occlusion(score, image, window=(1,), baseline=0.5)
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-3)

    def test_groups_over_arrays(self):
        model, groups = of_dict(), {"a": [0, 0, 1], "b": [1, 2]}
        ours = explain.shapley_values(model, ROWS, 1, baseline=ROWS, groups=groups)
        wanted = explain.shapley_values(
            joined(model), JOINED, 1, baseline=JOINED, groups=[0, 0, 1, 1, 2]
        )
        np.testing.assert_allclose(ours, wanted, atol=1e-5)

    def test_what_does_not_go_together(self):
        model = of_dict()
        with pytest.raises(ValueError, match="a window for each of 2 arrays"):
            explain.occlusion(model, ROWS, 1, window=(1,))
        with pytest.raises(ValueError, match="a baseline of rows of shape.*received shape"):
            explain.shapley_values(model, ROWS, 1, baseline={"a": A, "c": B})
        with pytest.raises(ValueError, match="groups of shape"):
            explain.shapley_values(model, ROWS, 1, baseline=ROWS, groups=[0, 1])
        with pytest.raises(ValueError, match="one array of images"):
            explain.guided_grad_cam(model, ROWS, 1, at="hidden")
        with pytest.raises(ValueError, match="attributions of shape.*received shape"):
            explain.deletion(model, ROWS, {"a": A, "b": A}, 1)


class TestPlaces:
    @pytest.mark.promise("A method of one layer, such as")
    @pytest.mark.parametrize(
        "method, options",
        [
            (explain.conductance, {"steps": 3}),
            (explain.tcav, {"concept": ROWS, "random": {"a": -A, "b": B}}),
        ],
    )
    def test_methods_of_a_layer(self, method, options):
        model = of_dict()
        ours = method(model, ROWS, 1, at=["hidden", "out"], **options)
        assert list(ours) == ["hidden", "out"]
        for place, value in ours.items():
            np.testing.assert_allclose(value, method(model, ROWS, 1, at=place, **options))

    def test_a_direction_of_each_place(self):
        directions = {"hidden": np.ones(4), "out": np.array([0.0, 1.0])}
        run = lambda normal: explain.tcav(  # noqa: E731
            of_dict(), ROWS, 1, at=["hidden", "out"], normal=normal
        )
        assert run(directions)["out"] == 1.0
        with pytest.raises(ValueError, match="tcav of a `normal`"):
            run(np.ones(4))

    @pytest.mark.promise("A layer that is called")
    def test_attention_that_is_called_twice(self):
        inputs = jkeras.Input((4, 6))
        shared = layers.MultiHeadAttention(2, 3, name="shared")
        y = shared(inputs, inputs)
        model = jkeras.Model(inputs, shared(y, y))
        x = RANDOM.normal(size=(2, 4, 6)).astype("float32")
        for at in (None, ["shared"]):
            with pytest.raises(ValueError, match="more than once.*name the call"):
                explain.attention_rollout(model, x, at=at)
        both = explain.attention_rollout(model, x, at=["shared#0", "shared#1"])
        first, second = (explain.attention_rollout(model, x, at=[f"shared#{i}"]) for i in (0, 1))
        np.testing.assert_allclose(both, second @ first, atol=1e-6)


@pytest.fixture(scope="module")
def ensemble():
    model = of_dict()
    model.compile("adam", "mse")
    model.fit(ROWS, Y, ensemble=3, seed=0, verbose=0)
    return model


class TestEnsemble:
    METHODS = {
        "saliency": {},
        "integrated_gradients": {"steps": 3},
        "deep_lift": {},
        "shapley_values": {"baseline": {"a": A[:1], "b": B[:1]}},
        "conductance": {"at": ["hidden"], "steps": 2},
    }

    @pytest.mark.promise("Of an ensemble it is the mean")
    @pytest.mark.parametrize("method", METHODS)
    def test_is_the_mean_of_the_members(self, ensemble, method):
        run = lambda model, target: getattr(explain, method)(  # noqa: E731
            model, ROWS, target, **self.METHODS[method]
        )
        predicted = ensemble.predict(ROWS, verbose=0).argmax(1)
        of_each = [run(ensemble.member(i), predicted) for i in range(3)]
        ours = run(ensemble, None)
        for name in ours:
            assert isinstance(ours[name], np.ndarray)
            wanted = np.mean([one[name] for one in of_each], 0)
            np.testing.assert_allclose(ours[name], wanted, atol=1e-6)

    def test_adds_up_to_what_it_predicts(self, ensemble):
        ours = explain.deep_lift(ensemble, ROWS, 1, baseline={"a": 1.0, "b": 0.5})
        before = {"a": np.full_like(A, 1.0), "b": np.full_like(B, 0.5)}
        difference = ensemble.predict(ROWS, verbose=0) - ensemble.predict(before, verbose=0)
        np.testing.assert_allclose(side_by_side(ours).sum(1), difference[:, 1], atol=1e-6)

    def test_under_a_transformation(self, ensemble):
        ours = jax.jit(lambda x: explain.saliency(ensemble, x))(ROWS)
        np.testing.assert_allclose(ours["a"], explain.saliency(ensemble, ROWS)["a"], atol=1e-6)

    @pytest.mark.parametrize("method", [explain.tracin, explain.influence])
    def test_rows_that_taught_it(self, ensemble, method):
        run = lambda model: method(model, ROWS, Y, ROWS, Y, loss="mse")  # noqa: E731
        wanted = np.mean([run(ensemble.member(i)) for i in range(3)], 0)
        np.testing.assert_allclose(run(ensemble), wanted, rtol=1e-4, atol=1e-6)

    def test_checks(self, ensemble):
        found = explain.randomization(explain.saliency, ensemble, ROWS, 1, rng=0)
        of_each = [
            explain.randomization(explain.saliency, ensemble.member(i), ROWS, 1, rng=0)["out"]
            for i in range(3)
        ]
        assert found["out"] == pytest.approx(np.mean(of_each))

    def test_what_has_no_mean_is_refused(self, ensemble):
        said = explain.saliency(ensemble, ROWS, 1)
        for refused in (
            lambda: explain.infidelity(ensemble, ROWS, said, 1),
            lambda: explain.concept_direction(ensemble, ROWS, ROWS, at="hidden"),
            lambda: explain.tracin(ensemble, ROWS, Y, ROWS, Y, checkpoints=[{}]),
        ):
            with pytest.raises(ValueError, match=r"`model\.member\(i\)`"):
                refused()
