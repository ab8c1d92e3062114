"""Rewrites a program for Keras 1 or 2 into one for Keras 3; comments and layout stay."""

import ast
import bisect
import difflib
import io

from jkeras.keras2 import file_names, refused, tables
from jkeras.keras2.trees import dotted, text_of

# functions of the old backend that `keras.ops` has under the same name and arguments
SAME_OPS = (
    "abs all any arange argmax argmin cast cos cumprod cumsum equal exp expand_dims floor greater "
    "greater_equal "
    "less less_equal log logsumexp max maximum mean min minimum not_equal ones_like prod relu "
    "reshape round shape sigmoid sign sin softplus softsign sqrt square squeeze stack std "
    "stop_gradient sum tanh tile transpose var zeros_like one_hot"
).split()
OTHER_OPS = {
    "concatenate": "concatenate",
    "pow": "power",
    "clip": "clip",
    "permute_dimensions": "transpose",
    "dot": "matmul",
    "repeat_elements": "repeat",
    "reverse": "flip",
}
# what a rewriting by position alone does not keep: the default axis of these is -1 in Keras 2
LAST_AXIS = ("concatenate", "argmax", "argmin", "expand_dims")
KEPT_IN_BACKEND = (
    "epsilon floatx set_floatx set_epsilon image_data_format set_image_data_format clear_session "
    "get_uid backend is_keras_tensor is_float_dtype is_int_dtype result_type standardize_dtype"
).split()
RANDOM = {"random_normal": "normal", "random_uniform": "uniform"}
NAMES_BY_HAND = {
    "Merge": "layers.add, multiply, concatenate, ... on the tensors of the branches",
    "slice_X": "index the arrays",
    "slice_arrays": "index the arrays",
}
WORTH_A_REMARK = {  # module -> (what of it, what is said)
    "keras.preprocessing.text": (
        "",
        "Keras 3 has layers.TextVectorization in the place of Tokenizer",
    ),
    "keras.preprocessing.image": (
        "ImageDataGenerator",
        "Keras 3 has image_dataset_from_directory and random layers",
    ),
    "keras.wrappers.scikit_learn": (
        "",
        "Keras 3 has wrappers.SKLearnClassifier and SKLearnRegressor, which take a function",
    ),
}
BY_HAND = {
    "gradients": "take jax.grad of a function",
    "function": "call a keras.Model(inputs, outputs), or keras.Function",
    "learning_phase": "give `training=` to the call",
    "get_session": "remove: there are no sessions",
    "set_session": "remove: there are no sessions",
    "ctc_batch_cost": "keras.losses.CTC or keras.ops.ctc_loss",
    "placeholder": "keras.Input",
}
MOVED = {
    "batch_input_shape": "put keras.Input(batch_shape=...) in front",
    "input_length": "leave it out, or put keras.Input((length,)) in front",
    "weights": "give an initializer Constant(array), or set_weights after building",
}
METHODS_BY_HAND = {
    "predict_classes": "model.predict(x).argmax(axis=-1)",
    "reset_states": "reset_state() of a metric; of a model, layer.reset_states() of each layer",
    "add_loss": "a tensor of the graph is not taken: call self.add_loss in a layer",
    "to_yaml": "model.to_json()",
}
REDUCTIONS = tuple(
    f"{losses}.Reduction." for losses in ("losses", "keras.losses", "tf.keras.losses")
)
# expressions that begin so name a class or function of Keras by its last part
OF_CLASSES = (
    "keras.layers.",
    "layers.",
    "keras.initializers.",
    "initializers.",
    "keras.losses.",
    "losses.",
)
EXPRESSIONS = {
    "int_shape": "{0}.shape",
    "ndim": "len({0}.shape)",
    "get_value": "keras.ops.convert_to_numpy({0})",
    "eval": "keras.ops.convert_to_numpy({0})",
    "flatten": "keras.ops.reshape({0}, (-1,))",
}


def modernize(source):
    """(the program for Keras 3, remarks on lines that need a hand).

    >>> old = "from keras.layers.core import Dense\\nDense(output_dim=3)  # out\\n"
    >>> text, remarks = modernize(old)
    >>> print(text, end="")
    from keras.layers import Dense
    Dense(units=3)  # out
    """
    rewriter = Rewriter(source)
    tree = ast.parse(source)
    rewriter.files = file_names.renamed(tree)
    rewriter.unused = only_for_keras(tree)
    rewriter.visit(tree)
    text = rewriter.result()
    return text, _all_remarks(rewriter, text)


