"""What each argument of a constructor means: from the docstrings of the class and its bases, of the
class that it refers to, and from one table for what all layers share.
"""

import inspect
import re
import sys

ENTRY = re.compile(r"    ([*\w]+(?:, [*\w]+)*): ")
AS_OF = re.compile(r"[Aa]rguments\s+as\s+of\s+`(\w+)`|Args: see `(\w+)`|[Cc]alled\s+like\s+`(\w+)`")
WEIGHTS = {  # arguments that are made of the name of a weight
    "_initializer": "how the first values of `{}` are made: a name, a config, an object of "
    "`jkeras.initializers`, or a function of shape and dtype.",
    "_regularizer": 'penalty on `{}` that joins the loss, such as "l2"; None: none.',
    "_constraint": "what maps `{}` back after each update, such as "
    "`jkeras.constraints.MaxNorm(2)`; None: nothing.",
}
SHARED = {
    "activation": "function of the result, by name or as a function; None: none.",
    "activity_regularizer": "penalty on the output that joins the loss; None: none.",
    "autocast": "whether float inputs are cast to the compute dtype.",
    "center": "whether `beta` is learned and added.",
    "data_format": '"channels_last" or "channels_first"; None: what '
    "`jkeras.config.image_data_format()` says.",
    "depth_multiplier": "how many output channels come from each input channel.",
    "dilation_rate": "how far apart the points of a window lie, int or one for each spatial axis.",
    "dropout": "the share of the input that is dropped in training.",
    "dtype": 'name of a dtype or of a policy, such as "mixed_bfloat16"; None: the global policy.',
    "epsilon": "a small number that keeps the division away from 0.",
    "fill_value": "what fills places without a value.",
    "filters": "the number of output channels.",
    "go_backwards": "from the end to the beginning; the outputs are in that order too.",
    "height": "of the result, in pixels.",
    "implementation": "1 draws one dropout mask for each gate, 2 one for all.",
    "kernel_size": "size of the windows, int or one for each spatial axis.",
    "lora_alpha": "scale of the low-rank change; see `enable_lora`.",
    "lora_rank": "if given, the weight is frozen and a low-rank change of it is trained; see "
    "`enable_lora`.",
    "name": "by default from the class's name.",
    "noise_shape": "shape of the random mask, 1 where an axis shares it.",
    "padding": '"valid" (none) or "same" (so that the output has the size of the input / strides).',
    "pool_size": "size of the windows, int or one for each spatial axis.",
    "quantization_config": "how the weight is kept in few bits; see `quantize`.",
    "ragged": "there for Keras's sake; must be false.",
    "rate": "the share of entries that are dropped.",
    "recurrent_activation": "function of the gates.",
    "recurrent_dropout": "the share of the state that is dropped in training.",
    "salt": "the key of the hash.",
    "scale": "whether `gamma` is learned and multiplied with.",
    "seed": "integer from which the layer's random numbers follow; None: one drawn from the global "
    "seed.",
    "sparse": "whether values are sparse arrays.",
    "strides": "from one window to the next, int or one for each spatial axis.",
    "trainable": "whether gradients reach the weights.",
    "unit_forget_bias": "whether the bias of the forget gate begins at 1.",
    "units": "size of the output's last axis.",
    "use_bias": "whether a vector is learned and added.",
    "width": "of the result, in pixels.",
}


def named(docstring):
    r"""{argument: its meaning} of the sections `Args:` of a docstring.

    >>> named("Adds.\n\nArgs:\n    a, b: numbers,\n        or arrays.\n    c: another.")
    {'a': 'numbers, or arrays.', 'b': 'numbers, or arrays.', 'c': 'another.'}
    """
    found, current, inside = {}, (), False
    for line in inspect.cleandoc(docstring or "").splitlines():
        if line.startswith("Args:"):
            inside = True
        elif line[:1].strip():
            inside = False
        elif inside and ENTRY.match(line):
            names = ENTRY.match(line)
            current = [name.strip("*") for name in names[1].split(", ")]
            found |= dict.fromkeys(current, line[names.end() :])
        elif inside and line.strip():
            found |= {name: f"{found[name]} {line.strip()}" for name in current}
    return found


def arguments(cls):
    """The names of the arguments of a constructor, without `*args` and `**kwargs`."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def referred(cls):
    """The classes that the docstring of a class names for its arguments, and those that these name.

    >>> from jkeras.layers import Conv3DTranspose
    >>> [other.__name__ for other in referred(Conv3DTranspose)]
    ['Conv2DTranspose', 'Conv2D']
    """
    found = []
    text = cls.__doc__ or ""
    names = [next(filter(None, groups)) for groups in AS_OF.findall(text)]
    names += re.findall(r"(?:as|see|those)\s+(?:of|for|in|as\s+for)\s+`(\w+)`", text)
    for name in dict.fromkeys(names):
        other = getattr(sys.modules[cls.__module__], name, None)
        if inspect.isclass(other) and other is not cls:
            found += [each for each in (other, *referred(other)) if each not in found]
    return found


def shared(name):
    """What an argument means that many layers have, or None."""
    for ending, text in WEIGHTS.items():
        if name.endswith(ending) and name not in SHARED:
            return text.format(name.removesuffix(ending))
    return SHARED.get(name)


def described(cls):
    """{argument: its meaning, or None} of a constructor."""
    texts = {}
    for other in (*referred(cls), *cls.__mro__):
        texts = {**named(vars(other).get("__doc__")), **texts}
    texts |= named(cls.__doc__)
    return {name: texts.get(name) or shared(name) for name in arguments(cls)}


def inherited(cls):
    """What the docstring of a class leaves to others: {argument: its meaning}."""
    own = named(cls.__doc__)
    return {name: text for name, text in described(cls).items() if text and name not in own}
