"""What TensorBoard's projector needs to show embeddings: a file that names them, and their vectors
as text.
"""

import os
from typing import Any

import numpy as np

from jkeras.core.system.own_files import open_own


def embeddings_of(model: Any) -> dict[str, np.ndarray]:
    """{layer's name: its matrix} of a model's Embedding layers."""
    return {
        layer.name: np.asarray(layer.embeddings.value)
        for layer in model.layers
        if type(layer).__name__ == "Embedding"
    }


def write_config(folder: str, names: list[str], metadata: Any) -> None:
    """Writes the file that names the embeddings.

    Args:
        names: of the Embedding layers.
        metadata: None, the file with the names of the rows, or a dict of such files by layers'
            names.

    Raises:
        ValueError: a dict with names of other layers.
    """
    files = metadata
    if not isinstance(metadata, dict):
        files = dict.fromkeys(names, metadata)
    unknown = sorted(set(files) - set(names))
    if unknown:
        raise ValueError(
            f"`embeddings_metadata` names {unknown}, which are no Embedding layers: {list(names)}"
        )
    os.makedirs(folder, exist_ok=True)
    with open_own(os.path.join(folder, "projector_config.pbtxt"), "w") as file:
        for name in names:
            file.write("embeddings {\n")
            file.write(f'  tensor_name: "{name}/embeddings"\n')
            if files.get(name) is not None:
                file.write(f'  metadata_path: "{files[name]}"\n')
            file.write(f'  tensor_path: "{name}.tsv"\n')
            file.write("}\n")


def write_vectors(folder: str, embeddings: dict[str, np.ndarray]) -> None:
    """Writes each embedding's rows as lines of numbers between tabs."""
    for name, matrix in embeddings.items():
        with open_own(os.path.join(folder, f"{name}.tsv")) as file:
            np.savetxt(file, matrix, fmt="%.6g", delimiter="\t")
