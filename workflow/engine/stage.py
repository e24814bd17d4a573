"""What a rule gives its job: the part of the config and the code that decide, and the command."""

import hashlib
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from inspect import signature
from pathlib import Path
from typing import Any

from snakemake.common import overwrite_function_params

from engine.storage import Storage
from engine.time_limit import KINDS
from ssl_collapse.config.paths import INSIDE, Paths, fill
from ssl_collapse.plan.specs import Plan
from ssl_collapse.provenance.canonical import canonical
from ssl_collapse.provenance.code import code_digest, equal_code
from ssl_collapse.provenance.sidecar import Request
from ssl_collapse.runtime.files import write_text

Plugins = tuple[tuple[str, ...], Callable[..., tuple[str, ...]]]
REPORT_PAGES = tuple(f"ssl_collapse/figures/{name}.html.jinja" for name in ("page", "report"))
NO_PLUGINS: Plugins = ((), tuple)
LONGEST_ARGUMENT = 50_000  # characters; Linux takes 128 KiB
Param = Callable[..., Any]


class Stages:
    """The params of every rule.

    Args:
        folder: the one that holds `scripts/` and the packages.
        results: the folder of results, from the working directory.
        dry: whether this is a dry run, which writes nothing; asked when a command is written.
        limit: the options that tell a job of given resources when to leave.
        storage: where results lie if not in a folder that all jobs see; `results` are local copies.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        results: str,
        interpreter: str,
        dry: Callable[[], bool],
        limit: Callable[[Any], list[str]] = lambda resources: [],
        storage: Storage | None = None,
    ) -> None:
        self.plan, self.folder, self.results = plan, folder, results
        self.storage = storage
        # How many attempts made progress; known where failed jobs are tried again.
        self.progress: Callable[[str, Any], int] = lambda kind, wildcards: 0
        self.interpreter, self._dry, self._limit = interpreter, dry, limit
        # Modules that a script imports by computed name, and package files that it reads: by the
        # wildcards that they depend on.
        of_model = ("run",), plan.model_modules
        of_layer = ("run", "layer"), plan.layer_modules
        of_backbone = ("run",), plan.backbone_modules
        self._plugins: dict[str, Plugins] = {
            **dict.fromkeys(("pretrain", "export_checkpoint", "export_projector"), of_model),
            **dict.fromkeys(("represent", "view_measures"), of_layer),
            **dict.fromkeys(("import_encoder", "probe"), of_backbone),
            "figure": (("figure",), plan.figure_modules),
            "report": ((), lambda: REPORT_PAGES),
        }
        # What a result says of its own name, and no spec: part of its key in the store.
        self.labels = {
            "dataset": "{dataset}",
            "pack": "{split}",
            "represent": "{run}/{seed}",
            "import_representations": "{run}/{split}",
        }
        self.specs: dict[str, Param] = {}
        self.codes: dict[str, Param] = {}

    def spec(self, stage: str, *names: str) -> Param:
        """The `spec` param of a stage: canonical JSON; `names` are the wildcards it depends on."""

        def text(wildcards: Any) -> str:
            values = [int(wildcards[n]) if n in ("seed", "epoch") else wildcards[n] for n in names]
            return canonical(getattr(self.plan, stage)(*values))

        self.specs[stage] = once_per(names, text)
        return self.specs[stage]

    def code(self, stage: str) -> Param:
        """The `code` param of a stage: the digest of what decides its result."""

        def digest(wildcards: Any) -> str:
            modules = self.plugins(stage, wildcards)
            return equal_code(stage, code_digest(self.script(stage), self.folder, modules))

        names, _ = self._plugins.get(stage, NO_PLUGINS)
        self.codes[stage] = once_per(names, digest)
        return self.codes[stage]

    def script(self, stage: str) -> Path:
        """The script of a stage."""
        return self.folder / "scripts" / f"{stage}.py"

    def plugins(self, stage: str, wildcards: Any) -> tuple[str, ...]:
        """What the script uses and does not name in an import statement."""
        names, modules = self._plugins.get(stage, NO_PLUGINS)
        return modules(*(wildcards[name] for name in names))

    def scripts(self) -> Param:
        """The `scripts` param: how to run one of our scripts, up to its name.

        exec: no shell stays between Snakemake and the job that a signal is meant for. PYTHONPATH:
        jobs run the code that was digested, wherever the package is installed from. -P: and no file
        that happens to lie in the working directory.
        """
        words = ["exec", "env", f"PYTHONPATH={self.folder}", self.interpreter]
        words += ["-P", "-m", "ssl_collapse.provenance.start"]
        text = f"{shlex.join(words)} {shlex.quote(str(self.folder / 'scripts'))}"
        return answered(lambda wildcards, output: text)

    def runtime(self, stage: str, **options: Any) -> Param:
        """The `runtime` param: options that change no result, and what the job is to record."""

        def text(wildcards: Any, input: Iterable[str], output: Iterable[str], limit: Any) -> str:
            words = list(limit)
            for name, value in options.items():
                value = value(wildcards) if callable(value) else value
                words += [f"--{name.replace('_', '-')}", str(value)]
            request = self.request(stage, wildcards, input, output)
            words += ["--provenance", self.argument(canonical(request.model_dump()))]
            if self.storage and stage in KINDS:
                place = self.state(wildcards).removeprefix(f"{self.results}/")
                words += ["--mirror", f"{self.storage.url}/{place}"]
            return shlex.join(words)

        if stage not in KINDS:
            return answered(
                lambda wildcards, input, output: Lazy(lambda: text(wildcards, input, output, ()))
            )
        return answered(
            lambda wildcards, input, output, resources: Lazy(
                lambda: text(wildcards, input, output, self._limit(resources))
            )
        )

    def memory(self, stage: str, amount: int) -> Param:
        """The `mem_mb` of a stage that resumes: more after an attempt that came no further, up to 4
        times the amount. One that made progress had enough: its time limit has ended it.
        """

        def ask(wildcards: Any, attempt: int) -> int:
            return amount * min(max(attempt - self.progress(KINDS[stage], wildcards), 1), 4)

        return answered(ask)

    def request(
        self, stage: str, wildcards: Any, input: Iterable[str], output: Iterable[str]
    ) -> Request:
        """What a job is told about itself."""
        return Request(
            rule=stage,
            code=self.codes[stage](wildcards),
            plugins=list(self.plugins(stage, wildcards)),
            inputs=list(map(str, input)),
            outputs=list(map(str, output)),
            results=self.results,
            roles=roles(input),
            parts=roles(output),
            told=self.told(stage),
            label=self.labels.get(stage, "").format(**dict(wildcards.items())),
            store=self._store(stage, wildcards),
            everyone=self.plan.experiment.runtime.store_trust == "everyone",
        )

    def told(self, stage: str) -> list[str]:
        """The folders, below that of results, whose sidecars the report shows."""
        if stage != "report":
            return []
        names = [(INSIDE.description, {"dataset": d}) for d in self.plan.used_datasets()]
        for point in self.plan.points:
            names += [(place, vars(point)) for place in (INSIDE.training, INSIDE.encoder)]
        files = [INSIDE.summary, *(fill(place, **values) for place, values in names)]
        return list(dict.fromkeys(str(Path(file).parent) for file in files))

    def _store(self, stage: str, wildcards: Any) -> str:
        """The folder of the store; none for a user's own images, which are no input of a rule, nor
        for results in a storage, which are one already.
        """
        users = stage == "dataset" and wildcards.dataset in self.plan.users_datasets()
        folder = self.plan.experiment.runtime.store
        if users or self.storage or folder in (False, "off"):
            return ""
        return str(Path(folder).expanduser()) if folder else Paths(self.results).store

    def long_spec(self, stage: str) -> Param:
        """The spec of a stage as an option, where it may be too long for a command line."""
        return lambda wildcards: self.argument(self.specs[stage](wildcards))

    def state(self, wildcards: Any) -> str:
        """Where a seed's unfinished trainings and probes are kept."""
        return fill(Paths(self.results).state, run=wildcards.run, seed=wildcards.seed)

    def argument(self, text: str) -> str:
        """A text for a command line: itself, or as @file where it is longer than one may be."""
        if len(text) < LONGEST_ARGUMENT:
            return text
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        path = Path(Paths(self.results).arguments, name)
        if not (path.exists() or self._dry()):
            write_text(path, text)
        return f"@{path}"


