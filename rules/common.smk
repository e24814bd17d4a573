# From config to plan: what the rule files share.
import hashlib
import json
import shlex
import sys
from inspect import signature
from pathlib import Path

from snakemake.common import overwrite_function_params

from ssl_collapse.config.reading.load import load_experiment
from ssl_collapse.plan.specs import Plan
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.runtime.gpus import has_gpu
from ssl_collapse.provenance.code import code_digest
from ssl_collapse.provenance.sidecar import located
from ssl_collapse.provenance.canonical import canonical
from ssl_collapse.runtime.files import write_text

try:
    PLAN = Plan(load_experiment(config, map(Path, workflow.configfiles)))
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


# Modules that a stage's script imports by computed name, and package files that it reads.
PLUGINS = {
    "pretrain": lambda wildcards: PLAN.model_modules(wildcards.run),
    "export_checkpoint": lambda wildcards: PLAN.model_modules(wildcards.run),
    "represent": lambda wildcards: PLAN.backbone_modules(wildcards.run),
    "probe": lambda wildcards: PLAN.backbone_modules(wildcards.run),
    "report": lambda wildcards: ("ssl_collapse/figures/report.html.jinja",),
}


def plugins(script, wildcards):
    return PLUGINS[script](wildcards) if script in PLUGINS else ()


def of_wildcards(value):
    """A param function of the wildcards, computed once for equal wildcards."""
    known = {}

    def param(wildcards):
        key = tuple(wildcards)
        if key not in known:
            known[key] = value(wildcards)
        return known[key]

    return with_signature(param)


def with_signature(function):
    """Snakemake asks for a function's parameters six times per job; this answers at once."""
    overwrite_function_params(function, signature(function).parameters)
    return function


def constant(content):
    """The `spec` param of a stage whose jobs all have the same."""
    text = canonical(content)
    return with_signature(lambda wildcards: text)


def spec(stage, *names):
    """The `spec` param of a stage; `names` are the wildcards that the plan needs."""

    def text(wildcards):
        values = [int(wildcards[n]) if n == "seed" else wildcards[n] for n in names]
        return canonical(getattr(PLAN, stage)(*values))

    return of_wildcards(text)


def code(script):
    """The `code` param of a stage: the same for all its jobs where it has no plugins."""
    path = SCRIPTS / f"{script}.py"
    if script not in PLUGINS:
        return code_digest(path, WORKFLOW)
    return of_wildcards(lambda w: code_digest(path, WORKFLOW, plugins(script, w)))


class Command:
    """A job's command line, written when it is asked for: most jobs of a plan never run."""

    def __init__(self, write):
        self.write = write

    def __str__(self):
        return self.write()

    def __format__(self, how):
        return self.write()


def command(script, **options):
    """The `command` param: interpreter, script, and the options that never change a result.

    Snakemake neither records nor compares a param whose function takes `output`, so that no
    rule reruns because an interpreter, a folder or a number of workers is another.
    """

    def text(wildcards, input, output):
        in_conda = "conda" in map(str, workflow.deployment_settings.deployment_method)
        # The jobs run the code that is digested here, wherever the package is installed from.
        # exec: no shell stays between Snakemake and the job that a signal is meant for.
        words = [
            "exec",
            "env",
            f"PYTHONPATH={WORKFLOW}",
            "python" if in_conda else sys.executable,
        ]
        words.append(SCRIPTS / f"{script}.py")
        for name, value in options.items():
            value = value(wildcards) if callable(value) else value
            words += [f"--{name.replace('_', '-')}", value]
        if output:
            asked = canonical(request(script, wildcards, input, output))
            words += ["--provenance", argument(asked)]
        return shlex.join(map(str, words))

    return with_signature(
        lambda wildcards, input, output: Command(lambda: text(wildcards, input, output))
    )


def request(rule_name, wildcards, input, output):
    """What a job writes into the sidecars of its outputs; `rule_name` is the name given here."""
    params = getattr(rules, rule_name).rule.params
    spec, code = (
        p(wildcards) if callable(p) else p for p in (params.spec, params.code)
    )
    return {
        "rule": rule_name,
        "spec": spec,
        "code": code,
        "plugins": plugins(rule_name, wildcards),
        "inputs": list(map(str, input)),
        "outputs": list(map(str, output)),
        "results": RESULTS,
    }


def argument(text):
    """A text for a command line: itself, or as @file where it is longer than one may be."""
    if len(text) < 50_000:
        return text
    path = (
        Path(RESULTS, "state/arguments")
        / hashlib.sha256(text.encode()).hexdigest()[:16]
    )
    if not path.exists():
        write_text(path, text)
    return f"@{path}"


# Where each dataset's images lie: no part of any spec, since a dataset that has moved is the same.
FOLDERS = json.dumps(
    {
        name: PLAN.folders(name, f"{RESULTS}/data/{name}/images")
        for name in EXPERIMENT.datasets
    }
)
ORDERINGS = json.dumps(
    {name: d.ordering for name, d in EXPERIMENT.datasets.items() if d.ordering}
)


# Of the users' own folders only: what the workflow generated is a result like the others.
USERS_FOLDERS = json.dumps(
    {
        name: PLAN.folders(name, "")
        for name, dataset in EXPERIMENT.datasets.items()
        if dataset.source.users_own
    }
)


def images_of(wildcards):
    """What a dataset is described from: its generated images, or the state of a user's folders."""
    source = EXPERIMENT.datasets[wildcards.dataset].source
    return f"results/data/{wildcards.dataset}/{'source.json' if source.users_own else 'images'}"


SCRATCH = (
    RUNTIME.scratch or ""
)  # as written: its variables are those of the job's machine


def state_of(wildcards):
    """Where a seed's unfinished trainings are kept."""
    return f"{RESULTS}/state/{wildcards.run}/seed{wildcards.seed}"


def dataset_of(wildcards):
    return f"results/data/{PLAN.run(wildcards.run).dataset}"


def start_checkpoints(wildcards):
    """The checkpoints of the run that a hybrid run starts from."""
    start = PLAN.run(wildcards.run).start
    return f"results/runs/{start.run}/seed{wildcards.seed}/checkpoints" if start else []


def probed(wildcards):
    """What the linear probe reads: representations, or in full mode the encoder and images."""
    epoch = f"results/runs/{wildcards.run}/seed{wildcards.seed}/epoch{wildcards.epoch}"
    splits = ("train", "val")
    if EXPERIMENT.evaluation.probe.mode == "cached":
        files = [f"{epoch}/representations-{split}.h5" for split in splits]
        return {"representations": files, "encoder": [], "train": [], "val": []}
    images = {split: f"{dataset_of(wildcards)}/{split}.h5" for split in splits}
    return {
        "representations": [],
        "encoder": f"{epoch}/encoder.safetensors",
        **images,
    }


def gpus():
    """GPUs of a job that can use one: 0 where there is none, so that CPU jobs run side by side."""
    return int(RUNTIME.device == "cuda" or (RUNTIME.device == "auto" and has_gpu()))


def per_attempt(amount):
    """A resource of which a job asks for more every time that it is tried again."""
    return lambda wildcards, attempt: amount * attempt


def used_datasets():
    return sorted({run.dataset for run in EXPERIMENT.runs.values()})


def figure_files():
    kinds = ("pdf", "png", "csv", "txt")
    return [
        f"results/figures/{name}.{kind}"
        for name in EXPERIMENT.figures
        for kind in kinds
    ]
