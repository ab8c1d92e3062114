"""Folders of transformers for models of jkeras's own layers: what a model computes, which weight
is which, and which entry of `config.json` says it.
"""
