"""Python's own answer to which modules a stage loads: its script is imported, and asked.

What a script imports only inside functions is imported here, too; and a stage that builds a model
builds it. Everything happens in forks of one process that has imported the large packages.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_FORKS = """
import gc, importlib.util, json, os, re, runpy, sys
import h5py, pandas, pydantic, scipy.stats, seaborn, sklearn, timm, torch, torchvision

OURS = r"(ssl_collapse\\S*)"
INDENTED = re.compile(rf"^ +(?:from {OURS} import (\\w+)|import {OURS})", re.MULTILINE)

def ours():
    return [name for name in sys.modules if name.split(".")[0] == "ssl_collapse"]

def import_what_functions_import(script):
    before = None
    while before != len(ours()):
        before = len(ours())
        modules = [sys.modules[name].__file__ for name in ours() if name != "ssl_collapse"]
        for path in [script, *modules]:  # the package itself imports for people alone
            with open(path) as file:
                for package, attribute, module in INDENTED.findall(file.read()):
                    importlib.import_module(package or module)
                    inside = f"{package}.{attribute}"
                    is_package = hasattr(sys.modules[package or module], "__path__")
                    if package and is_package and importlib.util.find_spec(inside):
                        importlib.import_module(inside)

def build(spec, inputs):
    from pathlib import Path
    from ssl_collapse.config.pretrain import PretrainSpec
    from ssl_collapse.models.build import build_backbone, build_method
    spec = PretrainSpec.model_validate(spec)
    with torch.device("meta"):
        built = build_backbone(spec.backbone)
        if inputs is not None:
            build_method(*built, spec.method, **{name: Path(path) for name, path in inputs.items()})

gc.freeze()
for stage, (script, specs, inputs) in json.loads(sys.stdin.read()).items():
    if os.fork() == 0:
        runpy.run_path(script, run_name="imported")
        for spec in specs:
            build(spec, inputs)
        import_what_functions_import(script)
        print(json.dumps([stage, ours()]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, stage
os._exit(0)
"""


def loaded_modules(
    workflow: Path, stages: Mapping[str, tuple[str, list[object], dict[str, str] | None]]
) -> dict[str, set[str]]:
    """Stage -> names of the library's modules that it loads.

    Args:
        workflow: the folder of scripts and library.
        stages: name -> (script, specs of the models that it builds, the inputs of
            their methods or None where it builds none).
    """
    asked = {
        name: (str(workflow / "scripts" / f"{script}.py"), specs, inputs)
        for name, (script, specs, inputs) in stages.items()
    }
    answer = subprocess.run(
        [sys.executable, "-c", _FORKS],
        input=json.dumps(asked),
        env={**os.environ, "PYTHONPATH": str(workflow)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = map(json.loads, answer.stdout.splitlines())
    return {stage: set(modules) for stage, modules in found}