def roles(files: Iterable[str]) -> list[str]:
    """The name that a rule has for each of its inputs or outputs; those without one come first."""
    named = files.items() if hasattr(files, "items") else ()
    names = [name for name, one in named for _ in ([one] if isinstance(one, str) else one)]
    return [""] * (len(list(files)) - len(names)) + names


class Lazy:
    """A text that is written when it is asked for: most jobs of a plan never run."""

    def __init__(self, write: Callable[[], str]) -> None:
        self._write = write

    def __str__(self) -> str:
        return self._write()

    def __format__(self, how: str) -> str:
        return self._write()


def once_per(names: Iterable[str], value: Callable[[Any], Any]) -> Param:
    """A param function of the wildcards, computed once for equal values of those in `names`."""
    names, known = tuple(names), dict[tuple[str, ...], Any]()

    def param(wildcards: Any) -> Any:
        key = tuple(wildcards[name] for name in names)
        if key not in known:
            known[key] = value(wildcards)
        return known[key]

    return answered(param)


def answered(function: Param) -> Param:
    """Snakemake asks for a function's parameters six times per job; this answers at once."""
    overwrite_function_params(function, signature(function).parameters)
    return function


def caption() -> Param:
    """A param for `snakemake --report`: the caption that a job has written, as reStructuredText.

    Empty before it has. Read when shown.
    """

    def text(path: Path) -> str:
        said = path.read_text(encoding="utf-8") if path.exists() else ""
        return re.sub(r"([\\*`|_])", r"\\\1", said)

    return answered(lambda wildcards, output: Lazy(lambda: text(Path(output.caption))))


def interpreter(workflow: Any) -> str:
    """The Python of the jobs: this one, or that of the conda environment of a rule."""
    conda = "conda" in map(str, workflow.deployment_settings.deployment_method)
    return "python" if conda else sys.executable
