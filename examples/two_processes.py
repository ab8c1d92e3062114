"""One training in two processes, which meet on this machine as they would on two.

The program starts a second one of itself. Each process has one device, gives it its half of every
batch, and both hold the same weights after every step: gradients are summed over the wire (gloo).
On two machines, start the same program on each with the address of the first. Run it with `python
examples/two_processes.py`.
"""

import json
import os
import socket
import subprocess
import sys

import numpy as np

import jkeras
from jkeras import distribution, layers
from jkeras.datasets import digits


def train(epochs):
    """Losses by epoch, test accuracy, and the sum of all weights."""
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        jkeras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(x, y, batch_size=64, epochs=epochs, verbose=0).history
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    return {
        "losses": history["loss"],
        "accuracy": accuracy,
        "weights": float(sum(np.sum(w, dtype="float64") for w in model.get_weights())),
    }


def work(address, number, epochs):
    """What each process does."""
    distribution.initialize(address, num_processes=2, process_id=number)
    with distribution.DataParallel().scope():  # over the devices of all processes
        return train(epochs)


def start(*arguments):
    """This program in another process, with one device."""
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
    }
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def free_address():
    """An address of this machine on which nothing listens."""
    with socket.socket() as place:
        place.bind(("localhost", 0))
        return f"localhost:{place.getsockname()[1]}"


def main(epochs=15):
    """Starts both processes, and one that trains alone; prints and returns what each found."""
    address = free_address()
    processes = [start(address, number, epochs) for number in range(2)]
    together = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    alone = json.loads(start("alone", 0, epochs).communicate()[0].splitlines()[-1])
    for name, found in {"process 0": together[0], "process 1": together[1], "alone": alone}.items():
        print(
            f"{name:>9}: last loss {found['losses'][-1]:.5f}, test accuracy "
            f"{found['accuracy']:.4f}, sum of the weights {found['weights']:.5f}"
        )
    return together, alone


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        where, process, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        print(json.dumps(train(rounds) if where == "alone" else work(where, process, rounds)))
