"""Digits that withstand small changes: training against an attack, and certified radii.

Changes of up to 0.1 of each pixel, as in Wong and Kolter 2018. Without training against them they
mislead a network nearly always (Madry et al. 2018); with it, most images are still read rightly.
Smoothing (Cohen et al. 2019) certifies balls around images in which no change misleads.
"""

from benchmarks import mnist
from benchmarks.records.record import Record, Row

EPSILON, EPOCHS, BATCH, CERTIFIED = 0.1, 15, 64, 200


def trained(adversarial=None, noise: float = 0.0):
    """A network of hidden layers, trained against an attack, or in noise."""
    import jkeras
    from jkeras import layers

    x, y, *_ = mnist.images()
    jkeras.utils.set_random_seed(0)
    stack = [jkeras.Input((28, 28, 1))]
    stack += [layers.GaussianNoise(noise)] if noise else []
    model = jkeras.Sequential([*stack, *mnist.hidden_layers(dropout=0.0).layers])
    steps = EPOCHS * -(-len(x) // BATCH)
    mnist.compiled(jkeras, model, steps, 1e-3, adversarial=adversarial)
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model


def accuracies(model) -> tuple[float, float]:
    """(of images, of images that were moved against the model)"""
    from jkeras import robust

    _, _, x, y = mnist.images()
    moved = robust.pgd(model, x, y, epsilon=EPSILON, steps=20, bounds=(0.0, 1.0))
    return tuple(model.evaluate(each, y, verbose=0)[1] for each in (x, moved))


def certified(radius: float) -> float:
    """The share of images that are read rightly within a radius."""
    from jkeras import robust

    x, y = (each[::5][:CERTIFIED] for each in mnist.images()[2:])
    model = trained(noise=0.5)
    found = robust.randomized_smoothing(model, x, stddev=0.5, samples=1000, rng=0)
    return float(((found.classes == y) & (found.radii >= radius)).mean())


def measure() -> list[Row]:
    from jkeras import robust

    attack = robust.PGD(epsilon=EPSILON, steps=5, bounds=(0.0, 1.0))
    clean, misled = accuracies(trained())
    hardened, withstood = accuracies(trained(attack))
    return [
        Row("accuracy", clean, least=0.94),
        Row("accuracy under attack", misled, "nearly none", most=0.2),
        Row("accuracy, trained against it", hardened, least=0.93),
        Row("accuracy under attack, trained against it", withstood, least=0.7),
        Row("certified within a distance of 0.5, of 200 images", certified(0.5), least=0.6),
    ]


RECORD = Record(
    group="data",
    title="MNIST under attack",
    about="Three layers of 200 units on 4,000 images, trained against changes of 0.1 by PGD; "
    "randomized smoothing certifies radii.",
    packages=(mnist.PACKAGE,),
    licence=mnist.LICENCE,
    source="Madry et al., ICLR 2018; Wong and Kolter, ICML 2018; Cohen et al., ICML 2019",
    measure=measure,
    minutes=2,
)
