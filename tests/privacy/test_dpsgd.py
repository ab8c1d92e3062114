"""`compile(privacy=)`: steps beside the definition, noise, account, and what is refused."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jkeras
from jkeras import layers, privacy
from jkeras.core.session.settings import settings
from jkeras.training import init_train_state, make_train_step
from jkeras.training.data import array_source
from jkeras.training.loop.ownership import StateOwner

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANDOM = np.random.default_rng(0)
SIZE = 60
X = RANDOM.normal(size=(SIZE, 4)).astype("float32")
Y = RANDOM.integers(0, 3, SIZE)


def private(**options):
    given = {"clip": 0.5, "noise_multiplier": 1.0, "delta": 1e-3}
    if {"epsilon", "noise"} & options.keys():
        del given["noise_multiplier"]
    return privacy.DPSGD(**{**given, **options})


def compiled(dp=None, optimizer="sgd", *parts, **options):
    jkeras.utils.set_random_seed(0)
    parts = parts or (layers.Dense(5, activation="tanh"),)
    model = jkeras.Sequential([jkeras.Input((4,)), *parts, layers.Dense(3)])
    model.compile(optimizer, LOSS, metrics=["accuracy"], privacy=dp or private(), **options)
    return model


def fitted(*args, x=X, y=Y, batch_size=12, epochs=2, fit=None, **options):
    model = compiled(*args, **options)
    history = model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, **(fit or {}))
    return model, history


def weights(model):
    return np.concatenate([np.ravel(v) for v in model.get_weights()])


# ---------------------------------------------------------------- a step


@pytest.mark.promise("`jkeras.training.make_train_step` of a")
@pytest.mark.promise("The loss of a row is that of a batch of it alone")
@pytest.mark.promise("the sum is the same but for rounding, and noise is added to it once")
@pytest.mark.parametrize("norms", ["ghost", "vmap"])
@pytest.mark.parametrize("microbatches", [1, 3])
def test_a_step_by_definition(norms, microbatches):
    """Without noise, of rows of which some do not count."""
    dp = private(noise_multiplier=0.0, norms=norms, batch_size=10)
    model = compiled(dp, jkeras.optimizers.SGD(0.1), microbatches=microbatches)
    state = init_train_state(model, 1)
    valid = np.arange(SIZE) % 3 > 0
    weight = np.linspace(0, 2, SIZE, dtype="float32")
    new, logs = jax.jit(make_train_step(model))(state, (X, Y, weight), valid)
    total = jax.tree_util.tree_map(np.zeros_like, state.params)
    losses = []
    for row in np.flatnonzero(valid):

        def loss(params, row=row):
            logits = model.apply(params, state.state, X[row][None])[0][0]
            return -jax.nn.log_softmax(logits)[Y[row]] * weight[row]

        value, gradient = jax.value_and_grad(loss)(state.params)
        losses.append(value)
        squares = [np.sum(np.square(leaf)) for leaf in jax.tree_util.tree_leaves(gradient)]
        factor = min(1.0, 0.5 / max(np.sqrt(sum(squares)), 1e-12))
        total = jax.tree_util.tree_map(lambda t, g, f=factor: t + f * g, total, gradient)
    for before, after, change in zip(
        *map(jax.tree_util.tree_leaves, (state.params, new.params, total))
    ):
        np.testing.assert_allclose(after, before - 0.1 * change / 10, atol=1e-6)
    assert float(logs["loss"]) == pytest.approx(float(np.mean(losses)), rel=1e-5)
    right = np.argmax(model.apply(state.params, state.state, X)[0], -1) == Y
    assert float(logs["accuracy"]) == pytest.approx(float(right[valid].mean()), abs=1e-6)


def noise_of(microbatches=1, size=SIZE, seed=0):
    """What a step adds to the weights of a layer of 1000 by 1000, beside the gradients."""
    dp = private(clip=2.0, noise_multiplier=3.0, batch_size=1)
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential([jkeras.Input((1000,)), layers.Dense(1000, use_bias=False)])
    model.compile(jkeras.optimizers.SGD(1.0), "mse", privacy=dp, microbatches=microbatches)
    state = init_train_state(model, seed)
    batch = np.zeros((size, 1000), "float32"), np.zeros((size, 1000), "float32")
    new, _ = jax.jit(make_train_step(model))(state, batch)
    return np.asarray(new.params["dense"]["kernel"] - state.params["dense"]["kernel"])


@pytest.mark.promise("With differential privacy")
@pytest.mark.promise("`jkeras.training.make_train_step` of a")
def test_noise():
    """10^6 numbers of a normal distribution, once for a step however its rows are grouped."""
    noise = noise_of()
    assert noise.std() == pytest.approx(6.0, rel=0.01)
    assert abs(noise.mean()) < 0.03
    inside = [np.mean(np.abs(noise) < 6.0 * k) for k in (1, 2, 3)]
    assert inside == pytest.approx([0.6827, 0.9545, 0.9973], abs=2e-3)
    np.testing.assert_allclose(noise_of(microbatches=4), noise, atol=1e-5)
    np.testing.assert_allclose(noise_of(size=7), noise, atol=1e-5)
    assert np.abs(np.corrcoef(noise.ravel(), noise_of(seed=1).ravel())[0, 1]) < 0.01


def test_a_row_that_is_no_number_adds_nothing():
    x = X.copy()
    x[3] = np.nan
    dp = private(noise_multiplier=0.0, batch_size=SIZE)
    model = compiled(dp)
    state = init_train_state(model, 1)
    step = jax.jit(make_train_step(model))
    found, _ = step(state, (x, Y), np.ones(SIZE, bool))
    wanted, _ = step(state, (X, Y), np.arange(SIZE) != 3)
    for ours, theirs in zip(*map(jax.tree_util.tree_leaves, (found.params, wanted.params))):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


# ---------------------------------------------------------------- fit


@pytest.mark.promise("Rows without a place are left out, with a warning")
@pytest.mark.promise("`assumptions` is the guarantee")
@pytest.mark.promise("batch_size, noise_multiplier, epochs")
def test_epsilon_is_told_after_each_epoch():
    model, history = fitted(epochs=3)
    q = 12 / SIZE
    wanted = [privacy.epsilon(1.0, q, 5 * epoch, 1e-3) for epoch in (1, 2, 3)]
    assert history.history["epsilon"] == pytest.approx(wanted)
    spent = model.privacy_spent()
    assert spent.epsilon == pytest.approx(wanted[-1]) and spent.runs == (privacy.Run(1.0, q, 15),)
    assert 0 < spent.delta - 1e-3 < 1e-6  # places of a step
    assert "each row was in a step by its own coin, with a probability of 0.2" in spent.assumptions
    assert model.privacy_spent(delta=1e-2).epsilon < spent.epsilon
    model.evaluate(X, Y, verbose=0)
    assert model.privacy_spent() == spent


@pytest.mark.promise("Each `fit` continues from where")
@pytest.mark.promise("Trainings add up.")
def test_fits_add_up():
    model, _ = fitted(epochs=1)
    model.fit(X, Y, batch_size=12, epochs=1, verbose=0)
    q = 12 / SIZE
    assert model.privacy_spent().runs == (privacy.Run(1.0, q, 10),)
    model.compile("sgd", LOSS, privacy=private(noise_multiplier=2.0))
    history = model.fit(X, Y, batch_size=20, epochs=1, verbose=0)
    runs = privacy.Run(1.0, q, 10), privacy.Run(2.0, 20 / SIZE, 3)
    assert model.privacy_spent().runs == runs
    assert history.history["epsilon"] == [pytest.approx(privacy.epsilon(delta=1e-3, runs=runs))]


def test_one_program():
    """All steps have one shape, however many rows they have."""
    model, _ = fitted(epochs=4)
    kinds = "train_many", "train_straight"
    traces = [p.traces for (kind, *_), p in model._functions.items() if kind in kinds]
    assert traces == [1]


def test_from_the_host_as_from_the_device(monkeypatch):
    wanted = weights(fitted()[0])
    monkeypatch.setattr(array_source, "ON_DEVICE_LIMIT", 0)
    np.testing.assert_allclose(weights(fitted()[0]), wanted, atol=1e-6)


@pytest.mark.promise("Say how much may be revealed")
@pytest.mark.promise("a `fit` for which nothing is left raises")
def test_noise_for_an_epsilon():
    model, history = fitted(private(epsilon=3.0), epochs=4)
    assert 2.99 < history.history["epsilon"][-1] <= 3.0
    with pytest.raises(
        ValueError, match="received epsilon=3.0 and delta=0.001, of which 3 is spent"
    ):
        model.fit(X, Y, batch_size=12, verbose=0)


@pytest.mark.promise("The account then gains nothing from sampling")
def test_turns():
    model, history = fitted(private(sampling="turns"), epochs=2)
    assert history.history["epsilon"] == pytest.approx(
        [privacy.epsilon(1.0, 1.0, epoch, 1e-3) for epoch in (1, 2)]
    )
    spent = model.privacy_spent()
    assert spent.delta == 1e-3
    assert "each row was in one step of an epoch" in spent.assumptions
    assert "one in its place that adds nothing" in spent.assumptions


class Killed(Exception):
    pass


class Kill(jkeras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        self.step -= 1
        if self.step == 0:
            raise Killed


@pytest.mark.promise("Each `fit` continues from where")
@pytest.mark.parametrize("options", [{}, {"epsilon": 2.0}, {"sampling": "turns"}])
def test_killed_and_resumed(tmp_path, options):
    """In the middle of an epoch: the same bits, and the same account."""
    looks = {"callbacks": [Kill(10**6)]}
    whole, history = fitted(private(**options), epochs=3, fit=looks)
    every = jkeras.saving.Checkpointer(tmp_path, every=2)
    with pytest.raises(Killed):
        fitted(private(**options), epochs=3, fit={"checkpoint": every, "callbacks": [Kill(8)]})
    again = jkeras.saving.Checkpointer(tmp_path, every=2)
    model, resumed = fitted(private(**options), epochs=3, fit={"checkpoint": again, **looks})
    np.testing.assert_array_equal(weights(model), weights(whole))
    assert model.privacy_spent() == whole.privacy_spent()
    assert resumed.history["epsilon"] == history.history["epsilon"]


def test_a_longer_training_goes_on_in_the_account(tmp_path):
    model, _ = fitted(epochs=1, fit={"checkpoint": tmp_path})
    longer, _ = fitted(epochs=3, fit={"checkpoint": tmp_path})
    assert longer.privacy_spent().runs == (privacy.Run(1.0, 12 / SIZE, 15),)
    with pytest.raises(ValueError, match="that some noise gives"):
        fitted(private(epsilon=0.5), epochs=6, fit={"checkpoint": tmp_path})


def test_checkpoints_of_others(tmp_path):
    fitted(epochs=1, fit={"checkpoint": tmp_path / "with"})
    plain = compiled()
    plain.compile("sgd", LOSS)
    with pytest.raises(ValueError, match="compile the model with the same `privacy`"):
        plain.fit(X, Y, epochs=2, verbose=0, checkpoint=tmp_path / "with")
    plain.fit(X, Y, epochs=1, verbose=0, checkpoint=tmp_path / "without")
    with pytest.raises(ValueError, match="a checkpoint of a training without `privacy`"):
        fitted(epochs=2, fit={"checkpoint": tmp_path / "without"})


def test_an_interrupted_fit_is_accounted_for():
    model = compiled()
    with pytest.raises(Killed):
        model.fit(X, Y, batch_size=12, epochs=3, verbose=0, callbacks=[Kill(7)])
    assert model.privacy_spent().runs[0].steps == 7


def test_a_state_that_is_lost_counts_as_planned(monkeypatch):
    """As by a third Ctrl-C within a step, which ends it with its arrays consumed."""

    class Lose(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            monkeypatch.setattr(StateOwner, "peek", self.lost)
            raise Killed

        @staticmethod
        def lost(owner):
            raise RuntimeError("Array has been deleted")

    model = compiled()
    with pytest.raises(Killed):
        model.fit(X, Y, batch_size=12, epochs=3, verbose=0, callbacks=[Lose()])
    assert model.privacy_spent().runs[0].steps == 15


@pytest.mark.promise("Without a seed `fit` takes")
def test_a_key_that_nobody_can_guess(monkeypatch):
    """Without a seed two trainings differ, though Python's random numbers are the same."""
    found = []
    for _ in range(2):
        model = compiled(private(batch_size=1))
        monkeypatch.setattr(settings, "seed", None)
        model.fit(X, Y, batch_size=12, epochs=1, verbose=0)
        found.append(weights(model))
    assert np.abs(found[0] - found[1]).max() > 1e-3
    seeded = [weights(fitted()[0]) for _ in range(2)]
    np.testing.assert_array_equal(*seeded)


