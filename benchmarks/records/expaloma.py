"""EspalomaCharge tells the partial charges of the atoms of a molecule from its bonds alone.

A net on the graph of atoms and bonds gives each atom an electronegativity and a hardness, from
which the charges follow that sum to that of the molecule (charge equilibration, of Rappé and
Goddard 1991). The weights are stored by Equinox, one array after the other as numpy writes them.
Molecules travel in one batch, filled up with atoms that do not exist.
"""

from typing import Any

import numpy as np

from benchmarks.records.record import (
    Record,
    Row,
    exported,
    files_of,
    importable,
    largest_difference,
)

PACKAGE, CHEMISTRY = "expaloma==0.1.0", "rdkit==2026.3.1"
FEATURES, UNITS, ROUNDS = 116, 128, 4
BENZENE = "c1ccccc1"
MOLECULES = (
    BENZENE,
    "O",
    "C",
    "[NH4+]",
    "CC(=O)[O-]",
    "C#N",
    "CS(C)=O",
    "C[C@H]([NH3+])C(=O)[O-]",
    "FC(Cl)(Br)I",
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "CN1CCC[C@H]1c1cccnc1",
    "OC[C@H]1OC(O)[C@H](O)[C@@H](O)[C@@H]1O",
    "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O",
    "COP(=O)(OC)OC=C(Cl)Cl",
)


def net() -> Any:
    """Features (batch, atoms, 116), bonds (batch, atoms, atoms), which atoms exist (batch, atoms)
    and the charge of the whole (batch, 1) -> the charges (batch, atoms)."""
    from jkeras import Input, Model, layers, ops

    features, bonds = Input((None, FEATURES)), Input((None, None))
    exist, whole = Input((None,)), Input((1,))
    neighbours = ops.maximum(ops.sum(bonds, -1, keepdims=True), 1)
    x = layers.Dense(UNITS, "tanh", name="first")(features)
    for n in range(ROUNDS):
        mean = ops.matmul(bonds, x) / neighbours
        own = layers.Dense(UNITS, name=f"own{n}")(x)
        x = ops.relu(own + layers.Dense(UNITS, use_bias=False, name=f"theirs{n}")(mean))
    negativity, hardness = ops.unstack(layers.Dense(2, name="last")(x), axis=-1)
    softness = exist / hardness
    shared = whole + ops.sum(negativity * softness, -1, keepdims=True)
    charges = softness * (shared / ops.sum(softness, -1, keepdims=True) - negativity)
    return filled(Model([features, bonds, exist, whole], charges))


def filled(model: Any) -> Any:
    """It with the weights, kernels the other way round."""
    file = files_of(PACKAGE) / "expaloma" / "weights" / "espaloma_v0_0_8.eqx"
    with open(file, "rb") as stream:
        arrays = [np.load(stream) for _ in range(2 + 3 * ROUNDS + 2)]
    first, rounds, last = arrays[:2], arrays[2:-2], arrays[-2:]
    model.get_layer("first").set_weights([first[0].T, first[1]])
    for n in range(ROUNDS):
        own, bias, theirs = rounds[3 * n : 3 * n + 3]
        model.get_layer(f"own{n}").set_weights([own.T, bias])
        model.get_layer(f"theirs{n}").set_weights([theirs.T])
    model.get_layer("last").set_weights([last[0].T, last[1]])
    return model


def molecules() -> list[Any]:
    """With all their hydrogen atoms, as RDKit has them."""
    importable(CHEMISTRY, PACKAGE)
    from rdkit import Chem, RDLogger

    RDLogger.DisableLog("rdApp.*")
    return [Chem.AddHs(Chem.MolFromSmiles(text)) for text in MOLECULES]


def batch(given: list[Any]) -> list[np.ndarray]:
    """What the net takes."""
    from expaloma.featurize import from_rdkit_mol

    atoms = max(each.GetNumAtoms() for each in given)
    features = np.zeros((len(given), atoms, FEATURES), "float32")
    bonds = np.zeros((len(given), atoms, atoms), "float32")
    exist, whole = np.zeros((len(given), atoms), "float32"), np.zeros((len(given), 1), "float32")
    for row, each in enumerate(map(from_rdkit_mol, given)):
        features[row, : len(each.h0)] = each.h0
        bonds[row, each.receivers, each.senders] = 1
        exist[row, : len(each.h0)] = 1
        whole[row] = each.q_ref.sum()
    return [features, bonds, exist, whole]


def measure() -> list[Row]:
    given = molecules()
    from expaloma import charges_for_rdkit_mol

    x, model = batch(given), net()
    said = model.predict(x, verbose=0)
    ours = [row[: each.GetNumAtoms()] for row, each in zip(said, given)]
    theirs = [charges_for_rdkit_mol(each) for each in given]
    return [
        Row(
            "charge of a carbon atom of benzene (e)",
            ours[MOLECULES.index(BENZENE)][0],
            "-0.130 by AM1-BCC, which it learned",
            float(theirs[MOLECULES.index(BENZENE)][0]),
            least=-0.14,
            most=-0.12,
        ),
        Row(
            "largest difference of the sum of charges from the whole (e)",
            largest_difference(said.sum(1, keepdims=True), x[3]),
            most=1e-5,
        ),
        Row(
            f"largest difference from Equinox, {len(given)} molecules (e)",
            largest_difference(ours, theirs),
            most=1e-5,
        ),
        *exported(model, x, most=1e-5),
    ]


RECORD = Record(
    group="nets",
    title="EspalomaCharge: partial charges of atoms",
    about="A graph net of layers, and charge equilibration, give the charges that Equinox gives "
    "with the same weights.",
    packages=(PACKAGE, CHEMISTRY),
    licence="MIT; RDKit: BSD-3-Clause",
    source="Wang et al., J. Phys. Chem. A 2024; AM1-BCC: Jakalian et al., J. Comput. Chem. 2002",
    measure=measure,
    needs=("equinox", "jax2onnx", "onnxruntime"),
)
