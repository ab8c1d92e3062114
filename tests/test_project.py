"""The rules of the project: which package may import which, what `import jkeras` loads, what is
documented.
"""

import ast
import inspect
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

import jkeras
from jkeras.core.names import registry

ROOT = pathlib.Path(jkeras.__file__).parent

# Each line may import from its own packages and from those of earlier lines. Why in this order: see
# docs/decisions/0001-import-order.md.
ORDER = [
    {"kernel"},
    {"core"},
    {"distribution", "dtype_policies", "tree"},
    {"ops"},
    {"programs"},
    {"backend", "config"},
    {"random"},
    {"initializers", "activations", "regularizers", "constraints", "quantizers"},
    {"losses", "metrics", "optimizers"},
    {"mixed_precision"},
    {"layers"},
    {"saving"},
    {"export"},
    {"callbacks"},
    {"generation", "lora"},
    {"training"},
    {"ensembles", "plans", "report"},
    {"models"},
    {
        "alignment",
        "applications",
        "datasets",
        "debug",
        "distillation",
        "doctor",
        "explain",
        "preprocessing",
        "privacy",
        "robust",
        "search",
        "uncertainty",
        "utils",
        "visualization",
        "wrappers",
    },
    {"legacy"},
    {"as_keras", "as_keras_inside", "as_keras_names", "as_keras_private", "as_keras_store"},
]
TOP = {"__init__", "__main__", "keras2"}  # they import from all
RANK = {package: rank for rank, packages in enumerate(ORDER) for package in packages}
HEAVY = [
    "orbax",
    "tensorstore",
    "h5py",
    "matplotlib",
    "rich",
    "tensorflow",
    "torch",
    "pandas",
    "keras",
    "IPython",
    "sklearn",
    "PIL",
    "flax",
    "equinox",
    "jax2onnx",
    "onnx",
]

# Their examples would need Pillow, graphviz, optuna, a network, folders full of files, a process of
# their own; their tests make what they need.
WITHOUT_EXAMPLE = {
    "audio_dataset_from_directory",
    "get_file",
    "image_dataset_from_directory",
    "install_as_keras",
    "load_img",
    "optuna",
    "plot_model",
    "save_img",
    "text_dataset_from_directory",
}


def package_of(path):
    """The package (or single module) right under jkeras that a file belongs to."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree):
    """(line, package) for every import of jkeras in a file, in functions too."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative imports are not used here"
            names = (
                [f"jkeras.{alias.name}" for alias in node.names]
                if node.module == "jkeras"
                else [node.module]
            )
        for name in names:
            parts = name.split(".")
            if parts[0] == "jkeras":
                yield node.lineno, parts[1] if len(parts) > 1 else ""


@pytest.mark.promise("`core` nothing of layers, layers nothing of training")
def test_imports_go_downwards():
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        mine = package_of(path)
        if mine in TOP:
            continue
        for line, other in imported(ast.parse(path.read_text())):
            place = f"jkeras/{path.relative_to(ROOT)}:{line}"
            if other not in RANK:
                wrong.append(f"{place} imports jkeras.{other}, which has no place in the order")
            elif RANK[other] > RANK[mine]:
                wrong.append(f"{place}: {mine} imports {other}, which comes later")
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.promise("No file of the kernel knows")
@pytest.mark.promise("The kernel imports JAX")
@pytest.mark.promise("the kernel | `structure`")
@pytest.mark.promise("`kernel` knows nothing of `core`")
def test_the_kernel_imports_jax_numpy_and_itself():
    known = {"jax", "numpy", *sys.stdlib_module_names}
    for path in (ROOT / "kernel").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module]
            for module in modules:
                mine = f"{module}.".startswith("jkeras.kernel.")
                assert mine or module.split(".")[0] in known, f"{path}:{node.lineno}: {module}"


def test_every_package_has_its_place():
    found = {package_of(path) for path in ROOT.rglob("*.py")} - TOP
    assert found <= set(RANK), found - set(RANK)


def test_every_package_has_tests_that_can_be_found():
    """In the folder of its name, or by the table of CONTRIBUTING, whose folders are there."""
    page = (ROOT.parent / "CONTRIBUTING.md").read_text()
    table = page.partition("## Which tests ask")[2].partition("\n## ")[0]
    named = re.findall(r"`(tests/[\w./]+)", table)
    assert len(named) > 10 and not [name for name in named if not (ROOT.parent / name).exists()]
    folders = {path.parent.name for path in (ROOT.parent / "tests").glob("*/__init__.py")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    without = packages - folders - set(re.findall(r"`(\w+)/", table))
    assert not without, f"no folder of tests and no row in CONTRIBUTING: {sorted(without)}"
    strays = folders - packages - {name.split("/")[1] for name in named}
    assert not strays, f"folders of tests that CONTRIBUTING does not name: {sorted(strays)}"


@pytest.mark.promise("is the oracle and never a dependency")
def test_import_loads_no_heavy_module():
    code = "import sys, jkeras; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    assert not set(done.stdout.split()) & set(HEAVY)


def public_objects():
    """(name, object) of all classes and functions in the `__all__` of jkeras's packages."""
    registry.load_the_rest()
    seen = {}
    modules = [m for name, m in sorted(sys.modules.items()) if name.split(".")[0] == "jkeras"]
    for module in [m for m in modules if hasattr(m, "__path__") or m.__name__.count(".") == 1]:
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if (inspect.isclass(thing) or inspect.isfunction(thing)) and (
                thing.__module__ or ""
            ).startswith("jkeras"):
                seen.setdefault(id(thing), (f"{module.__name__}.{name}", thing))
    return sorted(seen.values())


@pytest.mark.parametrize("what", ["docstring", "example"])
def test_every_public_object_is_documented(what):
    text = {
        name: inspect.getdoc(thing) if not inspect.isclass(thing) else thing.__doc__
        for name, thing in public_objects()
    }
    wanted = "" if what == "docstring" else ">>> "
    assert len(text) > 100
    missing = [name for name, doc in text.items() if not doc or wanted not in doc]
    if what == "example":
        missing = [name for name in missing if name.rpartition(".")[2] not in WITHOUT_EXAMPLE]
    assert not missing, f"{len(missing)} without {what}: {', '.join(missing)}"


@pytest.mark.promise("Names, arguments, defaults.**")
@pytest.mark.promise("What Keras has under `keras.applications`")
@pytest.mark.promise("the same names, arguments, defaults, numbers and files, checked case by case")
@pytest.mark.promise("Keras 3, written again as pure functions on JAX")
@pytest.mark.promise("It has the names, arguments, numbers and files of Keras 3.15")
@pytest.mark.skipif(
    not (ROOT.parent.parent / "shared" / "parity").exists(), reason="needs ../shared/parity"
)
def test_tables_from_check_api_are_up_to_date():
    done = subprocess.run(
        [sys.executable, ROOT.parent / "docs" / "make_gaps.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.promise("One that is there already may stay, from JAX 0.7 on")
@pytest.mark.promise("It needs JAX, numpy, optax, orbax and h5py")
def test_pages_name_the_oldest_jax_and_python():
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    needed = {re.split("[->]", line)[0] for line in project["dependencies"]}
    assert needed == {"jax", "jaxlib", "numpy", "optax", "orbax", "h5py"}
    start = (ROOT.parent / "docs" / "getting-started.md").read_text()
    [jax] = [line.partition(">=")[2] for line in project["dependencies"] if line.startswith("jax>")]
    assert f"from JAX {jax} on" in start
    assert f"You need Python {project['requires-python'].removeprefix('>=')} or newer" in start
