"""The few global settings Keras users expect, in one object: names, seeds, float type, policy.

Everything else in the library is a value that is passed along.
"""

import collections
import contextlib
import functools
import os
import random
import re
from typing import Literal

import jax
import numpy as np

from jkeras.core.errors import ArgumentError, check_choice, check_number, check_whole
from jkeras.core.session.host_random import untouched
from jkeras.core.session.seeding import import_what_draws, seed_tensorflow
from jkeras.core.system.own_files import check_private, make_private
from jkeras.kernel import in_force

FLOAT_TYPES = ("float16", "bfloat16", "float32", "float64")


def _limit(name):
    value = os.environ.get(name)
    return None if value is None else int(value)


class Settings:
    """What the session is set to. One instance, `settings`, exists."""

    def __init__(self):
        self.floatx = "float32"
        self.epsilon = 1e-7
        self.keras_version = "3.15"  # see keras_version.py
        self.keras_version_in_jit = None  # what keys programs by it, once it was changed
        self.image_data_format = "channels_last"
        self.dtype_policy = None  # None: follows floatx
        self.interactive_logging = True
        self.flash_attention = None  # None: not asked for
        self.device_reported = False  # `fit` has said which device it runs on, where that surprises
        self.max_epochs = _limit("KERAS_MAX_EPOCHS")
        self.max_steps_per_epoch = _limit("KERAS_MAX_STEPS_PER_EPOCH")
        self.seed = None
        self.names = collections.Counter()
        self.seed_generator = None  # of `jkeras.random` functions called without a seed
        self.distribution = None  # where variables and batches lie; None: on the first device

    def clear(self) -> None:
        """Forgets automatic names and the global seed generator, as `clear_session` does."""
        self.names.clear()
        self.seed_generator = None
        self.seed = None


settings = Settings()


def floatx() -> str:
    """The default float type, a string.

    Returns:
        Text, such as "float32".

    >>> floatx()
    'float32'
    """
    return settings.floatx


def set_floatx(value: str) -> None:
    """Sets the default float type: "float16", "bfloat16", "float32" or "float64".

    Args:
        value: the name of one of these types.
    Returns:
        None.
    Raises:
        ValueError: another name.

    >>> set_floatx("bfloat16")
    >>> floatx()
    'bfloat16'
    >>> set_floatx("float32")
    """
    check_choice("floatx", value, sorted(FLOAT_TYPES))
    settings.floatx = str(value)


def epsilon() -> float:
    """The small number added to denominators, 1e-7 unless set.

    Returns:
        float.

    >>> epsilon()
    1e-07
    """
    return settings.epsilon


def set_epsilon(value: float) -> None:
    """Sets the small number that `epsilon()` returns.

    Args:
        value: number from 0 on.
    Returns:
        None.
    Raises:
        ValueError: a negative number.

    >>> old = epsilon()
    >>> set_epsilon(1e-5)
    >>> epsilon()
    1e-05
    >>> set_epsilon(old)
    """
    check_number("value", value)
    if value < 0:
        raise ArgumentError(f"`value` must be 0 or more. Received: value={value}")
    settings.epsilon = value


def image_data_format() -> Literal["channels_last", "channels_first"]:
    """ "channels_last" (the default) or "channels_first".

    Returns:
        Text.

    >>> image_data_format()
    'channels_last'
    """
    return settings.image_data_format


def set_image_data_format(data_format: Literal["channels_last", "channels_first"]) -> None:
    """Sets the default position of the channel axis: "channels_last" or "channels_first".

    Args:
        data_format: where batches of images have their channels: (batch, height, width, channels)
            or (batch, channels, height, width).
    Returns:
        None.
    Raises:
        ValueError: another name.

    >>> set_image_data_format("channels_first")
    >>> image_data_format()
    'channels_first'
    >>> set_image_data_format("channels_last")
    """
    settings.image_data_format = standardize_data_format(str(data_format))


def standardize_data_format(
    data_format: str | None,
) -> str:
    """`data_format`, checked; the default one for None."""
    if data_format is None:
        return settings.image_data_format
    data_format = str(data_format).lower()
    check_choice("data_format", data_format, ("channels_first", "channels_last"))
    return data_format


