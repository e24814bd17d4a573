"""What the machine offers, found without loading torch."""

from pathlib import Path


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU that a job could use."""
    return any(Path("/dev").glob("nvidia[0-9]*"))
