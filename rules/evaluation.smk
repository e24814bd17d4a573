# Measurements: encoders -> representations -> k-NN accuracy, collapse and linear probe.
#
# requires: results/runs/{run}/seed{k}/epoch{e}/encoder.safetensors, packed images; or a user's
#           own representations or spectrum
# produces: representations-{split}.h5, knn.{csv,json}, spectrum.csv, {collapse,probe}.json beside it,
#   {layer}/ before them for another layer than the backbone's; view-measures.json where asked for

# What is kept besides where the config asks for it, and the scripts' options for it.
KEPT = {stage: RESULTS.kept(stage) for stage in ("knn", "probe")}
KEEP = {
    stage: "".join(f" --{name} {{output.{name}:q}}" for name in kept)
    for stage, kept in KEPT.items()
}
EPOCH_LOG = f"{PATHS.logs}/{{run}}/seed{{seed}}/epoch{{epoch}}"


rule import_representations:
    """Take over a user's own representations of a split."""
    output:
        PATHS.representations.replace("{layer}", ""),
    log:
        f"{EPOCH_LOG}/import-{{split}}.log",
    wildcard_constraints:
        run=RESULTS.names("representations"),
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        spec=STAGES.spec("import_representations", "run", "split"),
        code=STAGES.code("import_representations"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime(
            "import_representations",
            file=INPUTS.brought("representations"),
            targets=INPUTS.brought("targets"),
        ),
    shell:
        "{params.scripts}/import_representations.py --spec {params.spec:q}"
        " --run {wildcards.run:q} --split {wildcards.split} --output {output:q}"
        " --log {log:q} {params.runtime}"


rule import_spectrum:
    """Take over a user's own spectrum, with the measures that need no more."""
    output:
        spectrum=PATHS.spectrum.replace("{layer}", ""),
        json=PATHS.collapse.replace("{layer}", ""),
    log:
        f"{EPOCH_LOG}/import.log",
    wildcard_constraints:
        run=RESULTS.names("spectrum"),
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(15),
    params:
        spec=STAGES.spec("import_spectrum", "run"),
        code=STAGES.code("import_spectrum"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("import_spectrum", file=INPUTS.brought("spectrum")),
    shell:
        "{params.scripts}/import_spectrum.py --spec {params.spec:q}"
        " --spectrum {output.spectrum:q} --json {output.json:q}"
        " --log {log:q} {params.runtime}"


rule represent:
    """Take the representations of a whole split."""
    input:
        images=INPUTS.represented,
        encoder=PATHS.encoder,
        projector=INPUTS.projector,
    output:
        PATHS.representations,
    log:
        f"{EPOCH_LOG}/{{layer}}represent-{{split}}.log",
    wildcard_constraints:
        run=RESULTS.not_named("representations"),
    conda:
        "../envs/environment.yaml"
    threads: RUNTIME.threads + RUNTIME.workers
    resources:
        gpu=gpus(RUNTIME),
        mem_mb=per_attempt(6000 + 1000 * RUNTIME.workers),
        runtime=per_attempt(4 * 60),
    params:
        spec=STAGES.spec("represent", "run"),
        code=STAGES.code("represent"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime(
            "represent",
            device=RUNTIME.device,
            batch_size=RUNTIME.extract_batch_size,
            workers=RUNTIME.workers,
            threads=RUNTIME.threads,
            scratch=RUNTIME.scratch or "",
        ),
    shell:
        "{params.scripts}/represent.py --spec {params.spec:q}"
        " --run {wildcards.run:q}/seed{wildcards.seed} --images {input.images:q}"
        " --encoder {input.encoder:q} --projector {input.projector:q}"
        " --output {output:q} --log {log:q} {params.runtime}"


rule knn:
    """k-NN accuracy of val in train, for every k."""
    input:
        train=PATHS.representations.replace("{split}", "train"),
        val=PATHS.representations.replace("{split}", "val"),
    output:
        **KEPT["knn"],
        csv=PATHS.knn_csv,
        json=PATHS.knn,
    log:
        f"{EPOCH_LOG}/{{layer}}knn.log",
    conda:
        "../envs/environment.yaml"
    threads: RUNTIME.threads
    resources:
        gpu=gpus(RUNTIME),
        mem_mb=per_attempt(8000),
        runtime=per_attempt(120),
    params:
        spec=STAGES.spec("knn"),
        code=STAGES.code("knn"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("knn", device=RUNTIME.device),
    shell:
        "{params.scripts}/knn.py {input.train:q} {input.val:q} --spec {params.spec:q}"
        " --json {output.json:q} --csv {output.csv:q} --threads {threads} --log {log:q} {params.runtime}"
        + KEEP["knn"]


rule collapse:
    """Spectrum of the training representations and every measure of collapse."""
    input:
        PATHS.representations.replace("{split}", "train"),
    output:
        spectrum=PATHS.spectrum,
        json=PATHS.collapse,
    log:
        f"{EPOCH_LOG}/{{layer}}collapse.log",
    wildcard_constraints:
        run=RESULTS.not_named("spectrum"),
    conda:
        "../envs/environment.yaml"
    threads: RUNTIME.threads
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        spec=STAGES.spec("collapse"),
        code=STAGES.code("collapse"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("collapse"),
    shell:
        "{params.scripts}/collapse.py {input:q} --spec {params.spec:q}"
        " --spectrum {output.spectrum:q} --json {output.json:q} --threads {threads} --log {log:q} {params.runtime}"


rule view_measures:
    """Measures of several augmented views per training image: LiDAR, alignment."""
    input:
        images=INPUTS.viewed,
        encoder=PATHS.encoder,
        projector=INPUTS.projector,
    output:
        PATHS.view_measures,
    log:
        f"{EPOCH_LOG}/{{layer}}view_measures.log",
    conda:
        "../envs/environment.yaml"
    threads: 1 + RUNTIME.workers
    resources:
        gpu=gpus(RUNTIME),
        mem_mb=per_attempt(6000 + 1000 * RUNTIME.workers),
        runtime=per_attempt(120),
    params:
        spec=STAGES.spec("view_measures", "run"),
        code=STAGES.code("view_measures"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime(
            "view_measures",
            device=RUNTIME.device,
            workers=RUNTIME.workers,
            scratch=RUNTIME.scratch or "",
        ),
    shell:
        "{params.scripts}/view_measures.py --spec {params.spec:q} --images {input.images:q}"
        " --encoder {input.encoder:q} --projector {input.projector:q} --json {output:q}"
        " --log {log:q} {params.runtime}"


rule probe:
    """Train a linear classifier on the frozen backbone, or on its stored representations."""
    input:
        unpack(INPUTS.probed),
    output:
        **KEPT["probe"],
        json=PATHS.probe,
    log:
        f"{EPOCH_LOG}/{{probe}}.log",
    conda:
        "../envs/environment.yaml"
    threads: 1 + RUNTIME.workers
    resources:
        gpu=gpus(RUNTIME),
        mem_mb=STAGES.memory("probe", 12000 + 1000 * RUNTIME.workers),
        runtime=24 * 60,
    params:
        spec=STAGES.spec("probe", "run", "probe"),
        code=STAGES.code("probe"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime(
            "probe",
            device=RUNTIME.device,
            workers=RUNTIME.workers,
            state=STAGES.state,
            save_minutes=RUNTIME.save_minutes,
            scratch=RUNTIME.scratch or "",
        ),
    shell:
        "{params.scripts}/probe.py {input.representations:q} --spec {params.spec:q}"
        " --encoder {input.encoder:q} --images-train {input.train:q} --images-val {input.val:q}"
        " --code {params.code} --json {output.json:q} --log {log:q} {params.runtime}"
        + KEEP["probe"]
