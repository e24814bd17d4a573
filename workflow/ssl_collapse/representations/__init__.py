"""Representations of a whole split: taking them, and their files. Decides results."""
