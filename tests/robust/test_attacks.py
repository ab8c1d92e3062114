"""Attacks beside captum and closed forms, and trainings against them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, robust
from tests.explain.oracle import TARGETS, X, close, images, in_torch, network, tensor

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.filterwarnings("ignore:Input Tensor:UserWarning")  # captum says what torch needs
class TestAsCaptum:
    @pytest.fixture
    def parts(self):
        torch = pytest.importorskip("torch")
        captum = pytest.importorskip("captum.robust")
        loss = torch.nn.CrossEntropyLoss(reduction="none")
        return captum, loss, torch.tensor(TARGETS)

    def test_fgsm(self, parts):
        captum, loss, target = parts
        attack = captum.FGSM(in_torch(), loss, lower_bound=0.0, upper_bound=1.0)
        wanted = images(attack.perturb(tensor(X), 0.1, target))
        ours = robust.fgsm(network(), X, TARGETS, epsilon=0.1, loss=LOSS, bounds=(0.0, 1.0))
        close(ours, wanted, 1e-5)

    @pytest.mark.promise("`fgsm` takes one step, `pgd`")
    def test_pgd(self, parts):
        captum, loss, target = parts
        attack = captum.PGD(in_torch(), loss, lower_bound=0.0, upper_bound=1.0)
        wanted = images(attack.perturb(tensor(X), 0.3, 0.1, 5, target, norm="Linf"))
        given = {"epsilon": 0.3, "step_size": 0.1, "steps": 5, "bounds": (0.0, 1.0)}
        ours = robust.pgd(network(), X, TARGETS, loss=LOSS, batch_size=2, **given)
        close(ours, wanted, 1e-5)


def test_a_step_of_a_length():
    line = jnp.array([3.0, 4.0])
    attack = robust.FGSM(epsilon=2.0, norm="2")
    moved = attack.perturb(lambda x: (x @ line).sum(), jnp.zeros((3, 2)))
    np.testing.assert_allclose(moved, np.tile([1.2, 1.6], (3, 1)), atol=1e-6)


@pytest.mark.promise("`fgsm` takes one step, `pgd`")
@pytest.mark.parametrize("norm", ["inf", "2"])
def test_the_distance_is_kept(norm):
    given = {"epsilon": 0.3, "steps": 7, "loss": LOSS, "norm": norm, "bounds": (0.0, 1.0)}
    moved = robust.pgd(network(), X, TARGETS, random_start=True, rng=3, **given)
    change = (moved - X).reshape(5, -1)
    length = np.abs(change).max(1) if norm == "inf" else np.sqrt((change**2).sum(1))
    assert np.all(length <= 0.3 + 1e-6) and np.all(length > 0.1)
    assert moved.min() >= 0 and moved.max() <= 1
    again = robust.pgd(network(), X, TARGETS, random_start=True, rng=3, **given)
    np.testing.assert_array_equal(moved, again)

    def loss(x):
        return float(LOSS(TARGETS, network().predict(x, verbose=0)))

    assert loss(moved) > loss(X)


@pytest.mark.promise("Both are functions of `params`")
def test_is_pure():
    model = network()

    def run(params, x):
        return robust.fgsm(model, x, TARGETS, loss=LOSS, params=params, state=model.state)

    moved = jax.jit(run)(model.params, X)
    assert isinstance(moved, jax.Array)
    close(moved, robust.fgsm(model, X, TARGETS, loss=LOSS), 1e-6)


def test_the_loss_is_that_of_compile():
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(1)])
    x, y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")
    with pytest.raises(ValueError, match="a loss, received a model without one"):
        robust.fgsm(model, x, y)
    model.compile("sgd", "mse")
    np.testing.assert_array_equal(robust.fgsm(model, x, y), robust.fgsm(model, x, y, loss="mse"))


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: robust.FGSM(norm="1"), "norm"),
        (lambda: robust.PGD(epsilon=-1), "a distance of 0 or more"),
        (lambda: robust.PGD(steps=0), "1 step or more"),
        (lambda: robust.fgsm(network(), X.astype(int), TARGETS, loss=LOSS), "floats"),
    ],
)
def test_errors(make, match):
    with pytest.raises(ValueError, match=match):
        make()


class TestTraining:
    """Of a model whose one useful input is large and weak and whose many others are strong."""

    def data(self, rows=256):
        random = np.random.default_rng(0)
        y = random.integers(0, 2, rows)
        signs = 2.0 * y[:, None] - 1
        strong = signs * 0.05 + 0.01 * random.normal(size=(rows, 20))
        weak = signs * 1.0 * (random.uniform(size=(rows, 1)) < 0.9)
        return np.float32(np.concatenate([weak, strong], 1)), y

    def fitted(self, **options):
        jkeras.utils.set_random_seed(1)
        model = jkeras.Sequential([jkeras.Input((21,)), layers.Dense(2)])
        model.compile(jkeras.optimizers.Adam(0.05), LOSS, metrics=["accuracy"], **options)
        x, y = self.data()
        history = model.fit(x, y, epochs=20, batch_size=100, verbose=0)
        return model, history

    def accuracy(self, model, epsilon):
        x, y = self.data()
        moved = robust.pgd(model, x, y, epsilon=epsilon, loss=LOSS)
        return model.evaluate(moved, y, verbose=0)[1]

    def test_gains(self):
        plain, _ = self.fitted()
        attack = robust.PGD(epsilon=0.2, steps=3)
        hardened, _ = self.fitted(adversarial=attack)
        assert self.accuracy(plain, 0.0) > 0.95
        assert self.accuracy(hardened, 0.2) >= self.accuracy(plain, 0.2) + 0.2

    @pytest.mark.promise("One argument of `compile`: each")
    @pytest.mark.parametrize("options", [{}, {"microbatches": 2}, {"jit_compile": False}])
    def test_is_a_step_on_what_the_attack_made(self, options):
        x, y = self.data(8)
        attack = robust.FGSM(epsilon=0.1)
        models = []
        for adversarial in (attack, None):
            jkeras.utils.set_random_seed(1)
            model = jkeras.Sequential([jkeras.Input((21,)), layers.Dense(2)])
            model.compile("sgd", LOSS, adversarial=adversarial, **options)
            if adversarial is None:
                x = robust.fgsm(model, x, y, epsilon=0.1)
            model.fit(x, y, batch_size=8, verbose=0, shuffle=False)
            models.append(model.layers[0].kernel.numpy())
        np.testing.assert_allclose(models[0], models[1], atol=1e-6)

    @pytest.mark.promise("An attack is a value with a method `perturb(loss_of, x, key)`")
    def test_an_attack_of_ones_own(self):
        class Shifts:
            def perturb(self, loss_of, x, key):
                return x + 1

        x, y = self.data(8)
        kernels = []
        for given, attack in ((x, Shifts()), (x + 1, None)):
            jkeras.utils.set_random_seed(1)
            model = jkeras.Sequential([jkeras.Input((21,)), layers.Dense(2)])
            model.compile("sgd", LOSS, adversarial=attack)
            model.fit(given, y, batch_size=8, verbose=0, shuffle=False)
            kernels.append(model.layers[0].kernel.numpy())
        np.testing.assert_allclose(*kernels, atol=1e-6)

    def test_what_is_no_attack(self):
        model = jkeras.Sequential([jkeras.Input((21,)), layers.Dense(2)])
        with pytest.raises(ValueError, match="adversarial.*robust.PGD"):
            model.compile("sgd", LOSS, adversarial=0.1)


class TestNorms:
    @pytest.mark.promise("`fgsm` takes one step, `pgd`")
    @pytest.mark.parametrize("theirs, ours", [(2, "2"), (2.0, "2"), (np.inf, "inf")])
    def test_numbers_are_norms(self, theirs, ours):
        for attack in (robust.FGSM, robust.PGD):
            assert attack(norm=theirs) == attack(norm=ours)
        given = {"epsilon": 0.3, "loss": LOSS}
        np.testing.assert_array_equal(
            robust.fgsm(network(), X, TARGETS, norm=theirs, **given),
            robust.fgsm(network(), X, TARGETS, norm=ours, **given),
        )

    @pytest.mark.parametrize("norm", [1, 3, None, "1", float("nan"), ["2"]])
    def test_others_are_refused(self, norm):
        with pytest.raises(ValueError, match="norm"):
            robust.FGSM(norm=norm)

    @pytest.mark.parametrize(
        "given, message",
        [
            ({"bounds": (1.0, 0.0)}, "bounds"),
            ({"step_size": 0.0}, "a step above 0"),
            ({"step_size": -0.1}, "a step above 0"),
            ({"epsilon": float("nan")}, "a distance"),
        ],
    )
    def test_numbers_that_are_none(self, given, message):
        with pytest.raises(ValueError, match=message):
            robust.PGD(**given)


@pytest.mark.promise("With `targeted=True`, `y`")
@pytest.mark.parametrize("norm", ["inf", 2])
def test_a_target_is_come_closer_to(norm):
    """Of a linear model in closed form: down the gradient of the target's loss."""
    model = jkeras.Sequential([jkeras.Input((2,)), layers.Dense(3, use_bias=False)])
    model.set_weights([[[1.0, -2.0, 0.0], [0.0, 1.0, 3.0]]])
    x, wished = np.array([[0.3, -0.1], [1.0, 2.0]], "float32"), np.array([1, 0])
    kernel = model.get_weights()[0]
    p = np.asarray(jax.nn.softmax(x @ kernel))
    slope = (p - np.eye(3)[wished]) @ kernel.T
    length = np.linalg.norm(slope, axis=1, keepdims=True)
    wanted = x - 0.1 * (np.sign(slope) if norm == "inf" else slope / length)
    given = {"epsilon": 0.1, "loss": LOSS, "norm": norm, "targeted": True}
    close(robust.fgsm(model, x, wished, **given), wanted, 1e-5)
    moved = robust.pgd(model, x, wished, steps=1, step_size=0.1, **given)
    close(moved, wanted, 1e-5)
    far = robust.pgd(model, x, wished, **{**given, "epsilon": 2.0}, steps=20)
    assert model.predict(far, verbose=0).argmax(1).tolist() == wished.tolist()
