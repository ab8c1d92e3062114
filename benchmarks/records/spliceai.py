"""SpliceAI finds where the introns of a gene begin and end.

Its five nets are Keras 2 files of dilated 1-D residual convolutions, whose mean is its answer. The
gene is human beta-globin, of which the whole is known since 1980 (GenBank U01317): three exons and
two introns. One letter of its first intron, the 110th, is A instead of G in many patients with
thalassemia, which makes a second end of the intron 19 letters before the right one (Spritz et al.
1981).
"""

import numpy as np

from benchmarks.records.record import Record, Row, exported, files_of, largest_difference

PACKAGE = "spliceai==1.3.1"
NETS = 5
CONTEXT = 5000  # letters on either side that the nets look at, here unknown ones
ACCEPTOR, DONOR = 1, 2
MUTATED = 109  # a place in the first intron
# exon, intron, exon, intron, exon
GENE = (
    "ACATTTGCTTCTGACACAACTGTGTTCACTAGCAACCTCAAACAGACACCATGGTGCATCTGACTCCTGAGGAGAAGTCTGCCGTTACTGCCC"
    "TGTGGGGCAAGGTGAACGTGGATGAAGTTGGTGGTGAGGCCCTGGGCAG",
    "GTTGGTATCAAGGTTACAAGACAGGTTTAAGGAGACCAATAGAAACTGGGCATGTGGAGACAGAGAAGACTCTTGGGTTTCTGATAGGCACTG"
    "ACTCTCTCTGCCTATTGGTCTATTTTCCCACCCTTAG",
    "GCTGCTGGTGGTCTACCCTTGGACCCAGAGGTTCTTTGAGTCCTTTGGGGATCTGTCCACTCCTGATGCTGTTATGGGCAACCCTAAGGTGAA"
    "GGCTCATGGCAAGAAAGTGCTCGGTGCCTTTAGTGATGGCCTGGCTCACCTGGACAACCTCAAGGGCACCTTTGCCACACTGAGTGAGCTGCA"
    "CTGTGACAAGCTGCACGTGGATCCTGAGAACTTCAGG",
    "GTGAGTCTATGGGACGCTTGATGTTTTCTTTCCCCTTCTTTTCTATGGTTAAGTTCATGTCATAGGAAGGGGATAAGTAACAGGGTACAGTTT"
    "AGAATGGGAAACAGACGAATGATTGCATCAGTGTGGAAGTCTCAGGATCGTTTTAGTTTCTTTTATTTGCTGTTCATAACAATTGTTTTCTTT"
    "TGTTTAATTCTTGCTTTCTTTTTTTTTCTTCTCCGCAATTTTTACTATTATACTTAATGCCTTAACATTGTGTATAACAAAAGGAAATATCTC"
    "TGAGATACATTAAGTAACTTAAAAAAAAACTTTACACAGTCTGCCTAGTACATTACTATTTGGAATATATGTGTGCTTATTTGCATATTCATA"
    "ATCTCCCTACTTTATTTTCTTTTATTTTTAATTGATACATAATCATTATACATATTTATGGGTTAAAGTGTAATGTTTTAATATGTGTACACA"
    "TATTGACCAAATCAGGGTAATTTTGCATTTGTAATTTTAAAAAATGCTTTCTTCTTTTAATATACTTTTTTGTTTATCTTATTTCTAATACTT"
    "TCCCTAATCTCTTTCTTTCAGGGCAATAATGATACAATGTATCATGCCTCTTTGCACCATTCTAAAGAATAACAGTGATAATTTCTGGGTTAA"
    "GGCAATAGCAATATCTCTGCATATAAATATTTCTGCATATAAATTGTAACTGATGTAAGAGGTTTCATATTGCTAATAGCAGCTACAATCCAG"
    "CTACCATTCTGCTTTTATTTTATGGTTGGGATAAGGCTGGATTATTCTGAGTCCAAGCTAGGCCCTTTTGCTAATCATGTTCATACCTCTTAT"
    "CTTCCTCCCACAG",
    "CTCCTGGGCAACGTGCTGGTCTGTGTGCTGGCCCATCACTTTGGCAAAGAATTCACCCCACCAGTGCAGGCTGCCTATCAGAAAGTGGTGGCT"
    "GGTGTGGCTAATGCCCTGGCCCACAAGTATCACTAAGCTCGCTTTCTTGCTGTCCAATTTCTATTAAAGGTTCCTTTGTTCCCTAAGTCCAAC"
    "TACTAAACTGGGGGATATTATGAAGGGCCTTGAGCATCTGGATTCTGCCTAATAAAAAACATTTATTTTCATTGC",
)


def encoded(gene) -> np.ndarray:
    """(1, length, 4), unknown letters before and behind it."""
    unknown = "N" * CONTEXT
    letters = np.array(list(unknown + "".join(gene) + unknown))
    return np.stack([letters == letter for letter in "ACGT"], -1)[None].astype("float32")


def mutated() -> list[str]:
    """The gene of a patient."""
    first, intron, *others = GENE
    assert intron[MUTATED] == "G"
    return [first, intron[:MUTATED] + "A" + intron[MUTATED + 1 :], *others]


def nets(library) -> list:
    """The five, loaded by a library."""
    folder = files_of(PACKAGE) / "spliceai" / "models"
    load = library.models.load_model
    return [load(folder / f"spliceai{n + 1}.h5", compile=False) for n in range(NETS)]


def mean_of(models, x) -> np.ndarray:
    """(length, 3): the probabilities of neither, of an acceptor and of a donor at each letter."""
    return np.mean([model.predict(x, verbose=0)[0] for model in models], axis=0)


def likeliest(said, kind) -> set[int]:
    """The two likeliest places of a kind."""
    return {int(place) for place in said[:, kind].argsort()[-2:]}


def measure() -> list[Row]:
    import keras

    import jkeras

    ends = [int(end) for end in np.cumsum([len(part) for part in GENE])]
    sites = {DONOR: {ends[0] - 1, ends[2] - 1}, ACCEPTOR: {ends[1], ends[3]}}
    wrong = ends[0] + MUTATED + 2  # the letter behind the new AG
    models, x = nets(jkeras), encoded(GENE)
    said, of_patient = mean_of(models, x), mean_of(models, encoded(mutated()))
    found = sum(len(places & likeliest(said, kind)) for kind, places in sites.items())
    least = min(said[place, kind] for kind, places in sites.items() for place in places)
    difference = largest_difference(said, mean_of(nets(keras), x))
    return [
        Row(
            "true sites among the likeliest two of their kind, of 4", found, "95 % of all", least=4
        ),
        Row("least probability of a true site", least, least=0.95),
        Row(
            "probability of the false one, the patient's gene",
            of_patient[wrong, ACCEPTOR],
            least=0.2,
        ),
        Row("the same, a healthy gene", said[wrong, ACCEPTOR], most=0.05),
        Row("largest difference from Keras", difference, most=1e-6),
        *exported(models[0], x, most=1e-5),
    ]


RECORD = Record(
    group="nets",
    title="SpliceAI: where introns begin and end",
    about="Five Keras 2 nets of dilated convolutions find the four ends of the introns of human "
    "beta-globin, and the false one that a known mutation makes.",
    packages=(PACKAGE,),
    licence="GPL-3.0; the weights are free for academic and not for commercial use",
    source="Jaganathan et al., Cell 2019; the gene: Lawn et al., Cell 1980, GenBank U01317; the "
    "mutation: Spritz et al., PNAS 1981",
    measure=measure,
    needs=("keras", "jax2onnx", "onnxruntime"),
)
