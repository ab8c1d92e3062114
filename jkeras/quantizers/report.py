"""What `model.quantize` did with each layer."""

from typing import Any

from jkeras.core.names.registry import public


@public("keras.quantizers.QuantizationReport")
class QuantizationReport:
    """Which layers a call of `model.quantize` put into few bits, and why not the others. Of Keras's
    development branch.

    Args:
        mode: the mode of the call.

    Attributes:
        quantized: list of (path, mode, name of the dtype policy that the layer has now).
        skipped: list of (path, reason); the reasons are the class's attributes `SKIP_…`.
        errors: list of (path, text), which `quantize` leaves empty: its errors are raised.

    >>> report = QuantizationReport("int8")
    >>> report.add_quantized("model/dense", "int8", "int8_from_float32")
    >>> report
    QuantizationReport(mode='int8', quantized=1, skipped=0, errors=0)
    """

    SKIP_NO_SUPPORT = "no quantize support"
    SKIP_FILTERED = "filtered out"
    SKIP_ALREADY_QUANTIZED = "already quantized"
    SKIP_OUTSIDE_STRUCTURE = "outside quantization structure"

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode
        self.quantized = []
        self.skipped = []
        self.errors = []

    def add_quantized(self, path: str, mode: str, scheme: str) -> None:
        """Notes a layer that is in few bits now."""
        self.quantized.append((path, mode, scheme))

    def add_skipped(self, path: str, reason: str) -> None:
        """Notes a layer that stays as it is."""
        self.skipped.append((path, reason))

    def add_error(self, path: str, error: Any) -> None:
        """Notes what went wrong with a layer."""
        self.errors.append((path, str(error)))

    @property
    def num_quantized(self) -> int:
        """How many layers are in few bits now."""
        return len(self.quantized)

    @property
    def num_skipped(self) -> int:
        """How many layers stay as they are."""
        return len(self.skipped)

    @property
    def num_errors(self) -> int:
        """How many errors are noted."""
        return len(self.errors)

    def skipped_by_reason(self, reason: str) -> list[str]:
        """The paths of the layers that stay as they are for a reason."""
        return [path for path, why in self.skipped if why == reason]

    def summary_warning(self, max_examples: int = 5) -> str | None:
        """What to know of layers that cannot be quantized or had errors; None without any.

        Args:
            max_examples: how many of them it names.
        """
        paths = self.skipped_by_reason(self.SKIP_NO_SUPPORT)
        failed = [path for path, _ in self.errors]
        if not paths and not failed:
            return None
        said = [f"{self.num_quantized} layer(s) are in mode '{self.mode}' now"]
        if paths:
            why = f"they do not support quantization{_named(paths, max_examples)}"
            said.append(f"{len(paths)} layer(s) were skipped: {why}")
        if failed:
            said.append(f"{len(failed)} layer(s) reported errors{_named(failed, max_examples)}")
        return f"`model.quantize()`: {'; '.join(said)}. `model.quantization_summary()` shows more."

    def render(self) -> str:
        """The whole report as text."""
        quantized = [f"  {path} ({mode}): {scheme}" for path, mode, scheme in self.quantized]
        skipped = [f"  {path}: {reason}" for path, reason in self.skipped]
        errors = [f"  {path}: {text}" for path, text in self.errors]
        if errors:
            errors.insert(0, f"Errors of {self.num_errors} layer(s):")
        return "\n".join(
            [
                f"Quantization report (mode='{self.mode}')",
                f"Quantized {self.num_quantized} layer(s):",
                *(quantized or ["  (none)"]),
                f"Skipped {self.num_skipped} layer(s):",
                *(skipped or ["  (none)"]),
                *errors,
            ]
        )

    def __repr__(self) -> str:
        return (
            f"QuantizationReport(mode={self.mode!r}, quantized={self.num_quantized}, "
            f"skipped={self.num_skipped}, errors={self.num_errors})"
        )


def _named(paths: list[str], most: int) -> str:
    """The first of some paths, in parentheses."""
    named = list(map(repr, paths[:most]))
    if len(paths) > most:
        named.append("...")
    return f" ({', '.join(named)})"
