"""Typed configuration, one model per stage."""
