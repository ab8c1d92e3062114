"""The programs of examples/ and the notebooks of the gallery as pages: a title, what the program
explains of itself, what it reaches, a picture, the program, what it prints. Pictures, prints and
seconds are kept by `record.py`. The gallery is the page that leads to them all.
"""

import ast
import importlib.util
import json
import pathlib
import re

from docstrings import prose

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSETS, SOURCES = ROOT / "docs" / "assets", ROOT / "colab" / "sources"
NOTEBOOKS = {  # in the order of the gallery: what the picture shows
    "diffusion": "Ten columns in which noise becomes the digits 0 to 9, step by step",
    "grokking": "Accuracy rises early on training sums and much later on others; a few frequencies "
    "carry the embedding",
    "neural_ode": "Two spirals and, on top of them, the network's",
    "cartpole": "Returns of five seeds rise to 500; a pole that leans is brought upright",
    "double_descent": "Test error falls, peaks at as many features as examples, and falls again",
    "maml": "Errors fall with steps of gradient descent; a wave, and the curves after some steps",
    "lottery": "Accuracy stays with initial weights and falls with new ones as weights are cut",
    "vae": "Bounds rise with the number of samples; digits of random codes",
}
TITLES = {
    "actor_critic": "Reinforcement learning: actor and critic",
    "custom_train_step": "A training step of one's own",
    "ddpm": "Diffusion model",
    "digits_quickstart": "Image classification: digits",
    "ensemble": "Deep ensemble by vmap",
    "explain_images": "Grad-CAM and attributions of pixels",
    "explain_text": "Which words a text classifier goes by",
    "export_and_serve": "Export and serving",
    "flax_module": "A Flax module as a layer",
    "functional_multi_io": "Several inputs and outputs",
    "gan": "Generative adversarial network",
    "image_augmentation": "Image augmentation",
    "keras_file": "A file of Keras, opened and trained on",
    "kill_and_resume": "Killed and resumed: checkpoints",
    "language_model": "Transformer language model",
    "lstm_time_series": "Time series forecast with an LSTM",
    "maml": "Meta-learning (MAML)",
    "many_devices": "Many devices: data and model parallel",
    "preferences": "Preferences: DPO on pairs of answers",
    "private_digits": "Digits with differential privacy",
    "pure_research": "Research on pure functions",
    "rewards": "Rewards: GRPO on answers of its own",
    "served_model": "A served language model and its client",
    "siamese": "Siamese network, contrastive loss",
    "sklearn_pipeline": "Grid search with scikit-learn",
    "structured_data": "Structured data: a table of features",
    "subclass_custom_layer": "Layers and models of one's own",
    "text_classification": "Text classification from raw strings",
    "transfer_learning": "Transfer learning and fine-tuning",
    "two_processes": "Two processes, one training",
    "unet_segmentation": "Image segmentation with a U-Net",
    "vae": "Variational autoencoder",
}
DRAWN = {  # pictures that are no curves of a training
    "actor_critic": "The number of steps that the pole is up rises to 500",
    "ddpm": "Forty digits drawn by the diffusion model",
    "ensemble": "Bars of the surprise of the mean member, the best one and the ensemble",
    "explain_images": "Bars of how much of each method's maps lies on the digit",
    "explain_text": "A sentence whose two words that decide are on dark colours",
    "gan": "Forty digits drawn by the generator",
    "maml": "Errors on new waves fall by steps of gradient descent, those of MAML farther",
    "pure_research": "Accuracy over the learning rate of each member; norms of digits' gradients",
    "two_processes": "The losses of two processes and of one lie on top of each other",
    "vae": "Five digits drawn by the decoder",
}
EASY = """digits_quickstart functional_multi_io image_augmentation keras_file lstm_time_series
sklearn_pipeline structured_data text_classification transfer_learning notebooks/double_descent"""
ADVANCED = """actor_critic ddpm gan language_model maml preferences pure_research rewards
served_model two_processes notebooks/cartpole notebooks/diffusion notebooks/maml
notebooks/neural_ode"""
REACHED = re.compile(r"^\| `(?:colab/)?(\w+)\.(py|ipynb)` \|[^|]*\|([^|]*)\|([^|\n]*)", re.M)
GALLERY = "examples/index.md"
TILES = """# Gallery

Papers done again as notebooks of `colab/`, and programs of `examples/`, one idea in each. All run
without a network, on the digits that come with jkeras or on data that they make. Seconds are those
of a CPU; what each reaches stands on its page.

## Papers, as notebooks

{}

## Programs

{}
"""