def test_keys_of_another_ones_noise():
    """Typed keys in its state, which variables cannot hold."""

    def update(sums, key, params=None):
        key, now = jax.random.split(key)
        noisy = jax.tree_util.tree_map(lambda g: g + jax.random.normal(now, g.shape), sums)
        return noisy, key

    pair = optax.GradientTransformation(lambda params: jax.random.key(3), update)
    model, _ = fitted(private(noise=pair, batch_size=12), epochs=2)
    assert np.isfinite(weights(model)).all()


def test_noise_is_never_used_twice():
    model, _ = fitted(fit={"seed": 3})
    with pytest.raises(ValueError, match="Give `fit` another `seed`"):
        model.fit(X, Y, batch_size=12, verbose=0, seed=3)
    model.fit(X, Y, batch_size=12, verbose=0, seed=4)
    assert model.privacy_spent().runs[0].steps == 15


# ---------------------------------------------------------------- with what else there is


@pytest.mark.promise("The optimizer may be any")
@pytest.mark.promise("`DPKerasAdamOptimizer(…, learning_rate=1e-3)`")
@pytest.mark.parametrize("optimizer", ["adam", optax.adam(0.01), optax.lion(1e-3)])
def test_any_optimizer(optimizer):
    dp = private(noise_multiplier=0.1, clip=1.0)
    _, history = fitted(dp, optimizer, epochs=12, y=(X[:, 0] > 0).astype(int))
    assert history.history["loss"][-1] < history.history["loss"][0]


