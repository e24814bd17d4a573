# From config to plan: what the rule files share. The machinery is in workflow/engine/.
from engine.inputs import Inputs
from engine.planning import (
    engage,
    gpus,
    per_attempt,
    plan_experiment,
    results_folder,
    training_threads,
)
from engine.stage import Stages, caption, interpreter
from engine.time_limit import time_limit
from ssl_collapse.config.paths import fill
from ssl_collapse.runtime.trackers import asked_for

RESULTS = plan_experiment(config, workflow)
RUNTIME = RESULTS.plan.experiment.runtime
PATHS = RESULTS.paths
# Whatever names results and is no path of a rule starts from here.
RESULTS_FOLDER, STORAGE = results_folder(workflow, PATHS.root)
INPUTS = Inputs(RESULTS)
STAGES = Stages(
    RESULTS.plan,
    WORKFLOW,
    RESULTS_FOLDER,
    interpreter(workflow),
    lambda: workflow.dryrun,
    time_limit(workflow),
    STORAGE,
)
# Where the images of each dataset lie, and a user's own orderings and subsets: no part of any spec, since a
# dataset that has moved is the same.
FOLDERS = RESULTS.plan.all_folders(f"{RESULTS_FOLDER}/data")
ORDERINGS = RESULTS.plan.all_files("ordering")
SUBSETS = RESULTS.plan.all_files("subset")
SOURCES = RESULTS.plan.all_sources()
SCRIPTS = STAGES.scripts()
TRACKERS = asked_for(RUNTIME)


wildcard_constraints:
    dataset=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    run=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    figure=r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    split="train|val",
    layer="|projector/",
    probe="probe|probe-cached",
    seed=r"0|[1-9]\d*",
    epoch=r"\d\d\d\d+",
