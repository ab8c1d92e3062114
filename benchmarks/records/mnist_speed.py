"""98 % of MNIST's digits from 4,000 of them, in seconds, as airbench does it on CIFAR-10.

A small convolutional network with batch normalization and images that are shifted and turned a
little, 16 epochs at a rate that falls to 0 (Keller Jordan 2024 says what makes such a training
short). The same program runs in Keras; both are on JAX, and seconds are those of the processor,
compiling included, which other programs on the machine change little.
"""

import time

from benchmarks import mnist
from benchmarks.records.record import Record, Row

EPOCHS, BATCH = 16, 64


def trained(library) -> tuple[float, float]:
    """(accuracy, seconds of the processor)"""
    x, y, x_test, y_test = mnist.images()
    library.utils.set_random_seed(0)
    begin = time.process_time()
    steps = EPOCHS * -(-len(x) // BATCH)
    model = mnist.compiled(library, mnist.convolutions(library), steps)
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    seconds = time.process_time() - begin
    return model.evaluate(x_test, y_test, verbose=0)[1], seconds


def measure() -> list[Row]:
    import keras

    import jkeras

    (accuracy, seconds), (of_keras, its_seconds) = trained(jkeras), trained(keras)
    return [
        Row("accuracy", accuracy, "98 to 99 % of such sets", keras=of_keras, least=0.98),
        Row(
            "seconds of the processor",
            seconds,
            keras=round(its_seconds, 1),
            most=its_seconds,
        ),
    ]


RECORD = Record(
    group="data",
    title="MNIST from 4,000 images, in seconds",
    about="A convolutional network of 24,000 weights, 16 epochs; the same program in Keras.",
    packages=(mnist.PACKAGE,),
    licence=mnist.LICENCE,
    source="LeCun et al., Proceedings of the IEEE 1998; Jordan, arXiv 2404.00498",
    measure=measure,
    minutes=4,
    needs=("keras",),
)
