"""The tree of modules below one: what lies at which path.

An object has one canonical path in a tree, the first on the way down, however often it is used:
that is weight sharing.
"""

from jkeras.kernel import tree


def walk(module, path=(), seen=None):
    """(path, module) for a module and all below it, each once, at its canonical path, own order."""
    seen = set() if seen is None else seen
    if id(module) not in seen:
        seen.add(id(module))
        yield path, module
        for key, child in tuple(module._children.items()):
            yield from walk(child, (*path, key), seen)


def named_variables(module, select=None):
    """(path, Variable) of all variables below a module, each once; `select(variable)` chooses."""
    seen = set()
    for path, part in walk(module):
        for key, variable in tuple(part._own.items()):
            if variable not in seen and (select is None or select(variable)):
                seen.add(variable)
                yield (*path, key), variable


def tree_of(module, read, select=None):
    """The nested dict of `read(variable)` over a module's variables."""
    return tree.unflatten(
        (path, read(variable)) for path, variable in named_variables(module, select)
    )


def shared_paths(module):
    """{path: canonical path} of what is reached by another path too: modules and variables."""
    shared, places = {}, {}

    def visit(part, path):
        places[id(part)] = path
        for name, own in part._own.items():
            _note(own, (*path, name))
        for name, child in part._children.items():
            if _note(child, (*path, name)):
                visit(child, (*path, name))

    def _note(thing, path):
        canonical = places.setdefault(id(thing), path)
        if canonical != path:
            shared[path] = canonical
        return canonical == path

    visit(module, ())
    return shared
