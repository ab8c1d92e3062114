"""Callbacks: what is told of the course of a training, and the list that tells them."""

import numpy as np

from jkeras.core.registry import public

TRAIN_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")
TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


@public("keras.callbacks.Callback")
class Callback:
    """Base of callbacks: override the methods whose moments you want to know of.

    `self.model` is the model, `self.params` a dict with "epochs", "steps" and "verbose". Looking at the model's
    weights is safe at any moment. Overriding a batch method makes `fit` dispatch every batch alone; set
    `every_batch = False` on the class if being told now and then will do.

    >>> class Announce(Callback):
    ...     def on_train_begin(self, logs=None):
    ...         print("off we go")
    >>> Announce().on_train_begin()
    off we go
    """

    every_batch = True

    def __init__(self):
        self.params, self._model = None, None

    model = property(lambda self: self._model, doc="The model that is trained.")

    def set_params(self, params):
        """Takes the dict of parameters of the training."""
        self.params = params

    def set_model(self, model):
        """Takes the model."""
        self._model = model

    def get_state(self):
        """What a checkpoint must remember of this callback, as JSON data."""
        return {}

    def set_state(self, state):
        """Takes back what `get_state` gave."""

    def on_batch_begin(self, batch, logs=None):
        """Older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch, logs=None):
        """Older name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch, logs=None):
        """Before an epoch of training."""

    def on_epoch_end(self, epoch, logs=None):
        """After an epoch, its validation included; `logs` has the results and may be added to."""

    def on_train_batch_begin(self, batch, logs=None):
        """Before a training step."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch, logs=None):
        """After a training step; `logs` has the means of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch, logs=None):
        """Before a step of evaluation or validation."""

    def on_test_batch_end(self, batch, logs=None):
        """After a step of evaluation or validation."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Before a batch is predicted."""

    def on_predict_batch_end(self, batch, logs=None):
        """After a batch is predicted; `logs["outputs"]` are its outputs."""

    def on_train_begin(self, logs=None):
        """Before the first epoch."""

    def on_train_end(self, logs=None):
        """After the last epoch."""

    def on_test_begin(self, logs=None):
        """Before an evaluation or validation."""

    def on_test_end(self, logs=None):
        """After an evaluation or validation."""

    def on_predict_begin(self, logs=None):
        """Before a prediction."""

    def on_predict_end(self, logs=None):
        """After a prediction."""


class Logs(dict):
    """Logs whose values are on the device until somebody looks."""

    def __init__(self, values):
        super().__init__(values)
        self.fetched = False

    def fetch(self):
        """The values as Python numbers."""
        if not self.fetched:
            for key, value in dict.items(self):
                value = np.asarray(value) if hasattr(value, "dtype") else value
                super().__setitem__(key, value.item() if getattr(value, "ndim", None) == 0 else value)
            self.fetched = True
        return self

    def __getitem__(self, key):
        return dict.__getitem__(self.fetch(), key)

    def get(self, key, default=None):
        """The value of a name, fetched."""
        return dict.get(self.fetch(), key, default)

    def items(self):
        """(name, value) pairs, fetched."""
        return dict.items(self.fetch())

    def values(self):
        """The values, fetched."""
        return dict.values(self.fetch())

    def copy(self):
        """A plain dict of the fetched values."""
        return dict(self.items())


@public("keras.callbacks.CallbackList")
class CallbackList:
    """Several callbacks as one.

    Args:
        callbacks: a callback or a list of them.
        add_history: add a `History` and set `model.history`.
        add_progbar: add a `ProgbarLogger`.
        model: the model they are told about.
        params: "epochs", "steps", "verbose".

    >>> CallbackList([Callback()], add_history=True).callbacks[1].history
    {}
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        from jkeras.callbacks.history import History
        from jkeras.callbacks.progress import ProgbarLogger

        given = [] if callbacks is None else list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
        for callback in given:
            if not hasattr(callback, "on_epoch_end"):
                raise ValueError("All elements of `callbacks` must be instances of Callback. Received: "
                                 f"{callback!r} (of type {type(callback).__name__})")
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in given):
            given.append(ProgbarLogger())
        if add_history and not any(isinstance(c, History) for c in given):
            given.append(History())
        self.callbacks, self.params, self.model = given, params, model
        for callback in given:
            callback.set_params(params)
            if model is not None:
                callback.set_model(model)
        if model is not None:
            for callback in given:
                if isinstance(callback, History):
                    model.__dict__["history"] = callback
        self._train, self._test = (self._looking(kind) for kind in ("train", "test"))

    def append(self, callback):
        """Adds a callback."""
        self.callbacks.append(callback)
        callback.set_params(self.params)
        if self.model is not None:
            callback.set_model(self.model)
        self._train, self._test = (self._looking(kind) for kind in ("train", "test"))

    def set_params(self, params):
        """Hands the parameters on."""
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model):
        """Hands the model on."""
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def _looking(self, kind):
        hooks = TRAIN_HOOKS if kind == "train" else TEST_HOOKS
        return [c for c in self.callbacks if any(
            getattr(type(c), h, None) is not getattr(Callback, h) or h in vars(c) for h in hooks)]

    def looks_at_batches(self, kind):
        """Whether a callback wants to be told of every batch of training ("train") or evaluation ("test")."""
        return any(getattr(c, "every_batch", True) for c in (self._train if kind == "train" else self._test))

    def get_state(self):
        """What a checkpoint must remember."""
        return [callback.get_state() if hasattr(callback, "get_state") else {} for callback in self.callbacks]

    def set_state(self, states):
        """Takes back what `get_state` gave."""
        for callback, state in zip(self.callbacks, states):
            if state:
                callback.set_state(state)

    def on_train_batch_begin(self, batch, logs=None):
        """Tells those that look at training batches."""
        for callback in self._train:
            callback.on_train_batch_begin(batch, logs or {})

    def on_train_batch_end(self, batch, logs=None):
        """Tells those that look at training batches; logs are fetched when somebody reads them."""
        if self._train:
            logs = Logs(logs or {})
            for callback in self._train:
                callback.on_train_batch_end(batch, logs)

    def on_test_batch_begin(self, batch, logs=None):
        """Tells those that look at evaluation batches."""
        for callback in self._test:
            callback.on_test_batch_begin(batch, logs or {})

    def on_test_batch_end(self, batch, logs=None):
        """Tells those that look at evaluation batches."""
        if self._test:
            logs = Logs(logs or {})
            for callback in self._test:
                callback.on_test_batch_end(batch, logs)


def _forward(name, numbered):
    if numbered:
        def hook(self, number, logs=None):
            logs = logs or {}
            for callback in self.callbacks:
                getattr(callback, name)(number, logs)
    else:
        def hook(self, logs=None):
            logs = logs or {}
            for callback in self.callbacks:
                getattr(callback, name)(logs)
    hook.__name__, hook.__doc__ = name, "Tells every callback."
    return hook


for _name in ("on_epoch_begin", "on_epoch_end", "on_predict_batch_begin", "on_predict_batch_end", "on_batch_begin",
              "on_batch_end"):
    setattr(CallbackList, _name, _forward(_name, True))
for _name in ("on_train_begin", "on_train_end", "on_test_begin", "on_test_end", "on_predict_begin", "on_predict_end"):
    setattr(CallbackList, _name, _forward(_name, False))
