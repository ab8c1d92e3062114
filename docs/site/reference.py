"""The API reference: a page for each public module of jkeras, made from what is there at run time.

Not from the source text: the constructors of layers come from annotated fields, and ops from
decorators.
"""

import inspect
import itertools
import sys
import textwrap
import types
from typing import NamedTuple

from jkeras.core.layer import Layer
from jkeras.core.say.shown import is_internal

from arguments import inherited
from docstrings import markdown, prose, summary

WIDE = 88  # a longer signature takes several lines
MANY = 100  # a module of more names has a page for each of its files, or for each of these groups
GROUPS = {
    "jkeras.layers": {
        "Core": "dense einsum_dense ternary_dense embedding identity input lambda_layer masking "
        "stack base",
        "Activation": "activation",
        "Convolution": "convolution",
        "Pooling": "pooling",
        "Recurrent": "recurrent recurrent_cells conv_recurrent",
        "Attention": "attention multi_head_attention",
        "Normalization": "normalization",
        "Regularization": "dropout",
        "Reshaping": "reshaping",
        "Merging": "merge",
        "Wrappers": "wrappers pipeline",
        "Preprocessing": "encoding lookup text_vectorization spectrogram preprocessing",
        "Image augmentation": "image_base image_color image_filter image_geometry image_mix "
        "image_size",
        "Modules of other libraries": "jax_layer equinox_layer foreign",
    }
}
FUNCTIONS = """As functions of values, [`init`][jkeras.Layer.init] and
[`apply`][jkeras.Layer.apply]:

```python
params, state = {name}.init(rng, {inputs})
outputs, state = {name}.apply(params, state, {inputs}, training=False, rng=None)
```"""


class Entry(NamedTuple):
    """A public object: the name under which it is explained, and all the names that it has."""

    thing: object
    name: str
    names: list

    @property
    def short(self):
        return self.name.rpartition(".")[2]

    @property
    def module(self):
        return self.name.rpartition(".")[0]


def public_names(module):
    """`__all__`, or what a file defines that has none."""
    own = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    return getattr(module, "__all__", sorted(own))


def public_modules(module):
    """The module and the public ones within it.

    >>> import jkeras
    >>> [m.__name__ for m in public_modules(jkeras.optimizers)]
    ['jkeras.optimizers', 'jkeras.optimizers.legacy', 'jkeras.optimizers.schedules', \
'jkeras.optimizers.transform']
    """
    inner = [getattr(module, name) for name in public_names(module)]
    inner = [
        m
        for m in inner
        if isinstance(m, types.ModuleType) and m.__name__.startswith(module.__name__ + ".")
    ]
    return [module, *itertools.chain.from_iterable(map(public_modules, inner))]


def entries(root):
    """All public objects of a package and of the modules in it, each once."""
    found = {}
    for module in public_modules(root):
        for name in public_names(module):
            thing = getattr(module, name)
            if not isinstance(thing, types.ModuleType):
                found.setdefault(id(thing), (thing, []))[1].append(f"{module.__name__}.{name}")
    return [Entry(thing, _home(thing, names), sorted(names)) for thing, names in found.values()]


def _home(thing, names):
    """Of several names the shortest in the package where the thing is written, and there its own
    one.
    """
    package = ".".join(thing.__module__.split(".")[:2]) + "."
    return min(
        names,
        key=lambda name: (
            not name.startswith(package),
            name.count("."),
            name.rpartition(".")[2] != thing.__name__,
            name,
        ),
    )


def documentation(thing):
    """The docstring that a class or function has itself, or None."""
    return inspect.cleandoc(thing.__doc__) if thing.__doc__ else None


class Shown:
    """A default value as a program would write it: functions and classes by their name."""

    def __init__(self, value):
        self.text = getattr(value, "__name__", None) or repr(value)

    def __repr__(self):
        return self.text


def signature(name, function):
    """How a function is called.

    >>> signature("f", lambda self, x, *, axis=-1, call=print: 0)
    'f(x, *, axis=-1, call=print)'
    """
    empty = inspect.Parameter.empty
    parameters = [
        p.replace(annotation=empty, default=empty if p.default is empty else Shown(p.default))
        for p in inspect.signature(function).parameters.values()
        if p.name not in ("self", "cls")
    ]
    arguments = str(inspect.Signature(parameters))
    if len(name) + len(arguments) <= WIDE:
        return name + arguments
    lines = textwrap.wrap(arguments[1:-1], WIDE - 4, break_long_words=False, break_on_hyphens=False)
    return f"{name}(\n" + textwrap.indent("\n".join(lines), "    ") + ")"


def members(thing, public):
    """(name, method or property) of what a class explains and its public bases have not."""
    above = {name for base in thing.__mro__[1:] if base in public for name in dir(base)}
    for name in sorted(set(dir(thing)) - above):
        value = inspect.getattr_static(thing, name)
        value = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if (
            not name.startswith("_")
            and not is_internal(thing, name)
            and (inspect.isfunction(value) or isinstance(value, property))
            and value.__doc__
        ):
            yield name, value


