"""Where the data sets lie: the addresses and hashes that Keras has published."""

from jkeras.utils.files import get_file

GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
TORONTO = "https://www.cs.toronto.edu/~kriz"

# {file: (address, sha256 or md5)}; those of Fashion-MNIST were published without a hash
FILES = {
    "mnist.npz": (
        f"{GOOGLE}/mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    ),
    "train-images-idx3-ubyte.gz": (f"{GOOGLE}/train-images-idx3-ubyte.gz", None),
    "train-labels-idx1-ubyte.gz": (f"{GOOGLE}/train-labels-idx1-ubyte.gz", None),
    "t10k-images-idx3-ubyte.gz": (f"{GOOGLE}/t10k-images-idx3-ubyte.gz", None),
    "t10k-labels-idx1-ubyte.gz": (f"{GOOGLE}/t10k-labels-idx1-ubyte.gz", None),
    "cifar-10-python.tar.gz": (
        f"{TORONTO}/cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    "cifar-100-python.tar.gz": (
        f"{TORONTO}/cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    ),
    "imdb.npz": (
        f"{GOOGLE}/imdb.npz",
        "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    ),
    "imdb_word_index.json": (f"{GOOGLE}/imdb_word_index.json", "bfafd718b763782e994055a2d397834f"),
    "reuters.npz": (
        f"{GOOGLE}/reuters.npz",
        "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    ),
    "reuters_word_index.json": (
        f"{GOOGLE}/reuters_word_index.json",
        "4d44cc38712099c9e383dc6e5f11a921",
    ),
    "boston_housing.npz": (
        f"{GOOGLE}/boston_housing.npz",
        "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    ),
    "california_housing.npz": (
        f"{GOOGLE}/california_housing.npz",
        "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    ),
}


def fetched(file: str, name: str | None = None, folder: str = "datasets") -> str:
    """The path of a published file, which is downloaded unless it is in the cache.

    Args:
        name: of the file in the cache, by default the one it was published under.
        folder: below the cache's.

    Raises:
        ValueError: a name with folders, or another file came.
        OSError: the file does not come; the message says where to put it.
    """
    address, file_hash = FILES[file]
    return get_file(name or file, address, file_hash=file_hash, cache_subdir=folder)