@pytest.mark.promise("It is given the sum of")
@pytest.mark.promise("It takes batches as they")
@pytest.mark.promise("`DPSGD(noise=pair, batch_size=...)` takes")
@pytest.mark.promise("`history` has no `epsilon`, `privacy_spent` raises")
def test_another_ones_noise():
    """An optax pair that is given the sum of clipped gradients."""
    seen = []

    def update(sums, state, params=None):
        seen.append(sums)
        return jax.tree_util.tree_map(lambda g: g + state, sums), state + 1.0

    pair = optax.GradientTransformation(lambda params: jnp.zeros(()), update)
    dp = private(noise=pair, batch_size=12)
    model = compiled(dp, jkeras.optimizers.SGD(0.1))
    state = init_train_state(model, 0)
    step = jax.jit(make_train_step(model))
    valid = np.zeros(SIZE, bool)
    first, _ = step(state, (X, Y), valid)
    second, _ = step(first, (X, Y), valid)
    kernel = [s.params["dense_1"]["kernel"] for s in (state, first, second)]
    np.testing.assert_allclose(kernel[1], kernel[0])
    np.testing.assert_allclose(kernel[2], kernel[1] - 0.1 / 12, atol=1e-7)
    history = model.fit(X, Y, batch_size=12, verbose=0)
    assert "epsilon" not in history.history
    with pytest.raises(ValueError, match="ask the package that the noise is of"):
        model.privacy_spent()