def explain(entry, public):
    """An entry as Markdown, below a heading with its name as the anchor."""
    thing = entry.thing
    lines = [
        f"## `{entry.short}` {{ #{entry.name} }}",
        f"```python\n{signature(entry.name, thing)}\n```",
    ]
    others = [f"<code>{name}</code>" for name in entry.names if name != entry.name]
    lines += [f"Also {', '.join(others)}.\n{{ .also }}"] if others else []
    lines.append(markdown(documentation(thing)))
    if inspect.isclass(thing):
        lines += more_of(thing)
    for name, value in members(thing, public) if inspect.isclass(thing) else ():
        lines.append(f"### `{name}` {{ #{entry.name}.{name} data-toc-label='{name}' }}")
        if not isinstance(value, property):
            lines.append(f"```python\n{signature(f'{entry.short}.{name}', value)}\n```")
        lines.append(markdown(documentation(value)))
    return "\n\n".join(lines)


def more_of(cls):
    """What a class does not say itself: arguments that others explain, the functions of a layer."""
    more = inherited(cls)
    entries = "\n".join(f"    {name}: {text}" for name, text in more.items())
    lines = [markdown(f"More arguments:\n{entries}")] if more else []
    if issubclass(cls, Layer) and cls is not Layer:
        lines.append(FUNCTIONS.format(name="layer", inputs="inputs"))
    return lines


def group_of(thing, module):
    """The group of a module's names to which a thing belongs: of its file, or the file itself."""
    file = thing.__module__.rpartition(".")[2]
    for group, files in GROUPS.get(module, {}).items():
        if file in files.split():
            return group
    return file.replace("_", " ").capitalize()


class Reference:
    """The whole reference of a package.

    texts: {path: Markdown}. places: {each public name: (path, anchor)}. nav: as in mkdocs.yml.
    """

    def __init__(self, root):
        self.entries = entries(root)
        missing = [entry.name for entry in self.entries if not documentation(entry.thing)]
        if missing:
            raise ValueError(
                f"{len(missing)} public names without a docstring: {', '.join(sorted(missing))}"
            )
        self.classes = {entry.thing for entry in self.entries if inspect.isclass(entry.thing)}
        self.texts, self.places, self.nav = {}, {}, []
        for module in public_modules(root):
            self._add(module)
        self.places.update(
            {name: self.places[entry.name] for entry in self.entries for name in entry.names}
        )

    def _add(self, module):
        """The pages of a module: one, or a list of all names and a page for each file where there
        are many.
        """
        name = module.__name__
        mine = sorted((e for e in self.entries if e.module == name), key=lambda e: e.short)
        if len(mine) <= MANY:
            self._write(f"{name}.md", heading(name, module) + self._names(module), mine)
            self.nav.append({name: f"{name}.md"})
            return
        self._write(f"{name}/index.md", heading(name, module) + self._names(module), [])
        inner = [f"{name}/index.md"]
        order = list(GROUPS.get(name, ()))
        groups = {}
        for entry in mine:
            groups.setdefault(group_of(entry.thing, name), []).append(entry)
        for title in sorted(groups, key=lambda t: order.index(t) if t in order else len(order)):
            path = f"{name}/{title.lower().replace(' ', '_')}.md"
            self._write(path, self._begin(title, groups[title]), groups[title])
            inner.append({title: path})
        self.nav.append({name: inner})

    @staticmethod
    def _begin(title, group):
        """The title of a page; of one for a single file also what that file says of itself."""
        files = {entry.thing.__module__ for entry in group}
        return heading(title, sys.modules[files.pop()]) if len(files) == 1 else [f"# {title}"]

    def _write(self, path, begin, group):
        self.texts[path] = (
            "\n\n".join([*begin, *(explain(entry, self.classes) for entry in group)]) + "\n"
        )
        self.places.update({entry.name: (path, entry.name) for entry in group})
        for entry in group:
            for member in ("init", "apply") if entry.thing is Layer else ():
                name = f"{entry.name}.{member}"
                self.places[name] = path, name

    def _names(self, module):
        """A table of all names of a module, those too that are explained elsewhere."""
        homes = {name: entry for entry in self.entries for name in entry.names}
        rows = [
            (name, homes[f"{module.__name__}.{name}"])
            for name in public_names(module)
            if f"{module.__name__}.{name}" in homes
        ]
        lines = [
            f"| [`{name}`][{entry.name}] | {summary(documentation(entry.thing))} |"
            for name, entry in rows
        ]
        return ["\n".join(["| name | |", "|---|---|", *lines])] if lines else []


def heading(name, module):
    """The title of a page and the first paragraph of the module's docstring."""
    text = documentation(module).split("\n\n")[0]
    text = text.partition("`: ")[2] if text.startswith("`keras.") else text
    return [f"# {name}", prose(text[0].upper() + text[1:])]
