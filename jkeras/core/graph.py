"""Graphs: symbolic tensors, the nodes that made them, ops on them, and running a graph.

A `KerasTensor` has a shape (None: unknown), a dtype and a history: which node made it. Calling a
layer or an op on one adds a node. Shapes come from `jax.eval_shape`, twice with two sizes in place
of the unknown ones.
"""

import collections
import functools
import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import GraphCallError
from jkeras.core.dtypes import standardize_dtype
from jkeras.core.registry import TensorReference, Thing, _named, public, serialize
from jkeras.core.settings import auto_name
from jkeras.core.sparse import any_sparse, is_sparse, sparse_stand_in

# in place of an unknown size, with many divisors: what differs between the two is unknown
UNKNOWN = (528, 624)


@public("keras.KerasTensor")
class KerasTensor:
    """A symbolic tensor: the place of a value in a graph.

    Args:
        shape: tuple; None where the size is not known.
        dtype: name of a dtype.

    >>> x = KerasTensor((None, 4))
    >>> (x + 1.0).shape
    (None, 4)
    """

    def __init__(
        self,
        shape,
        dtype="float32",
        sparse=False,
        ragged=False,
        record_history=True,
        name=None,
        **kwargs,
    ):
        if kwargs:
            raise TypeError(f"KerasTensor got unexpected keyword arguments: {', '.join(kwargs)}")
        self._shape = standardize_shape(shape)
        self._dtype = standardize_dtype(dtype)
        if sparse and ragged:
            raise ValueError("KerasTensor cannot have `sparse=True` and `ragged=True` at once.")
        self._sparse, self._ragged, self.record_history = bool(sparse), bool(ragged), record_history
        self.name = name or auto_name("keras_tensor")
        self._keras_mask = None

    ndim = property(lambda self: len(self._shape), doc="The number of axes.")

    @property
    def shape(self):
        """The shape, None where not known."""
        return self._shape

    @shape.setter
    def shape(self, value):
        raise self._immutable("shape")

    @property
    def dtype(self):
        """The dtype's name."""
        return self._dtype

    @dtype.setter
    def dtype(self, value):
        raise self._immutable("dtype")

    @property
    def sparse(self):
        """Whether the values will be sparse arrays."""
        return self._sparse

    @sparse.setter
    def sparse(self, value):
        raise self._immutable("sparse")

    @property
    def ragged(self):
        """Whether rows may differ in length."""
        return self._ragged

    @ragged.setter
    def ragged(self, value):
        raise self._immutable("ragged")

    def _immutable(self, name):
        return AttributeError(
            f"The `{name}` attribute of KerasTensor is immutable. Make another KerasTensor."
        )

    @property
    def size(self):
        """The number of elements; None if a size is unknown."""
        return None if None in self._shape else int(np.prod(self._shape))

    @property
    def T(self):
        """The transposed tensor."""
        return _ops("transpose")(self)

    def reshape(self, *shape):
        """The tensor in another shape."""
        return _ops("reshape")(
            self, shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        )

    def squeeze(self, axis=None):
        """The tensor without axes of length 1."""
        return _ops("squeeze")(self, axis)

    def __getitem__(self, key):
        return _ops("get_item")(self, key)

    def __array__(self, dtype=None, copy=None):
        raise ValueError(
            "A KerasTensor is symbolic: it is a placeholder for a shape and a dtype and doesn't "
            "have any actual numerical value. numpy functions cannot be used on it; use "
            "`jkeras.ops` in a functional model."
        )

    @property
    # a property: JAX asks whether there is one and would then give its own message
    def __jax_array__(self):
        raise ValueError(
            "A KerasTensor cannot be used as input to a JAX function. It is a symbolic "
            "placeholder; use jkeras layers and `jkeras.ops`, or put the JAX code into the "
            "`call` of a layer."
        )

    def __bool__(self):
        raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")

    def __int__(self):
        raise ValueError(f"{self!r} is symbolic: it has no value that could become an integer.")

    def __float__(self):
        raise ValueError(f"{self!r} is symbolic: it has no value that could become a number.")

    def __iter__(self):
        raise NotImplementedError(
            "Iterating over a symbolic KerasTensor is not supported. Use `jkeras.ops.unstack`."
        )

    def __round__(self, ndigits=None):
        return _ops("round")(self, ndigits or 0)

    # of two symbols it says whether they are one, as lists of tensors need it
    def __eq__(self, other):
        if isinstance(other, KerasTensor):
            return self is other
        if hasattr(other, "__array__") or isinstance(other, (int, float)):
            return _ops("equal")(self, other)
        return self is other

    def __repr__(self):
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self.sparse}, "
            f"ragged={self.ragged}, name={self.name}>"
        )

    __hash__ = object.__hash__


