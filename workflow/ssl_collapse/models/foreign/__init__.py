"""Encoders that people bring: checkpoint files of other projects. Decides results.

`encoder.read_foreign(path)` recognises a file by its names of tensors; `layouts.LAYOUTS` has one
row per source.
"""
