"""Counts of the text of a package: what its files import, name, annotate and how they are written.

Each count is a function of the list of `Source`s that `read` returns.
"""

import ast
import collections
import io
import sys
import tokenize
import typing

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTIONS)
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
COLUMNS = 100


class Source(typing.NamedTuple):
    """One file: where it lies below the folder of the package, its text, its tree, its code."""

    path: str
    module: str
    tree: ast.Module
    nodes: list[ast.AST]  # all of the tree
    lines: list[str]
    code: list[str]  # without blank lines, comments, docstrings and indentation
    imported: frozenset[str]  # the names that imports bind, wherever they stand


def read(package) -> list[Source]:
    """The sources of a package, given its folder."""
    return [source(path, package) for path in sorted(package.rglob("*.py"))]


def source(path, package) -> Source:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    inner = path.relative_to(package.parent).with_suffix("")
    parts = inner.parts[:-1] if inner.name == "__init__" else inner.parts
    return Source(
        path=path.relative_to(package).as_posix(),
        module=".".join(parts),
        tree=tree,
        nodes=nodes,
        lines=text.splitlines(),
        code=code_lines(text, docstring_lines(nodes)),
        imported=frozenset(imported_names(nodes)),
    )


def imported_names(nodes) -> set[str]:
    statements = [n for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
    aliases = [alias for statement in statements for alias in statement.names]
    return {(alias.asname or alias.name).partition(".")[0] for alias in aliases}


# ---------------------------------------------------------------- lines and characters


def code_lines(text, left_out) -> list[str]:
    """Lines that hold code, stripped; a string that is no docstring is code, all its lines."""
    ends, occupied = {}, set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            ends[token.start[0]] = token.start[1]
        if token.type not in NO_CODE:
            occupied.update(range(token.start[0], token.end[0] + 1))
    lines = text.split("\n")
    return [lines[i - 1][: ends.get(i)].strip() for i in sorted(occupied - left_out)]


def docstring_lines(nodes) -> set[int]:
    numbers = set()
    for node in nodes:
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            numbers.update(range(docstring.lineno, docstring.end_lineno + 1))
    return numbers


def under(sources, *folders) -> list[Source]:
    """Those in some folders of the package, or some files of it."""
    places = tuple(folder if folder.endswith(".py") else f"{folder}/" for folder in folders)
    return [one for one in sources if one.path.startswith(places)]


def number_of_lines(sources) -> int:
    return sum(len(one.code) for one in sources)


def number_of_characters(sources) -> int:
    """Characters of code, without indentation and line ends: formatting hardly changes it."""
    return sum(len(line) for one in sources for line in one.code)


def characters_of_classes(sources, names) -> int:
    """Those of the bodies of classes, wherever they stand, without the annotations of their
    functions, of which more is better.
    """
    total = 0
    for one in sources:
        for node in one.tree.body:
            if isinstance(node, ast.ClassDef) and node.name in names:
                text = "\n".join(one.lines[node.lineno - 1 : node.end_lineno])
                total += sum(map(len, code_lines(text, docstring_lines(ast.walk(ast.parse(text))))))
                total -= characters_of_annotations(node)
    return total


def characters_of_annotations(tree) -> int:
    """Those that arguments and results of functions have for their annotations."""
    total = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None:
            total += len(": ") + len(ast.unparse(node.annotation))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            total += len(" -> ") + len(ast.unparse(node.returns))
    return total


class Unannotated(ast.NodeTransformer):
    """Takes docstrings, and the annotations of arguments and results, out of a tree."""

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_Expr(self, node):
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if is_text else self.generic_visit(node)

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef


def characters_without_types(sources) -> int:
    """Characters of code without the annotations of functions, each statement on one line."""
    trees = [Unannotated().visit(ast.parse("\n".join(one.lines))) for one in sources]
    texts = [line.strip() for tree in trees for line in ast.unparse(tree).split("\n")]
    return sum(len(line) for line in texts if line != "pass")


def long_lines(sources) -> int:
    """Lines of any kind that are longer than `COLUMNS`."""
    return sum(len(line) > COLUMNS for one in sources for line in one.lines)


# ---------------------------------------------------------------- names of others


def nodes(sources, *kinds) -> list[ast.AST]:
    return [node for one in sources for node in one.nodes if isinstance(node, kinds)]


def calls_of_id(sources) -> list[ast.expr]:
    """What stands between the parentheses of each `id(...)`."""
    return [
        call.args[0]
        for call in nodes(sources, ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id == "id" and len(call.args) == 1
    ]


def calls_of(sources, name) -> int:
    """How often a class or function is called, by its own name or as an attribute of a module."""
    called = [call.func for call in nodes(sources, ast.Call)]
    return sum(getattr(f, "id", getattr(f, "attr", None)) == name for f in called)


def longer_functions(sources, lines) -> int:
    """How many functions have more lines than so many, without decorators and docstring."""
    return sum(_length(function) > lines for function in nodes(sources, *FUNCTIONS))


def _length(function):
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return 1 + (body[-1].end_lineno - body[0].lineno + 1 if body else 0)


def wide_functions(sources, count) -> int:
    """How many functions take so many arguments or more, `self` with them."""
    spread = [function.args for function in nodes(sources, *FUNCTIONS)]
    return sum(len(a.posonlyargs) + len(a.args) + len(a.kwonlyargs) >= count for a in spread)


# A name that stands for a variable. Today's files say `v` or `variable`; the others are there so
# that a name that is changed goes on being counted.
VARIABLE_NAMES = {"v", "var", "variable", "weight", "own_variable"}
# Attributes, and dictionaries of a module, that hold a variable.
VARIABLE_HOLDERS = {
    "state",
    "_own",
    "_iterations",
    "_learning_rate",
    "_trainable_variables",
    "nonfinite_steps",
}


def ids_of_variables(sources) -> int:
    """`id(v)`, `id(variable)`: the argument is one of `VARIABLE_NAMES`."""
    return sum(map(_is_variable, calls_of_id(sources)))


LOOK_UPS = {"get", "setdefault", "pop", "add", "discard", "remove"}


def variables_as_keys(sources) -> int:
    """`values[v]`, `v in values`, `values.get(v)`, `{v: x for ...}`, `{v for v in ...}`.

    A variable is hashed by its identity, so this is `id(v)` in another spelling. A list that is
    asked for a variable, and whatever else is called `v`, counts as well.
    """
    return sum(any(map(_is_variable, _keys_of(n))) for one in sources for n in one.nodes)


def _keys_of(node) -> list[ast.AST]:
    """The expressions that a node uses as keys."""
    match node:
        case ast.Subscript():
            return [node.slice]
        case ast.DictComp():
            return [node.key]
        case ast.SetComp():
            return [node.elt]
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            return [node.left]
        case ast.Call(func=ast.Attribute(attr=name), args=[key, *_]) if name in LOOK_UPS:
            return [key]
    return []


def _is_variable(node) -> bool:
    return isinstance(node, ast.Name) and node.id in VARIABLE_NAMES


def ids_passed_on(sources) -> int:
    """`map(id, variables)`, `key=id`: `id` where it is not called."""
    names = [node for node in nodes(sources, ast.Name) if node.id == "id"]
    called = {id(call.func) for call in nodes(sources, ast.Call)}
    return sum(id(name) not in called for name in names)


def ids_of_held_variables(sources) -> int:
    """`id(generator.state)`, `id(cell._own["bias"])`: reached through one of `VARIABLE_HOLDERS`."""
    return sum(_holder(x) in VARIABLE_HOLDERS for x in calls_of_id(sources))


def _holder(expression):
    if isinstance(expression, ast.Subscript):
        expression = expression.value
    return expression.attr if isinstance(expression, ast.Attribute) else None


def uses_of_dict(sources) -> int:
    """`.__dict__`, read or written."""
    return sum(node.attr == "__dict__" for node in nodes(sources, ast.Attribute))


# public, by Python's documentation: the underscore keeps them apart from names of fields
OF_NAMED_TUPLES = {"_asdict", "_replace"}


def uses_of_private(sources) -> int:
    """`x._name` of another object.

    Not counted: dunder names; `self._name`, `cls._name` and `super()._name`; names of a module and
    of whatever else the file imports; the result of a call; the methods of named tuples.
    """
    return sum(
        _is_foreign_private(node, one) for one in sources for node in nodes([one], ast.Attribute)
    )


def _is_foreign_private(attribute, source) -> bool:
    name, owner = attribute.attr, attribute.value
    if not name.startswith("_") or name.endswith("__") or name in OF_NAMED_TUPLES:
        return False
    if isinstance(owner, ast.Name):
        return owner.id not in {"self", "cls"} | source.imported
    return isinstance(owner, ast.Attribute | ast.Subscript)


# ---------------------------------------------------------------- imports


def imports(source, modules) -> set[str]:
    """The modules of the package that a file imports, at its top or inside functions.

    Imports for type checkers alone do not count; nor do the packages above a module that is named.
    """
    skipped = {n for test in nodes([source], ast.If) if _checks_types(test) for n in ast.walk(test)}
    names = set()
    for node in nodes([source], ast.Import, ast.ImportFrom):
        if node not in skipped:
            names |= _named_modules(node, source, modules)
    names |= {_loaded(node) for node in nodes([source], ast.Call)} & modules
    return names - {source.module}


def _loaded(call) -> str | None:
    """The module that `importlib.import_module("...")` names."""
    if ast.unparse(call.func) not in ("importlib.import_module", "import_module"):
        return None
    return getattr(call.args[0], "value", None) if call.args else None


def _checks_types(test) -> bool:
    return ast.unparse(test.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _named_modules(node, source, modules) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & modules
    base = _absolute(node, source)
    names = set()
    for alias in node.names:
        inner = f"{base}.{alias.name}"
        names.add(inner if inner in modules else base)
    return names & modules


def _absolute(node, source) -> str:
    """The module that `from ... import` names, also where it begins with dots."""
    if not node.level:
        return node.module
    parts = source.module.split(".")
    above = node.level - source.path.endswith("__init__.py")
    return ".".join([*parts[: len(parts) - above], *filter(None, [node.module])])


def import_graph(sources) -> dict[str, set[str]]:
    modules = {one.module for one in sources}
    return {one.module: imports(one, modules) for one in sources}


def importers(sources, *targets) -> list[str]:
    """The modules that import one of the targets or names of it."""
    return [module for module, names in import_graph(sources).items() if names & set(targets)]


def circles(sources) -> list[list[str]]:
    """Groups of modules each of which reaches all others of its group by imports."""
    graph = import_graph(sources)
    reached = {module: _reachable(graph, module) for module in graph}
    groups = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in graph
        if module in reached[module]
    }
    return sorted(map(sorted, groups))


def _reachable(graph, start) -> set[str]:
    reached, waiting = set(), [start]
    while waiting:
        fresh = graph[waiting.pop()] - reached
        reached |= fresh
        waiting += fresh
    return reached


def foreign_packages(sources, allowed) -> list[str]:
    """What files import besides the standard library, the `allowed` packages, and themselves."""
    own = {one.module for one in sources}
    names = set()
    for one in sources:
        for node in nodes([one], ast.Import, ast.ImportFrom):
            named = _imported_from(node, one)
            names |= {name for name in named if not _is_among(name, own)}
    known = sys.stdlib_module_names | set(allowed)
    return sorted(name for name in names if name.partition(".")[0] not in known)


def _imported_from(node, source) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    base = _absolute(node, source)
    # `from jkeras import kernel` names a module, `from jkeras.kernel import tree` as well
    return {f"{base}.{alias.name}" for alias in node.names}


def _is_among(name, own) -> bool:
    return name in own or name.rpartition(".")[0] in own


# ---------------------------------------------------------------- functions


class Function(typing.NamedTuple):
    """One function: where it is, its name with those of the classes around it, its complexity."""

    path: str
    name: str
    complexity: int

    def __str__(self):
        return f"{self.name} ({self.path}) {self.complexity}"


def functions(sources) -> list[Function]:
    """All functions, the most complex first."""
    all_functions = [function for one in sources for function in _inside(one.tree, one.path, "")]
    return sorted(all_functions, key=lambda function: -function.complexity)


def _inside(node, path, prefix):
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, (ast.ClassDef, *FUNCTIONS)):
            inner = f"{prefix}{child.name}."
        if isinstance(child, FUNCTIONS):
            yield Function(path, prefix + child.name, complexity(child))
        yield from _inside(child, path, inner)


def complexity(function) -> int:
    """Cyclomatic: 1, and 1 for each place where the way through the function forks.

    These are `if` and `elif`, loops, `except`, `case`, conditional expressions, each further
    operand of `and` and `or`, each `for` and each `if` of a comprehension. Functions and classes
    inside it count for themselves; lambdas belong to it.
    """
    return 1 + sum(map(_forks, _own_nodes(function)))


def _own_nodes(function):
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if not isinstance(node, (ast.ClassDef, *FUNCTIONS)):
            yield node
            waiting += ast.iter_child_nodes(node)


FORKS = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.match_case,
)