def is_interactive_logging_enabled() -> bool:
    """Whether progress is shown as a bar rather than as plain lines.

    >>> disable_interactive_logging()
    >>> is_interactive_logging_enabled()
    False
    >>> enable_interactive_logging()
    """
    return settings.interactive_logging


def enable_interactive_logging() -> None:
    """Shows progress as a bar on the terminal (the default).

    >>> enable_interactive_logging()
    >>> is_interactive_logging_enabled()
    True
    """
    settings.interactive_logging = True


def disable_interactive_logging() -> None:
    """Shows progress as one plain line for each epoch.

    >>> disable_interactive_logging()
    >>> is_interactive_logging_enabled()
    False
    >>> enable_interactive_logging()
    """
    settings.interactive_logging = False


def is_flash_attention_enabled() -> bool | None:
    """Whether attention layers demand the fused kernel: True, False, or None where no one has
    asked.

    >>> enable_flash_attention()
    >>> is_flash_attention_enabled()
    True
    >>> disable_flash_attention()
    """
    return settings.flash_attention


def enable_flash_attention() -> None:
    """Lets attention layers made from now on demand the fused kernel (`flash_attention=True`).

    >>> enable_flash_attention()
    >>> is_flash_attention_enabled()
    True
    >>> disable_flash_attention()
    """
    settings.flash_attention = True


def disable_flash_attention() -> None:
    """Lets attention layers compute as XLA compiles them.

    >>> disable_flash_attention()
    >>> is_flash_attention_enabled()
    False
    """
    settings.flash_attention = False


def is_traceback_filtering_enabled() -> bool:
    """Whether tracebacks leave out the frames of the machinery.

    >>> is_traceback_filtering_enabled()
    True
    """
    return jax.config.jax_traceback_filtering != "off"


def enable_traceback_filtering() -> None:
    """Leaves JAX's own frames out of tracebacks (the default). The setting is JAX's
    `jax_traceback_filtering`.

    >>> enable_traceback_filtering()
    >>> is_traceback_filtering_enabled()
    True
    """
    jax.config.update("jax_traceback_filtering", "auto")


def disable_traceback_filtering() -> None:
    """Shows whole tracebacks.

    >>> disable_traceback_filtering()
    >>> is_traceback_filtering_enabled()
    False
    >>> enable_traceback_filtering()
    """
    jax.config.update("jax_traceback_filtering", "off")


def enable_compilation_cache(
    folder: str | os.PathLike[str] = "~/.cache/jkeras/xla", min_seconds: float = 0.5
) -> None:
    """Keeps compiled programs in a folder, so that a later process need not compile the same ones
    again.

    On Colab a folder on a mounted Drive outlives the machine. What is in it is run as machine code:
    a new folder is made for this user alone.

    Args:
        min_seconds: programs that compile faster are not cached.

    Raises:
        PermissionError: other users may change what is in the folder, or replace it.

    >>> import tempfile
    >>> enable_compilation_cache(tempfile.mkdtemp())
    >>> disable_compilation_cache()
    """
    folder = os.path.expanduser(folder)
    if "://" not in folder:  # of a bucket, whose rights are its own
        make_private(os.path.abspath(folder))
        check_private(folder, "compiled programs, which are run as they lie there")
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", min_seconds)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    _look_at_cache_again()


def disable_compilation_cache() -> None:
    """Keeps compiled programs in this process only, as JAX does by itself.

    >>> disable_compilation_cache()
    """
    jax.config.update("jax_compilation_cache_dir", None)
    _look_at_cache_again()


