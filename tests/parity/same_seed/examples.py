"""The examples that are Keras programs, run with real Keras or jkeras in place of jkeras."""

import contextlib
import importlib.util
import io
import pathlib
import sys
import types

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples"
# by name: what makes `main` short
SHORT = {
    "functional_multi_io": {"epochs": 2},
    "siamese": {"epochs": 2, "count": 256},
    "unet_segmentation": {"epochs": 1, "count": 64},
    "vae": {"epochs": 1},
    "digits_quickstart": {"epochs": 1},
    "image_augmentation": {"epochs": 1, "images": 60},
}


@contextlib.contextmanager
def in_place(keras, digits):
    """A block in which `import jkeras` gives another library, with the digits of this one."""
    if keras.__name__ == "jkeras":
        yield
        return
    arrays = digits.load_data()
    names = [name for name in sys.modules if name.split(".")[0] == "jkeras"]
    before = {name: sys.modules.pop(name) for name in names}
    datasets = types.ModuleType("jkeras.datasets")
    datasets.digits = types.SimpleNamespace(load_data=lambda: arrays)
    sys.modules.update({"jkeras": keras, "jkeras.datasets": datasets, "jkeras.utils": keras.utils})
    try:
        yield
    finally:
        for name in ("jkeras", "jkeras.datasets", "jkeras.utils"):
            del sys.modules[name]
        sys.modules.update(before)


def histories(keras, digits, name):
    """The history of each `fit` of an example."""
    fits, fit = [], keras.Model.fit

    def noted(self, *args, **kwargs):
        history = fit(self, *args, **kwargs)
        fits.append(history.history)
        return history

    keras.Model.fit = noted
    try:
        with in_place(keras, digits), contextlib.redirect_stdout(io.StringIO()):
            spec = importlib.util.spec_from_file_location(f"same_{name}", EXAMPLES / f"{name}.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            module.main(**SHORT[name])
    finally:
        keras.Model.fit = fit
    return fits
