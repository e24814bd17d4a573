"""Edits of the config, and the jobs that each must cause: every key of every stage, the plan."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from expected_jobs import ALL, FIGURES, NOTHING, RUNS, Jobs, Run, below
from finished_experiment import Experiment


class Edit(NamedTuple):
    """What a user does, and every job that Snakemake must then run."""

    name: str
    apply: Callable[[Experiment], None]
    jobs: frozenset[str]
    keys: tuple[str, ...] = ()  # of the config, where it is one
    keeps_jobs: bool = False  # the plan has the same jobs, made from the same


REMOVED = object()


def put(name: str, values: dict[str, Any], jobs: frozenset[str]) -> Edit:
    """Set keys of the config, named by their path."""

    def apply(experiment: Experiment) -> None:
        config = experiment.config
        for path, value in values.items():
            *parents, last = path.split(".")
            place = config
            for key in parents:
                place[key] = place.get(key) or {}
                place = place[key]
            if value is REMOVED:
                del place[last]
            else:
                place[last] = value
        experiment.write_config(config)

    return Edit(name, apply, jobs, tuple(values))


def keep_jobs(*edits: Edit) -> list[Edit]:
    """Edits that do not change which jobs there are, and from what."""
    return [edit._replace(keeps_jobs=True) for edit in edits]


def each(prefix: str, values: dict[str, Any], jobs: frozenset[str]) -> list[Edit]:
    """One edit per key, all with the same consequence."""
    edits = (put(f"{prefix}.{key}", {f"{prefix}.{key}": v}, jobs) for key, v in values.items())
    return keep_jobs(*edits)


def rewrite(name: str, change: Callable[[dict], dict], jobs: frozenset[str]) -> Edit:
    """Replace the config by what `change` makes of it."""
    return Edit(name, lambda experiment: experiment.write_config(change(experiment.config)), jobs)


def runs(*removed: str, **changed: Run) -> dict[str, Run]:
    """The runs of the plan with some removed and others changed or added."""
    changed = {name.replace("_", "-"): run for name, run in changed.items()}
    return {**{name: run for name, run in RUNS.items() if name not in removed}, **changed}


def own_ordering(experiment: Experiment) -> None:
    """The user's own order of the 400 texture images."""
    np.save(experiment.folder / "mine.npy", np.arange(400)[::-1])
    put("", {"datasets.textures.ordering": "mine.npy"}, NOTHING).apply(experiment)


def own_subset(experiment: Experiment) -> None:
    """Every second of the 400 texture images: those of each class."""
    np.save(experiment.folder / "half.npy", np.arange(0, 400, 2))
    put("", {"datasets.textures.subset": "half.npy"}, NOTHING).apply(experiment)


def turn_round(config: dict) -> dict:
    """Every mapping the other way round, but not the lists of runs and figures."""
    turned = _turned(config)
    for section in ("runs", "figures"):
        turned[section] = {name: turned[section][name] for name in config[section]}
    return turned


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(part) for key, part in reversed(value.items())}
    return value


def write_defaults_out(config: dict) -> dict:
    """The same runs without `defaults`, whose keys are repeated in each (mappings by hand)."""
    defaults = config.pop("defaults")
    for name, run in config["runs"].items():
        config["runs"][name] = {**defaults, **run}
    return config


def in_order(section: str, *names: str) -> Callable[[dict], dict]:
    """Put these entries of a section first."""

    def change(config: dict) -> dict:
        entries = config[section]
        config[section] = {name: entries[name] for name in (*names, *entries)}
        return config

    return change


def rename(section: str, old: str, new: str) -> Callable[[dict], dict]:
    """Give an entry of a section another name, at the same place."""

    def change(config: dict) -> dict:
        entries = config[section].items()
        config[section] = {new if name == old else name: entry for name, entry in entries}
        return config

    return change


def rename_photos(config: dict) -> dict:
    """The dataset `photos` and the run that names it."""
    config["runs"]["photos"]["dataset"] = "pictures"
    return rename("datasets", "photos", "pictures")(config)


TRAINED_ON_TEXTURES = below(
    *(f"pretrain {name}/*" for name, run in RUNS.items() if run.dataset == "textures")
)
IID, LAST, HYBRID = below("pretrain iid/*"), below("pretrain last/*"), below("pretrain hybrid/*")
REPORT = ALL.matching("report")

WORDS = keep_jobs(
    put("the title", {"title": "Other words"}, REPORT),
    put("the description", {"description": "Other words."}, REPORT),
    put("a title with braces", {"title": "{Other} words {0}"}, REPORT),
)

