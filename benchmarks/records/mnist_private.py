"""MNIST's digits with differential privacy, for epsilon 3 and 8.

A row adds a bounded part to each gradient, and noise hides it (Abadi et al. 2016). With all 60,000
images Papernot et al. 2021 reach 0.981 at epsilon 2.93; here each of 4,000 hides behind fifteen
times fewer others, which has to cost accuracy: what is looked at is that a larger epsilon buys
some of it back, that none of it beats the training without privacy, and that all of the epsilon is
spent and not more.
"""

from benchmarks import mnist
from benchmarks.records.record import Record, Row

EPOCHS, BATCH, DELTA = 30, 512, 1e-5


def network():
    """Convolutions with tanh, as Papernot et al. have them."""
    import jkeras
    from jkeras import layers

    return jkeras.Sequential(
        [
            jkeras.Input((28, 28, 1)),
            layers.Conv2D(16, 8, strides=2, padding="same", activation="tanh"),
            layers.MaxPooling2D(2, strides=1),
            layers.Conv2D(32, 4, strides=2, activation="tanh"),
            layers.MaxPooling2D(2, strides=1),
            layers.Flatten(),
            layers.Dense(32, "tanh"),
            layers.Dense(10),
        ]
    )


def trained(epsilon: float | None) -> tuple[float, float]:
    """(accuracy, epsilon that was spent; 0 without privacy)"""
    import jkeras

    x, y, x_test, y_test = mnist.images()
    jkeras.utils.set_random_seed(0)
    private = epsilon and jkeras.privacy.DPSGD(clip=1.0, epsilon=epsilon, delta=DELTA)
    model = network()
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(5e-3), loss, metrics=["accuracy"], privacy=private)
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    spent = model.privacy_spent().epsilon if private else 0.0
    return model.evaluate(x_test, y_test, verbose=0)[1], spent


def measure() -> list[Row]:
    found = {epsilon: trained(epsilon) for epsilon in (3.0, 8.0)}
    plain = trained(None)[0]
    (three, spent), (eight, _) = found.values()
    return [
        Row("accuracy, epsilon 3", three, "0.981, 60,000 images", least=0.9, most=eight),
        Row("accuracy, epsilon 8", eight, least=0.92, most=plain),
        Row("accuracy without privacy", plain, least=0.95),
        Row("epsilon that was spent, of 3", spent, least=2.7, most=3.0),
    ]


RECORD = Record(
    group="data",
    title="MNIST with differential privacy",
    about="A network of 26,000 weights on 4,000 images, DP-SGD for epsilon 3 and 8, delta 1e-5.",
    packages=(mnist.PACKAGE,),
    licence=mnist.LICENCE,
    source="Abadi et al., CCS 2016; Papernot et al., AAAI 2021",
    measure=measure,
    minutes=4,
)
