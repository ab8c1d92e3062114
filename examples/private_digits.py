"""Digits, learned so that no image can be told to have been among them.

Each image adds a bounded amount to a gradient, and noise hides it (DP-SGD). `epsilon` bounds how
much any one of them shows, and `fit` finds the noise for it. The same network without privacy says
what that costs: accuracy, of which large batches save the most. Run it with
`python examples/private_digits.py`.
"""

import numpy as np

import jkeras
from jkeras import layers, privacy
from jkeras.datasets import digits

DELTA = 1e-4  # below 1 over the number of images


def make_model():
    """Pixels to a score for each digit."""
    return jkeras.Sequential(
        [jkeras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)]
    )


def main(epochs=60, epsilon=3.0, batch_size=512, seed=0):
    """Prints and returns (accuracy with privacy, accuracy without, epsilon that was spent)."""
    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = (np.float32(v.reshape(len(v), 64) / 16) for v in (x, x_test))
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    dpsgd = privacy.DPSGD(clip=1.0, epsilon=epsilon, delta=DELTA)
    accuracies = {}
    for name, private in [("private", dpsgd), ("plain", None)]:
        # a seed that is known, for numbers that are the same each time: leave it out for real data
        jkeras.utils.set_random_seed(seed)
        model = make_model()
        optimizer = jkeras.optimizers.Adam(1e-2)
        model.compile(optimizer, loss, metrics=["accuracy"], privacy=private)
        history = model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0)
        accuracies[name] = model.evaluate(x_test, y_test, verbose=0)[1]
        if private:
            spent = model.privacy_spent()
            told = history.history["epsilon"]
    (run,) = spent.runs
    print(
        f"{run.steps} steps, each image in {run.q:.2f} of them, noise {run.noise_multiplier:.2f}; "
        f"epsilon {told[0]:.2f} after an epoch, {spent.epsilon:.2f} after all"
    )
    with_it, without = accuracies["private"], accuracies["plain"]
    print(f"test accuracy: {with_it:.4f} with privacy, {without:.4f} without")
    print(spent.assumptions)
    return with_it, without, spent.epsilon


if __name__ == "__main__":
    main()