DATASETS = [
    *each(
        "datasets.textures.source",
        {"train_images": 500, "val_images": 120, "image_size": 24, "seed": 1},
        below("textures textures"),
    ),
    *each("datasets.textures", {"resize": 24, "pack": "original"}, below("pack textures/*")),
    *keep_jobs(
        put("packed as JPEG of a stated quality",
            {"datasets.textures.pack": "jpeg", "datasets.textures.jpeg_quality": 50},
            below("pack textures/*")),
    ),
    *each(
        "datasets.textures",
        {"crop": 12, "mean": [0.5, 0.5, 0.6], "std": [0.2, 0.2, 0.3]},
        TRAINED_ON_TEXTURES,
    ),
    Edit("the user's own ordering", own_ordering, below("ordering textures/*"),
         ("datasets.textures.ordering",)),
    Edit("the user's own subset", own_subset, below("dataset textures"),
         ("datasets.textures.subset",)),
    put(
        "datasets.textures.source.kind",
        {"datasets.textures.source": REMOVED, "datasets.textures.source.kind": "imagefolder",
         "datasets.textures.source.train": "images/photos/train",
         "datasets.textures.source.val": "images/photos/val"},
        Jobs(generated=()).below("dataset textures"),
    ),
    *each("datasets.photos.source", {"on_bad_image": "skip"}, below("dataset photos")),
    *each("datasets.scans.source", {"val_fraction": 0.25, "split_seed": 1}, below("dataset scans")),
    put(
        "one folder instead of two",
        {"datasets.photos.source": REMOVED, "datasets.photos.source.kind": "imagefolder",
         "datasets.photos.source.root": "images/scans", "datasets.photos.source.val_fraction": 0.5},
        below("dataset photos"),
    ),
    put("a dataset that no run uses",
        {"datasets.more.source": {"kind": "textures", "train_images": 50, "val_images": 50}},
        NOTHING),
    rewrite(
        "a renamed dataset",
        rename_photos,
        Jobs(runs(photos=Run("pictures"))).below("dataset pictures"),
    ),
]  # fmt: skip

RECIPE = [
    put("runs.iid.epochs (trained anew, not on)", {"runs.iid.epochs": 5},
        Jobs(runs(iid=Run(epochs=(2, 5)))).below("pretrain iid/*")),
    *each(
        "runs.iid",
        {
            "batch_size": 8, "optimizer": "adamw", "base_lr": 0.1,
            "final_lr": 0.001, "warmup_epochs": 1, "momentum": 0.8, "weight_decay": 0.001,
            "lr_schedule": "step", "final_weight_decay": 0.1, "fix_pred_lr": True,
            "schedule": "accumulate", "n_warmup_steps": 1, "checkpoint_every": 2,
            "precision": "bf16", "cpu_threads": 2,
        },
        IID,
    ),
    *each(
        "runs.iid.augmentation",
        {
            "min_scale": 0.3, "jitter_probability": 0.5, "brightness": 0.5, "contrast": 0.5,
            "saturation": 0.5, "hue": 0.2, "grayscale_probability": 0.3, "blur_probability": 0.4,
            "blur_sigma": [0.1, 1.0], "flip_probability": 0.4,
            "solarize_probability": 0.2, "views": [{}, {"blur_probability": 0.1}],
        },
        IID,
    ),
    *keep_jobs(
        put("LARS, with a rate of biases and norms",
            {"runs.iid.optimizer": "lars_excluding_1d", "runs.iid.base_lr_1d": 0.1}, IID),
        put("the small stem, padded",
            {"runs.last.backbone.small_image_stem": True, "runs.last.backbone.stem_padding": 2},
            LAST),
        put("the small stem, without ReLU",
            {"runs.last.backbone.small_image_stem": True, "runs.last.backbone.stem_relu": False},
            LAST),
        put("runs.hybrid.start.epoch", {"runs.hybrid.start.epoch": 3}, HYBRID),
        put("a default of all runs", {"defaults.momentum": 0.8}, below("pretrain *")),
    ),
    *each("runs.iid.backbone", {"width": 12, "blocks": [1, 1], "stem_stride": 1}, IID),
    *each("runs.iid.method", {"projection_dim": 64, "predictor_hidden_dim": 8}, IID),
    *each("runs.last", {"chunk_size": 2}, LAST),
    *each(
        "runs.last.backbone",
        {"arch": "resnet34", "small_image_stem": True, "block": "basic", "blocks": [1, 1, 1, 1],
         "width_per_group": 128},
        LAST,
    ),
    put("measured on other images than it was trained on", {"runs.iid.evaluate_on": "photos"},
        below("represent iid/*", "probe iid/*")),
    *each(
        "runs.photos",
        {"share": 100, "steps_per_epoch": 2, "repeat_batch": 2},
        below("pretrain photos/*"),
    ),
    *each("runs.accumulate", {"n_rounds": 2}, below("pretrain accumulate/*")),
    put("runs.iid.dataset", {"runs.iid.dataset": "photos"},
        Jobs(runs(iid=Run("photos", epochs=(2, 4)))).below("pretrain iid/*")),
    put("runs.hybrid.start.run", {"runs.hybrid.start.run": "accumulate"},
        Jobs(runs(hybrid=Run(start="accumulate"))).below("pretrain hybrid/*")),
    put("no start any more", {"runs.hybrid.start": REMOVED}, HYBRID),
    put("a recipe that a hybrid starts from", {"runs.current.base_lr": 0.1},
        below("pretrain current/*", "pretrain hybrid/*")),
]  # fmt: skip

