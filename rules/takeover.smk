# Before the jobs are planned: what has come from elsewhere, and what has changed outside.
#
# requires: all rules; the folder of results, .snakemake/metadata/ and the users' folders of images
# produces: records of copied results, and results/data/{dataset}/source.json
import re
from functools import cache

from snakemake.iocontainers import Wildcards
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence
from snakemake_interface_executor_plugins.settings import ExecMode

from ssl_collapse.plan.checks import check_size
from ssl_collapse.images.description import read_description
from ssl_collapse.images.imagefolder import list_dataset
from ssl_collapse.provenance.survey import survey
from ssl_collapse.provenance.adopt import (
    Expected,
    assess,
    date_by_depth,
    existing_results,
)
from ssl_collapse.provenance.sidecar import lineage

# The rules made here, with the names that they have here: in a module they are called otherwise,
# and the workflow that uses it has others besides.
OWN = {
    getattr(rules, p.stem).rule: p.stem
    for p in SCRIPTS.glob("*.py")
    if rules.has(p.stem)
}
OWN = {maker: name for maker, name in OWN.items() if maker in workflow.modifier.rules}


@cache
def producer(path):
    """The rule and the wildcards that make a result; None where no rule of this plan does."""
    for maker in OWN:
        if not maker.norun and any(output.match(path) for output in maker.output):
            return maker, Wildcards(fromdict=maker.get_wildcards(path))
    return None


@cache
def expected(path):
    """What the present config and code say of a result, and of everything above it."""
    made_by, wildcards = producer(path)
    inputs = made_by.expand_input(wildcards)[0]
    made = [str(i) for i in inputs if Path(i).name != "source.json"]
    above = [expected(path) for path in made]
    values = request(OWN[made_by], wildcards, [], [])
    total = lineage(values["spec"], values["code"], [fact.lineage for fact in above])
    return Expected(total, 1 + max((fact.depth for fact in above), default=0))


def in_plan(path):
    """Whether the present config still makes this result."""
    try:
        return producer(path) is not None and bool(expected(path))
    except (
        KeyError,
        AssertionError,
        TypeError,
    ):  # a run, seed or dataset that the config no longer has, a rule that a module leaves out
        return False


def record(adopted, known):
    """Tell Snakemake how a result was made; a stale one gets a record that fits no recipe."""
    sidecar = adopted.sidecar
    params = [sidecar.spec, sidecar.code] if sidecar else []
    made_by, _ = producer(adopted.path)
    entry = {
        "rule": made_by.name,
        "input": (
            sorted(located(i, RESULTS) for i in sidecar.inputs) if sidecar else None
        ),
        "params": sorted(map(repr, [*params, *(["stale"] if adopted.stale else [])])),
        "record_format_version": RECORD_FORMAT_VERSION,
        "incomplete": False,
    }
    known._write_record(adopted.path, MetadataRecord(**entry))


def has_record(known, path):
    """Whether Snakemake knows how a result was made; looked up, not read: there are thousands."""
    return Path(known._record_path(known._metadata_path, path)).exists()


def take_over():
    """Give every result that Snakemake has no record of a record from its sidecar."""
    known = FilePersistence(nolock=True, path=Path(".snakemake"))
    unknown = [
        path
        for path in existing_results(Path(RESULTS))
        if not has_record(known, path) and in_plan(path)
    ]
    found = [assess(path, expected(path), RESULTS) for path in unknown]
    for adopted in found:
        record(adopted, known)
    date_by_depth({path: expected(path) for path in unknown})
    stale = [adopted for adopted in found if adopted.stale]
    if found:
        print(
            f"{len(found) - len(stale)} results taken over, {len(stale)} stale",
            file=sys.stderr,
        )
    for adopted in stale:
        print(f"stale: {adopted.path}: {adopted.stale}", file=sys.stderr)


def train_images(name):
    """Training images of a user's dataset; None where that is not known before it is described.

    That is, where its folders are not on this machine, and where dataset.json is of another source
    or of images that have changed since: then the training itself says what does not fit.
    """
    described, seen = (
        Path(f"{RESULTS}/data/{name}/{file}")
        for file in ("dataset.json", "source.json")
    )
    if described.exists():
        description = read_description(described)
        same = description.source == json.loads(canonical(PLAN.dataset(name)))
        unchanged = seen.exists() and seen.stat().st_mtime <= described.stat().st_mtime
        return description.splits["train"].images if same and unchanged else None
    source, folders = EXPERIMENT.datasets[name].source, PLAN.folders(name, "")
    if not all(Path(path).is_dir() for path in folders.values()):
        return None
    places = {key: Path(path) for key, path in folders.items()}
    listing = list_dataset(places, source.val_fraction, source.split_seed)
    return len(listing.splits["train"].paths)


def refuse_small_datasets(names):
    """Stop where a run's data schedule leaves fewer images than a batch."""
    sizes = {name: train_images(name) for name in names}
    problems = [
        f"  {problem}"
        for name, run in EXPERIMENT.runs.items()
        if sizes.get(run.dataset)
        for problem in check_size(name, run, sizes[run.dataset])
    ]
    if problems:
        raise UserError("\n".join(["the config does not fit the images:", *problems]))


# Jobs on other machines read this file too; only the process that plans looks around.
if workflow.exec_mode == ExecMode.DEFAULT:
    if Path(RESULTS).exists():
        take_over()
    own = [name for name in used_datasets() if name in json.loads(USERS_FOLDERS)]
    for name in own:
        survey(PLAN.folders(name, ""), Path(f"{RESULTS}/data/{name}"))
    try:
        refuse_small_datasets(own)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
