"""The modules of Keras 2: jkeras's own, and over them what Keras 2 has under another name or with
other arguments.
"""

import functools
import inspect
import itertools
import types

import jkeras
from jkeras.keras2 import (
    backend,
    callbacks,
    graph_functions,
    hdf5,
    image,
    input_shapes,
    kernels,
    layers,
    legacy_layers,
    losses,
    merging,
    models,
    optimizers,
    scikit_learn,
    sequence,
    tables,
    text,
    windows,
)
from jkeras.keras2 import tensorflow as stand_in
from jkeras.keras2.old_class import OldClass

# names of layers that are no classes or stay as they are
PLAIN_LAYERS = ("InputSpec", "Input", "Layer", "serialize", "deserialize")
VERSION = "2.15.0"


class Keras2Module(types.ModuleType):
    """A module with the names of one of today and, before them, those of Keras 2.

    Args:
        name: full name, "keras.layers".
        today: the module of today, or None.
        old: dict of what Keras 2 has otherwise.
        look: function of (module, name) called when a program asks for a name of `old`.
        call: what a call of the module does; `keras.layers.merge` is a function too.
    """

    def __init__(self, name, today, old, look, call=None):
        super().__init__(name, getattr(today, "__doc__", None))
        self.__path__ = []
        self._today, self._old, self._look, self._call = today, old, look, call
        public = [key for key in old if not key.startswith("_")]
        self.__all__ = sorted({*public, *getattr(today, "__all__", ())})

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        old = vars(self)["_old"]
        if name in old:
            self._look(self.__name__, name)
            return old[name]
        if hasattr(self._today, name):
            return getattr(self._today, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __call__(self, *args, **kwargs):
        if self._call is None:
            raise TypeError(f"module {self.__name__!r} is not callable")
        return self._call(*args, **kwargs)

    def __dir__(self):
        return self.__all__


def modules(notes):
    """All modules of Keras 2 and of the stand-in for TensorFlow, by their full names.

    Args:
        notes: where translations are noted.
    """
    return _Builder(notes).modules


class _Builder:
    """Makes the modules, which refer to each other."""

    def __init__(self, notes):
        self.notes = notes
        self.modules = {}
        sequential, graph = models.old_models(notes)
        self.models = {
            "Sequential": _instead(jkeras.Sequential, sequential),
            "Model": _instead(jkeras.Model, graph),
            **models.old_loading(sequential, graph),
        }
        self._as_old = lambda model: models.as_old(model, sequential, graph)
        self._make()

    def _module(self, name, today=None, old=(), call=None):
        full = f"keras.{name}".rstrip(".")
        module = Keras2Module(full, today, dict(old), self._looked_at, call)
        self.modules[full] = module
        parent, _, last = full.rpartition(".")
        if parent in self.modules:
            setattr(self.modules[parent], last, module)
        return module

    def _looked_at(self, module, name):
        """Notes a name that Keras 3 has not."""
        new = tables.RENAMED.get(name)
        if new is not None:
            self.notes.add(f"{module}.{name}", f"{module}.{new}")
        elif module == "keras.backend" and name not in jkeras.backend.__all__:
            new = f"keras.ops.{name}" if hasattr(jkeras.ops, name) else "functions of keras.ops"
            self.notes.add(f"keras.backend.{name}", new)

    def _make(self):
        self._module("", jkeras, self._root()).__version__ = VERSION
        old_layers = self._layers()
        self._module("layers", jkeras.layers, old_layers)
        self._module("models", jkeras.models, self.models)
        self._module("optimizers", jkeras.optimizers, self._optimizers())
        self._module("optimizers.schedules", jkeras.optimizers.schedules)
        self._module("callbacks", jkeras.callbacks, self._callbacks())
        self._module("backend", jkeras.backend, old_backend())
        self._module("utils", jkeras.utils, self._utils())
        for name in ("losses", "metrics", "initializers", "regularizers"):
            today = getattr(jkeras, name)
            self._module(name, today, self._renamed(today))
        self._module("constraints", jkeras.constraints, _constraints())
        self._module("activations", jkeras.activations)
        self._preprocessing()
        self._module("wrappers")
        self._module("wrappers.scikit_learn", None, members(scikit_learn))
        self._public("datasets", jkeras.datasets)
        self._public("legacy", jkeras.legacy)
        self._public("applications", jkeras.applications, self._of_old_models)
        for old in sorted(tables.MODULES, key=lambda name: name.count(".")):  # parents first
            self._old_module(old, tables.MODULES[old])
        tf_modules = stand_in.make(self.modules["keras"])
        for name, module in list(self.modules.items()):
            tf_modules[f"tensorflow.{name}"] = module
            tf_modules[name.replace("keras", "tensorflow.python.keras", 1)] = module
        tf_modules["tensorflow.python"] = types.ModuleType("tensorflow.python")
        tf_modules["tensorflow.python"].__path__ = []
        self.modules.update(tf_modules)

    def _public(self, name, today, old=lambda today: {}):
        """A module of today and those below it, with what `old` says of each."""
        self._module(name, today, old(today))
        for child in getattr(today, "__all__", ()):
            if isinstance(getattr(today, child), types.ModuleType):
                self._public(f"{name}.{child}", getattr(today, child), old)

    def _of_old_models(self, today):
        """The functions of a module that make models, whose models have the old methods."""

        def old(function):
            @functools.wraps(function)
            def make(*args, **kwargs):
                return self._as_old(function(*args, **kwargs))

            return make

        names = [name for name in getattr(today, "__all__", ()) if name[0].isupper()]
        more = {}
        if today is jkeras.applications.imagenet_utils:
            more["_obtain_input_shape"] = input_shapes.obtain_input_shape
        if today is jkeras.applications.mobilenet:
            depthwise = layers.old_layer(jkeras.layers.DepthwiseConv2D, self.notes)
            more.update(relu6=jkeras.ops.relu6, DepthwiseConv2D=depthwise)
        return {name: old(getattr(today, name)) for name in names} | more

    def _old_module(self, old, new):
        """A module that Keras 3 has not, with the names of the one that has them now."""
        parts = old.split(".")
        for prefix in itertools.accumulate(parts[:-1], lambda a, b: f"{a}.{b}"):
            if f"keras.{prefix}" not in self.modules:
                self._module(prefix)
        source = self.modules[f"keras.{new}"]
        if f"keras.{old}" in self.modules:
            return
        more = self._engine() if old.startswith("engine") else {}
        old_things = vars(source)["_old"]
        call = old_things["merge"] if old == "layers.merge" else None
        self._module(old, vars(source)["_today"], {**old_things, **more}, call)

    def _engine(self):
        """What modules of the engine have besides the names of today's module."""
        graph = self.models["Model"]
        slices = dict.fromkeys(("slice_X", "slice_arrays", "_slice_arrays"), models.slice_arrays)
        return {"Model": graph, "Container": graph, **slices}

    def _root(self):
        return {
            **{key: self.models[key] for key in ("Sequential", "Model")},
            "Input": layers.old_input(self.notes),
        }

    def _layers(self):
        old = {}
        for name in jkeras.layers.__all__:
            thing = getattr(jkeras.layers, name)
            if inspect.isclass(thing) and name not in PLAIN_LAYERS:
                old[name] = layers.old_layer(thing, self.notes)
        for name, new in tables.RENAMED.items():
            if new in old and not name.startswith("CuDNN"):
                old[name] = old[new]
        old.update(
            CuDNNGRU=layers.cudnn("GRU", self.notes),
            CuDNNLSTM=layers.cudnn("LSTM", self.notes),
            Input=layers.old_input(self.notes),
            Lambda=layers.old_lambda(self.notes),
            Layer=layers.old_base_layer(self.notes),
            LocallyConnected1D=layers.old_layer(layers.LocallyConnected1D, self.notes),
            LocallyConnected2D=layers.old_layer(layers.LocallyConnected2D, self.notes),
            ThresholdedReLU=layers.old_layer(layers.ThresholdedReLU, self.notes),
            TimeDistributedDense=layers.time_distributed_dense(self.notes),
            Highway=legacy_layers.Highway,
            MaxoutDense=legacy_layers.MaxoutDense,
            Merge=merging.merge_class(self.notes),
            Recurrent=jkeras.layers.RNN,
            _Merge=legacy_layers.MergeBase,
            get_source_inputs=jkeras.utils.get_source_inputs,
            merge=merging.merge_function(self.notes),
        )
        return old

    def _optimizers(self):
        old = self._renamed(jkeras.optimizers)
        for name in ("SGD", "RMSprop", "Adam", "Adamax", "Nadam", "Adagrad", "Adadelta", "Ftrl"):
            old[name] = optimizers.old_optimizer(getattr(jkeras.optimizers, name), self.notes)
            old[name.lower()] = old[name]
        for function in (optimizers.serialize, optimizers.deserialize, optimizers.get):
            old[function.__name__] = function
        return old

    def _callbacks(self):
        old = {
            name: callbacks.old_callback(getattr(jkeras.callbacks, name), self.notes)
            for name in (*callbacks.LOOKED_AT, "TensorBoard")
        }
        return {**old, "Callback": callbacks.old_callback_base(self.notes)}

    def _renamed(self, today):
        pairs = {**tables.SHORT, **tables.RENAMED}
        return {
            old: getattr(today, new)
            for old, new in pairs.items()
            if hasattr(today, new) and not hasattr(today, old)
        }

    def _utils(self):
        def multi_gpu_model(model, gpus=None, **options):
            self.notes.add("multi_gpu_model(model)", "keras.distribution.set_distribution()")
            return model

        return {
            "multi_gpu_model": multi_gpu_model,
            "plot": jkeras.utils.plot_model,
            "np_utils": jkeras.utils,
            "CustomObjectScope": jkeras.utils.CustomObjectScope,
            "HDF5Matrix": hdf5.HDF5Matrix,
            "convert_kernel": kernels.convert_kernel,
            "convert_all_kernels_in_model": kernels.convert_all_kernels_in_model,
        }

    def _preprocessing(self):
        self._module("preprocessing", jkeras.preprocessing)
        for name, old, today in (
            ("image", image, jkeras.preprocessing.image),
            ("sequence", sequence, jkeras.preprocessing.sequence),
            ("text", text, None),
        ):
            self._module(f"preprocessing.{name}", today, members(old))


def _instead(today, old):
    """A class of today, by whose name the old subclass is made and inherited from."""
    return OldClass(today, lambda cls, args, kwargs: old(*args, **kwargs), lambda: old)


def members(module):
    """What a file defines, and what it says it passes on."""
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
        ]
    return {name: getattr(module, name) for name in names}


def old_backend():
    """The functions of the old backend."""
    old = {name: getattr(backend, name) for name in (*backend.PLAIN, *backend.ELSEWHERE)}
    for part in (backend, graph_functions, losses, windows):
        old |= members(part)
    return old


def _constraints():
    """The short names of constraints."""
    today = jkeras.constraints
    return {
        "maxnorm": today.MaxNorm,
        "max_norm": today.MaxNorm,
        "nonneg": today.NonNeg,
        "non_neg": today.NonNeg,
        "unitnorm": today.UnitNorm,
        "unit_norm": today.UnitNorm,
    }
