"""What is said of a model type: its entries of `config.json`, its weights, what it computes."""

import collections.abc
import dataclasses
import typing

from jkeras.core.errors import SerializationError
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.native import rope
from jkeras.saving.hugging_face.native.vision_plans import Plan
from jkeras.saving.hugging_face.native.rope import Form
from jkeras.saving.types import Config

if typing.TYPE_CHECKING:
    from jkeras.saving.flat import Stored

Weights = collections.abc.Mapping[str, "Stored"]
TIE = "tie_word_embeddings"
# the names of activations in transformers that are computed
ACTIVATIONS = (
    *("gelu", "gelu_python", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu"),
    *("relu", "relu2", "silu", "swish", "tanh"),
)
FLAG = (True, False)
NEEDED = object()  # of an entry without a default


class Entry(typing.NamedTuple):
    """An entry of `config.json`.

    Attributes:
        default: what transformers takes where a file leaves it out.
        kind: "number", which `entries.check_number` looks at by name; "any number"; "list" or
            "other", at which the family looks; or the values that are computed.
        can_be_none: whether None is a value; else where it is the default.
    """

    default: typing.Any
    kind: str | tuple = "number"
    can_be_none: bool = False


def number(default: typing.Any) -> Entry:
    """An entry whose name says what number it is."""
    return Entry(default)


def flag(default: bool) -> Entry:
    """An entry that is True or False."""
    return Entry(default, FLAG)


def activation(default: str) -> Entry:
    """An entry that names an activation."""
    return Entry(default, ACTIVATIONS)


def only(*values: typing.Any) -> Entry:
    """An entry with the values that are computed, the first of which is the default."""
    return Entry(values[0], values)


@dataclasses.dataclass(frozen=True)
class Family:
    """A model type.

    Attributes:
        kind: its name in `config.json`.
        writes: {task: class of transformers}.
        prefix: of the names of all weights but those of a head.
        names: a line for each layer of theirs: their name, ours (several, where one weight holds
            theirs), how they lie; `#` is a number. Or a function of all entries that gives them.
        entries: {entry: what it may be}.
        plan: what the model computes, by all entries.
        rope: how entries say of rotations; None: there are none.
        ignored: further entries that change no output.
        derived: {entry: function of all entries}, where it is None.
        multiples: (entry, another one that divides it).
        renamed: {entry: its other name}.
        first: makes the entries those that are looked at.
        heads: what names begin with that have no prefix: those of heads.
        left: what names begin with, behind the prefix, that some heads have and others do not.
        tied: {name: the one whose numbers it has, where both are in a file}.
        is_causal: whether tokens alone come in; else also what is padding.
        older: (end of a name, its end in older files).
        may_miss: names of weights that files may leave out; they are as in a new model.
        by_weights: entries as the weights of a folder say them, where they say more.
        model: the class of `jkeras.models` that computes it.
        parts: {entry: what is said of the configuration in it}.
        optional: {argument of the model: what names of the weights begin with without which it is
            False}, of models without a head.
    """

    kind: str
    writes: collections.abc.Mapping[str, str]
    prefix: str
    names: str | collections.abc.Callable[[Config], str]
    entries: collections.abc.Mapping[str, Entry]
    plan: collections.abc.Callable[[Config], Plan]
    rope: Form | None = None
    ignored: tuple[str, ...] = ()
    derived: collections.abc.Mapping[str, collections.abc.Callable[[Config], typing.Any]] = (
        dataclasses.field(default_factory=dict)
    )
    multiples: tuple[tuple[str, str], ...] = ()
    renamed: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    first: collections.abc.Callable[[Config], Config] = dict
    heads: tuple[str, ...] = ("lm_head.", "embed_out.", "score.", "classifier.", "qa_outputs.")
    left: tuple[str, ...] = ()
    tied: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_causal: bool = True
    older: tuple[tuple[str, str], ...] = ()
    may_miss: tuple[str, ...] = ()
    by_weights: collections.abc.Callable[[Config, Weights], Config] = lambda config, _: config
    model: str = "LanguageTransformer"
    parts: collections.abc.Mapping[str, "Family"] = dataclasses.field(default_factory=dict)
    optional: collections.abc.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def what(self) -> str:
        """Its name in messages."""
        return f"jkeras's '{self.kind}'"


def understood(family: Family, config: Config) -> Config:
    """The entries that say what is computed, with those that a file leaves out; each was looked at.

    Raises:
        SerializationError: an entry is unknown, or has a value that is not computed.
    """
    what = family.what
    config = _with_first_names(family, family.first(config))
    if family.rope is not None:
        config = rope.understood(family.rope, config, what)
    rotations = _rotations(family)
    known = {*family.entries, *family.parts, *family.ignored, *entries.PLAIN, *LABELS, *rotations}
    entries.check_supported(config, known, what)
    plain = {k: v for k, v in entries.PLAIN.items() if k not in family.entries}
    entries.check_values(config, plain, what)
    found = {entry: _value(entry, said, config, what) for entry, said in family.entries.items()}
    found |= {entry: _part(entry, part, config) for entry, part in family.parts.items()}
    for entry, make in family.derived.items():
        if found[entry] is None:
            found[entry] = make(found)
    _check_multiples(family, found)
    rotated = {entry: config[entry] for entry in rotations}
    return {"model_type": family.kind, **found, **rotated, **_heads(config)}


def _rotations(family: Family) -> list[str]:
    """The entries of rotary positions."""
    if family.rope is None:
        return []
    return [entry for entry in (*family.rope.entries, "rope_scaling") if entry]


def _check_multiples(family: Family, found: Config) -> None:
    for entry, divisor in family.multiples:
        if found[entry] % found[divisor]:
            raise SerializationError(
                f"config.json says {entry}={found[entry]} and {divisor}={found[divisor]}: expected "
                "the first to be a multiple of the second."
            )


def _part(entry: str, part: Family, config: Config) -> Config:
    """What `understood` gives of the configuration in an entry; one that is missing says nothing.

    Raises:
        SerializationError: it is no configuration of that type, or has an entry that is unknown or
            not computed.
    """
    inner = config.get(entry)
    if inner is None:
        inner = {}
    if not isinstance(inner, dict):
        raise SerializationError(f"config.json says {entries.shown(entry, inner)}: no object.")
    kind = inner.get("model_type", part.kind)
    if kind != part.kind:
        raise SerializationError(
            f"config.json says {entries.shown('model_type', kind)} in {entry}: expected "
            f"{part.kind!r}."
        )
    try:
        return understood(part, inner)
    except SerializationError as error:
        raise SerializationError(f"In {entry}: {error}") from error


def _with_first_names(family: Family, config: Config) -> Config:
    """The entries under the names that are written.

    Raises:
        SerializationError: one has both names.
    """
    config = dict(config)
    for entry, other in family.renamed.items():
        if other not in config:
            continue
        if entry in config and config[entry] != config[other]:
            raise SerializationError(
                f"config.json says {entries.shown(entry, config[entry])} and "
                f"{entries.shown(other, config[other])}, which are two names of one entry."
            )
        config[entry] = config.pop(other)
    return config


def _value(entry: str, said: Entry, config: Config, what: str) -> typing.Any:
    """The value of an entry.

    Raises:
        SerializationError: it is missing, or none that is computed.
    """
    if entry not in config:
        if said.default is NEEDED:
            raise SerializationError(f"config.json does not have {entry}, which {what} needs.")
        return said.default
    value = config[entry]
    can_be_none = said.can_be_none or said.default is None
    if value is None and can_be_none:
        return None
    if isinstance(said.kind, tuple):
        entries.check_values({entry: value}, {entry: said.kind}, what)
    elif said.kind == "any number":
        if not entries.is_number(value):
            raise SerializationError(
                f"config.json says {entries.shown(entry, value)}: expected a number."
            )
    elif said.kind == "number":
        entries.check_number(entry, value)
    return value


# ---------------------------------------------------------------- heads that score labels

LABELS = ("id2label", "label2id", "num_labels", "pad_token_id", "problem_type")


def _heads(config: Config) -> Config:
    """What says of the padding and of the labels of a head, as far as it is there."""
    pad = config.get("pad_token_id")
    if pad is not None and type(pad) is not int:
        raise SerializationError(
            f"config.json says {entries.shown('pad_token_id', pad)}: expected a token."
        )
    return {entry: config[entry] for entry in LABELS if config.get(entry) is not None}


def labels_of(config: Config) -> int:
    """How many labels a head has.

    Raises:
        SerializationError: what says it is of another kind, or differs.
    """
    names, count = config.get("id2label"), config.get("num_labels")
    if names is not None and not isinstance(names, dict):
        raise SerializationError("config.json has an id2label that is no object.")
    said = set()
    if names is not None:
        said.add(len(names))
    if count is not None:
        entries.check_number("num_labels", count)
        said.add(count)
    if len(said) > 1:
        raise SerializationError(f"config.json says num_labels={count} and {len(names)} names.")
    said = said or {2}
    return said.pop()
