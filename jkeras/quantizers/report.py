"""What `model.quantize` did with each layer."""

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

    >>> report = QuantizationReport("int8")
    >>> report.add_quantized("model/dense", "int8", "int8_from_float32")
    >>> report
    QuantizationReport(mode='int8', quantized=1, skipped=0)
    """

    SKIP_NO_SUPPORT = "no quantize support"
    SKIP_FILTERED = "filtered out"
    SKIP_ALREADY_QUANTIZED = "already quantized"
    SKIP_OUTSIDE_STRUCTURE = "outside quantization structure"

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode
        self.quantized = []
        self.skipped = []

    def add_quantized(self, path: str, mode: str, scheme: str) -> None:
        """Notes a layer that is in few bits now."""
        self.quantized.append((path, mode, scheme))

    def add_skipped(self, path: str, reason: str) -> None:
        """Notes a layer that stays as it is."""
        self.skipped.append((path, reason))

    @property
    def num_quantized(self) -> int:
        """How many layers are in few bits now."""
        return len(self.quantized)

    @property
    def num_skipped(self) -> int:
        """How many layers stay as they are."""
        return len(self.skipped)

    def skipped_by_reason(self, reason: str) -> list[str]:
        """The paths of the layers that stay as they are for a reason."""
        return [path for path, why in self.skipped if why == reason]

    def summary_warning(self, max_examples: int = 5) -> str | None:
        """One sentence on the layers that cannot be quantized; None where there are none.

        Args:
            max_examples: how many of them it names.
        """
        paths = self.skipped_by_reason(self.SKIP_NO_SUPPORT)
        if not paths:
            return None
        named = ", ".join(map(repr, paths[:max_examples]))
        if len(paths) > max_examples:
            named = f"{named}, ..."
        return (
            f"{len(paths)} layer(s) do not support quantization and stay as they are ({named}); "
            f"{self.num_quantized} are in mode '{self.mode}' now."
        )

    def render(self) -> str:
        """The whole report as text."""
        quantized = [f"  {path} ({mode}): {scheme}" for path, mode, scheme in self.quantized]
        skipped = [f"  {path}: {reason}" for path, reason in self.skipped]
        return "\n".join(
            [
                f"Quantization report (mode='{self.mode}')",
                f"Quantized {self.num_quantized} layer(s):",
                *(quantized or ["  (none)"]),
                f"Skipped {self.num_skipped} layer(s):",
                *(skipped or ["  (none)"]),
            ]
        )

    def __repr__(self) -> str:
        return (
            f"QuantizationReport(mode={self.mode!r}, quantized={self.num_quantized}, "
            f"skipped={self.num_skipped})"
        )
