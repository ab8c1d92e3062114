"""What `test_launched_training.py` starts with `python -m jkeras launch`: `-m … NAME ARGUMENTS`."""

import os
import signal
import sys
import time

import jax

import jkeras
from examples.cluster.train import train

EPOCHS, STEPS = 3, 23  # batches of an epoch


class Kill(jkeras.callbacks.Callback):
    """Ends a process after some step, as a power failure would."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Slow(jkeras.callbacks.Callback):
    """Says which step is done, and waits a little."""

    def on_train_batch_end(self, batch, logs=None):
        print("step", batch, flush=True)
        time.sleep(0.05)


def restarts():
    return int(os.environ["JKERAS_RESTARTS"])


def whole(folder):
    """A training in peace, or its rest."""
    train(folder, EPOCHS)


def killed(folder, number, step):
    """One whose process of that number is killed in the first attempt."""
    dies = restarts() == 0 and jax.process_index() == int(number)
    train(folder, EPOCHS, callbacks=[Kill(int(step))] if dies else [])


def saves_at_the_end(folder):
    """A slow one, without checkpoints of its own accord."""
    train(folder, EPOCHS, every=10**6, callbacks=[Slow()])


def waits_for_a_dead_one():
    """The first process waits in a collective that the other one never comes to."""
    numbers = jax.make_array_from_callback(
        (2,),
        jax.NamedSharding(jax.make_mesh((2,), ("x",)), jax.P("x")),
        lambda index: jax.numpy.ones(1),
    )
    if restarts() == 0 and jax.process_index() == 1:
        time.sleep(2)
        os.kill(os.getpid(), signal.SIGKILL)
    total = jax.jit(jax.numpy.sum, out_shardings=jax.NamedSharding(numbers.sharding.mesh, jax.P()))
    print("sum", total(numbers), flush=True)


PROGRAMS = {
    program.__name__: program for program in (whole, killed, saves_at_the_end, waits_for_a_dead_one)
}

if __name__ == "__main__":
    jkeras.distribution.initialize()
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
