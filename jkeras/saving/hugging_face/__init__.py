"""Folders of Hugging Face's transformers: models of keras-hub are read from them and written to
them.
"""
