"""What Keras 3 refuses of a program: names that it has not, arguments that are not taken.

Names and signatures are those of jkeras, which has Keras's; what is asked of objects whose class
is unknown before the program runs is found by tables.
"""

import ast
import functools
import inspect
import types
import typing

import jkeras
from jkeras.core.layer import Layer
from jkeras.keras2 import tables
from jkeras.keras2.file_names import constants
from jkeras.keras2.graph_closures import uses_of_tensors
from jkeras.keras2.trees import dotted, text_of
from jkeras.optimizers.base import Optimizer

# besides those of its signature, what the base class of all layers takes
OF_LAYERS = {
    *("activity_regularizer", "autocast", "dtype", "input_dim", "input_shape", "name"),
    "trainable",
}
OF_MODELS = (".keras", ".h5", ".hdf5")
ENDINGS = {  # method of files -> what remarks call it, endings that it takes
    "load_model": ("load_model", OF_MODELS),
    "load_weights": ("by_name", (".h5", ".hdf5")),
    "save": ("save", OF_MODELS),
    "save_weights": ("save_weights", (".weights.h5",)),
}
OF_CLASSES = {"InputLayer": {"batch_input_shape"}}
HINTS = {  # last part of a name -> what to do
    "multi_gpu_model": "remove it, and train in the scope of keras.distribution.DataParallel()",
    "_obtain_input_shape": "private; give `Input` a shape",
    "Reduction": 'reduction="sum_over_batch_size", "sum" or None',
    "ThresholdedReLU": "a Lambda of x * (x > theta)",
    "LocallyConnected1D": "there is none; write a layer",
    "LocallyConnected2D": "there is none; write a layer",
    "AbstractRNNCell": "keras.layers.Layer with state_size",
    "SyncBatchNormalization": "BatchNormalization(synchronized=True)",
    "DenseFeatures": "keras.utils.FeatureSpace",
    "HDF5Matrix": "give the data set of h5py to fit",
    "model_from_yaml": "keras.models.model_from_json",
    "model_from_config": "Model.from_config",
    "print_summary": "model.summary()",
    "BaseLogger": "remove it: fit averages",
    "convert_all_kernels_in_model": "there are no kernels of Theano",
}
# of objects of any class; where the name is common, only behind these words
ATTRIBUTES = {
    "output_shape": "a layer has none in Keras 3: take layer.output.shape (a model has one)",
    "input_shape": "a layer has none in Keras 3: take layer.input.shape (a model has one)",
    "metrics_names": "it lists no single metrics: take evaluate(..., return_dict=True)",
    **dict.fromkeys(("get_output_at", "get_output_shape_at", "get_output_mask_at"), "layer.output"),
    **dict.fromkeys(("get_input_at", "get_input_shape_at", "get_input_mask_at"), "layer.input"),
    **dict.fromkeys(("inbound_nodes", "outbound_nodes"), "layers have no public nodes"),
    **dict.fromkeys(("input_mask", "output_mask"), "keras masks are keras.ops on `_keras_mask`"),
    **dict.fromkeys(("add_update", "get_updates_for"), "assign to a variable in call"),
    "get_losses_for": "layer.losses",
    "add_metric": "give the metric to compile, or update it in train_step",
    "uses_learning_phase": "give `training=` to the call",
    "batch_input_shape": "layer.batch_shape",
    "add_variable": "add_weight(name=, shape=)",
    **dict.fromkeys(("input_names", "output_names"), "names of model.inputs and model.outputs"),
    **dict.fromkeys(("input_layers", "output_layers"), "model.inputs and model.outputs"),
    **dict.fromkeys(("distribute_strategy", "save_spec"), "there is none"),
    **dict.fromkeys(("fit_generator", "evaluate_generator"), "fit and evaluate take generators"),
    **dict.fromkeys(("predict_generator", "predict_proba"), "model.predict"),
    "predict_classes": "model.predict(x).argmax(axis=-1)",
    **dict.fromkeys(("total_loss", "metrics_tensors", "loss_functions"), "write a train_step"),
    **dict.fromkeys(("state_updates", "container_nodes"), "there is none"),
    **dict.fromkeys(("_make_train_function", "_make_predict_function"), "remove: not needed"),
    **dict.fromkeys(("compiled_loss", "compiled_metrics"), "model.compute_loss, compute_metrics"),
    **dict.fromkeys(
        ("optimizer.minimize", "optimizer.get_updates", "optimizer.get_gradients"),
        "optimizer.apply(gradients, variables)",
    ),
    **dict.fromkeys(("optimizer.get_weights", "optimizer.weights"), "optimizer.variables"),
    "optimizer.set_weights": "optimizer.load_own_variables, or assign to its variables",
}
TENSORFLOW = ("tf", "tensorflow", "tf.compat.v1")
OF_TENSORFLOW = {  # what programs around Keras 2 took of it
    "GradientTape": "on TensorFlow's backend alone; with JAX jax.grad, or a train_step",
    "function": "remove it; with JAX jax.jit",
    "placeholder": "keras.Input",
    "set_random_seed": "keras.utils.set_random_seed",
    **dict.fromkeys(
        ("ConfigProto", "Session", "InteractiveSession", "get_default_graph"),
        "remove: there are no sessions",
    ),
}
KEYWORDS = {  # method -> {argument that Keras 2 had: what to do}
    "compile": {
        "sample_weight_mode": "leave it out: weights may have the axis of time",
        "target_tensors": "leave it out",
        "experimental_run_tf_function": "leave it out",
        "distribute": "train in the scope of keras.distribution.DataParallel()",
        "options": "leave it out",
    },
    **dict.fromkeys(
        ("train_on_batch", "test_on_batch"), {"reset_metrics": "call model.reset_metrics() before"}
    ),
    "save_weights": dict.fromkeys(("save_format", "options"), "leave it out"),
    "save": dict.fromkeys(("signatures", "options", "save_traces"), "take model.export"),
    "add_weight": dict.fromkeys(
        ("partitioner", "use_resource", "getter", "collections", "experimental_autocast"),
        "leave it out",
    ),
}
FAMILIES = {  # what an argument's name ends with: the module whose names it takes
    one: f"{one}s" for one in ("activation", "initializer", "regularizer", "constraint")
}
OF_GRAPH = "give it to a layer that calls self.add_loss, or as an input of the Lambda"
CLASS_WEIGHTS = ("auto", "balanced")