def only_for_keras(tree):
    """The names under which a program imports TensorFlow and has `tf.keras` alone of it.

    >>> only_for_keras(ast.parse("import tensorflow as tf; tf.keras.layers"))
    {'tf'}
    """
    nodes = list(ast.walk(tree))
    imported = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "tensorflow"
    }
    uses = [node.id for node in nodes if isinstance(node, ast.Name)]
    of_keras = [node.value.id for node in nodes if _is_tf_keras(node)]
    return {name for name in imported if uses.count(name) == of_keras.count(name)}


def _is_tf_keras(node):
    """Whether an expression is `tf.keras`, which is rewritten."""
    return isinstance(node, ast.Attribute) and dotted(node) == "tf.keras"


def _all_remarks(rewriter, text):
    """The remarks of a rewriter, and those on what Keras 3 refuses of the new program, by lines of
    the old one; of two on one thing in a line the rewriter's counts.
    """
    remarks = [(remark.line, remark.text) for remark in rewriter.remarks]
    remarks_by_line = {}
    for line, remark in remarks:
        remarks_by_line[line] = f"{remarks_by_line.get(line, '')} {remark}"
    old_lines = rewriter.old_lines()
    for refusal in refused.remarks_on(text):
        line = old_lines[refusal.line - 1]
        if refusal.name not in remarks_by_line.get(line, ""):
            remarks.append((line, refusal.text))
    return [f"line {line}: {remark}" for line, remark in sorted(dict.fromkeys(remarks))]


def difference(source):
    """What `modernize` changes, as a patch."""
    new, _ = modernize(source)
    lines = difflib.unified_diff(source.splitlines(True), new.splitlines(True), "old", "new")
    return "".join(lines)


