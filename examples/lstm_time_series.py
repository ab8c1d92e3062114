"""An LSTM forecasts a chaotic series twelve steps ahead, from windows that
`timeseries_dataset_from_array` cuts.

The series is that of Mackey and Glass (1977), the usual test for forecasting: it nearly repeats,
and never does. Errors are set beside those of two baselines: that nothing changes, and the best
linear function of the same window. Run it with `python examples/lstm_time_series.py`.
"""

import numpy as np

import jkeras
from jkeras import layers
from jkeras.utils import timeseries_dataset_from_array

WINDOW, AHEAD = 24, 12


def mackey_glass(length, delay=17, seed=0):
    """dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x(t), in steps of 1; mean 0 and
    variance 1.
    """
    skipped = 300
    x = np.full(length + skipped, 1.2) + 0.1 * np.random.default_rng(seed).normal(
        size=length + skipped
    )
    for t in range(delay, length + skipped - 1):
        x[t + 1] = x[t] + 0.2 * x[t - delay] / (1 + x[t - delay] ** 10) - 0.1 * x[t]
    x = x[skipped:, None]
    return ((x - x.mean()) / x.std()).astype("float32")


def windows(series, shuffle=False):
    """Batches of windows and of the values that come some steps after their ends."""
    return timeseries_dataset_from_array(
        series[: len(series) - AHEAD],
        series[WINDOW - 1 + AHEAD :],
        WINDOW,
        batch_size=64,
        shuffle=shuffle,
        seed=0,
    )


def as_arrays(dataset):
    """All windows (rows, time) and values (rows,) of a data set."""
    x, y = (np.concatenate(part) for part in zip(*dataset))
    return x[..., 0], y[:, 0]


def baselines(train, test):
    """Mean squared errors of the last value, and of a linear function fitted by least squares."""
    (x, y), (x_test, y_test) = as_arrays(train), as_arrays(test)
    ones = lambda x: np.concatenate([x, np.ones((len(x), 1))], axis=1)
    weights = np.linalg.lstsq(ones(x), y, rcond=None)[0]
    guesses = {"last value": x_test[:, -1], "linear": ones(x_test) @ weights}
    return {name: float(np.mean((guess - y_test) ** 2)) for name, guess in guesses.items()}


def main(epochs=40, length=3000):
    """Trains; prints and returns the mean squared errors on the last part of the series."""
    jkeras.utils.set_random_seed(0)
    series = mackey_glass(length)
    cut = len(series) * 2 // 3
    train, test = windows(series[:cut], shuffle=True), windows(series[cut:])

    model = jkeras.Sequential([jkeras.Input((WINDOW, 1)), layers.LSTM(32), layers.Dense(1)])
    schedule = jkeras.optimizers.schedules.CosineDecay(1e-2, epochs * len(train))
    model.compile(jkeras.optimizers.Adam(schedule), "mse")
    model.fit(train, epochs=epochs, verbose=0)
    errors = baselines(train, test) | {"LSTM": model.evaluate(test, verbose=0)}
    print(
        "mean squared error,", ", ".join(f"{name}: {error:.5f}" for name, error in errors.items())
    )
    return errors


if __name__ == "__main__":
    main()