def _ops(name):
    return _named[f"keras.ops.{name}"]  # ops come later, and register themselves


OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}


def _add_operators():
    for short, name in OPERATORS.items():
        if short == "eq":
            continue
        setattr(KerasTensor, f"__{short}__", lambda self, other, name=name: _ops(name)(self, other))
        if short not in ("ne", "lt", "le", "gt", "ge"):
            setattr(
                KerasTensor, f"__r{short}__", lambda self, other, name=name: _ops(name)(other, self)
            )
    for short, name in {"neg": "negative", "abs": "absolute", "invert": "logical_not"}.items():
        setattr(KerasTensor, f"__{short}__", lambda self, name=name: _ops(name)(self))


_add_operators()


def standardize_shape(shape):
    """A shape as a tuple of ints and None, checked."""
    if shape is None:
        raise ValueError("Undefined shapes are not supported.")
    if isinstance(shape, int):
        raise ValueError(f"Cannot convert '{shape}' to a shape: write ({shape},).")
    standard = []
    for size in shape:
        if size is None:
            standard.append(None)
        elif hasattr(size, "__index__"):
            standard.append(int(size))
        else:
            raise ValueError(
                f"Cannot convert '{shape}' to a shape. Found invalid dimension '{size}' of type "
                f"{type(size).__name__}: expected integers and None."
            )
    shape = tuple(standard)
    if any(size is not None and size < 0 for size in shape):
        raise ValueError(
            f"Cannot convert '{shape}' to a shape. Negative dimensions are not allowed."
        )
    return shape


def is_tensor(x):
    """Whether x is an array of JAX (traced or not)."""
    return isinstance(x, jax.Array)


def is_symbolic(x):
    """Whether x is a KerasTensor.

    >>> is_symbolic(KerasTensor((None, 2))), is_symbolic(jnp.ones(2))
    (True, False)
    """
    return isinstance(x, KerasTensor)


def any_symbolic(*structures):
    """Whether a KerasTensor stands anywhere in the structures."""
    for x in structures:
        if isinstance(x, KerasTensor):
            return True
        if isinstance(x, (list, tuple)) and any_symbolic(*x):
            return True
        if isinstance(x, dict) and any_symbolic(*x.values()):
            return True
    return False


def one_or_list(values):
    """The one value of a list; of several the list.

    >>> one_or_list([1]), one_or_list([1, 2])
    (1, [1, 2])
    """
    return values[0] if len(values) == 1 else list(values)


def flatten(structure):
    """All leaves of a structure, None, sparse arrays and everything else included, in Keras's
    order.
    """
    return jax.tree_util.tree_leaves(structure, is_leaf=is_leaf)


def is_leaf(x):
    """Whether x is no structure although JAX takes it for one: None, a sparse array."""
    return x is None or is_sparse(x)


def alike(sequence, items):
    """Items as a list, a tuple or a named tuple, as the sequence is one."""
    return type(sequence)(*items) if hasattr(sequence, "_fields") else type(sequence)(items)


def map_tensors(function, structure):
    """The structure with `function` applied to the KerasTensors in it; dicts keep their order."""
    if isinstance(structure, KerasTensor):
        return function(structure)
    if type(structure) is dict:
        return {k: map_tensors(function, v) for k, v in structure.items()}
    if type(structure) in (list, tuple):
        return type(structure)([map_tensors(function, v) for v in structure])
    if isinstance(structure, (list, tuple, dict)):  # named tuples and the like
        return jax.tree_util.tree_map(
            lambda v: function(v) if isinstance(v, KerasTensor) else v,
            structure,
            is_leaf=lambda v: v is None,
        )
    return structure


