"""Smaller networks of digits: weights of 8 and 4 bits, and a small network taught by a larger one.

Weights of 8 bits cost nothing, those of 4 bits little (Jacob et al. 2018; Frantar et al. 2023). A
network of 20 units learns from what a larger one says (Hinton, Vinyals and Dean 2015). Taught with
rows that the larger one has seen, it is as good as by their labels, and not better: 1,000 images
tell no difference below 0.01, and temperatures of 2, 4 and 8 make none.
"""

import numpy as np

from benchmarks import mnist
from benchmarks.records.record import Record, Row, over

BATCH, SEEDS = 64, 3


def fit(model, epochs: int, peak: float) -> None:
    import jkeras

    x, y, *_ = mnist.images()
    mnist.compiled(jkeras, model, epochs * -(-len(x) // BATCH), peak)
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)


def accuracy(model) -> float:
    *_, x, y = mnist.images()
    return float((model.predict(x, verbose=0).argmax(-1) == y).mean())


def large():
    """Three layers of 200 units, trained."""
    import jkeras

    jkeras.utils.set_random_seed(0)
    model = mnist.hidden_layers()
    fit(model, epochs=15, peak=1e-3)
    return model


def small(seed: int, teacher=None):
    """One layer of 20 units, trained by the labels, or by what the teacher says at a temperature
    of 2.

    The loss of the teaching has to be an object: the function, which is the default, is given
    logits in place of probabilities, by Keras 3.15 as well, and teaches nothing.
    """
    import jkeras
    from jkeras import distillation

    jkeras.utils.set_random_seed(seed)
    student = model = mnist.hidden_layers(units=20, count=1, dropout=0.0)
    if teacher:
        model = distillation.Distiller(
            teacher=teacher,
            student=student,
            distillation_losses=distillation.LogitsDistillation(2.0, jkeras.losses.KLDivergence()),
            student_loss_weight=0.1,
        )
    fit(model, epochs=30, peak=5e-3)
    return student


def measure() -> list[Row]:
    import jkeras

    teacher = large()
    whole = accuracy(teacher)
    lost = {}
    for bits in ("int8", "int4"):
        model = jkeras.models.clone_model(teacher)
        model.set_weights(teacher.get_weights())
        model.quantize(bits, filters="dense")
        lost[bits] = whole - accuracy(model)
    seeds = range(SEEDS)
    alone = np.array([accuracy(small(seed)) for seed in seeds])
    students = np.array([accuracy(small(seed, teacher)) for seed in seeds])
    return [
        Row("accuracy, three layers of 200 units", whole, least=0.94),
        Row("accuracy lost by weights of 8 bits", lost["int8"], "0", most=0.005),
        Row("accuracy lost by weights of 4 bits", lost["int4"], "little", most=0.02),
        over("accuracy, one layer of 20 units", alone, least=0.88),
        over("accuracy, the same, taught", students, least=float(alone.mean()) - 0.01),
    ]


RECORD = Record(
    group="data",
    title="MNIST: smaller networks",
    about="Three layers of 200 units on 4,000 images, quantized to 8 and 4 bits; one layer of 20 "
    "units, taught by it.",
    packages=(mnist.PACKAGE,),
    licence=mnist.LICENCE,
    source="Jacob et al., CVPR 2018; Frantar et al., ICLR 2023; Hinton, Vinyals and Dean, arXiv "
    "1503.02531",
    measure=measure,
    minutes=2,
)