class Remark(typing.NamedTuple):
    """A line that needs a hand.

    Attributes:
        line: from 1.
        name: what it is about.
        text: what to do.
    """

    line: int
    name: str
    text: str


def remarks_on(program: str) -> list[Remark]:
    """What Keras 3 refuses in a program that is written for it otherwise.

    >>> remarks_on("import keras\\nkeras.layers.Highway(3)")[0]
    Remark(line=2, name='Highway', text='keras.layers.Highway is not in Keras 3')
    """
    tree = ast.parse(program)
    finder = Finder(constants(tree))
    finder.visit(tree)
    for use in uses_of_tensors(tree):
        text = f"{use.function} uses {use.name}, a tensor of the graph: {OF_GRAPH}"
        finder.remark(use.node, use.name, text)
    return list(dict.fromkeys(finder.remarks))


class Finder(ast.NodeVisitor):
    """Goes through a program.

    Args:
        texts: of names that are bound once, to a constant.
    """

    def __init__(self, texts):
        self.remarks = []
        self.texts = texts
        self.names = {}  # name in the program -> what of Keras it is, "keras.layers.Dense"
        self.missing = {}  # name in the program -> what is said of it, where Keras 3 has it not
        self.foreign = set()  # names that other libraries' modules have in the program

    def remark(self, node, name, text):
        self.remarks.append(Remark(node.lineno, name, text))

    # ------------------------------------------------------------ names

    def visit_Import(self, node):
        for alias in node.names:
            head = alias.name.partition(".")[0]
            if head != "keras":
                self.foreign.add(alias.asname or head)
                continue
            self.names[alias.asname or head] = alias.name if alias.asname else head
            self.check(node, alias.name)

    def visit_ImportFrom(self, node):
        module = node.module or ""
        is_keras = module.partition(".")[0] == "keras" and not node.level
        for alias in node.names:
            if not is_keras:
                self.foreign.add(alias.asname or alias.name)
            elif alias.name == "*":
                text = f"from {module} import *: name what you take, which is looked at then"
                self.remark(node, "*", text)
            else:
                path, name = f"{module}.{alias.name}", alias.asname or alias.name
                self.names[name] = path
                self.check(node, path)
                if not path.startswith("keras.backend.") and lookup(path) is MISSING:
                    self.missing[name] = f"{name} is not in Keras 3"

    def check(self, node, path):
        """Remarks on a name that Keras 3 does not have; the backend's are looked at elsewhere."""
        if path.startswith("keras.backend.") or lookup(path) is not MISSING:
            return
        parts = path.split(".")
        length = next(n for n in range(1, len(parts) + 1) if lookup(".".join(parts[:n])) is MISSING)
        last = parts[length - 1]
        hint = f": {HINTS[last]}" if last in HINTS else ""
        self.remark(node, last, f"{'.'.join(parts[:length])} is not in Keras 3{hint}")

    def path_of(self, node):
        """ "keras.layers.Dense" for an expression that is that; None for any other."""
        head, _, rest = (dotted(node) or "").partition(".")
        path = self.names.get(head)
        return path and (f"{path}.{rest}" if rest else path)

    def visit_Assign(self, node):
        """`layers = keras.layers`: another name for something of Keras."""
        self.generic_visit(node)
        path = self.path_of(node.value)
        for target in node.targets:
            if path is not None and isinstance(target, ast.Name):
                self.names[target.id] = path

    def visit_Attribute(self, node):
        path = self.path_of(node)
        if path is not None:
            self.check(node, path)
            return
        self.generic_visit(node)
        owner = dotted(node.value) or ""
        hint = of_tensorflow(owner, node.attr)
        if hint is not None:
            self.remark(node, node.attr, f"{owner}.{node.attr}: {hint}")
        if owner == "self" or owner.partition(".")[0] in self.foreign:
            return
        word = f"{owner.rpartition('.')[2]}.{node.attr}"
        word = f"optimizer.{node.attr}" if word.startswith(("opt.", "optim.")) else word
        for name in (node.attr, word):
            if name in ATTRIBUTES:
                self.remark(node, node.attr, f".{node.attr}: {ATTRIBUTES[name]}")

    # ------------------------------------------------------------ calls

    def visit_Call(self, node):
        self.generic_visit(node)
        if getattr(node.func, "id", None) in self.missing:
            self.remark(node, node.func.id, self.missing[node.func.id])
        path = self.path_of(node.func)
        if path is not None:
            self.check_arguments(node, lookup(path), path.rpartition(".")[2])
            if path.endswith("models.load_model") and node.args:
                self.check_file(node, "load_model", node.args[0])
        elif isinstance(node.func, ast.Attribute):
            owner = (dotted(node.func.value) or "").partition(".")[0]
            if owner not in self.foreign:
                self.check_method(node, node.func.attr)

    def check_arguments(self, node, function, name):
        """Remarks on arguments that a class or function of Keras does not take."""
        taken = arguments_of(function)
        if name == "ModelCheckpoint":
            self.check_checkpoint(node)
        for keyword in node.keywords:
            if taken is not None and keyword.arg is not None and keyword.arg not in taken:
                text = f"{name}({keyword.arg}=): Keras 3 has no such argument"
                self.remark(keyword.value, keyword.arg, text)
            self.check_name(keyword, name)

    def check_name(self, keyword, name):
        """Remarks on a text for an activation or the like that Keras 3 does not know: it looks for
        no custom objects there.
        """
        family, text = family_of(keyword.arg or ""), text_of(keyword.value)
        if family is None or text is None or is_known(family, text):
            return
        hint = f"{text!r} is not in keras.{family}: give the function or object itself"
        self.remark(keyword.value, keyword.arg, f"{name}({keyword.arg}=): {hint}")

    def check_method(self, node, method):
        """Remarks on a call of what is called as a method of models or layers."""
        for keyword in node.keywords:
            hint = KEYWORDS.get(method, {}).get(keyword.arg)
            if hint is not None:
                self.remark(keyword.value, keyword.arg, f"{method}({keyword.arg}=): {hint}")
            if keyword.arg == "class_weight" and text_of(keyword.value) in CLASS_WEIGHTS:
                hint = "give a dict of weights, as sklearn's compute_class_weight has them"
                self.remark(keyword.value, "class_weight", f"{method}(class_weight=): {hint}")
        first = node.args[0] if node.args else None
        if method == "add_weight" and text_of(first) is not None:
            self.remark(node, "add_weight", "add_weight: give its arguments by name")
        self.check_file(node, method, first)

    def check_file(self, node, method, first):
        """Remarks on the path that a method reads or writes, its first argument."""
        if method in ENDINGS and names_file(node, method, first):
            self.check_path(node, first, *ENDINGS[method])

    def check_checkpoint(self, node):
        """Remarks on the path of a `ModelCheckpoint`."""
        passed = {keyword.arg: keyword.value for keyword in node.keywords}
        path = node.args[0] if node.args else passed.get("filepath")
        only_weights = getattr(passed.get("save_weights_only"), "value", False)
        if len(node.args) > 4:
            only_weights = getattr(node.args[4], "value", False)
        endings = (".weights.h5",) if only_weights else (".keras", ".h5")
        if path is not None:
            self.check_path(node, path, "ModelCheckpoint", endings)

    def check_path(self, node, path, name, endings):
        """Remarks on a path that does not end as it has to, as far as one can see."""
        text = end_of(path) or self.texts.get(getattr(path, "id", None))
        is_wrong = name == "by_name" and (text or "").endswith(".weights.h5")
        if text is None or is_wrong or not text.endswith(endings):
            expected = " or ".join(endings)
            self.remark(node, name, f"{name}: its path has to end in {expected}")


