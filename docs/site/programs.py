"""The programs of examples/ as pages: a title, what the program explains of itself, what it
reaches, a picture, the program, what it prints. Pictures and prints are kept by `record.py`.
"""

import ast
import pathlib
import re

from docstrings import prose

KEPT = pathlib.Path(__file__).parent.parent / "assets" / "examples"
NOTEBOOKS = (
    "diffusion",
    "grokking",
    "double_descent",
    "neural_ode",
    "cartpole",
    "maml",
    "lottery",
    "vae",
)
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
REACHED = re.compile(r"^\| `(\w+)\.py` \|([^|]*)\|([^|]*)\|", re.M)


def pages(folder):
    """{path of a page: Markdown} of all programs of a folder, by title."""
    table = (folder / "README.md").read_text()
    reached = {found[1]: found[3].strip() for found in REACHED.finditer(table)}
    programs = sorted(folder.glob("*.py"), key=lambda path: TITLES[path.stem])
    return {f"examples/{path.stem}.md": page(path, reached[path.stem]) for path in programs}


def page(path, reached):
    """A program as a page: its docstring as text, what it reaches, a picture, the program below,
    and what it prints.
    """
    text = path.read_text()
    tree = ast.parse(text)
    first, _, rest = ast.get_docstring(tree).partition("\n\n")
    program = text.split("\n", tree.body[0].end_lineno)[-1].strip()
    parts = [
        f"# {TITLES[path.stem]}",
        prose(first),
        rest,
        f"**What it reaches**: {prose(reached)}.",
        picture(path.stem),
        f'```python title="examples/{path.name}"\n{program}\n```',
        f"It prints:\n\n```text\n{(KEPT / path.stem).with_suffix('.txt').read_text()}```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def picture(name):
    """The picture of a program, or nothing."""
    if not (KEPT / f"{name}.png").exists():
        return ""
    return f"![{TITLES[name]}](../assets/examples/{name}.png)"