# ---------------------------------------------------------------- shapes


def infer(function, structure, keeps_samples=False):
    """`function(structure)` on shapes alone: KerasTensors in, KerasTensors (without history) out.

    Unknown sizes stay unknown if the function takes them so, else they are those of the arrays
    beside them.

    Args:
        keeps_samples: see `Layer.keeps_samples`; such a function is run once where the number of
            samples alone is unknown, others twice, with different sizes.
    """
    leaves, treedef = jax.tree_util.tree_flatten(structure, is_leaf=is_leaf)
    try:
        return _infer(function, leaves, treedef, keeps_samples)
    except (TypeError, ValueError):
        completed = _completed(leaves)
        if completed is None:
            raise
    return _infer(function, completed, treedef)


def _completed(leaves):
    """The leaves with unknown sizes of KerasTensors taken from the others, axes aligned at the end;
    None: no change.
    """
    shapes = [leaf.shape for leaf in leaves if hasattr(leaf, "shape")]
    known = {-i: d for shape in shapes for i, d in enumerate(reversed(shape)) if d not in (1, None)}

    def complete(leaf):
        if not isinstance(leaf, KerasTensor):
            return leaf
        last = len(leaf.shape) - 1
        shape = [known.get(i - last) if d is None else d for i, d in enumerate(leaf.shape)]
        return KerasTensor(shape, leaf.dtype, sparse=leaf.sparse)

    completed = [complete(leaf) for leaf in leaves]
    changed = any(
        a.shape != b.shape for a, b in zip(leaves, completed) if isinstance(a, KerasTensor)
    )
    return completed if changed else None


def _infer(function, leaves, treedef, keeps_samples=False):
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, KerasTensor)]
    unknown = any(None in leaves[i].shape for i in places)

    def abstract(fill):
        specs = [
            jax.ShapeDtypeStruct(
                tuple(fill if d is None else d for d in leaves[i].shape),
                jax.dtypes.canonicalize_dtype(leaves[i].dtype),
            )
            for i in places
        ]

        def on_arrays(arrays):
            filled = list(leaves)
            for place, array in zip(places, arrays):
                filled[place] = sparse_stand_in(array) if leaves[place].sparse else array
            return function(jax.tree_util.tree_unflatten(treedef, filled))

        return _shapes(on_arrays, specs)

    results = abstract(UNKNOWN[0])
    other_results = results
    if unknown:
        once = keeps_samples and all(map(_has_samples_alone, (leaves[i].shape for i in places)))
        other_results = _for_other_samples(results) if once else None
        if other_results is None:
            other_results = abstract(UNKNOWN[1])

    def combine(a, b):
        if not isinstance(a, jax.ShapeDtypeStruct):
            return a
        shape = tuple(m if m == n else None for m, n in zip(a.shape, b.shape))
        return KerasTensor(shape, a.dtype, sparse=isinstance(a, _SparseSpec))

    return jax.tree_util.tree_map(combine, results, other_results, is_leaf=lambda v: v is None)


def _has_samples_alone(shape):
    """Whether of a shape the number of samples, its first size, is unknown and no other."""
    return shape[:1] == (None,) and None not in shape[1:]


def _for_other_samples(results):
    """What the results would be for the other number of samples, if this is their first size; None
    where one has another first size.
    """
    leaves, treedef = jax.tree_util.tree_flatten(results, is_leaf=is_leaf)
    if any(
        getattr(leaf, "shape", None) is None or leaf.shape[:1] != UNKNOWN[:1] for leaf in leaves
    ):
        return None
    others = [type(leaf)((UNKNOWN[1], *leaf.shape[1:]), leaf.dtype) for leaf in leaves]
    return jax.tree_util.tree_unflatten(treedef, others)


class _SparseSpec(jax.ShapeDtypeStruct):
    """Shape and dtype of a sparse array."""


def _shapes(function, specs):
    """eval_shape for functions whose result may also hold None, numbers, sparse arrays and the
    like.
    """
    kept = []

    def arrays_only(arrays):
        leaves, treedef = jax.tree_util.tree_flatten(function(arrays), is_leaf=is_leaf)
        kept[:] = treedef, [() if _is_dense(v) else (_sparse_spec(v),) for v in leaves]
        return [v for v in leaves if _is_dense(v)]

    shapes = iter(jax.eval_shape(arrays_only, specs))
    treedef, fixed = kept
    return jax.tree_util.tree_unflatten(treedef, [v[0] if v else next(shapes) for v in fixed])


