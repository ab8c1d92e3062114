"""Model files: written and read by the modules of each format; this one chooses by the ending."""

from jkeras.core.registry import public


def _not_yet(what):
    raise NotImplementedError(f"{what}: model files are not there yet. Use `jkeras.saving.Checkpointer`, or "
                              "`fit(checkpoint=folder)`.")


@public("keras.saving.save_model", "keras.models.save_model")
def save_model(model, filepath, overwrite=True, zipped=None, **kwargs):
    """Saves a model to a file."""
    _not_yet(f"save_model({filepath!r})")


@public("keras.saving.load_model", "keras.models.load_model")
def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """Loads a model from a file."""
    _not_yet(f"load_model({filepath!r})")


@public("keras.saving.save_weights")
def save_weights(model, filepath, overwrite=True, **kwargs):
    """Saves a model's weights to a file."""
    _not_yet(f"save_weights({filepath!r})")


@public("keras.saving.load_weights")
def load_weights(model, filepath, skip_mismatch=False, **kwargs):
    """Loads a model's weights from a file."""
    _not_yet(f"load_weights({filepath!r})")