PLAN = [
    put("a seed more", {"runs.iid.seeds": [0, 1, 2]},
        Jobs(runs(iid=Run(seeds=(0, 1, 2), epochs=(2, 4)))).below("ordering textures/seed2")),
    put("a seed less", {"runs.iid.seeds": [0]},
        Jobs(runs(iid=Run(seeds=(0,), epochs=(2, 4)))).below("summarize")),
    put("an epoch more to analyse (not trained again)", {"runs.iid.analyze": [2, 3, "last"]},
        Jobs(runs(iid=Run(epochs=(2, 3, 4)))).below("export_checkpoint iid/*/epoch0003")),
    put("an epoch less to analyse", {"runs.iid.analyze": ["last"]},
        Jobs(runs(iid=Run())).below("summarize")),
    put("a new run", {"runs.new": {"base_lr": 0.2, "steps_per_epoch": None}},
        Jobs(runs(new=Run())).below("pretrain new/*")),
    put("a value more in a sweep", {"runs.shares.share": [25, 50, 75]},
        Jobs(runs(shares_share75=Run())).below("pretrain shares-share75/*")),
    put("a removed run", {"runs.last": REMOVED}, Jobs(runs("last")).below("summarize")),
    rewrite("a renamed run", rename("runs", "last", "final"),
            Jobs(runs("last", final=Run())).below("pretrain final/*")),
    rewrite("runs in another order (of the table)", in_order("runs", "scans", "photos"),
            below("summarize")),
    put("seeds in another order (of the table)", {"runs.iid.seeds": [1, 0]}, below("summarize")),
]  # fmt: skip

EVALUATION = [
    *each(
        "evaluation.collapse",
        {"bootstrap_resamples": 10, "alpha_first_rank": 5, "alpha_last_rank": 50,
         "uniformity_samples": 100, "seed": 1, "std_vector": True},
        below("collapse *"),
    ),
    *each(
        "evaluation.knn",
        {"k_max": 20, "temperature": 0.1, "metrics": ["cosine"], "votes": ["majority"],
         "neighbors": True},
        below("knn *"),
    ),
    *each(
        "evaluation.probe",
        {"optimizer": "lars", "base_lr": 0.2, "momentum": 0.8, "weight_decay": 0.001, "epochs": 6,
         "batch_size": 4, "min_scale": 0.2, "flip_probability": 0.4, "seed": 1,
         "train_accuracy": True, "classifier": True},
        below("probe *"),
    ),
    put("evaluation.layers", {"evaluation.layers": ["backbone", "projector"]},
        Jobs(layers=("", "/projector")).below("export_projector *")),
    *(put(f"measures of views, {key}", {f"evaluation.views.{key}": value},
          Jobs(views=True).below("view_measures *"))
      for key, value in {"images": 10, "views": 3, "delta": 0.1, "seed": 1}.items()),
    put("evaluation.probe.mode", {"evaluation.probe.mode": "cached"},
        Jobs(probe="cached").below("probe *")),
    put("both probes", {"evaluation.probe": {"full": {"epochs": 5}, "cached": {"epochs": 5}}},
        Jobs(probe="both").below("probe */probe-cached")),
    put("no probe", {"evaluation.probe": None}, Jobs(probe=None).below("summarize")),
]  # fmt: skip

