"""Smaller networks of digits: weights of 8 and 4 bits, and a small network taught by a larger one.

Weights of 8 bits cost nothing, those of 4 bits little (Jacob et al. 2018; Frantar et al. 2023). A
network of 20 units learns from what a larger one says (Hinton, Vinyals and Dean 2015). Taught with
rows that the larger one has seen, it is as good as by their labels, and not better: 1,000 images
tell no difference below 0.01, and temperatures of 2, 4 and 8 make none.
"""

import numpy as np

from benchmarks import mnist
from benchmarks.records.record import Record, Row, over

EPOCHS, BATCH, SEEDS = 15, 64, 3


def fitted(model, seed: int = 0):
    import jkeras

    x, y, *_ = mnist.images()
    jkeras.utils.set_random_seed(seed)
    mnist.compiled(jkeras, model, EPOCHS * -(-len(x) // BATCH), 1e-3)
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model


def accuracy(model) -> float:
    *_, x, y = mnist.images()
    return float((model.predict(x, verbose=0).argmax(-1) == y).mean())


def small():
    return mnist.hidden_layers(units=20, count=1, dropout=0.0)


def taught(teacher, seed: int):
    """A small network that learns what the teacher says at a temperature of 4.

    The loss has to be an object: the function, which is the default, is given logits in place of
    probabilities, by Keras 3.15 as well, and teaches nothing.
    """
    import jkeras
    from jkeras import distillation

    x, y, *_ = mnist.images()
    jkeras.utils.set_random_seed(seed)
    distiller = distillation.Distiller(
        teacher=teacher,
        student=small(),
        distillation_losses=distillation.LogitsDistillation(4.0, jkeras.losses.KLDivergence()),
        student_loss_weight=0.1,
    )
    mnist.compiled(jkeras, distiller, EPOCHS * -(-len(x) // BATCH), 1e-3)
    distiller.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return distiller.student


def measure() -> list[Row]:
    import jkeras

    teacher = fitted(mnist.hidden_layers())
    whole = accuracy(teacher)
    lost = {}
    for bits in ("int8", "int4"):
        model = jkeras.models.clone_model(teacher)
        model.set_weights(teacher.get_weights())
        model.quantize(bits, filters="dense")
        lost[bits] = whole - accuracy(model)
    seeds = range(SEEDS)
    alone = np.array([accuracy(fitted(small(), seed)) for seed in seeds])
    students = np.array([accuracy(taught(teacher, seed)) for seed in seeds])
    return [
        Row("accuracy, three layers of 200 units", whole, least=0.94),
        Row("accuracy lost by weights of 8 bits", lost["int8"], "0", most=0.005),
        Row("accuracy lost by weights of 4 bits", lost["int4"], "little", most=0.02),
        over("accuracy, one layer of 20 units", alone, least=0.88),
        over("accuracy, the same, taught by the larger one", students, least=alone.mean() - 0.01),
    ]


RECORD = Record(
    group="data",
    title="MNIST: smaller networks",
    about="Three layers of 200 units on 4,000 images, quantized to 8 and 4 bits; one layer of 20 "
    "units, taught by it.",
    packages=(mnist.PACKAGE,),
    licence=mnist.LICENCE,
    source="Frantar et al., ICLR 2023; Jacob et al., CVPR 2018; Hinton, Vinyals and Dean, "
    "arXiv 1503.02531",
    measure=measure,
)
