"""The text of a Python program in a file, and one back in its encoding."""

import codecs
import io
import tokenize
import typing


class Source(typing.NamedTuple):
    """A program.

    Attributes:
        text: with "\\n" at the ends of lines, and no byte order mark.
        encoding: that of the file.
        newline: what ends its lines.
    """

    text: str
    encoding: str
    newline: str

    def encoded(self, text: str) -> bytes:
        """Another text as bytes of a file like this one."""
        return text.replace("\n", self.newline).encode(self.encoding, "replace")


def read(path: str) -> Source:
    """The program in a file, in the encoding that its first lines or its byte order mark say.

    Raises:
        OSError: it cannot be read.
        ValueError, SyntaxError: it is no text in that encoding.
    """
    with open(path, "rb") as file:
        content = file.read()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    text = content.removeprefix(codecs.BOM_UTF8).decode(encoding.removesuffix("-sig"))
    newline = "\r\n" if "\r\n" in text else "\n"
    return Source(text.replace("\r\n", "\n").replace("\r", "\n"), encoding, newline)
