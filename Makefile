# make          set up .venv and run the experiment of config.yaml, or make CONFIG=FILE
# make test     checks, unit tests, the smoke pipeline and a sample of the rest: under ten minutes
# make test-all the rest: every rerun, kills at seeded points, a throw-away SLURM (as root on Debian)
# make audit    whether a checkpoint's encoder has collapsed: CHECKPOINT=file IMAGES=folder
# make estimate CONFIG=FILE   what it will take: jobs, hours, disk, memory
# make bench    speed and memory against what one would otherwise write
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := .venv/bin

.PHONY: all test test-all check unit sample reruns events faults cluster reference release
.PHONY: why verify prune report watch equal audit estimate bench clean

all: .venv/installed
	$(if $(CONFIG),@$(BIN)/python -m ssl_collapse.config.reading.file $(CONFIG))
	$(BIN)/snakemake --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG))

.venv/installed: envs/requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

test: check unit sample

test-all: reruns events faults cluster reference release

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check --compact-diff Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/hadolint envs/Dockerfile

unit: .venv/installed
	$(BIN)/pytest -q -n 2 --dist loadfile tests/unit

# faults first: they fork, which nothing that has computed should
sample: .venv/installed
	$(BIN)/pytest -q tests/faults tests/workflow $(ARGS)

reruns: .venv/installed
	$(BIN)/pytest -q -n 2 --dist loadfile -m thorough tests/workflow tests/unit --durations=25

# A thousand sequences of what befalls results
events: .venv/installed
	$(BIN)/pytest -q tests/unit/provenance/test_never_silently_wrong.py --sequences 1000

# Equal code gives the bytes of the last release: the newest commit that changed the version
release: .venv/installed
	ref=$$(git log -1 --format=%h -G'^version = ' -- pyproject.toml 2>/dev/null); if [ -n "$$ref" ]; \
	then PYTHONPATH=workflow $(BIN)/python -m engine.equal $$ref --check; \
	else echo "skipped: no history of releases here"; fi

# For longer: ARGS="--kills 1000"
faults: .venv/installed
	$(BIN)/pytest -q -m "thorough or not thorough" tests/faults $(or $(ARGS),--kills 100)

cluster: .venv/installed
	$(BIN)/pytest -q tests/cluster

# Against the authors' code: a checkout of github.com/alexlioralexli/noncontrastive-ssl in REFERENCE_DIR
reference: .venv/installed
	@if [ -n "$$REFERENCE_DIR" ]; then $(BIN)/pytest -q tests/reference $(ARGS); \
	else echo "skipped: REFERENCE_DIR names no checkout of the authors' code"; fi

# why: why each job would run; ARGS go to Snakemake, for example ARGS="--configfile configs/smoke.yaml"
# verify: read every image and result again, and name what is not as recorded
# prune: drop what the store holds and no result links any more; ARGS="--keep-days 30"
# report: make results/report.html of what is there already, also while things run
# watch: serve it to this machine and keep it current; ARGS="--port 8001"
report: SCRIPT := so_far
why verify prune report watch:
	@test -e .venv/installed || { echo "there is no .venv yet: \`make\` sets it up (about 6 GB) and runs the experiment" >&2; exit 2; }
	@$(BIN)/python workflow/scripts/$(or $(SCRIPT),$@).py $(ARGS)

# Which stages give the bytes of REF, a commit or tag, still; ARGS=--check records nothing
equal: .venv/installed
	PYTHONPATH=workflow $(BIN)/python -m engine.equal $(REF) $(ARGS)

audit: .venv/installed
	@test -n "$(CHECKPOINT)" && test -n "$(IMAGES)" || { echo "say CHECKPOINT=file and IMAGES=folder" >&2; exit 2; }
	@$(BIN)/python workflow/scripts/audit.py "$(CHECKPOINT)" "$(IMAGES)" $(ARGS)

# ARGS="--images NAME=TRAIN:VAL" where images are not here and not known
estimate: .venv/installed
	@$(BIN)/python workflow/scripts/estimate.py $(or $(CONFIG),config.yaml) $(ARGS)

bench: .venv/installed
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/training.py $(if $(LIGHTLY),--lightly $(LIGHTLY))

clean:
	rm -rf results .snakemake
