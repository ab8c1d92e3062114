"""What people type into the search of the site leads to its section."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SECTIONS = {  # what is typed: the section that is found first
    "callbacks": "callbacks/",
    "custom callback": "callbacks/#a-custom-callback",
    "mlflow": "callbacks/#weights-biases-mlflow-aim",
    "kubernetes": "cluster/#kubernetes",
    "slurm": "cluster/#slurm",
    "data generator": "data/#data-generators",
    "dataset larger than memory": "data/#data-larger-than-memory",
    "load images from folder": "data/#images-from-a-folder",
    "multiple inputs": "data/#multiple-inputs-and-outputs",
    "pandas dataframe": "data/#pandas-dataframes-and-csv-files",
    "read csv": "data/#pandas-dataframes-and-csv-files",
    "pytorch dataloader": "data/#pytorch-dataloader",
    "tf.data": "data/#tfdata",
    "debug": "debugging/",
    "ensemble": "ensembles/",
    "time series": "examples/lstm_time_series/",
    "transfer learning": "examples/transfer_learning/",
    "export onnx": "export/#export-to-onnx-tflite-and-other-formats",
    "tflite": "export/#export-to-onnx-tflite-and-other-formats",
    "GPU": "faq/#gpu-and-tpu",
    "TPU": "faq/#gpu-and-tpu",
    "print value inside model": "faq/#how-do-i-print-a-value-inside-of-a-model",
    "learning rate schedule": "faq/#how-do-i-use-a-learning-rate-schedule",
    "gradient clipping": "faq/#how-does-gradient-clipping-work",
    "gpu out of memory": "faq/#out-of-memory",
    "out of memory": "faq/#out-of-memory",
    "nan loss": "faq/#the-loss-is-nan",
    "slow training": "faq/#training-is-slow",
    "fine tuning": "fine-tuning/",
    "freeze layers": "fine-tuning/#freeze-layers-train-a-head",
    "lora": "fine-tuning/#lora",
    "coming from flax": "from-flax/",
    "convert pytorch weights": "from-pytorch/#convert-the-weights-of-a-pytorch-module",
    "migrate from tensorflow": "from-tf-keras/",
    "gradienttape": "from-tf-keras/#gradienttape",
    "install": "getting-started/#install",
    "layer outputs": "intermediate-values/#layer-outputs",
    "keras 2": "keras2/",
    "openai api": "language-models/#over-http-as-openais-api",
    "speculative decoding": "language-models/#speculative-decoding-drafts-of-a-small-model",
    "text generation": "language-models/#text-generation",
    "kv cache": "language-models/#the-kv-cache",
    "custom layer": "layers/",
    "mixed precision": "mixed-precision/",
    "confusion matrix": "pictures/#confusion-matrix",
    "learning curves": "pictures/#learning-curves",
    "worst examples": "pictures/#worst-examples",
    "class weight": "preprocessing/#class-weights-and-sample-weights",
    "class_weight": "preprocessing/#class-weights-and-sample-weights",
    "imbalanced": "preprocessing/#class-weights-and-sample-weights",
    "data augmentation": "preprocessing/#data-augmentation",
    "normalize data": "preprocessing/#normalize-scale-and-encode-data",
    "padding sequences": "preprocessing/#padding-sequences-of-many-lengths",
    "shuffle data": "preprocessing/#shuffle-the-data",
    "tokenizer": "preprocessing/#texts-for-language-models",
    "hugging face models": "pretrained/#models-of-hugging-face-llama-gemma-bert-and-others",
    "llama": "pretrained/#models-of-hugging-face-llama-gemma-bert-and-others",
    "differential privacy": "privacy/",
    "random seed": "randomness/#one-random-seed-for-a-program",
    "load model": "reference/jkeras.saving/#jkeras.saving.load_model",
    "save model": "reference/jkeras.saving/#jkeras.saving.save_model",
    "reproducibility": "reproducing/",
    "adversarial attack": "robust/#training-against-an-attack",
    "h5 file": "saving/",
    "resume training after crash": "saving/#checkpoints-resume-training-after-a-crash",
    "resume training": "saving/#checkpoints-resume-training-after-a-crash",
    "checkpoint": "saving/#checkpoints-resume-training-after-a-crash",
    "untrusted file": "saving/#untrusted-files",
    "multi gpu": "scaling/",
    "distributed training": "scaling/",
    "model parallel": "scaling/#model-parallel-layers-in-parts",
    "hyperparameter search": "search/",
    "serve model": "shipping/",
    "docker": "shipping/#in-a-docker-container",
    "custom loss": "training/#a-custom-loss-or-training-step",
    "custom training loop": "training/#a-custom-training-loop",
    "optax": "training/#optax",
    "gradient accumulation": "tuning/#a-larger-batch-than-memory-has",
    "early stopping": "tuning/#early-stopping-and-a-rate-that-falls",
    "uncertainty": "uncertainty/",
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="the search is a script of the page")
def test_the_section_is_found_first(tmp_path):
    pytest.importorskip("zensical")
    folder, scripts = tmp_path / "site", ROOT / "docs" / "site"
    subprocess.run([sys.executable, scripts / "build.py", folder], check=True, cwd=ROOT)
    command = ["node", scripts / "search.js", folder, *SECTIONS]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = {query: json.loads(line)[:1] for query, line in zip(SECTIONS, lines, strict=True)}
    assert found == {query: [section] for query, section in SECTIONS.items()}


def anchor(heading):
    """What a heading is called in an address."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


@pytest.mark.parametrize("section", sorted(set(SECTIONS.values())))
def test_the_section_is_there(section):
    """Without building the site: sections of the guides alone."""
    page, _, name = section.partition("/#")
    path = ROOT / "docs" / f"{page.rstrip('/')}.md"
    if section.startswith("examples/"):
        assert (ROOT / f"{section.rstrip('/')}.py").exists()
    elif not section.startswith("reference/"):
        heads = re.findall(r"^##+ (.*)$", path.read_text(), re.M)
        assert not name or name in map(anchor, heads)


def test_fifty_and_more():
    assert len(SECTIONS) >= 50