def pages(folder):
    """{path of a page: Markdown} of the gallery, of the notebooks, and of all programs of a folder
    by title.
    """
    table = (folder / "README.md").read_text()
    reached = {(found[1], found[2]): found.groups()[2:] for found in REACHED.finditer(table)}
    programs = sorted(folder.glob("*.py"), key=lambda path: TITLES[path.stem])
    of_examples = {
        f"examples/{path.stem}": page(path, reached[path.stem, "py"][0].strip())
        for path in programs
    }
    of_notebooks = {
        f"notebooks/{name}": notebook(name, *map(str.strip, reached[name, "ipynb"]))
        for name in NOTEBOOKS
    }
    tiles = ("\n".join(map(tile, each, each.values())) for each in (of_notebooks, of_examples))
    made = {f"{name}.md": text for name, text in (of_notebooks | of_examples).items()}
    return {GALLERY: TILES.format(*tiles)} | made


def page(path, reached):
    """A program as a page: its docstring as text, what it reaches, a picture, the program below,
    and what it prints.
    """
    text = path.read_text()
    tree = ast.parse(text)
    first, _, rest = ast.get_docstring(tree).partition("\n\n")
    program = text.split("\n", tree.body[0].end_lineno)[-1].strip()
    name = f"examples/{path.stem}"
    parts = [
        f"# {TITLES[path.stem]}",
        prose(first),
        rest,
        f"**What it reaches**: {prose(reached)}.",
        picture(name),
        f'```python title="{name}.py"\n{program}\n```',
        prints(name),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def notebook(name, reached, published):
    """A notebook as a page: its cells, the picture behind what it explains of itself, what it
    prints at the end.
    """
    (_, head), *cells = cells_of((SOURCES / f"{name}.py").read_text())
    parts = [
        f"{head}\n\nThe notebook is `colab/{name}.ipynb`.",
        f"**What it reaches**: {prose(reached)}. **Published**: {prose(published)}.",
        picture(f"notebooks/{name}"),
        *(text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells),
        prints(f"notebooks/{name}"),
    ]
    return "\n\n".join(parts) + "\n"


def cells_of(source):
    """(kind, text) of each cell of a notebook, as colab/make.py cuts its source."""
    spec = importlib.util.spec_from_file_location("colab_make", ROOT / "colab" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cells_of(source)


def tile(name, text):
    """An entry of the gallery: the picture and the title lead to the page."""
    title, link = text.partition("\n")[0].removeprefix("# "), f"../{name}.md"
    shown = f"[{picture(name)}]({link})" if picture(name) else ""
    lines = [shown, f"[{title}]({link})", f"{seconds(name)}, {level(name)}"]
    return "* " + "\n  ".join(line for line in lines if line)


def picture(name):
    """The picture of a page, or nothing."""
    if not (ASSETS / f"{name}.png").exists():
        return ""
    return f"![{alternative(name)}](../assets/{name}.png)"


def alternative(name):
    """What a picture shows, in words."""
    folder, stem = name.split("/")
    if folder == "notebooks":
        return NOTEBOOKS[stem]
    return DRAWN.get(stem, f"Curves of the training, epoch by epoch: {TITLES[stem]}")


def prints(name):
    """What a program prints."""
    return f"It prints:\n\n```text\n{(ASSETS / f'{name}.txt').read_text()}```"


def seconds(name):
    """How long a program takes, in words."""
    folder, stem = name.split("/")
    taken = json.loads((ASSETS / folder / "seconds.json").read_text())[stem]
    return f"{taken:.0f} s" if taken < 100 else f"{taken / 60:.0f} minutes"


def level(name):
    """How much of jkeras and of the field a page asks for."""
    name = name.removeprefix("examples/")
    if name in EASY.split():
        return "easy"
    return "advanced" if name in ADVANCED.split() else "middle"
