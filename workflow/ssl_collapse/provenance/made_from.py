"""What results were made from, for people: recipes and codes by their sidecars, and versions."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ssl_collapse import __version__
from ssl_collapse.provenance.canonical import canonical
from ssl_collapse.provenance.sidecar import SUFFIX, read_sidecar

PACKAGES = ("torch", "torchvision", "timm", "numpy", "faiss-cpu", "matplotlib", "snakemake")
PATIENCE = 10  # seconds for git


def recipes(trainings: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """What each training.csv was made from by its sidecar; without one it is left out.

    trainings: RUN/seedK/training.csv. Returns run -> its spec, the seed left out.
    """
    by_run = {}
    for path in trainings:
        if sidecar := read_sidecar(path):
            spec = json.loads(sidecar.spec)
            by_run[path.parts[-3]] = {key: spec[key] for key in spec if key != "seed"}
    return by_run


def stages(folders: Iterable[Path]) -> dict[str, tuple[list[str], list[dict[str, Any]]]]:
    """Stage -> codes (beginning of the digest) and specs that results directly in these folders
    were made by."""
    by_stage: dict[str, tuple[set[str], set[str]]] = {}
    for folder in folders:
        for noted in folder.glob(f"*{SUFFIX}"):
            if sidecar := read_sidecar(noted.with_name(noted.name.removesuffix(SUFFIX))):
                codes, specs = by_stage.setdefault(sidecar.rule, (set(), set()))
                codes.add(sidecar.code[:12])
                specs.add(sidecar.spec)
    return {
        rule: (sorted(codes), [json.loads(spec) for spec in sorted(specs)])
        for rule, (codes, specs) in sorted(by_stage.items())
    }


def told(results: str, folders: Iterable[str]) -> str:
    """Digest of all that the report tells of by the sidecars in folders below that of results."""
    found = {folder: stages([Path(results, folder)]) for folder in folders}
    return hashlib.sha256(canonical(found).encode()).hexdigest()


def environment() -> dict[str, str]:
    """Name -> version of this project, with its commit, and of what it stands on."""
    commit = _commit(Path(__file__).parents[2])
    place = f"commit {commit}" if commit else "of no commit that git knows here"
    versions = {"ssl-collapse": f"{__version__}, {place}", "Python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**versions, "System": f"{platform.system()}, {platform.machine()}"}


def _commit(folder: Path) -> str | None:
    """The commit that the code in a folder is of; None where git does not have it."""
    git = ["git", "-C", str(folder)]
    texts = []
    for words in (
        ["ls-files", "--error-unmatch", "ssl_collapse/__init__.py"],  # not another project's
        ["rev-parse", "HEAD"],
        ["status", "--porcelain", "--", "."],
    ):
        try:
            done = subprocess.run([*git, *words], capture_output=True, text=True, timeout=PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None
        texts.append(done.stdout.strip())
    return texts[1][:12] + (", changed since" if texts[2] else "")
