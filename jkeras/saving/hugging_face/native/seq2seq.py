"""What model types have in common that read one text, or sound, and write another."""

START = "decoder_start_token_id"


def writes(name: str) -> dict[str, str]:
    """The class of transformers that is written."""
    return {"seq2seq_lm": f"{name}ForConditionalGeneration"}


def numbered(once: str, layers: dict[str, int]) -> str:
    """The rows of a model.

    Args:
        once: those of no layer.
        layers: how many there are of each kind, by their rows with `#`.

    >>> numbered("a b", {"c.# d_#": 2}).split("\\n")
    ['a b', 'c.0 d_0', 'c.1 d_1']
    """
    repeated = [rows.replace("#", str(i)) for rows, count in layers.items() for i in range(count)]
    return "\n".join([once, *repeated])