def _forks(node) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return int(isinstance(node, FORKS))


# ---------------------------------------------------------------- how expressions are written


def conditional_expressions(sources) -> int:
    return len(nodes(sources, ast.IfExp))


def mixed_conditions(sources) -> int:
    """`and` directly inside `or`, or the other way round."""
    pairs = [(outer, inner) for outer in nodes(sources, ast.BoolOp) for inner in outer.values]
    return sum(
        isinstance(inner, ast.BoolOp) and type(inner.op) is not type(outer.op)
        for outer, inner in pairs
    )


def arguments(sources) -> collections.Counter:
    """How many arguments of functions are annotated, and how many there are.

    Without `self` and `cls`, `*args` and `**kwargs`, and those of lambdas. Constructors that come
    from annotated fields are no functions in the text.
    """
    counts = collections.Counter(annotated=0, total=0)
    for function in nodes(sources, *FUNCTIONS):
        named = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
        for argument in named:
            if argument.arg not in ("self", "cls"):
                counts["total"] += 1
                counts["annotated"] += argument.annotation is not None
    return counts


def annotated_percent(sources) -> float | None:
    """The annotated share of the arguments, in percent; None where there are no arguments."""
    counts = arguments(sources)
    return 100 * counts["annotated"] / counts["total"] if counts["total"] else None
