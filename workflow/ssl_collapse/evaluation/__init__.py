"""Representations and their measures."""
