"""Weights in HDF5 files, in Keras's layout: a group for each layer by attribute, its arrays under `vars`, numbered."""

import numpy as np

from jkeras.core.layer import Layer
from jkeras.core.module import Module
from jkeras.core.rng import SeedGenerator
from jkeras.core.settings import snake_case
from jkeras.core.variable import Variable


def parts(owner):
    """(path, object) of everything that has variables of its own in a model file: layers, metrics, the optimizer.

    An attribute is a step of the path; in a list or dict the class's name is, with a number where it comes again.
    """
    yield from _visit(owner, "", set())


def _visit(thing, path, seen):
    if id(thing) in seen:
        return
    seen.add(id(thing))
    yield path, thing
    for name, value in _attributes(thing):
        yield from _visit_value(value, f"{path}/{name}" if path else name, seen)


def _visit_value(value, path, seen):
    if _is_saved(value):
        yield from _visit(value, path, seen)
    elif isinstance(value, (list, tuple, dict)):
        counts = {}
        for item in value.values() if isinstance(value, dict) else value:
            if _is_saved(item) or isinstance(item, (list, tuple, dict)):
                name = snake_case(type(item).__name__) if _is_saved(item) else "container"
                counts[name] = counts.get(name, -1) + 1
                yield from _visit_value(item, f"{path}/{name}_{counts[name]}" if counts[name] else f"{path}/{name}",
                                        seen)


def _is_saved(value):
    if isinstance(value, (type, SeedGenerator)):
        return False
    return isinstance(value, Module) or hasattr(value, "apply_gradients") and hasattr(value, "variables")


def _attributes(thing):
    """(name, value) of the attributes that lead further, in order, private ones last.

    A graph's layers come first. Those of a subclassed model come where the name "layers" stands in the order, so that
    attributes before it have been seen under their own names and those after it have not: so it is in Keras's files.
    """
    found = {n: v for n, v in thing.__dict__.items() if n not in SKIPPED}
    if isinstance(thing, Layer) and hasattr(thing, "layers"):
        layers = getattr(thing, "_all_layers", None) or thing.layers
        if hasattr(thing, "_operations") or hasattr(thing, "_all_layers"):
            yield "layers", layers
        else:
            found["layers"] = layers
    for name in sorted(found, key=lambda n: f"~{n}" if n.startswith("_") else n):
        yield name, found[name]


SKIPPED = (  # attributes of the kernel's own, and what `compile` made
    "_all_layers", "_at", "_build_shapes", "_children", "_compile_arguments", "_compile_loss", "_compile_metrics",
    "_functional", "_functions", "_given", "_host_split", "_predictor", "_inbound_nodes", "_index", "_inputs_struct",
    "_last_plan", "_layers", "_loss_tracker", "_losses", "_nodes", "_operations", "_outputs_struct", "_own",
    "_trainable_variables", "_variables", "history", "loss")


class Group:
    """The `vars` group of one object, as a dict of arrays by number."""

    def __init__(self, group):
        self.group = group

    def __setitem__(self, key, value):
        value = np.asarray(value)
        if value.dtype.name == "bfloat16":  # HDF5 has no such type
            data = self.group.create_dataset(key, data=value.view("uint16"))
            data.attrs["dtype"] = "bfloat16"
        else:
            self.group.create_dataset(key, data=value)

    def __getitem__(self, key):
        data = self.group[key]
        value = np.asarray(data)
        if data.attrs.get("dtype") == "bfloat16":
            import ml_dtypes

            value = value.view(ml_dtypes.bfloat16)
        return value

    def __contains__(self, key):
        return key in self.group

    def __len__(self):
        return len(self.group)

    def keys(self):
        """The numbers that are there."""
        return self.group.keys()


def write(model, file):
    """Writes the variables of a model, and of its optimizer where it has one, into an open HDF5 file."""
    for path, thing in parts(model):
        group = file.create_group(f"{path}/vars" if path else "vars")
        name = getattr(thing, "name", None)
        if isinstance(name, str):
            group.attrs["name"] = name
        _save_own(thing, Group(group))


def _save_own(thing, store):
    if hasattr(thing, "save_own_variables"):
        thing.save_own_variables(store)
    else:
        for i, variable in enumerate(v for v in getattr(thing, "_own", {}).values() if isinstance(v, Variable)):
            store[str(i)] = np.asarray(variable.value)


def read(model, file, skip_mismatch=False, where=""):
    """Reads the variables of a model from an open HDF5 file.

    Raises:
        ValueError: the file lacks a layer's group, or has other arrays in it; all such places are listed, and nothing
            is changed. With `skip_mismatch` these layers keep their values.
    """
    problems, found = [], []
    for path, thing in parts(model):
        place = f"{path}/vars" if path else "vars"
        if place not in file:
            if _needs_values(thing):
                problems.append(f"{path or 'the model'}: nothing in the file")
            continue
        found.append((path, thing, Group(file[place])))
    before = []
    for path, thing, store in found:
        variables = _variables_of(thing)
        before.append([(v, v._value) for v in variables])
        try:
            _load_own(thing, store)
        except (ValueError, KeyError) as error:
            problems.append(f"{path or 'the model'} ({type(thing).__name__}): {error}")
            for variable, value in before[-1]:
                variable._value = value
    if problems and not skip_mismatch:
        for pairs in before:
            for variable, value in pairs:
                variable._value = value
        raise ValueError(f"The weights in {where or 'the file'} do not fit model '{model.name}': " + "; ".join(problems)
                         + ". Build the model that was saved, or pass `skip_mismatch=True` to load what fits.")


def _variables_of(thing):
    if isinstance(thing, Layer):
        return list(thing._own.values())
    return list(getattr(thing, "variables", ()))


def _needs_values(thing):
    return isinstance(thing, Layer) and bool(thing._own)


def _load_own(thing, store):
    if hasattr(thing, "load_own_variables"):
        if isinstance(thing, Layer) or len(store):
            thing.load_own_variables(store)
        return
    for i, variable in enumerate(getattr(thing, "_own", {}).values()):
        variable.assign(store[str(i)])
