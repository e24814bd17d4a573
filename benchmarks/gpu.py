"""Every GPU path checked against the CPU's, and the rates of training at 224 px: under 9 minutes.

    python benchmarks/gpu.py                   with a GPU; without, says what it would do
    python benchmarks/gpu.py --rehearse        the same checks on the CPU, at tiny sizes

Prints one line per check, a table, and ends with code 1 if a check has failed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import image_folder
from training import HEADER, HERE, Group, measure
from training_case import MEAN, STD, dataset, encoder, parser, trainer
from turns import markdown

from ssl_collapse.config.evaluation import FullProbeSpec, ProbeSpec, RepresentSpec
from ssl_collapse.evaluation.neighbors import find_neighbors
from ssl_collapse.evaluation.probe_cached import CachedFeatures, probe_cached
from ssl_collapse.evaluation.probe_images import ImageFeatures, probe_images
from ssl_collapse.evaluation.proposals import CpuBackend, TorchBackend
from ssl_collapse.images.packed import PackedImages
from ssl_collapse.representations.extraction import represent
from ssl_collapse.representations.file import open_representations, write_representations
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.gpus import _list_gpus, claim_devices
from ssl_collapse.views.augmentation import Augmenter

MINUTES = 7.5  # after which no case is repeated
CPU = torch.device("cpu")


class Checks:
    """Each check returns what it found, or fails with AssertionError; its docstring is its name."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.device, self.temporary = device, folder
        self.folder = image_folder(folder, 64, 64, packed=True)
        self.px, self.batch = (32, 32) if device.type == "cuda" else (8, 4)

    def args(self, state: str = "state", **keys: Any) -> argparse.Namespace:
        """Of training_case: 9 steps."""
        options = {"px": self.px, "batch": self.batch, "steps": 6, "workers": 1, **keys}
        options["state"] = state
        text = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        device = ["--device", self.device.type]
        return parser().parse_args(["ours", "--folder", str(self.folder), *text, *device])

    def augmentation(self) -> str:
        """the augmentation equals the CPU's, and waits for nothing"""
        batch = dataset(self.args())[0]
        here = Augmenter(MEAN, STD, self.device)
        here(batch)
        if self.device.type == "cuda":
            batch = batch[0].pin_memory(), batch[1].pin_memory()
        with self._without_waiting():
            made = here(batch)
        cpu = Augmenter(MEAN, STD, CPU)(batch)
        apart = max((a.cpu() - b).abs().max().item() for a, b in zip(made, cpu, strict=True))
        assert apart < 1e-3, apart
        return f"at most {apart:.0e} apart"

    def training(self) -> str:
        """no step waits, and a training that is interrupted ends as one that is not"""
        whole = trainer(self.args("whole"))
        step = whole.step

        def strict(views: Any) -> None:
            with self._without_waiting() if whole.progress.step > 1 else nullcontext():
                step(views)

        whole.step = strict
        (row,) = whole.run()
        cut = trainer(self.args("cut"))
        cut.step = lambda views: (type(cut).step(cut, views), _ask(cut, 4))
        with suppress(SystemExit):
            cut.run()
        again = trainer(self.args("cut"))
        again.resume()
        assert again.progress.step == 4
        (resumed,) = again.run()
        assert abs(resumed["loss"] - row["loss"]) < 0.01, (resumed, row)
        return f"loss {row['loss']:.5f} and {resumed['loss']:.5f}"

    def extraction(self) -> str:
        """representations are the CPU's"""
        images, network = PackedImages(self.folder / "train.h5"), encoder(self.args())
        prepared = {"resize": 64, "crop": self.px, "mean": list(MEAN), "std": list(STD)}
        spec = RepresentSpec.model_validate(prepared)
        cpu, here = (
            np.concatenate(list(represent(network, images, spec, device, 64)))
            for device in (CPU, self.device)
        )
        apart = np.linalg.norm(here - cpu, axis=1) / np.linalg.norm(cpu, axis=1)
        assert apart.max() < 0.01, apart.max()  # a GPU's convolutions are in TF32
        return f"at most {apart.max():.0e} of their length apart"

    def neighbours(self) -> str:
        """neighbours are the CPU's"""
        train, val = self._files()
        indices = [
            np.concatenate([part.index for part in find_neighbors(train, val, "cosine", 20, b)])
            for b in (CpuBackend(), TorchBackend(self.device))
        ]
        assert (indices[0] == indices[1]).all()
        return f"{indices[0].size:,} of {indices[0].size:,}"

    def probe(self) -> str:
        """the linear probe has the CPU's accuracy"""
        spec = ProbeSpec(mode="cached", epochs=5)
        source = CachedFeatures(*self._files(), spec)
        tops = [probe_cached(source, device)["top1_last"] for device in (CPU, self.device)]
        assert abs(tops[0] - tops[1]) < 0.02, tops
        return f"top-1 {tops[0]:.3f} and {tops[1]:.3f}"

    def probe_on_images(self) -> str:
        """so has the linear probe on images, within a twentieth"""
        images = PackedImages(self.folder / "train.h5")
        spec = FullProbeSpec(mode="full", epochs=1, batch_size=64, resize=64, crop=self.px)
        network, tops = encoder(self.args()), []
        for device in (CPU, self.device):
            source = ImageFeatures(network, 512, images, images, spec, device, workers=1)
            tops.append(probe_images(source)["top1_last"])
        assert abs(tops[0] - tops[1]) < 0.05, tops
        return f"top-1 {tops[0]:.3f} and {tops[1]:.3f}"

    def locks(self) -> str:
        """a GPU that is held is not given twice"""
        ids = [name for parts in _list_gpus() for name in parts] or ["pretended"]
        held = claim_devices(ids, len(ids), self.temporary / "locks")
        try:
            claim_devices(ids, 1, self.temporary / "locks")
        except UserError:
            return f"{len(held.ids)} held"
        raise AssertionError("given twice")

    @contextmanager
    def _without_waiting(self) -> Iterator[None]:
        """What waits for the GPU here is an error."""
        if self.device.type != "cuda":
            yield
            return
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def _files(self) -> tuple[Any, Any]:
        files = []
        for seed, n in ((1, 2000), (2, 200)):
            rng = np.random.default_rng(seed)
            targets = rng.integers(5, size=n)
            rows = np.eye(5, 64)[targets] * 3 + rng.normal(size=(n, 64))
            path = self.temporary / f"{n}.h5"
            chunk = rows.astype(np.float32), targets, np.arange(n)
            write_representations(path, n, 64, iter([chunk]), {"num_classes": 5})
            files.append(open_representations(path))
        return files[0], files[1]


