"""Ensembles with privacy: coins and noise of each member's own, and the account of all."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy
from jkeras.privacy import Run

LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 60)


def model_of(noise=1.0, **options):
    jkeras.utils.clear_session()
    model = jkeras.Sequential([jkeras.Input((4,)), layers.Dense(3)])
    budget = {} if "epsilon" in options else {"noise_multiplier": noise}
    model.compile(
        jkeras.optimizers.SGD(0.1),
        LOSS,
        privacy=privacy.DPSGD(0.5, delta=1e-3, **budget, **options),
    )
    return model


def fitted(model, epochs=2, batch_size=12, **options):
    return model.fit(X, Y, batch_size=batch_size, epochs=epochs, verbose=0, **options).history


@pytest.mark.promise("each member of an ensemble counts as a training of its own")
def test_the_account_is_that_of_all_members(tmp_path):
    model = model_of()
    history = fitted(model, ensemble=3)
    wanted = [privacy.epsilon(1.0, 12 / 60, steps, 1e-3) for steps in (15, 30)]
    assert history["epsilon"] == wanted
    assert model.privacy_spent().runs == (Run(1.0, 12 / 60, 30),)
    alone = model.member(2)
    assert alone.privacy_spent().epsilon == wanted[1]
    model.save(tmp_path / "all.keras")
    again = jkeras.models.load_model(tmp_path / "all.keras")
    assert again.privacy_spent().epsilon == wanted[1]
    fitted(model, 1)  # goes on with the members
    assert model.privacy_spent().runs == (Run(1.0, 12 / 60, 45),)
    one = privacy.cap_for(60, 12 / 60, 10)
    assert model.privacy_spent().delta > 1e-3 or one == 60


def test_a_budget_is_that_of_all_members():
    model = model_of(epsilon=2.0)
    history = fitted(model, ensemble=3)
    assert 1.99 < history["epsilon"][-1] <= 2.0
    (run,) = model.privacy_spent().runs
    assert run.steps == 30


@pytest.mark.parametrize("options", [{}, {"norms": "vmap"}, {"check": True}])
def test_members_are_trainings_of_their_own(options):
    """Without noise and with all rows in each step, as a `fit` alone with the member's seed."""
    model = model_of(0.0, **options)
    fitted(model, ensemble=3, seed=7, batch_size=60)
    for number in range(3):
        alone = model_of(0.0, **options)
        state = jkeras.training.init_train_state(alone, 7 + number)
        alone.load_train_state(state)
        fitted(alone, seed=7 + number, batch_size=60)
        found = model.member(number).get_weights()
        for mine, wanted in zip(found, alone.get_weights(), strict=True):
            np.testing.assert_allclose(mine, wanted, atol=1e-6)


@pytest.mark.promise("with coins and noise of its own")
def test_noise_and_coins_of_members_are_independent():
    jkeras.utils.clear_session()
    model = jkeras.Sequential([jkeras.Input((500,)), layers.Dense(40)])
    silent = lambda y, p: 0 * jkeras.ops.sum(p, -1)  # noqa: E731
    dp = privacy.DPSGD(0.5, 2.0, delta=1e-3, batch_size=1)
    model.compile(jkeras.optimizers.SGD(1.0), silent, privacy=dp)
    zeros = np.zeros((60, 500), "float32")
    model.fit(zeros, Y, batch_size=12, epochs=1, ensemble=3, verbose=0)
    kept = model.ensemble_members.state.params["dense"]["kernel"]
    model.fit(zeros, Y, batch_size=12, epochs=1, verbose=0)
    moved = np.reshape(model.ensemble_members.state.params["dense"]["kernel"] - kept, (3, -1))
    np.testing.assert_allclose(moved @ moved.T / moved.shape[1], 5 * np.eye(3), atol=0.2)

    counts = []

    class Sizes(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            counts.append(np.array(logs["loss_members"]))

    model = model_of()
    fitted(model, 1, ensemble=2, callbacks=[Sizes()])
    assert not np.allclose(*np.array(counts).T)


def test_keys_that_nobody_set_are_secret_and_others_may_not_come_again():
    keys = []
    for _ in range(2):
        model = model_of()
        fitted(model, 1, ensemble=2)
        keys += np.asarray(model.ensemble_members.state.rng).tolist()
    assert len({tuple(key) for key in keys}) == 4
    model = model_of()
    fitted(model, 1, ensemble=3, seed=0)
    with pytest.raises(ValueError, match="the noise of an earlier one"):
        fitted(model, 1, seed=2)  # of which member 0 would have the noise that member 2 had


def test_a_member_that_was_stopped_counts_on():
    """The account is never below what the other members did."""
    model = model_of()

    class Stops(jkeras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                self.model.ensemble_members.stop(np.array([True, False]))

    history = fitted(model, 3, ensemble=2, callbacks=[Stops()])
    assert history["epsilon"][-1] == privacy.epsilon(1.0, 12 / 60, 30, 1e-3)
    assert model.privacy_spent().runs[0].steps == 30


def test_a_checkpoint_of_an_ensemble(tmp_path):
    fitted(model_of(), 2, ensemble=2, seed=1, checkpoint=tmp_path)
    model = model_of()
    fitted(model, 3, ensemble=2, seed=1, checkpoint=tmp_path)
    whole = model_of()
    fitted(whole, 3, ensemble=2, seed=1)
    assert model.privacy_spent().runs == whole.privacy_spent().runs == (Run(1.0, 0.2, 30),)
    for number in range(2):
        found = model.member(number).get_weights(), whole.member(number).get_weights()
        for mine, wanted in zip(*found, strict=True):
            np.testing.assert_array_equal(mine, wanted)


@pytest.mark.promise('`shuffle="same"` and `bands` are refused')
def test_what_is_refused():
    with pytest.raises(ValueError, match="members with coins of their own"):
        fitted(model_of(), ensemble=2, shuffle="same")
    with pytest.raises(ValueError, match="an ensemble with independent noise"):
        fitted(model_of(bands=3, sampling="turns"), ensemble=2)
