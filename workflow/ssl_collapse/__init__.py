"""Measures whether, and why, a self-supervised encoder has collapsed."""

__version__ = "0.2.1"