def _is_dense(x):
    return is_tensor(x) or isinstance(x, np.ndarray)


def _sparse_spec(x):
    if is_sparse(x):
        return _SparseSpec(x.shape, x.dtype)
    return x


# ---------------------------------------------------------------- nodes


class Node:
    """One call of an operation in a graph: its arguments and its outputs."""

    def __init__(self, operation, args, kwargs, outputs):
        self.operation, self.args, self.kwargs, self.outputs = operation, args, kwargs, outputs
        self.input_tensors = [v for v in flatten((args, kwargs)) if isinstance(v, KerasTensor)]
        self.output_tensors = [v for v in flatten(outputs) if isinstance(v, KerasTensor)]
        nodes = vars(operation).setdefault("_inbound_nodes", [])
        for index, tensor in enumerate(self.output_tensors):
            tensor._keras_history = (operation, len(nodes), index)
        nodes.append(self)

    @property
    def is_input(self):
        """Whether this is the node of an `Input`."""
        return not self.input_tensors

    @property
    def parent_nodes(self):
        """The nodes that made the inputs."""
        return [
            node_of(tensor) for tensor in self.input_tensors if hasattr(tensor, "_keras_history")
        ]


def history_of(tensor):
    """(operation, number of its call, number of the output): where a tensor comes from."""
    return tensor._keras_history


def operation_of(tensor):
    """The layer or op that made a tensor."""
    return history_of(tensor)[0]


def node_of(tensor):
    """The node that made a tensor."""
    operation, index, _ = history_of(tensor)
    return operation._inbound_nodes[index]


# ---------------------------------------------------------------- ops


class Operation:
    """An op with its fixed arguments, as a node in a graph."""

    def __init__(self, op, name=None, config=None):
        self.op, self.config = op, config or {}
        self.name = name or auto_name(op.class_name)
        self.trainable = False

    def __call__(self, *args, **kwargs):
        if not any_symbolic(args, kwargs):
            return self.op.run(args, {**kwargs, **self.config})
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args, **kwargs):
        """The outputs as KerasTensors without history."""
        tensors = [v for v in flatten((args, kwargs)) if hasattr(v, "shape")]
        flags = [is_sparse(v) or getattr(v, "sparse", False) for v in tensors]
        if not any(flags):
            return self._dense_spec(args, kwargs)
        args, kwargs = map_tensors(lambda t: KerasTensor(t.shape, t.dtype), (args, kwargs))
        outputs = self._dense_spec(args, kwargs)
        form = self.op.sparse_form
        if form is None or not form.is_kept(flags, self.config):
            return outputs
        return map_tensors(lambda t: KerasTensor(t.shape, t.dtype, sparse=True), outputs)

    def _dense_spec(self, args, kwargs):
        try:
            if self.op.spec is not None:
                return self.op.spec(*args, **kwargs, **self.config)
            return infer(
                lambda arguments: self.op.function(*arguments[0], **arguments[1], **self.config),
                (args, kwargs),
            )
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            tensors = ", ".join(
                f"{t.shape} {t.dtype}" for t in flatten((args, kwargs)) if is_symbolic(t)
            )
            raise GraphCallError(
                f"{self.op.class_name} cannot be applied to {tensors}: {error}"
            ) from error

    def get_config(self):
        """The name and the fixed arguments."""
        return {"name": self.name, **{k: serialize(v) for k, v in self.config.items()}}


