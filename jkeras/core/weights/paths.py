"""The tree of modules below one: what lies at which path.

An object has one canonical path in a tree, the first on the way down, however often it is used:
that is weight sharing.
"""

from jkeras.kernel import tree


def walk(module, path=()):
    """(path, module) for a module and all below it, each once, at its canonical path, own order."""
    found, seen, waiting = [], set(), [(path, module)]
    while waiting:
        path, module = entry = waiting.pop()
        if id(module) not in seen:
            seen.add(id(module))
            found.append(entry)
            for key, child in reversed(tuple(module._children.items())):
                waiting.append(((*path, key), child))
    return found


def own_variables(module):
    """{key: Variable} of a module itself, without those of modules in it."""
    return module._own


def children_of(module):
    """[(key, module)] of the modules right in a module, now: another thread may build it."""
    return list(module._children.items())


def named_variables(module, select=None):
    """(path, Variable) of all variables below a module, each once; `select(variable)` chooses."""
    return variables_of(walk(module), select)


def variables_of(modules, select=None):
    """The same of some (path, module) pairs."""
    found, seen = [], set()
    for path, module in modules:
        for key, variable in list(module._own.items()):
            if id(variable) in seen:
                continue
            if select is None or select(variable):
                seen.add(id(variable))
                found.append(((*path, key), variable))
    return found


def tree_of(module, read, select=None):
    """The nested dict of `read(variable)` over a module's variables."""
    return tree.unflatten(
        (path, read(variable)) for path, variable in named_variables(module, select)
    )


def shared_paths(module):
    """{path: canonical path} of what is reached by another path too: modules and variables."""
    shared, first_paths = {}, {}
    waiting = [((), module)]
    while waiting:
        path, owner = waiting.pop()
        canonical = first_paths.setdefault(id(owner), path)
        if canonical != path:
            shared[path] = canonical
            continue
        for name, own in list(owner._own.items()):  # another thread may build it now
            canonical = first_paths.setdefault(id(own), (*path, name))
            if canonical != (*path, name):
                shared[(*path, name)] = canonical
        for name, child in reversed(list(owner._children.items())):
            waiting.append(((*path, name), child))
    return shared
