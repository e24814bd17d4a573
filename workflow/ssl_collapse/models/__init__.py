"""Backbones and methods, and the files of encoders and checkpoints. Decides results."""