def test_an_attack_of_each_row():
    attack = jkeras.robust.FGSM(epsilon=0.3)
    dp = private(noise_multiplier=0.0, batch_size=SIZE)
    model = compiled(dp, adversarial=attack)
    state = init_train_state(model, 1)
    found, _ = jax.jit(make_train_step(model))(state, (X, Y))
    moved = jkeras.robust.fgsm(
        model, X, Y, epsilon=0.3, loss=LOSS, params=state.params, state=state.state
    )
    plain = compiled(dp)
    wanted, _ = jax.jit(make_train_step(plain))(state, (np.asarray(moved), Y))
    for ours, theirs in zip(*map(jax.tree_util.tree_leaves, (found.params, wanted.params))):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_several_outputs():
    inputs = jkeras.Input((4,))
    outputs = {"a": layers.Dense(3, name="a")(inputs), "b": layers.Dense(1, name="b")(inputs)}

    def model(**options):
        jkeras.utils.set_random_seed(0)
        made = jkeras.Model(inputs, outputs)
        made.compile(jkeras.optimizers.SGD(0.0), {"a": LOSS, "b": "mse"}, **options)
        return made.fit(X, {"a": Y, "b": X[:, 0]}, batch_size=SIZE, verbose=0).history

    ours, plain = model(privacy=private()), model()
    for name in ("loss", "a_loss", "b_loss"):
        assert ours[name] == pytest.approx(plain[name], rel=1e-5)


