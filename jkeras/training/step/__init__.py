"""One training step as a pure function, and the state that it maps."""
