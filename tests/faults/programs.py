"""What the tests of faults run in processes of their own, to be killed and interrupted: `python -m
… NAME ARGUMENTS`.

Most print one JSON object.
"""

import itertools
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

import jax
import numpy as np

import jkeras
from jkeras.saving import Checkpointer, arrays
from jkeras.training import init_train_state
from tests.faults.tools import BATCH, STEPS, X, Y, assert_usable, everything, fill, plain

# ---------------------------------------------------------------- SIGTERM at chosen points

POINTS = ("compile", "step", "validation", "callback", "save")
EPOCHS = 3


def training(folder, point, act):
    """Trains with checkpoints; at a point of the second epoch, or of the first compilation, calls
    `act` once.
    """
    acts = [act]

    def at(here):
        if here == point and acts:
            acts.pop()()

    calls = itertools.count()

    def loss(y, p):
        if next(calls):  # the first is a look at what it does with labels, before the training
            at("compile")
        return (p - y) ** 2

    class Points(jkeras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (1, 1):
                at("step")

        def on_test_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (1, 1):
                at("validation")

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                at("callback")

    model = plain()
    model.compile("adam", loss)
    write = arrays.write

    def slowly(place, *args):
        if not place.split("/")[-1].startswith(".0."):
            at("save")
        write(place, *args)

    arrays.write = slowly
    try:
        history = model.fit(
            X,
            Y,
            batch_size=BATCH,
            epochs=EPOCHS,
            validation_data=(X, Y),
            validation_batch_size=BATCH,
            seed=1,
            verbose=0,
            checkpoint=folder,
            callbacks=[Points()],
        )
    finally:
        arrays.write = write
    return everything(model) | {
        name: np.asarray(values) for name, values in history.history.items()
    }


def train(folder, output, point):
    """Waits at a point until a signal has come; writes what the training ends with."""

    def wait():
        print(json.dumps(point), flush=True)
        time.sleep(1)

    np.savez(
        output,
        **{name.replace("/", "|"): value for name, value in training(folder, point, wait).items()},
    )


def twice(folder):
    """Waits in a step for a second SIGTERM: nothing after it is run."""

    def wait():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        print(json.dumps("still here"), flush=True)

    training(folder, "step", wait)


# ---------------------------------------------------------------- Ctrl-C at any time


class Interrupts:
    """Does what users do, over and over, until Ctrl-C comes at a random time, and looks at what is
    left.
    """

    kinds = ("fit", "evaluate", "predict", "save", "compile", "twice")

    def __init__(self, seed):
        self.random, self.lost = random.Random(seed), 0
        self.model, self.twin, self.other = plain(), plain(), plain()
        for model in (self.model, self.twin):
            assert_usable(model)
        self.path = os.path.join(tempfile.mkdtemp(), "model.keras")
        self.model.save(self.path)
        self.model.evaluate(X, Y, batch_size=BATCH, verbose=0)

    def run(self, count):
        """What went wrong, as texts."""
        wrong = []
        for number in range(count):
            kind = self.kinds[number % len(self.kinds)]
            try:
                self.again(self.model)
                delay = self.random.uniform(0, 1.2 if kind == "compile" else 0.15)
                self.interrupt(
                    getattr(self, kind), self.press_twice if kind == "twice" else self.press, delay
                )
                self.look(kind)
            except BaseException:
                wrong.append(f"{number}, {kind}: {traceback.format_exc()}")
        return {"wrong": wrong, "lost": self.lost}

    def again(self, model):
        """The model as it was in the beginning."""
        fill(model, 0.1)
        for v in model.optimizer.variables[:1] + model.optimizer.variables[2:]:  # all but the rate
            v.assign(np.zeros(v.shape))
        model.__dict__["_step"] = 0

    def interrupt(self, work, press, delay):
        """Runs `work` until Ctrl-C comes; once more, where Python's memory management swallowed
        it.
        """
        try:
            try:
                while True:
                    timer = threading.Timer(delay, press)
                    timer.start()
                    end = time.monotonic() + 5
                    while time.monotonic() < end:
                        work()
                    self.lost += 1
            finally:
                timer.join()
        except KeyboardInterrupt:
            timer.join()

    def press(self):
        os.kill(os.getpid(), signal.SIGINT)

    def press_twice(self):
        self.press()
        time.sleep(self.random.choice((0, 0.0002, 0.001, 0.005)))
        self.press()

    def fit(self):
        self.model.fit(X, Y, batch_size=BATCH, epochs=3, shuffle=False, verbose=0)

    twice = fit

    def evaluate(self):
        self.model.evaluate(X, Y, batch_size=BATCH, verbose=0)

    def predict(self):
        self.model.predict(X, batch_size=BATCH, verbose=0)

    def save(self):
        self.model.save(self.path)

    def compile(self):
        self.other.compile("adam", "mse", metrics=["mae"])
        self.other.fit(X, Y, batch_size=BATCH, validation_data=(X, Y), verbose=0)
        self.other.predict(X, verbose=0)

    def look(self, kind):
        """Raises if the model is not that of a finished step, or cannot be used."""
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if kind == "compile":
            return assert_usable(self.other)
        steps = int(self.model._step)
        assert int(self.model.optimizer.iterations) == steps and (steps > 0) <= (
            kind in ("fit", "twice")
        )
        self.again(self.twin)
        if steps >= STEPS:
            self.twin.fit(X, Y, batch_size=BATCH, epochs=steps // STEPS, shuffle=False, verbose=0)
        for batch in range(steps % STEPS):
            rows = slice(batch * BATCH, (batch + 1) * BATCH)
            self.twin.train_on_batch(X[rows], Y[rows])
        for a, b in zip(self.model.get_weights(), self.twin.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        jkeras.saving.load_model(self.path)
        self.model.save(self.path)
        assert_usable(self.model)


def interrupts(count, seed):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return Interrupts(int(seed)).run(int(count))


# ---------------------------------------------------------------- kill -9 while something is saved

FORMATS = (".keras", ".weights.h5", ".weights.json", ".safetensors", "checkpoints")
KILLED = (*FORMATS, "tiers")
SHARD = 60 / 2**30  # gigabytes: each file takes one or two arrays of the small model


class Saving:
    """A process that saves two models by turns, until it is killed.

    It is forked from this one: so it lives after milliseconds, and it needs nothing of JAX but the
    arrays.
    """

    def __init__(self, format, folder):
        self.format, self.path = format, os.path.join(folder, f"model{format}")
        self.folder, self.models = folder, [plain(), plain()]
        for model in self.models:
            model.optimizer.build(model.trainable_variables)

    def killed(self, numbers, delay):
        """Saves models whose weights are all the one number or the other, until a time after the
        first was there.

        Returns:
            The number of the last model that was saved whole, and of the next.
        """
        for model, number in zip(self.models, numbers):
            fill(model, number)
        # no thread is at work now
        states = jax.block_until_ready([init_train_state(model) for model in self.models])
        reader, writer = os.pipe()
        process = os.fork()
        if not process:
            self._save_on(numbers, states, writer)
        os.close(writer)
        with os.fdopen(reader) as told:
            first = told.readline()
            time.sleep(delay)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            last = int([first, *(line for line in told if line.endswith("\n"))][-1])
        return last, sum(numbers) - last

    def _save_on(self, numbers, states, told):
        """Saves without end, and tells the number after each time."""
        signal.alarm(60)
        try:
            checkpointer = None
            if self.format in ("checkpoints", "tiers"):
                checkpointer = checkpointer_of(self.format, self.folder)
            for step in itertools.count(100 * numbers[0]):
                i = step % 2
                if checkpointer is not None:
                    checkpointer.save(states[i], step=step)
                    checkpointer.wait()
                elif self.format == ".keras":
                    self.models[i].save(self.path)
                else:
                    self.models[i].save_weights(
                        self.path,
                        **({"max_shard_size": SHARD} if self.format == ".weights.json" else {}),
                    )
                os.write(told, f"{numbers[i]}\n".encode())
        finally:
            traceback.print_exc()
            os._exit(1)


def checkpointer_of(format, folder):
    """A store in a folder: of one tier, or of two."""
    if format == "checkpoints":
        return Checkpointer(folder, max_to_keep=2)
    return Checkpointer(local=os.path.join(folder, "local"), then=os.path.join(folder, "durable"))


def kills(count, seed, folder):
    """Kills so many processes for each format, and keeps the folder that each left.

    Returns:
        {format: for each what `Saving.killed` gives}.
    """
    moments, found = random.Random(int(seed)), {}
    for format in KILLED:
        live = os.path.join(folder, format, "live")
        os.makedirs(live)
        saving, found[format] = Saving(format, live), []
        for i in range(int(count)):
            found[format].append(saving.killed((2 * i + 2, 2 * i + 3), moments.uniform(0, 0.1)))
            shutil.copytree(live, os.path.join(folder, format, str(i)))
    return found


# ---------------------------------------------------------------- a disk that is full


def wide():
    """A model of 50 kB with its optimizer's state."""
    model = jkeras.Sequential(
        [jkeras.Input((4,)), jkeras.layers.Dense(900, name="a"), jkeras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


class Room:
    """How many bytes may still be written: to a small disk, whose rest a file fills, or to any one
    file.
    """

    def __init__(self, folder, kind):
        self.filler, self.kind = os.path.join(folder, "filler"), kind

    def leave(self, size):
        """Leaves so many bytes; None: all."""
        if self.kind == "file":
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            return resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size is None else size, hard))
        with open(self.filler, "wb") as file:
            if size is not None:
                free = os.statvfs(self.filler)
                os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_frsize - size, 1))


def full(kind, folder):
    """Saves in every format while there is room for ever more bytes, until it succeeds.

    Returns:
        {format: [what each attempt left: its error, the number in the model that can be loaded,
        hidden files]}.
    """
    room, model, found = Room(folder, kind), wide(), {}
    for format in (*FORMATS, ".npz", ".h5"):
        place, found[format] = os.path.join(folder, format), []
        os.mkdir(place)
        fill(model, 1)
        save(model, format, place)
        fill(model, 2)
        sizes = itertools.count(0, 400 if kind == "file" and format == "checkpoints" else 8000)
        why = None
        while why != "":
            room.leave(next(sizes))
            try:
                why = save(model, format, place) or ""
            except Exception as error:
                why = repr(error.__cause__ or error if format == "checkpoints" else error)
            room.leave(None)
            hidden = [
                name for name in os.listdir(place) if name.startswith(".") and name != ".lock"
            ]
            found[format].append([why, loaded(format, place), hidden])
        shutil.rmtree(place)
    return found


def save(model, format, place):
    """Saves a model in a format into a folder."""
    path = os.path.join(place, f"model{format}")
    if format == "checkpoints":
        with Checkpointer(place, max_to_keep=1) as checkpointer:
            checkpointer.save(init_train_state(model), step=int(model.get_weights()[0].flat[0]))
    elif format in (".keras", ".h5"):
        model.save(path)
    else:
        model.save_weights(
            path, **({"max_shard_size": 250 * SHARD} if format == ".weights.json" else {})
        )


def loaded(format, place, model=None):
    """The number that all weights are that can be loaded from a folder; None if they differ."""
    path, model = os.path.join(place, f"model{format}"), model or wide()
    if format == "checkpoints":
        with Checkpointer(place) as checkpointer:
            model.load_train_state(checkpointer.restore(init_train_state(model))[0])
    elif format in (".keras", ".h5"):
        model = jkeras.saving.load_model(path)
    else:
        model.load_weights(path)
    numbers = {float(number) for value in model.get_weights() for number in value.flat}
    return numbers.pop() if len(numbers) == 1 else None


if __name__ == "__main__":
    found = globals()[sys.argv[1]](*sys.argv[2:])
    if found is not None:
        print(json.dumps(found))
