"""Transformers of jkeras's own layers, as folders of Hugging Face describe them."""
