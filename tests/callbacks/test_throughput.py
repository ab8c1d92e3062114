"""ThroughputMonitor: rates, where the time goes, goodput over restarts, what is unusual."""

import json
import time
import warnings

import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.callbacks import ThroughputMonitor, throughput
from jkeras.callbacks.timing import OneStep
from jkeras.distribution.chips import Chip

X, Y = np.ones((40, 3), "float32"), np.ones((40, 2), "float32")
EVERY_EPOCH = {
    "rows_per_second",
    "flops_per_second",
    "time_data",
    "time_compile",
    "time_checkpoint",
    "time_validation",
    "goodput",
    "peak_memory",
}


def model_of(width=2, **options):
    model = jkeras.Sequential([jkeras.Input((3,)), layers.Dense(width)])
    model.compile("sgd", "mse", **options)
    return model


def fitted(model, *data, epochs=2, **options):
    options.setdefault("callbacks", ThroughputMonitor())
    return model.fit(*data, epochs=epochs, verbose=0, batch_size=8, **options).history


def slowly(batches, seconds):
    for batch in batches:
        time.sleep(seconds)
        yield batch


# ---------------------------------------------------------------- numbers


def test_the_results_have_it_and_the_training_is_the_same():
    with_it, without = model_of(), model_of()
    without.set_weights(with_it.get_weights())
    history = fitted(with_it, X, Y, shuffle=False)
    plain = fitted(without, X, Y, shuffle=False, callbacks=[])
    assert set(history) == {"loss"} | EVERY_EPOCH
    assert history["loss"] == plain["loss"]
    np.testing.assert_array_equal(with_it.get_weights()[0], without.get_weights()[0])
    assert with_it.fit_timing is None
    json.dumps(history)


def test_callbacks_behind_it_see_the_numbers(tmp_path):
    path = tmp_path / "log.csv"
    fitted(model_of(), X, Y, callbacks=[ThroughputMonitor(), jkeras.callbacks.CSVLogger(path)])
    assert "rows_per_second" in path.read_text().splitlines()[0]