_PUBLIC = [value for name, value in vars(Checks).items() if not name.startswith("_")]
CHECKS = [check for check in _PUBLIC if check is not Checks.args]


def _ask(training: Any, step: int) -> None:
    """Ask a training to stop after so many steps."""
    training.interruption.asked = training.progress.step + 1 == step


def mig() -> str:
    """The MIG mode of every GPU, as nvidia-smi tells it."""
    query = ["nvidia-smi", "--query-gpu=index,mig.mode.current,mig.mode.pending", "--format=csv"]
    try:
        return subprocess.run(query, capture_output=True, text=True, timeout=60).stdout
    except OSError:
        return ""


def check_all(folder: Path, device: torch.device) -> bool:
    """Run the checks, each to its line; whether all went well."""
    before, checks = mig(), Checks(folder, device)
    sound = True
    for check in CHECKS:
        try:
            print(f"ok      {check.__doc__}: {check(checks)}", flush=True)
        except Exception as error:  # the others are still to be known
            print(f"FAILED  {check.__doc__}: {type(error).__name__}: {error}", flush=True)
            sound = False
    same = mig() == before
    print(f"{'ok    ' if same else 'FAILED'}  the MIG mode is what it was")
    return sound and same


def groups(rehearse: bool) -> list[Group]:
    """What is measured: training, and the part of a step that augmentation takes."""
    cases = {"ours": "", "ceiling": "0.9", "textbook": ""}
    share = {"ceiling": "", "augmentation": "0.15"}
    if rehearse:
        tiny = {"px": 8, "height": 8, "width": 8, "steps": 1, "batch": 4}
        return [Group("training", cases, **tiny), Group("step", share, **tiny)]
    size = {"px": 224, "height": 256, "width": 341, "steps": 15, "batch": 256, "workers": 8}
    return [
        Group(name, of, **size, arch=arch, device="cuda", precision="bf16")
        for arch in ("resnet18", "resnet50")
        for name, of in (("training", cases), ("step", share))
    ]


def main() -> int:
    """Check, measure, and tell."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rehearse", action="store_true")
    rehearse = options.parse_args().rehearse
    if not rehearse and not torch.cuda.is_available():
        print("No GPU is visible. With one, this would check, against the CPU:")
        for check in CHECKS:
            print(f"  - {check.__doc__}")
        print("  - the MIG mode is what it was")
        print("and measure, with bf16 at batch 256, ours against the textbook and the ceiling:")
        for group in groups(rehearse=False):
            print(f"  - {group.name}: {group.arch} at {group.px} px: {' / '.join(group.cases)}")
        return 0
    until = time.monotonic() + 60 * MINUTES
    device = torch.device("cpu" if rehearse else "cuda")
    with tempfile.TemporaryDirectory() as folder:
        sound = check_all(Path(folder), device)
        lines = []
        for group in groups(rehearse):
            lines += measure(group, Path(folder), 1 if rehearse else 3, {}, until)
    print()
    print(markdown(HEADER, lines))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main())
