"""What is known of programs that JAX traces: of their operations, of what is in them, and of where
the rows of a batch or params come together in them.
"""