@pytest.mark.promise("`mixed_bfloat16` needs none")
def test_mixed_precision():
    jkeras.utils.set_random_seed(0)
    parts = [layers.Dense(3, dtype="mixed_bfloat16") for _ in range(2)]
    model = jkeras.Sequential([jkeras.Input((4,)), *parts])
    model.compile("adam", LOSS, privacy=private())
    history = model.fit(X, Y, batch_size=12, verbose=0)
    assert np.isfinite(history.history["loss"][0])


def test_layers_that_look_at_each_row():
    parts = layers.LayerNormalization(), layers.Reshape((2, 2)), layers.GroupNormalization(1)
    _, history = fitted(private(), "sgd", *parts, layers.Flatten(), layers.Dropout(0.2))
    assert "epsilon" in history.history
    frozen = layers.BatchNormalization(trainable=False)
    assert "epsilon" in fitted(private(), "sgd", frozen)[1].history


class Centered(layers.Layer):
    def call(self, x):
        return x - x.mean(0)


class Remembers(layers.Layer):
    def build(self, shape):
        self.seen = self.add_weight(shape=shape[-1:], initializer="zeros", trainable=False)

    def call(self, x):
        self.seen.assign(self.seen + x[0])
        return x


@pytest.mark.promise("Layers in which rows meet**")
@pytest.mark.promise("The error names the layer")
@pytest.mark.parametrize(
    "layer, match",
    [
        (layers.BatchNormalization(name="norm"), r"'norm/\w+', which a layer makes of the rows"),
        (
            Centered(name="mine"),
            r"layer 'mine' \(Centered\), in which `reduce_sum` brings the rows",
        ),
        (Remembers(name="keeps"), r"'keeps/\w+', which a layer makes of the rows"),
    ],
)
def test_layers_whose_rows_meet(layer, match):
    model = compiled(private(), "sgd", layer)
    with pytest.raises(ValueError, match=match + ".*GroupNormalization"):
        model.fit(X, Y, verbose=0)


@pytest.mark.promise("Scaling of losses** (float16)")
@pytest.mark.promise("`nonfinite=`**: whether a")
@pytest.mark.parametrize(
    "options, match",
    [
        ({"nonfinite": "skip"}, "a row whose gradient is not finite adds nothing"),
        ({"optimizer": jkeras.optimizers.SGD(loss_scale_factor=8.0)}, "that scales no loss"),
    ],
)
def test_what_would_go_around_the_noise(options, match):
    with pytest.raises(ValueError, match=match):
        compiled(private(), options.pop("optimizer", "sgd"), **options)


