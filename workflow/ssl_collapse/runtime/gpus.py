"""GPUs of this machine, each held by one job at a time.

Snakemake counts GPUs but assigns none. So a job that computes on GPUs locks as many as it asks for,
one lock file per device, and shows CUDA no others. A lock ends with the process that holds it,
however that ends.
"""

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ssl_collapse.runtime.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"
PATIENCE = 600.0  # s: a device whose job is just ending is free in seconds
_POLL = 0.5  # s
_claims: list["Claim"] = []  # a claim ends when it is forgotten: these last as long as the process


@dataclass
class Claim:
    """Devices that this process holds, in the order in which they were given."""

    ids: list[str]
    locks: list[FileLock]

    def release(self) -> None:
        """Let others have them."""
        for lock in self.locks:
            lock.release()


def claim_gpus(count: int) -> int:
    """Hold `count` GPUs until this process ends, and make them the only ones that CUDA will see.

    To be called before torch first looks for CUDA, which looks only once. Returns the number of
    GPUs held: 0 where there is none; asked again, those that are held already. UserError where
    there are fewer than `count`, or where others hold them for too long.
    """
    if _claims:
        return len(_claims[0].ids)
    ids = visible_gpus(os.environ, _list_gpus())
    if not ids:
        return 0
    claim = claim_devices(ids, count, lock_folder(ids, os.environ), PATIENCE)
    _claims.append(claim)
    os.environ[VISIBLE] = ",".join(claim.ids)
    return count


def claim_devices(ids: Sequence[str], count: int, folder: Path, patience: float = 0) -> Claim:
    """Lock the first `count` of these devices that no other process holds: all of them or none.

    ids: names of devices, and folder: of the lock files; the same for every process on the machine.
    patience: seconds to wait for devices that others hold.
    """
    if count > len(ids):
        raise UserError(f"{count} GPUs asked for, but this job sees {_listed(ids)}; ask for fewer")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    while True:
        claim = _try_to_claim(ids, count, folder)
        if claim:
            return claim
        if time.monotonic() >= deadline:
            raise UserError(
                f"asked for {count} of {_listed(ids)}, but other jobs on this machine hold too "
                f"many of them (locks in {folder}); start fewer jobs at once: Snakemake's resource "
                "`gpu` is the number of GPUs (`--resources gpu=N`, or `resources:` in the profile)"
            )
        time.sleep(_POLL)


def _try_to_claim(ids: Sequence[str], count: int, folder: Path) -> Claim | None:
    # One process tries at a time: two that both want all devices would keep half of them each.
    with FileLock(folder / "claiming.lock"):
        claim = Claim([], [])
        for name in ids:
            lock = FileLock(folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            claim.ids.append(name)
            claim.locks.append(lock)
            if len(claim.ids) == count:
                return claim
        claim.release()
        return None


def lock_folder(ids: Sequence[str], environment: Mapping[str, str]) -> Path:
    """Where the locks on these devices lie: one folder for all jobs of a user on a machine.

    Not TMPDIR, which may be another for every job. Numbers name a device only within a SLURM job,
    where each job may count those that it was given from 0.
    """
    folder = Path(f"/tmp/ssl-collapse-gpus-{os.getuid()}")
    job = environment.get("SLURM_JOB_ID")
    return folder / f"slurm-{job}" if job and any(name.isdigit() for name in ids) else folder


def visible_gpus(environment: Mapping[str, str], listing: Sequence[Sequence[str]]) -> list[str]:
    """The devices that CUDA may use here, by UUID where that is known, else as they were given.

    Args:
        environment: CUDA_VISIBLE_DEVICES in it is kept to (SLURM sets it, or a person).
        listing: for every GPU of the machine, in order, its UUID, or those of its MIG parts.
    """
    given = environment.get(VISIBLE)
    if given is None:
        return [name for parts in listing for name in parts]
    names: list[str] = []
    for word in map(str.strip, given.split(",")):
        if not word or word.startswith("-"):
            break  # CUDA takes no notice of what follows an invalid name
        if word.isdigit():
            fitting = listing[int(word)] if int(word) < len(listing) else []
        else:  # CUDA takes the beginning of a UUID as well
            fitting = [name for parts in listing for name in parts if name.startswith(word)]
        names.append(fitting[0] if fitting else word)
    return names


def parse_listing(text: str) -> list[list[str]]:
    """What `nvidia-smi -L` prints: for every GPU its UUID, or those of its MIG parts."""
    gpus: list[list[str]] = []
    for line in text.splitlines():
        match = re.search(r"UUID: ((GPU|MIG)-[^)\s]+)", line)
        if match and match[2] == "GPU":
            gpus.append([match[1]])
        elif match and gpus:
            gpus[-1] = [*(name for name in gpus[-1] if name.startswith("MIG")), match[1]]
    return gpus


def _list_gpus() -> list[list[str]]:
    numbers = [[number] for number in gpu_numbers()]
    if not numbers:
        return []
    try:
        run = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return numbers
    return parse_listing(run.stdout) or numbers


def _listed(ids: Sequence[str]) -> str:
    return f"{len(ids)} GPU{'s' if len(ids) > 1 else ''} ({', '.join(ids)})"


def gpu_numbers() -> list[str]:
    """The numbers of this machine's NVIDIA GPUs, in order."""
    numbers = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return sorted((number for number in numbers if number.isdigit()), key=int)
