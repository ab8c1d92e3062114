"""What to install for what takes more packages.

The name `jkeras` is not this project's in any index: a line such as `pip install` with a name and
an extra would fetch nothing, or a stranger's package. So the packages are named.
"""

# as the extras of pyproject.toml of these names have them
PACKAGES = {
    "aot": ("libtpu>=0.0.40", "jax-cuda12-plugin>=0.7"),
    "chat": ("jinja2>=3.1.6", "tokenizers>=0.21"),
    "export": ("flatbuffers>=24.3",),
    "serve": ("starlette>=0.46", "uvicorn>=0.34", "tokenizers>=0.21", "jinja2>=3.1.6"),
    "grammar": ("llguidance>=1.3",),
    "onnx": ("jax2onnx>=0.17", "onnxruntime>=1.20"),
}


def install_line(extra: str) -> str:
    """The command that installs the packages of an extra.

    >>> install_line("export")
    "pip install 'flatbuffers>=24.3'"
    """
    packages = " ".join(f"'{package}'" for package in PACKAGES[extra])
    return f"pip install {packages}"
