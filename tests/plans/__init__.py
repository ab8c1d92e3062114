"""What fits on devices, and what a step takes."""