class Op:
    """What the graph knows of an op: its function, its name in files, which arguments are tensors.

    Serves as the "class" of its nodes when a config is read.
    """

    def __init__(
        self, function, module, inputs, class_name, spec=None, keywords=(), find_sparse=None
    ):
        self.function, self.module, self._inputs = function, module, inputs
        self.spec, self.keywords, self._find_sparse = spec, keywords, find_sparse
        self.class_name = class_name or "".join(
            word.capitalize() for word in function.__name__.split("_")
        )
        _named[f"{module}.{self.class_name}"] = self

    @functools.cached_property
    def signature(self):
        """The function's signature; looked at on first use, since there are hundreds of ops."""
        return inspect.signature(self.function)

    @functools.cached_property
    def inputs(self):
        """How many leading arguments are tensors."""
        required = sum(p.default is p.empty for p in self.signature.parameters.values())
        return max(1, required) if self._inputs is None else self._inputs

    @functools.cached_property
    def sparse_form(self):
        """What the op does with sparse arrays, a `SparseForm`; None: what its function does."""
        if self._find_sparse is None:
            return None
        return self._find_sparse(self.function.__name__)

    def run(self, args, kwargs):
        """The function of arrays, sparse ones too."""
        if any_sparse(args) or any_sparse(kwargs.values()):
            return self._run_sparse(args, kwargs)
        return self.function(*args, **kwargs)

    def _run_sparse(self, args, kwargs):
        if self._find_sparse is None:  # the function knows sparse arrays itself
            return self.function(*args, **kwargs)
        if self.sparse_form is None:
            raise TypeError(
                f"`{self.function.__name__}` is not defined for sparse arrays. Give it a dense "
                "one: `x.todense()`."
            )
        return self.sparse_form.compute(*args, **kwargs)

    def from_config(self, config):
        """The node that a config describes."""
        config = dict(config)
        name = config.pop("name", None)
        known = {k: v for k, v in config.items() if k in self.signature.parameters}
        return Operation(self, name, known)

    def record(self, args, kwargs):
        """Adds a node for a symbolic call and gives its outputs."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        names = list(self.signature.parameters)
        arguments = dict(bound.arguments)
        if self.signature.parameters[names[0]].kind is inspect.Parameter.VAR_POSITIONAL:
            return Operation(self, config={k: arguments[k] for k in names[1:]})(
                *arguments[names[0]]
            )
        call = [arguments.pop(n) for n in names[: self.inputs]]
        while call[-1] is None and self.signature.parameters[names[len(call) - 1]].default is None:
            call.pop()
        named = {n: arguments.pop(n) for n in self.keywords}
        return Operation(self, config=arguments)(*call, **named)


def op(module, *names, inputs=None, class_name=None, spec=None, keywords=(), find_sparse=None):
    """Decorator: a function of arrays that also works on KerasTensors and Variables.

    Args:
        module: Keras's module of the op in files, such as "keras.src.ops.numpy".
        names: public names, "keras.ops.mean".
        inputs: how many leading arguments are tensors; by default those without a default value.
        class_name: Keras's class of the op in files, by default the function's name in camel case.
        spec: a function of the same arguments that gives the KerasTensors of the result, where the
            shape cannot be found by tracing: sizes that depend on values, unknown sizes beside
            known ones.
        keywords: further arguments that Keras gives to the call by name, and so keeps out of the
            config.
        find_sparse: from the function's name to the `SparseForm` of the op, or None; asked when
            the first sparse array comes.
    """

    def decorate(function: Thing) -> Thing:
        description = Op(function, module, inputs, class_name, spec, keywords, find_sparse)

        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            if _are_plain(args) and _are_plain(kwargs.values()):
                return function(*args, **kwargs)
            if any_symbolic(*args, *kwargs.values()):
                return description.record(args, kwargs)
            return description.run(
                [_unwrap(v) for v in args], {k: _unwrap(v) for k, v in kwargs.items()}
            )

        wrapper.op = description
        return public(*names)(wrapper) if names else wrapper

    return decorate


PLAIN = (jax.Array, np.ndarray, np.generic, bool, int, float, complex, str, type(None))


def _are_plain(values):
    """Whether values are at a glance neither symbolic nor variables, nor structures of these."""
    for value in values:  # noqa: SIM110 - a generator costs a call for each
        if not isinstance(value, PLAIN):
            return False
    return True


def _unwrap(x):
    """Variables by their value; also one level into lists and tuples."""
    if hasattr(x, "own_value"):
        return x.value
    if type(x) in (list, tuple) and any(hasattr(v, "own_value") for v in x):
        return type(x)(_unwrap(v) for v in x)
    return x


# ---------------------------------------------------------------- a graph, sorted and run


class Graph(typing.NamedTuple):
    """What a functional model runs: its nodes, sorted, and the structures of its ends."""

    nodes: list
    inputs: typing.Any
    outputs: typing.Any


def graph_of(model):
    """The graph of a functional model; None for any other model or layer."""
    if not hasattr(model, "_nodes"):
        return None
    return Graph(model._nodes, model._inputs_struct, model._outputs_struct)


def sort(inputs, outputs):
    """Nodes and operations between inputs and outputs, deepest first, in Keras's order.

    Returns:
        (nodes, operations): lists. An operation's depth is its longest way to an output.
    Raises:
        ValueError: for an output that does not follow from the inputs.
    """
    entry = {id(tensor) for tensor in inputs}
    order, index, finished, running = [], {}, set(), set()
    # (node, its parents still to come): a list of ours, since a graph may be deeper than Python's
    # stack
    path = []

    def enter(tensor):
        if not hasattr(tensor, "_keras_history"):
            raise ValueError(
                f"The tensor {tensor} was not made by a layer or op from an `Input`; graph "
                "disconnected."
            )
        node = node_of(tensor)
        if id(node) in finished:
            return
        if id(node) in running:
            raise ValueError(
                f"Tensor {tensor} from operation '{node.operation.name}' is part of a cycle."
            )
        index.setdefault(node.operation, len(index))
        running.add(id(node))
        if id(tensor) not in entry and not node.input_tensors:
            raise ValueError(
                f"Output {[t.name for t in outputs]} is not connected to `inputs`: tensor "
                f"{tensor} of layer '{node.operation.name}' is needed but not among the inputs "
                f"{[t.name for t in inputs]}."
            )
        path.append((node, iter(() if id(tensor) in entry else node.input_tensors)))

    for tensor in outputs:
        enter(tensor)
        while path:
            node, parents = path[-1]
            parent = next(parents, None)
            if parent is not None:
                enter(parent)
                continue
            path.pop()
            running.discard(id(node))
            finished.add(id(node))
            order.append(node)
    return _by_depth(inputs, order, index)


def _by_depth(inputs, order, index):
    cut = {id(node_of(t)) for t in inputs}
    depths, operation_depths = collections.defaultdict(int), collections.defaultdict(int)
    for node in reversed(order):
        depth = max(depths[id(node)], operation_depths[node.operation])
        depths[id(node)] = operation_depths[node.operation] = depth
        for parent in () if id(node) in cut else node.parent_nodes:
            depths[id(parent)] = max(depth + 1, depths[id(parent)])
    for tensor in inputs:
        node = node_of(tensor)
        if node.operation not in operation_depths:
            operation_depths[node.operation], index[node.operation] = 0, -1
            order.append(node)
    nodes = sorted(order, key=lambda node: -depths[id(node)])
    operations = sorted(operation_depths, key=lambda o: (-operation_depths[o], index[o]))
    return nodes, operations


def run(nodes, inputs, outputs, values, call):
    """One straight loop over the nodes.

    Args:
        inputs: the graph's input tensors; `values`: their values, in order.
        call: `(operation, args, kwargs) -> value`.
    """
    known = {id(tensor): value for tensor, value in zip(inputs, values)}
    known_tensors = lambda structure: map_tensors(lambda t: known[id(t)], structure)  # noqa: E731
    for node in nodes:
        if all(id(t) in known for t in node.output_tensors):
            continue
        result = call(node.operation, known_tensors(node.args), known_tensors(node.kwargs))
        for tensor, value in zip(flatten(node.outputs), flatten(result)):
            if isinstance(tensor, KerasTensor) and id(tensor) not in known:
                known[id(tensor)] = value
    return map_tensors(lambda t: known[id(t)], outputs)


def as_tensor(x):
    """Arrays of numpy, tensors and tables of other libraries and variables as arrays of JAX; all
    else as it is.
    """
    if isinstance(x, (jax.Array, KerasTensor, type)):
        return x
    if hasattr(x, "own_value"):
        return x.value
    return jnp.asarray(np.asarray(x)) if hasattr(x, "__array__") else x


__all__ = ["KerasTensor", "Node", "Operation", "TensorReference", "op"]
