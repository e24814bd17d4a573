"""The authors' code, from a checkout in REFERENCE_DIR, run on a CPU with its own command lines.

No line of it is part of this project. What it imports and no number depends on (logging, an old
timm, a module that was never published) is stood in for.
"""

import importlib
import runpy
import sys
from itertools import accumulate
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torchvision import models
from transcribed_larc import larc_step


class TranscribedLarc:
    """For apex's LARC around an SGD optimiser, where apex is not installed."""

    def __init__(self, optimizer: torch.optim.SGD, trust_coefficient: float, clip: bool) -> None:
        assert (trust_coefficient, clip) == (0.001, False)
        self.param_groups, self.zero_grad = optimizer.param_groups, optimizer.zero_grad
        self.state_dict = optimizer.state_dict
        self.buffers: list[Any] = [None for group in self.param_groups for _ in group["params"]]

    def step(self) -> None:
        (group,) = self.param_groups
        weights = [p.detach().numpy() for p in group["params"]]
        gradients = [p.grad.numpy() for p in group["params"]]
        settings = (group[key] for key in ("lr", "momentum", "weight_decay"))
        larc_step(weights, gradients, self.buffers, *settings)


STAND_INS = {
    "apex.parallel.LARC": {"LARC": TranscribedLarc},
    "autolearn.simsiam.fast_simsiam_error": {"fast_simsiam_error": None},
    "autolearn.vits": {},
}


class Reference:
    """A checkout: its modules by file name, and its programs by their command lines."""

    def __init__(self, folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.output, self._monkeypatch = folder, output, monkeypatch
        self.logged: list[dict[str, Any]] = []  # what it tells wandb, once per epoch
        self._models = dict(vars(models))
        monkeypatch.syspath_prepend(str(folder))
        nothing = dict.fromkeys(("init", "Settings", "save", "finish"), lambda *_, **__: None)
        run = SimpleNamespace(dir=str(output), resumed=False)
        self._stand_in("wandb", {**nothing, "run": run, "log": self.logged.append})
        for name, content in STAND_INS.items():
            try:
                importlib.import_module(name)
            except ImportError:
                self._stand_in(name, content)

    def _stand_in(self, name: str, content: dict[str, Any]) -> None:
        for part in accumulate(name.split("."), "{}.{}".format):
            if part == name or part not in sys.modules:
                self._monkeypatch.setitem(sys.modules, part, ModuleType(part))
        vars(sys.modules[name]).update(content)

    def file(self, name: str) -> Path:
        if not (self.folder / name).is_file():
            pytest.skip(f"the checkout in REFERENCE_DIR has no {name}")
        return self.folder / name

    def module(self, name: str) -> Any:
        self.file(name)
        module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
        # it writes its ResNets into torchvision's module, and that one's name and path with them
        vars(models).update(self._models)
        return module

    def run(self, name: str, *arguments: object) -> None:
        """Run a program: its `main`, or where it has none the whole file as a script."""
        self._monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        module = self.module(name)
        if hasattr(module, "main"):
            module.main()
        else:
            runpy.run_path(str(self.folder / name), run_name="__main__")

    def forget(self) -> None:
        """Have its modules imported anew in the next test."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None) or ""
            if name.split(".")[0] == "autolearn" or Path(file).parent == self.folder:
                del sys.modules[name]