class Rewriter(ast.NodeVisitor):
    """Collects replacements of pieces of a program, by their offsets."""

    def __init__(self, source):
        # as Python counts lines: a form feed, as in some old files, ends none
        self.lines = io.StringIO(source).readlines()
        self.encoded = source.encode()
        starts, at = [], 0
        for line in self.lines:
            starts.append(at)
            at += len(line.encode())
        self.starts = starts
        self.edits = []  # (begin, end, text) in bytes
        self.remarks = []
        self.unused = set()  # names of TensorFlow that the new program has no use for
        self.files = {}  # path in the old program -> in the new one
        self.done = []  # those that count
        self.inserted = None  # the line behind which `import keras` was put into the new program
        self.backends = set()  # names bound to the old backend
        self.names = {}  # name in the program -> class of Keras
        self.needs_import = False

    # ------------------------------------------------------------ offsets and pieces

    def offset(self, line, column):
        """The byte at which a line and column of a node are."""
        return self.starts[line - 1] + column

    def span(self, node):
        """(begin, end) of a node in bytes."""
        begin = self.offset(node.lineno, node.col_offset)
        return begin, self.offset(node.end_lineno, node.end_col_offset)

    def text(self, node):
        """A node as the program has it."""
        begin, end = self.span(node)
        return self.encoded[begin:end].decode()

    def replace(self, node, text):
        """Replaces a node by a text."""
        self.edits.append((*self.span(node), text))

    def put_text(self, node, text):
        """Replaces a text by another one, in its quotes: it may be inside an f-string."""
        quote = self.text(node)[0]
        is_simple = quote in "'\"" and self.text(node)[:3] != 3 * quote and text is not None
        if is_simple and not set(text) & set("'\"\\\n"):
            self.replace(node, f"{quote}{text}{quote}")
        else:
            self.replace(node, repr(text))

    def remark(self, node, text):
        """Notes a line that needs a hand."""
        self.remarks.append(refused.Remark(node.lineno, "", text))

    def result(self):
        """The program with all replacements; of two that overlap, the outer one counts."""
        text, self.done = self.encoded, []
        for begin, end, new in sorted(self.edits, key=lambda edit: (edit[0], -edit[1])):
            if not self.done or begin >= self.done[-1][1]:
                self.done.append((begin, end, new))
            elif new == self.done[-1][2] == "":  # two that go, and what is between them
                self.done[-1] = (self.done[-1][0], max(end, self.done[-1][1]), new)
        for begin, end, new in reversed(self.done):
            text = text[:begin] + new.encode() + text[end:]
        text = text.decode()
        if self.needs_import and "import keras\n" not in text:
            self.inserted = _line_of_import(text)
            text = _with_import(text, self.inserted)
        return text

    def old_lines(self):
        """For each line of the new program the one of the old program that it was made of."""
        numbers, at = [], 0  # `at`: what of the old program is counted already
        for begin, end, new in self.done:
            numbers += self.lines_between(at, begin)
            line = bisect.bisect_right(self.starts, begin)
            numbers += new.count("\n") * [line]
            at = end
        numbers += self.lines_between(at, len(self.encoded))
        numbers.append(len(self.lines))  # the last line, which may have no end
        if self.inserted is not None:
            numbers.insert(self.inserted, numbers[self.inserted])
        return numbers

    def lines_between(self, begin, end):
        """The lines whose ends are in a piece of the old program."""
        first = bisect.bisect_right(self.starts, begin)
        return list(range(first, first + self.encoded[begin:end].count(b"\n")))

    # ------------------------------------------------------------ imports

    def visit_ImportFrom(self, node):
        if node.module == "tensorflow" and [a.name for a in node.names] == ["keras"]:
            self.replace(node, "import keras")
            return
        module = new_module(node.module or "")
        if module is None:
            return
        names = {"utils": [], module: [], "keras.ops": []}
        for alias in node.names:
            self._take_name(node, module, alias, names)
        self._remark_on(node, module, names[module])
        statements = [f"from keras import {name}" for name in names.pop("utils")]
        for source, taken in names.items():
            if taken:
                statements.append(f"from {source} import {_listed(taken, node)}")
        new_text = f"\n{' ' * node.col_offset}".join(statements)
        if new_text.split() != self.text(node).split():
            self.replace(node, new_text)

    def _remark_on(self, node, module, taken):
        """Remarks on what a `from` import takes of a module and has to be seen to by hand."""
        for name in NAMES_BY_HAND.keys() & {alias.name for alias in node.names}:
            self.remark(node, f"{name}: {NAMES_BY_HAND[name]}")
        needle, remark = WORTH_A_REMARK.get(module, ("", ""))
        if remark and any(needle in name for name in taken):
            self.remark(node, remark)

    def _take_name(self, node, module, alias, names):
        """Puts one name of a `from` import into the list of the module that has it in Keras 3."""
        name = alias.asname or alias.name
        if module == "keras" and alias.name == "backend":
            self.backends.add(name)
        new = tables.RENAMED.get(alias.name, alias.name)
        if module in tables.SHORT_IN and alias.name in tables.SHORT_NAMES:
            names[module].append(f"{tables.SHORT_NAMES[alias.name]} as {name}")
            return
        self.names[name] = new
        if alias.name == "np_utils":
            self.names[name] = "utils"
            names["utils"].append(f"utils as {name}")
            return
        if module == "keras.backend" and alias.name in (*SAME_OPS, *OTHER_OPS):
            names["keras.ops"].append(f"{OTHER_OPS.get(alias.name, alias.name)} as {name}")
            return
        if module == "keras.backend" and alias.name not in KEPT_IN_BACKEND:
            hint = BY_HAND.get(alias.name, "write it with keras.ops")
            self.remark(node, f"backend.{alias.name}: {hint}")
        if alias.asname:
            new = f"{new} as {alias.asname}"
        names[module].append(new)

    def visit_Import(self, node):
        parts = []
        for alias in node.names:
            new = new_module(alias.name)
            if alias.name == "tensorflow" and (alias.asname or alias.name) in self.unused:
                parts.append("keras")
                continue
            if new is None:
                parts.append(self.text(alias))
                continue
            name = alias.asname
            if new == "keras.backend" and name:
                self.backends.add(name)
            parts.append(f"{new} as {name}" if name else new)
        text = f"import {', '.join(parts)}"
        if text != self.text(node):
            self.replace(node, text)

    # ------------------------------------------------------------ names and attributes

    def visit_Name(self, node):
        new = self.names.get(node.id)
        if new is not None and node.id in tables.RENAMED and tables.RENAMED[node.id] == new:
            self.replace(node, new)

    def visit_Attribute(self, node):
        self.generic_visit(node)
        whole = dotted(node)
        if whole is None:
            return
        if whole.startswith("tf.keras.") or whole == "tf.keras":
            outer = new_module(whole)
            self.needs_import = True
            self.replace(node, outer or whole.removeprefix("tf."))
        elif whole.startswith(REDUCTIONS) and node.attr in tables.REDUCTIONS:
            self.put_text(node, tables.REDUCTIONS[node.attr])
        elif self.new_attribute(node, whole) is not None:
            _, end = self.span(node)
            size = len(node.attr.encode())
            self.edits.append((end - size, end, self.new_attribute(node, whole)))
        elif self.is_backend(node.value):
            self.backend_name(node)
        elif whole.startswith("keras.") and new_module(whole) not in (None, whole):
            self.replace(node, new_module(whole))

    def new_attribute(self, node, whole):
        """What an attribute is called in Keras 3; None: as before."""
        if node.attr in tables.SHORT_NAMES and self.is_of_short_names(node.value):
            return tables.SHORT_NAMES[node.attr]
        if node.attr in tables.RENAMED and whole.startswith(OF_CLASSES):
            return tables.RENAMED[node.attr]
        if node.attr == "lr" and whole.endswith("optimizer.lr"):
            return "learning_rate"
        return None

    def is_of_short_names(self, node):
        """Whether an expression is a module that had losses and metrics under short names, too."""
        whole = dotted(node) or ""
        module = new_module(whole) or f"keras.{self.names.get(whole)}"
        return module in tables.SHORT_IN

    def is_backend(self, node):
        """Whether an expression is the old backend."""
        is_name = isinstance(node, ast.Name) and node.id in self.backends
        return is_name or dotted(node) in ("keras.backend", "tf.keras.backend")

    def backend_name(self, node):
        """Rewrites `K.mean`."""
        name = node.attr
        if name in KEPT_IN_BACKEND:
            return
        if name in SAME_OPS or name in OTHER_OPS:
            new = f"keras.ops.{OTHER_OPS.get(name, name)}"
        elif name in RANDOM:
            new = f"keras.random.{RANDOM[name]}"
            hint = (
                "in a layer or Lambda give seed=, a keras.random.SeedGenerator made outside of it"
            )
            self.remark(node, f"backend.{name}: {hint}")
        elif name == "variable":
            new = "keras.Variable"
        else:
            if name not in EXPRESSIONS:
                hint = BY_HAND.get(name, "write it with keras.ops")
                self.remark(node, f"backend.{name}: {hint}")
            return
        self.needs_import = True
        self.replace(node, new)

    # ------------------------------------------------------------ calls

    def visit_Call(self, node):
        name = self.class_of(node.func)
        method = node.func.attr if isinstance(node.func, ast.Attribute) else None
        if self.is_backend(getattr(node.func, "value", None)) and self.whole_call(node):
            return
        if method in LAST_AXIS and self.is_backend(node.func.value):
            self.with_last_axis(node)
        if name == "merge":
            self.remark(node, "merge(mode=): layers.add, multiply, concatenate, ...")
        if name in tables.ARGUMENTS or any(k.arg == "reduction" for k in node.keywords):
            self.arguments(node, tables.ARGUMENTS.get(name, {}), name)
        if name in tables.KERNEL_SIDES:
            self.kernel_sides(node, tables.KERNEL_SIDES[name])
        if method is not None:
            self.method_call(node, method)
        self.generic_visit(node)

    def method_call(self, node, method):
        """A call of a method of some object."""
        self.method(node, method)
        if method == "compile":
            self.compile_arguments(node)
        if method == "get" and node.args:
            self.logged_name(node.func.value, node.args[0])
        if method == "add_weight":
            self.weight_arguments(node)

    def compile_arguments(self, node):
        """Takes out what `compile` has no more, where it changes nothing."""
        for keyword in node.keywords:
            value = getattr(keyword.value, "value", keyword)
            if value in tables.GONE_OF_COMPILE.get(keyword.arg, ()):
                self.take_out(node, keyword)
            elif keyword.arg == "metrics" and text_of(keyword.value) is not None:
                name = {"acc": "accuracy"}.get(value, value)
                self.replace(keyword.value, f'["{name}"]')

    def weight_arguments(self, node):
        """`add_weight("w", (2,))`: says which arguments the first two are."""
        if text_of(node.args[0] if node.args else None) is None or len(node.args) > 2:
            return
        for value, name in zip(node.args, ("name", "shape")):
            begin, _ = self.span(value)
            self.edits.append((begin, begin, f"{name}="))

    def visit_JoinedStr(self, node):
        """Looks at what is inside an f-string, where Python says rightly where it is."""
        for part in node.values:
            if isinstance(part, ast.FormattedValue) and self.is_verbatim(part.value):
                self.visit(part.value)

    def is_verbatim(self, node):
        """Whether the text at the offset of an expression is that expression."""
        try:
            parsed = ast.parse(self.text(node), mode="eval").body
        except (IndexError, SyntaxError, ValueError):
            return False
        return ast.dump(parsed) == ast.dump(node)

    def visit_Constant(self, node):
        new = self.files.get(text_of(node))
        if new is not None:
            self.put_text(node, new)

    def class_of(self, function):
        """The class of Keras 3 that a call makes; None for anything else."""
        if isinstance(function, ast.Name):
            name = self.names.get(function.id)
        else:
            whole = dotted(function) or ""
            head = whole.split(".")[0]
            is_keras = head in ("keras", "tf", "layers", "optimizers", *self.names)
            name = whole.rpartition(".")[2] if is_keras else None
        return tables.RENAMED.get(name, name)

    def whole_call(self, node):
        """Rewrites a call whose form changes; returns whether it did."""
        pattern = EXPRESSIONS.get(node.func.attr)
        if pattern is None or len(node.args) != 1:
            return False
        inner = Rewriter(self.text(node.args[0]))
        inner.backends, inner.names = self.backends, self.names
        inner.visit(ast.parse(self.text(node.args[0])))
        needed = inner.needs_import or pattern.startswith("keras")
        inner.needs_import = False
        self.replace(node, pattern.format(inner.result()))
        self.remarks += [remark._replace(line=node.lineno) for remark in inner.remarks]
        self.needs_import = self.needs_import or needed
        return True

    def with_last_axis(self, node):
        """Says the axis that Keras 2 took where there is none."""
        has_axis = len(node.args) > 1 or any(k.arg == "axis" for k in node.keywords)
        if has_axis or not node.args:
            return
        _, end = self.span(node.args[-1])
        self.edits.append((end, end, ", axis=-1"))

    def arguments(self, node, renamed, name):
        """Renames arguments, takes out those that are gone, translates values."""
        for keyword in node.keywords:
            self.argument(node, keyword, renamed, name)
        if name in ("ReduceLROnPlateau", "EarlyStopping", "ModelCheckpoint"):
            self.monitor(node)

    def argument(self, node, keyword, renamed, name):
        """Does so for one argument of a call."""
        if "lr" in renamed and is_default_of_optimizer(keyword):
            self.take_out(node, keyword)
        elif keyword.arg == "decay" and "lr" in renamed:
            self.remark(keyword.value, f"{name}(decay=): give a schedule, InverseTimeDecay")
            self.take_out(node, keyword)
        elif keyword.arg in MOVED and (name, keyword.arg) != ("Embedding", "weights"):
            self.remark(keyword.value, f"{name}({keyword.arg}=): {MOVED[keyword.arg]}")
        elif keyword.arg in renamed and renamed[keyword.arg] is None:
            self.take_out(node, keyword)
        elif keyword.arg in renamed:
            begin = self.offset(keyword.lineno, keyword.col_offset)
            new = renamed[keyword.arg]
            self.edits.append((begin, begin + len(keyword.arg), new))
            self.value(keyword.value, new)
        elif keyword.arg is not None:
            self.value(keyword.value, keyword.arg)

    def monitor(self, node):
        """`monitor="val_acc"`: the name under which Keras 3 logs it."""
        for keyword in node.keywords:
            value = getattr(keyword.value, "value", None)
            if keyword.arg == "monitor" and value in ("acc", "val_acc"):
                self.put_text(keyword.value, value.replace("acc", "accuracy"))

    def value(self, node, argument):
        """Translates the value of one argument."""
        value = getattr(node, "value", None)
        if not isinstance(value, str):
            return
        new = value
        if argument.endswith("_initializer"):
            new = tables.INITIALIZERS.get(value, value)
        elif argument == "reduction" and value == "auto":
            new = "sum_over_batch_size"
        elif argument == "distribution" and value == "normal":
            new = "truncated_normal"
        elif argument == "data_format":
            new = tables.DATA_FORMATS.get(value, value)
        if new != value:
            self.put_text(node, new)

    def take_out(self, node, keyword):
        """Removes an argument and its comma."""
        begin, end = self.span(keyword)
        before = [item for item in (*node.args, *node.keywords) if self.span(item)[1] <= begin]
        if before:
            begin = max(self.span(item)[1] for item in before)
        else:
            after = [item for item in (*node.args, *node.keywords) if self.span(item)[0] >= end]
            end = min((self.span(item)[0] for item in after), default=end)
        self.edits.append((begin, end, ""))

    def kernel_sides(self, node, sides):
        """Joins the sides of a kernel into one tuple."""
        count = len(sides)
        numbers = node.args[1 : 1 + count]
        are_numbers = all(isinstance(getattr(n, "value", None), int) for n in numbers)
        keywords = [k for k in node.keywords if k.arg in sides]
        if len(keywords) == count:
            first, last = keywords[0], keywords[-1]
            values = ", ".join(self.text(k.value) for k in keywords)
            self.edits.append((self.span(first)[0], self.span(last)[1], f"kernel_size=({values})"))
        elif len(numbers) == count and are_numbers:
            begin, end = self.span(numbers[0])[0], self.span(numbers[-1])[1]
            values = ", ".join(self.text(n) for n in numbers)
            self.edits.append((begin, end, f"({values})"))

    def method(self, node, method):
        """Methods of models."""
        renamed = dict.fromkeys(tables.GONE) | tables.METHOD_ARGUMENTS.get(method, {})
        is_fit = method in ("fit", "evaluate", "predict")
        if not is_fit and method not in tables.METHOD_ARGUMENTS and method not in tables.METHODS:
            if method in METHODS_BY_HAND:
                self.remark(node, f"{method}: {METHODS_BY_HAND[method]}")
            return
        for keyword in node.keywords:
            if keyword.arg not in renamed:
                continue
            new = renamed[keyword.arg]
            if keyword.arg in ("samples_per_epoch", "nb_val_samples", "val_samples"):
                self.remark(keyword.value, f"{keyword.arg} counts rows, {new} counts batches")
            if new is None:
                self.take_out(node, keyword)
            else:
                begin = self.offset(keyword.lineno, keyword.col_offset)
                self.edits.append((begin, begin + len(keyword.arg), new))
        if method in tables.METHODS:
            _, end = self.span(node.func)
            self.edits.append((end - len(method), end, tables.METHODS[method]))

    def visit_Subscript(self, node):
        self.generic_visit(node)
        self.logged_name(node.value, node.slice)

    def logged_name(self, owner, key):
        """The name of what is logged: `logs["acc"]`, `history.history.get("lr")`."""
        text, owner = text_of(key), dotted(owner)
        if owner is None or text is None:
            return
        if text in ("acc", "val_acc"):
            self.put_text(key, text.replace("acc", "accuracy"))
        elif text == "lr" and owner.rpartition(".")[2] in ("history", "logs"):
            self.put_text(key, "learning_rate")

    def visit_Assign(self, node):
        """`K = keras.backend`: another name of the backend."""
        self.generic_visit(node)
        whole = dotted(node.value) or ""
        if new_module(whole) == "keras.backend":
            self.backends |= {target.id for target in node.targets if isinstance(target, ast.Name)}

    def visit_List(self, node):
        self.generic_visit(node)
        for item in node.elts:
            if getattr(item, "value", None) == "acc":
                self.put_text(item, "accuracy")


