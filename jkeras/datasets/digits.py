"""The UCI handwritten digits, shipped with the package."""
