"""Symbolic tensors, the ops between them, and the graphs that they make."""