def names_file(node, method, first):
    """Whether the first argument of such a method is a path whose ending counts."""
    if method == "load_weights":
        return any(k.arg == "by_name" for k in node.keywords)
    if method == "save_weights":
        return first is not None
    path = text_of(first)
    if method == "load_model" or path is None:
        return path is not None
    if len(node.args) != 1:
        return False
    is_model = node.keywords or "." not in path.rpartition("/")[2]
    return is_model or path.endswith((".tf", ".hdf5", ".ckpt"))


def family_of(argument: str) -> str | None:
    """The module whose names an argument takes; None: none.

    >>> family_of("kernel_initializer"), family_of("units")
    ('initializers', None)
    """
    return FAMILIES.get(argument.rpartition("_")[2])


def is_known(family: str, name: str) -> bool:
    """Whether a module of Keras 3 knows a name.

    >>> is_known("activations", "relu"), is_known("activations", "swish2")
    (True, False)
    """
    try:
        getattr(jkeras, family).get(name)
    except ValueError:
        return False
    return True


def of_tensorflow(owner: str, name: str) -> str | None:
    """What to do about something of TensorFlow; None: nothing.

    >>> of_tensorflow("tf", "reduce_mean"), of_tensorflow("tf", "io")
    ('keras.ops.mean, which any backend can differentiate', None)
    """
    if owner in TENSORFLOW and name in OF_TENSORFLOW:
        return OF_TENSORFLOW[name]
    if owner not in (*TENSORFLOW, "tf.math", "tf.nn"):
        return None
    op = tables.OPS_OF_TENSORFLOW.get(name) or name.removeprefix("reduce_")
    is_op = name in tables.OPS_OF_TENSORFLOW or name.startswith("reduce_") or "." in owner
    return f"keras.ops.{op}, which any backend can differentiate" if is_op else None


