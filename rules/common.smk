# From config to plan: what the rule files share.
import hashlib
import json
import os
import sys
from glob import glob
from pathlib import Path

WORKFLOW = Path(workflow.basedir) / "workflow"
SCRIPTS = WORKFLOW / "scripts"
PYTHON = sys.executable
# The jobs run the code that is digested here, wherever the package may be installed from.
sys.path.insert(0, str(WORKFLOW))
os.environ["PYTHONPATH"] = str(WORKFLOW)

from ssl_collapse.config.load import load_experiment
from ssl_collapse.config.plan import Plan
from ssl_collapse.errors import UserError
from ssl_collapse.provenance.code import code_digest
from ssl_collapse.provenance.spec import canonical
from ssl_collapse.storage.atomic import write_text

try:
    PLAN = Plan(load_experiment(config))
except UserError as error:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
EXPERIMENT = PLAN.experiment
RUNTIME = EXPERIMENT.runtime


wildcard_constraints:
    dataset=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    run=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    figure=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    split="train|val",
    seed=r"\d+",
    epoch=r"\d\d\d\d+",


def spec(stage, *names):
    """The `spec` param of a stage; `names` are the wildcards that the plan needs."""

    def text(wildcards):
        values = [int(wildcards[n]) if n == "seed" else wildcards[n] for n in names]
        return canonical(getattr(PLAN, stage)(*values))

    return text


def code(script, modules=None):
    """The `code` param of a stage; `modules` says what a run imports by computed name."""

    def digest(wildcards):
        extra = modules(wildcards) if modules else ()
        return code_digest(SCRIPTS / f"{script}.py", WORKFLOW, extra)

    return digest


def spec_file(text):
    """A file that holds a spec, named by its content."""
    path = Path("results/state/specs") / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not path.exists():
        write_text(path, text)
    return path


def model_modules(wildcards):
    return PLAN.model_modules(wildcards.run)


def backbone_modules(wildcards):
    return PLAN.backbone_modules(wildcards.run)


def dataset_of(wildcards):
    return f"results/data/{PLAN.run(wildcards.run).dataset}"


def gpus():
    """GPUs of a job that can use one: 0 where there is none, so that CPU jobs run side by side."""
    if RUNTIME.device == "auto":
        return int(bool(glob("/dev/nvidia[0-9]*")))
    return int(RUNTIME.device == "cuda")


def used_datasets():
    return sorted({run.dataset for run in EXPERIMENT.runs.values()})


def figure_files():
    kinds = ("pdf", "png", "csv", "txt")
    return [f"results/figures/{name}.{kind}" for name in EXPERIMENT.figures for kind in kinds]