# Shares and schedules judge claims, whose intervals take the number of all that are judged; spectra
# have the panel of the AUC where no other figure has it.
JUDGING = below("figure shares", "figure schedules")
FIGURE_EDITS = [
    *each("figures.spectra", {"title": "Other words", "show_title": False, "width": "column",
                              "font_size": 9, "font_family": "DejaVu Serif", "letters": False},
          below("figure spectra")),
    *each("figures.spectra", {"runs": ["current"], "claims": 2}, below("figure spectra")),
    *each("figures.spectra", {"auc": True, "epoch": 4}, below("figure *")),
    *each("figures.shares", {"accuracy": "knn_l2_k20", "claims": 3,
                             "runs": [{"name": "iid", "label": "all of it"}, "shares"]},
          below("figure shares")),
    put("figures.shares.kind", {"figures.shares.kind": "schedules"}, JUDGING),
    put("figures.shares.measure", {"figures.shares.measure": "rankme"}, below("figure *")),
    *each("figures.schedules", {"title": REMOVED, "accuracy": "knn_l2_k20", "measure": "rankme",
                                "claims": 9},
          below("figure schedules")),
    put("a new figure", {"figures.new": {"kind": "shares", "runs": ["iid"]}},
        Jobs(figures=(*FIGURES, "new")).below("figure new")),
    put("a new figure that judges", {"figures.new": {"kind": "sizes", "runs": ["iid", "last"]}},
        Jobs(figures=(*FIGURES, "new")).below("figure new") | JUDGING),
    put("a removed figure", {"figures.shares": REMOVED},
        Jobs(figures=("spectra", "schedules")).below("figure *")),
    rewrite("figures in another order (of the page)", in_order("figures", "schedules"), REPORT),
]  # fmt: skip

RUNTIME = each(
    "runtime",
    {"device": "cpu", "threads": 2, "gpus": 2, "workers": 2, "extract_batch_size": 32,
     "log_every": 1, "save_minutes": 1, "scratch": "$TMPDIR", "store": "elsewhere",
     "store_trust": "everyone", "tensorboard": "elsewhere"},
    NOTHING,
)  # fmt: skip

SAME_MEANING = keep_jobs(
    rewrite("keys in another order", turn_round, NOTHING),
    rewrite("datasets in another order", in_order("datasets", "scans", "photos"), NOTHING),
    rewrite("defaults written out in each run", write_defaults_out, NOTHING),
    put("a default value written out", {"defaults.momentum": 0.9}, NOTHING),
    put("a default name left out", {"defaults.method.name": REMOVED}, NOTHING),
    put("1.0 for 1", {"runs.photos.share": 50.0, "defaults.final_lr": 0,
                      "evaluation.probe.weight_decay": 0}, NOTHING),
    put("0.050 for 5e-2", {"defaults.base_lr": 5.0e-2}, NOTHING),
    put("epochs to analyse in another order", {"runs.iid.analyze": ["last", 2, 4]}, NOTHING),
)  # fmt: skip

SWAPPED = keep_jobs(
    put("hue and brightness swapped",
        {"runs.iid.augmentation": {"brightness": 0.1, "hue": 0.4}}, IID),
    put("projection and predictor swapped",
        {"runs.iid.method": {"projection_dim": 16, "predictor_hidden_dim": 32}}, IID),
    put("mean and std swapped",
        {"datasets.textures.mean": [0.2, 0.2, 0.2], "datasets.textures.std": [0.4, 0.5, 0.6]},
        TRAINED_ON_TEXTURES),
    put("channels of the mean swapped", {"datasets.textures.mean": [0.6, 0.5, 0.4]},
        TRAINED_ON_TEXTURES),
    put("blocks swapped", {"runs.iid.backbone": {"blocks": [2, 1]}}, IID),
    put("schedules of two runs swapped",
        {"runs.accumulate": {"schedule": "iid", "steps_per_epoch": None},
         "runs.iid.schedule": "accumulate"},
        below("pretrain accumulate/*", "pretrain iid/*")),
    put("ranks swapped with samples",
        {"evaluation.collapse": {"alpha_last_rank": 2048, "uniformity_samples": 100}},
        below("collapse *")),
)  # fmt: skip

CONFIG_EDITS = [
    *WORDS, *DATASETS, *RECIPE, *PLAN, *EVALUATION, *FIGURE_EDITS, *RUNTIME, *SAME_MEANING, *SWAPPED
]  # fmt: skip