def end_of(node):
    """How a path ends that a program makes; None: not to be seen."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return end_of(node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return end_of(node.left)
    if isinstance(node, ast.JoinedStr) and node.values:
        return end_of(node.values[-1])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format":
            return end_of(node.func.value)
        if node.func.attr == "join" and node.args:
            return end_of(node.args[-1])
    return text_of(node)


# ------------------------------------------------------------ what Keras 3 has

MISSING = object()


@functools.cache
def lookup(path: str) -> typing.Any:
    """What a public name of Keras 3 is, such as "keras.layers.Dense"; `MISSING`: nothing."""
    value = jkeras
    for part in path.split(".")[1:]:
        if not isinstance(value, types.ModuleType):
            return None  # of a class; who knows
        if part == "src" or part.startswith(("__", "_tf_keras")):
            return None  # there, and private
        if part not in dir(value):
            return MISSING
        value = getattr(value, part)
    return value


@functools.cache
def arguments_of(function: typing.Any) -> frozenset[str] | None:
    """The arguments that can be given by name; None: any, or unknown."""
    if not inspect.isclass(function) and not inspect.isfunction(function):
        return None
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    names = {
        name
        for name, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values()):
        if not inspect.isclass(function) or len(names) == 0:
            return None
        if issubclass(function, Layer):
            return frozenset(names | OF_LAYERS | OF_CLASSES.get(function.__name__, set()))
        return frozenset(names) if issubclass(function, Optimizer) else None
    return frozenset(names)
