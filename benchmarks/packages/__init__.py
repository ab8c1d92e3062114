"""Packages that others wrote for Keras 3, under Keras and under jkeras; see `__main__.py`."""
