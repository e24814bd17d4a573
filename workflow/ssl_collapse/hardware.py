"""What the machine offers, found without loading torch."""

from pathlib import Path


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU that a job could use."""
    return bool(gpu_numbers())


def gpu_numbers() -> list[str]:
    """The numbers of its NVIDIA GPUs, in order."""
    found = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return sorted((number for number in found if number.isdigit()), key=int)
