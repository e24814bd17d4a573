"""Backbones and methods."""
