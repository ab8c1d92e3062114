"""Families: what an argument such as `kernel_initializer` takes, be it a name, a config, a class or
an object.
"""

import difflib
import functools
import inspect

from jkeras.core.names import registry
from jkeras.core.errors import suggestion
from jkeras.core.session.settings import snake_case

LONGEST_LIST = 600  # characters of the names that a message lists
families = {}  # "initializers" -> Family


def spellings_of_class(name, thing):
    """How a class may be named in an argument: "HeNormal" and "he_normal"; functions not at all."""
    return (name, snake_case(name)) if inspect.isclass(thing) else ()


class Family:
    """What a string, config, class or function may stand for in one argument: initializers, losses,
    …

    Its members are the public names of the package `keras.NAME`.

    Args:
        noun: the word for messages, "initializer".
        short: dict from further accepted strings to a class or function.
        spellings: function `(name, thing)` that gives the accepted strings for a member.
        none: what `get(None)` returns.
    """

    def __init__(self, name, noun, short=None, spellings=spellings_of_class, none=None):
        self.name = name
        self.noun = noun
        self.short = short or {}
        self.spellings = spellings
        self.none = none
        families[name.rpartition(".")[2]] = self

    @functools.cached_property
    def aliases(self):
        """Dict from every accepted string to a class or function."""
        members = registry.members(f"keras.{self.name}").items()
        return {
            alias: thing
            for name, thing in members
            if name not in ("get", "serialize", "deserialize")
            for alias in self.spellings(name, thing)
        } | self.short

    def deserialize(self, config, custom_objects=None):
        """The object from its config or name."""
        if isinstance(config, dict) and "class_name" not in config:
            raise ValueError(
                f"Expected a dict with 'class_name' for the {self.noun}. Received: {config}"
            )
        if (
            isinstance(config, dict)
            and "module" not in config
            and config.get("class_name") in self.aliases
        ):
            target = self.aliases[config["class_name"]]
            return (
                target.from_config(config.get("config") or {})
                if inspect.isclass(target)
                else target
            )
        if isinstance(config, str):
            member = self._by_name(config, custom_objects)
            return member() if inspect.isclass(member) else member
        return registry.deserialize(config, custom_objects)

    def _by_name(self, name, custom_objects=None):
        member = registry.get_registered_object(name, custom_objects)
        member = self.aliases.get(name) if member is None else member
        if member is None:
            advice = self.advice(name)
            raise ValueError(f"Could not interpret {self.noun} identifier: {name}.{advice}")
        return member

    def advice(self, name):
        """What to say of a name that there is not: the one that was meant, else all; where these
        are so many that nobody reads them, the three that are nearest.
        """
        names = sorted(map(str, self.aliases))
        known = ", ".join(names)
        guess = suggestion(name, names)
        if guess or len(known) <= LONGEST_LIST:
            return guess or f" Known names: {known}."
        lowered = {one.lower(): one for one in names}
        near = [lowered[one] for one in difflib.get_close_matches(name.lower(), lowered, 3, 0.0)]
        return f" The nearest names are {', '.join(map(repr, near))}, all are in `{self.name}`."

    def get(self, identifier):
        """The object that an identifier stands for: None, a name, a config, a class, or the object
        itself.
        """
        if identifier is None:
            return self.none
        if isinstance(identifier, dict):
            member = self.deserialize(identifier)
        elif isinstance(identifier, str):
            member = self._by_name(identifier)
        else:
            member = identifier
        if inspect.isclass(member):
            member = member()
        if callable(member):
            return member
        raise ValueError(f"Could not interpret {self.noun} identifier: {identifier}")

    def serialize(self, obj):
        """The config of an object of this family."""
        return registry.serialize(obj)