def test_rates_are_rows_and_operations_over_time(monkeypatch):
    """A clock that stands still but for what the batches take."""
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    class Tick(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            clock[0] += 2.0

    history = fitted(model_of(), X[:36], Y[:36], callbacks=[Tick(), ThroughputMonitor(warns=False)])
    steps, rows = 5, 36
    assert history["rows_per_second"][1] == pytest.approx(rows / (2.0 * steps))
    # 2 for each product and sum; forward, and the gradient of the kernel
    assert history["flops_per_second"][1] == pytest.approx(2 * 2 * rows * 3 * 2 / (2.0 * steps))


def test_rows_of_integers_are_tokens():
    model = jkeras.Sequential([jkeras.Input((5,), dtype="int32"), layers.Embedding(7, 4)])
    model.compile("sgd", "mse")
    history = fitted(model, np.ones((16, 5), "int32"), np.ones((16, 5, 4), "float32"))
    assert history["tokens_per_second"] == pytest.approx(
        [5 * rate for rate in history["rows_per_second"]]
    )


def test_members_count_each(monkeypatch):
    seen = []
    monkeypatch.setattr(
        throughput,
        "looked_into",
        lambda step: seen.append(step) or throughput.Step(8, None, 1, None),
    )
    fitted(model_of(), X, Y, ensemble=3)
    assert [step.models for step in seen] == [3]


def test_the_share_of_the_peak(monkeypatch):
    chip = Chip("slow", "slow", 1, half=2e6, single=1e6, bandwidth=1.0, link=1.0)
    monkeypatch.setattr("jkeras.distribution.chips.chip_of", lambda device: chip)
    history = fitted(model_of(), X, Y)
    for share, flops in zip(history["mfu"], history["flops_per_second"]):
        assert share == pytest.approx(flops / 1e6)


def test_what_is_computed_again_is_no_operation_of_the_model():
    def step_of(remat):
        block = layers.Stack(layers.Dense(8, activation="relu"), 2, remat=remat)
        model = jkeras.Sequential([jkeras.Input((8,)), block])
        model.compile("sgd", "mse")
        state = jkeras.training.init_train_state(model, 0)
        function = jkeras.training.make_train_step(model)
        return OneStep(function, state, (np.ones((4, 8), "f"), np.ones((4, 8), "f"), None), 1)

    plain, again = (throughput.looked_into(step_of(remat)) for remat in (False, True))
    assert plain.operations == again.operations > 0


@pytest.mark.promise("It traces the step once")
def test_the_step_is_traced_once(monkeypatch):
    seen, look = [], throughput.looked_into
    monkeypatch.setattr(throughput, "looked_into", lambda step: seen.append(step) or look(step))
    fitted(model_of(), X, Y, epochs=4)
    assert len(seen) == 1


def test_of_the_model_nothing_is_pulled_while_it_is_trained():
    """The numbers come from the state of the training, and leave it where it is."""
    model = model_of()
    pulled = []

    class Watch(jkeras.callbacks.Callback):
        every_batch = False

        def on_epoch_end(self, epoch, logs=None):
            pulled.append(not hasattr(model.weights[0].held, "pull"))

    fitted(model, X, Y, epochs=3, callbacks=[ThroughputMonitor(), Watch()])
    assert pulled == [False] * 3


# ---------------------------------------------------------------- where the time goes


def test_waiting_for_data():
    batches = [(X[:8], Y[:8])] * 10
    history = fitted(model_of(), slowly(batches, 0.02), steps_per_epoch=5)
    assert history["time_data"][1] > 0.7
    assert history["goodput"][1] < 0.3


def test_validation_and_checkpoints(tmp_path, monkeypatch):
    from jkeras.saving.tier import Tier

    save = Tier.save

    def slow(self, *arguments, **options):
        time.sleep(0.1)
        save(self, *arguments, **options)

    monkeypatch.setattr(Tier, "save", slow)
    validation = [(X[:8], Y[:8])] * 4

    class Slow(jkeras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            time.sleep(0.03)
            return validation[index]

    model = model_of()
    history = fitted(model, X, Y, epochs=3, validation_data=Slow(), checkpoint=tmp_path)
    assert history["time_validation"][1] > 0.2 and history["time_checkpoint"][2] > 0.2
    shares = [history[f"time_{kind}"][2] for kind in throughput.KINDS]
    assert sum(shares) < 1


def test_compiling():
    history = fitted(model_of(), X, Y)
    assert history["time_compile"][0] > 0.1 > history["time_compile"][1] == 0.0


def test_goodput_counts_from_the_first_start(tmp_path):
    """What lies between a kill and the next start is lost, and so are steps not saved."""

    class Stop(jkeras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    model = model_of()
    with pytest.raises(KeyboardInterrupt):
        fitted(model, X, Y, epochs=4, checkpoint=tmp_path, callbacks=[ThroughputMonitor(), Stop()])
    time.sleep(1.0)
    monitor = ThroughputMonitor()
    history = fitted(model_of(), X, Y, epochs=4, checkpoint=tmp_path, callbacks=monitor)
    assert len(history["loss"]) == 4
    assert history["goodput"][-1] == pytest.approx(
        monitor._useful / (time.time() - monitor._begun), rel=0.2
    )
    assert time.time() - monitor._begun > 1.0
    fresh = ThroughputMonitor()
    fitted(model_of(), X, Y, epochs=1, callbacks=fresh)
    assert time.time() - fresh._begun < 1.0


# ---------------------------------------------------------------- what is unusual


class EachBatch(jkeras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        """Has each step dispatched alone."""


@pytest.mark.promise("It warns of steps that take ten times as long as usual")
def test_a_slow_step_is_told():
    def batches():
        for number in range(40):
            if number == 30:
                time.sleep(0.3)
            yield X[:8], Y[:8]

    with pytest.warns(UserWarning, match=r"steps up to 30 .* each, and those before"):
        fitted(model_of(), batches(), epochs=1, callbacks=[EachBatch(), ThroughputMonitor()])


def test_a_loss_out_of_its_band_is_told(monkeypatch):
    monkeypatch.setattr(throughput, "INTERVAL", 0.0)
    rng = np.random.default_rng(0)
    y = rng.normal(size=(60, 8, 2)).astype("float32")
    y[50] *= 100

    with pytest.warns(UserWarning, match=r"the loss is \S+ at step 5\d, and was"):
        looking = [EachBatch(), ThroughputMonitor()]
        fitted(model_of(), iter([(X[:8], one) for one in y]), epochs=1, callbacks=looking)


def test_an_ordinary_training_is_not_told_of(monkeypatch):
    monkeypatch.setattr(throughput, "INTERVAL", 0.0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)), rng.normal(size=(400, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        looking = [EachBatch(), ThroughputMonitor()]
        x, y = x.astype("float32"), y.astype("float32")
        fitted(model_of(), x, y, epochs=5, callbacks=looking)


def test_losses_between_looks_are_those_of_their_steps():
    """Logs have means over the epoch; an epoch may go on in its middle."""
    monitor = ThroughputMonitor()
    monitor.set_model(model_of())
    monitor.on_train_begin()
    for first, looks in ((0, [(9, 1.0), (19, 2.0)]), (10, [(19, 2.0), (29, 3.0)])):
        monitor._losses.clear()
        monitor._first = None
        monitor.on_train_batch_begin(first)
        for last, mean in looks:
            monitor._last = last
            monitor._look_at_loss({"loss": mean})
        expected = [1.0, 3.0] if first == 0 else [5.0]
        np.testing.assert_allclose(monitor._losses, expected)


def test_it_can_be_silent(monkeypatch):
    monkeypatch.setattr(throughput, "INTERVAL", 0.0)
    y = np.ones((60, 8, 2), "float32")
    y[50] *= 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = iter([(X[:8], one) for one in y])
        fitted(model_of(), data, epochs=1, callbacks=[EachBatch(), ThroughputMonitor(warns=False)])


def test_a_process_that_lags_is_told(monkeypatch):
    monkeypatch.setattr(throughput.jax, "process_count", lambda: 4)
    monkeypatch.setattr(throughput, "gathered_from_all", lambda one: [0.01, 0.02, 0.6, 0.01])
    monitor = ThroughputMonitor()
    with pytest.warns(UserWarning, match="Process 2 waited 60% of the epoch"):
        monitor._look_at_others(0.01)
    monkeypatch.setattr(throughput, "gathered_from_all", lambda one: [0.5, 0.5, 0.6, 0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor._look_at_others(0.5)  # all wait alike


def test_two_of_them_and_a_list_made_before():
    model = model_of()
    both = [ThroughputMonitor(), ThroughputMonitor()]
    assert fitted(model, X, Y, callbacks=both)["rows_per_second"]
    made = jkeras.callbacks.CallbackList([ThroughputMonitor()], add_history=True, model=model)
    assert fitted(model, X, Y, callbacks=made)["rows_per_second"]


def test_a_loop_of_ones_own():
    model = model_of()
    monitor = ThroughputMonitor()
    monitor.set_model(model)
    monitor.on_train_begin()
    monitor.on_train_batch_begin(0)
    model.train_on_batch(X[:8], Y[:8])
    monitor.on_train_batch_end(0, {"loss": 1.0})
    logs = {"loss": 1.0}
    monitor.on_epoch_end(0, logs)
    assert set(logs) == {"loss"} | EVERY_EPOCH - {"rows_per_second", "flops_per_second"}


def test_evaluate_takes_it_too():
    model = model_of()
    model.evaluate(X, Y, verbose=0, callbacks=[ThroughputMonitor()])
    assert fitted(model, X, Y)["goodput"]