def is_default_of_optimizer(keyword):
    """Whether an argument says what Keras 2 does without it, and Keras 3 does not take it."""
    value = getattr(keyword.value, "value", keyword)
    return (keyword.arg, value) in (("decay", 0), ("decay", None), ("epsilon", None))


def new_module(name):
    """Where the names of an old module are in Keras 3; None where it is not of Keras.

    >>> new_module("tensorflow.keras.layers.merge"), new_module("numpy")
    ('keras.layers', None)
    """
    for prefix in ("tensorflow.python.keras", "tensorflow.keras", "tf.keras", "keras"):
        if name == prefix:
            return "keras"
        if name.startswith(f"{prefix}."):
            rest = name.removeprefix(f"{prefix}.")
            return f"keras.{tables.MODULES.get(rest, rest)}"
    return None


def _listed(names, node):
    """Imported names, in parentheses where they were on several lines."""
    unique = list(dict.fromkeys(names))
    text = ", ".join(unique)
    if node.end_lineno == node.lineno:
        return text
    indent = " " * (node.col_offset + 4)
    return f"(\n{indent}" + f",\n{indent}".join(unique) + f",\n{' ' * node.col_offset})"


def _line_of_import(text):
    """The number of lines in front of the first import of a program."""
    body = ast.parse(text).body
    is_import = (ast.Import, ast.ImportFrom)
    lines = [
        node.lineno
        for node in body
        if isinstance(node, is_import) and getattr(node, "module", "") != "__future__"
    ]
    return lines[0] - 1 if lines else 0


def _with_import(text, index):
    """The program with `import keras` behind so many lines."""
    lines = io.StringIO(text).readlines()
    lines.insert(index, "import keras\n")
    return "".join(lines)