def _look_at_cache_again() -> None:
    """Lets JAX look at the folder of compiled programs, which it does once in a process. A JAX
    without that call takes the setting if nothing was compiled before.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from jax.experimental.compilation_cache import compilation_cache

        compilation_cache.reset_cache()


def max_epochs() -> int | None:
    """The largest number of epochs of any `fit`, or None.

    >>> set_max_epochs(2)
    >>> max_epochs()
    2
    >>> set_max_epochs(None)
    """
    return settings.max_epochs


def set_max_epochs(max_epochs: int | None) -> None:
    """Lets no `fit` run longer than this, to try a script quickly; None lifts the limit.

    The environment variable KERAS_MAX_EPOCHS sets it from outside.

    >>> set_max_epochs(1)
    >>> max_epochs()
    1
    >>> set_max_epochs(None)
    """
    if max_epochs is not None:
        check_whole("max_epochs", max_epochs, at_least=0)
    settings.max_epochs = max_epochs


def max_steps_per_epoch() -> int | None:
    """The largest number of batches in an epoch of `fit`, `evaluate` and `predict`, or None.

    >>> set_max_steps_per_epoch(10)
    >>> max_steps_per_epoch()
    10
    >>> set_max_steps_per_epoch(None)
    """
    return settings.max_steps_per_epoch


def set_max_steps_per_epoch(max_steps_per_epoch: int | None) -> None:
    """Lets no epoch take more batches than this; None lifts the limit.

    The environment variable KERAS_MAX_STEPS_PER_EPOCH sets it from outside.

    >>> set_max_steps_per_epoch(3)
    >>> max_steps_per_epoch()
    3
    >>> set_max_steps_per_epoch(None)
    """
    if max_steps_per_epoch is not None:
        check_whole("max_steps_per_epoch", max_steps_per_epoch, at_least=0)
    settings.max_steps_per_epoch = max_steps_per_epoch


@functools.lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """ "Conv2DTranspose" -> "conv2d_transpose".

    >>> snake_case("BatchNormalization")
    'batch_normalization'
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """A name not used before in this session: "dense", "dense_1", …"""
    prefix = snake_case(prefix)
    counting = in_force.value_of(APART)
    names = settings.names if counting is None else counting.names
    count = names[prefix]
    names[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


APART = "counts apart"


class uncounted:  # noqa: N801 - used as a function
    """A block in which new objects get names and seeds that the session does not count.

    >>> settings.clear()
    >>> with uncounted():
    ...     auto_name("dense"), auto_name("dense")
    ('dense', 'dense_1')
    >>> auto_name("dense")
    'dense'
    """

    def __enter__(self):
        self.names = collections.Counter()
        self.random = random.Random(0)
        self._token = None
        if in_force.value_of(APART) is None:
            self._token = in_force.begin(APART, self)

    def __exit__(self, *exc):
        if self._token is not None:
            in_force.end(self._token)


def get_uid(prefix: str = "") -> int:
    """How often this prefix has been asked for, this time included.

    Args:
        prefix: text.
    Returns:
        int, from 1 on; `clear_session` begins anew.

    >>> settings.clear(); get_uid("dense"), get_uid("dense")
    (1, 2)
    """
    settings.names[prefix] += 1
    return settings.names[prefix]


def set_random_seed(seed: int) -> None:
    """Seeds Python's `random`, numpy and the library: initial weights, dropout, shuffling.

    Args:
        seed: integer in [0, 2**32).
    Returns:
        None.
    Raises:
        ValueError: no integer, or one outside.

    >>> set_random_seed(1)
    >>> first = np.random.rand()
    >>> set_random_seed(1)
    >>> first == np.random.rand()
    True
    """
    if not isinstance(seed, int):
        raise ValueError(
            f"`seed`: expected a whole number. Received: {seed} (of type {type(seed)})"
        )
    import_what_draws()
    random.seed(seed)
    np.random.seed(seed)
    settings.seed = seed
    settings.seed_generator = None
    seed_tensorflow(get_random_seed)


def get_random_seed() -> int | None:
    """The seed passed to `set_random_seed`, or None."""
    return settings.seed


def default_seed() -> int:
    """A seed for something that has none: from Python's `random`, which `set_random_seed`
    controls.
    """
    counting = in_force.value_of(APART)
    source = random if counting is None else counting.random
    return source.randint(1, int(1e9))


def coming_seed() -> int:
    """The seed that `default_seed` would give next; nothing is drawn for it."""
    with untouched():
        return default_seed()


def clear_session(free_memory: bool = True) -> None:
    """Starts automatic names again ("dense", not "dense_17") and forgets the global seed generator.

    Args:
        free_memory: also collect garbage, so that the arrays of dropped models are released.
    Returns:
        None.

    >>> import jkeras
    >>> clear_session()
    >>> jkeras.layers.Dense(1).name
    'dense'
    """
    settings.clear()
    if free_memory:
        import gc

        gc.collect()