@pytest.mark.promise("A `train_step` of the model's")
def test_steps_of_ones_own():
    class Own(jkeras.Sequential):
        def train_step(self, state, data):
            return super().train_step(state, data)

    with pytest.raises(ValueError, match="a training step of jkeras, received one of the model's"):
        Own([jkeras.Input((4,)), layers.Dense(3)]).compile("sgd", LOSS, privacy=private())


def test_a_loss_that_the_optimizer_asks_for():
    model = compiled(private(), optax.lbfgs())
    with pytest.raises(TypeError, match="value"):
        model.fit(X, Y, verbose=0)


@pytest.mark.promise("`fit` alone draws rows by coins")
@pytest.mark.promise("Rows of a generator, of `tf.data` or of Grain cannot be drawn")
@pytest.mark.promise("`train_on_batch`, `find_lr`, `precompile`**")
@pytest.mark.parametrize(
    "call, match",
    [
        (lambda m: m.fit(iter([(X, Y)])), "arrays, whose rows it can sample"),
        (lambda m: m.train_on_batch(X, Y), "received `train_on_batch`"),
        (lambda m: m.precompile(X, Y), "received `precompile`"),
        (lambda m: jkeras.training.find_lr(m, X, Y), "received `find_lr`"),
        (lambda m: m.privacy_spent(), "has no account of what was revealed"),
    ],
)
def test_rows_that_nobody_samples(call, match):
    with pytest.raises(ValueError, match=match):
        call(compiled())


@pytest.mark.promise("`delta` has to be below")
def test_delta_is_small():
    with pytest.raises(ValueError, match="a delta below 1 over the number of rows"):
        fitted(private(delta=0.1))


def test_an_epsilon_is_for_fit():
    model = compiled(private(epsilon=3.0))
    state = init_train_state(model, 0)
    with pytest.raises(ValueError, match=r"find it with `privacy.noise_for`"):
        jax.jit(make_train_step(model))(state, (X, Y))


@pytest.mark.parametrize(
    "options, match",
    [
        ({"epsilon": 1.0, "noise_multiplier": 1.0}, "one of noise_multiplier, epsilon and noise"),
        ({"noise_multiplier": -1.0}, "noise of 0 or more"),
        ({"clip": 0.0}, "clip above 0"),
        ({"epsilon": 0.0}, "epsilon above 0"),
        ({"delta": 1.0}, "a delta between 0 and 1"),
        ({"sampling": "posson"}, "Did you mean 'poisson'"),
        ({"clipping": "fat"}, "Did you mean 'flat'"),
        ({"norms": "gost"}, "Did you mean 'ghost'"),
        ({"accountant": "rpd"}, "Did you mean 'rdp'"),
        ({"noise": optax.identity()}, "noise= without a batch_size"),
    ],
)
def test_errors(options, match):
    with pytest.raises(ValueError, match=re.escape(match)):
        private(**options)


class Right(jkeras.metrics.Mean):
    """The share of rows that are right, as a user of Keras writes it."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        right = jnp.ravel(y_true) == y_pred.argmax(-1)
        return super().update_state(right, sample_weight)


class OfAllRows(Right):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_true, y_pred)


class Batches(jkeras.metrics.Metric):
    def __init__(self, name="batches"):
        super().__init__(name=name)
        self.count = self.add_weight(name="count")

    def update_state(self, y_true, y_pred):
        self.count.assign_add(1.0)

    def result(self):
        return self.count + 0.0


@pytest.mark.promise("a metric of your own has to use its weights")
def test_metrics_of_a_user_leave_padding_out():
    model = compiled()
    model.compile("sgd", LOSS, metrics=["accuracy", Right(name="right")], privacy=private())
    history = model.fit(X, Y, batch_size=12, epochs=2, verbose=0).history
    np.testing.assert_allclose(history["right"], history["accuracy"], rtol=1e-6)
    for metric in (OfAllRows(name="all"), Batches()):
        model = compiled()
        model.compile("sgd", LOSS, metrics=[metric], privacy=private())
        with pytest.raises(ValueError, match=f"Metric '{metric.name}'.*uses its weights"):
            model.fit(X, Y, batch_size=12, verbose=0)
