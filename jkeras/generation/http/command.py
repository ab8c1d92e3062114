"""The command `serve`: a model of a folder or a file, behind OpenAI's interface."""

import argparse
import importlib
import importlib.util
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jkeras.core.say.extras import install_line

if TYPE_CHECKING:
    from jkeras.generation.http.guard import Guard

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEFAULT_LENGTH = 2048
NEEDS = ("starlette", "uvicorn", "tokenizers")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    add = parser.add_argument
    add("model", help="a folder of Hugging Face's transformers, or a .keras file")
    add("--tokenizer", metavar="FILE", help="a tokenizer.json (default: that of the folder)")
    add("--name", help="of the model, in calls (default: that of the folder or file)")
    add("--host", default="127.0.0.1", help="the address (default: this machine alone)")
    add("--port", type=int, default=8000, help="default: 8000; 0: a free one")
    add("--api-key", metavar="KEY", help="that clients have to send (default: none)")
    add("--max-length", type=int, help="of a text with its prompt, in tokens (default: 2048, or "
        "what the model has)")  # fmt: skip
    add("--slots", type=int, default=8, help="texts that are written at a time (default: 8)")
    add("--steps", type=int, default=8, help="tokens between two looks at requests (default: 8)")
    add("--queue", type=int, default=256, help="requests that may wait (default: 256)")
    add("--blocks", type=int, help="of the cache (default: as many as all slots may need)")
    add("--cache-dtype", help="of keys and values: int8, float8_e4m3fn or float8_e5m2")
    add("--logprobs", type=int, default=5, help="likeliest tokens that calls may ask for")
    add("--stop", type=int, action="append", default=[], metavar="TOKEN", help="the number of a "
        "token that ends texts, beside those of the folder")  # fmt: skip
    add("--dtype", help="of the computation, such as bfloat16 (default: the file's)")


def serve(options: argparse.Namespace) -> None:
    """Serves until it is stopped.

    Raises:
        ImportError: a package is not installed.
        ValueError, OSError: the model or an option is not right.
    """
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"`serve` takes the package `{missing[0]}`, which is not installed. To fix it: "
            f"`{install_line('serve')}`."
        )
    from jkeras.generation.http.running import run

    application = application_of(options)
    if options.host not in LOOPBACK and options.api_key is None:
        line = f"Anybody who reaches {options.host} may call: pass --api-key."
        print(line, file=sys.stderr)
    run(application, options.host, options.port)


class Loaded(NamedTuple):
    """What is there to be served.

    Attributes:
        model: of language.
        tokenizer: of its texts.
        template: of chats; None: there is none.
        stop: the tokens that end texts.
        positions: how many it was made for; None: that is not known.
    """

    model: Any
    tokenizer: Any
    template: Any = None
    stop: Sequence[int] = ()
    positions: int | None = None


def application_of(options: argparse.Namespace) -> "Guard":
    """What is served.

    Raises:
        ValueError, OSError: the model or an option is not right.
    """
    from jkeras.generation.http.app import http_app
    from jkeras.generation.server import Server
    from jkeras.generation.serving.options import ServerOptions

    path = pathlib.Path(options.model)
    load = _of_folder if path.is_dir() else _of_file
    loaded = load(path, options)
    cache = {"blocks": options.blocks, "cache_dtype": options.cache_dtype}
    layout = ServerOptions(queue=options.queue, **cache)
    server = Server(
        _generator(loaded, options),
        options.slots,
        options.steps,
        tokenizer=loaded.tokenizer,
        options=layout,
    )
    name = options.name or path.resolve().stem
    return http_app(server, name, chat_template=loaded.template, api_key=options.api_key)


def _generator(loaded: Loaded, options: argparse.Namespace) -> Any:
    """What writes, with texts as long as is asked for, or as the model has positions."""
    from jkeras.core.errors import explain
    from jkeras.generation.generator import Generator
    from jkeras.generation.limits import TooFewPositionsError

    model, stop = loaded.model, [*loaded.stop, *options.stop]

    def made(length: int) -> Any:
        generator = Generator(model, length, stop=stop, logprobs=options.logprobs)
        generator.limits.find(model.params, model.state, 1)
        for token in stop:
            if token >= generator.vocabulary:
                expected = f"tokens below {generator.vocabulary} that end texts"
                raise ValueError(explain("serve", expected, f"{token}"))
        return generator

    most = loaded.positions
    if options.max_length is not None:
        if most is not None and options.max_length > most:
            expected = f"--max-length of at most {most}, the positions of the model"
            raise ValueError(explain("serve", expected, f"{options.max_length}"))
        return made(options.max_length)
    try:
        return made(min(DEFAULT_LENGTH, most or DEFAULT_LENGTH))
    except TooFewPositionsError as error:
        return made(error.most)


def _of_file(path: pathlib.Path, options: argparse.Namespace) -> Loaded:
    """What a .keras file has."""
    from jkeras.core.errors import explain
    from jkeras.saving import load_model

    if not path.is_file():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if options.tokenizer is None:
        raise ValueError(explain("serve", "--tokenizer FILE beside a .keras file", "none"))
    if options.dtype is not None:
        raise ValueError(explain("serve", "no --dtype of a .keras file", options.dtype))
    model = load_model(path, compile=False)
    return Loaded(model, _tokenizer(pathlib.Path(options.tokenizer)))


def _of_folder(path: pathlib.Path, options: argparse.Namespace) -> Loaded:
    """What a folder of transformers has."""
    from jkeras.generation.http.folders import ends_of, has_template, positions_of
    from jkeras.saving import from_transformers

    arguments = {"task": "causal_lm", "native": True, "tokenizer": False}
    if options.dtype is not None:
        arguments["dtype"] = options.dtype
    model = from_transformers(path, **arguments)
    tokenizer = _tokenizer(pathlib.Path(options.tokenizer or path / "tokenizer.json"))
    template = None
    if has_template(path):
        # utils stand above this package
        chats = importlib.import_module("jkeras.utils.chat_template")
        template = chats.ChatTemplate(path, tokenizer)
    return Loaded(model, tokenizer, template, ends_of(path), positions_of(path))


def _tokenizer(path: pathlib.Path) -> Any:
    """The tokenizer of a file."""
    import tokenizers

    from jkeras.core.errors import explain

    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; pass --tokenizer FILE")
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the package has no class of its own for it
        raise ValueError(explain("serve", f"a tokenizer in {path}", f"{error}")) from error
