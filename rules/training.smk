# Pretraining: packed images -> checkpoints -> encoders.
#
# requires: results/data/{dataset}/{train.h5,ordering-seed{k}.npy}; or checkpoint files of trainings elsewhere
# produces: results/runs/{run}/seed{k}/{training.csv,checkpoints/,epoch{e}/encoder.safetensors}


rule pretrain:
    """Train one seed of one run; an interrupted training goes on where it was saved."""
    input:
        images=INPUTS.training_images,
        ordering=INPUTS.ordering,
        start=INPUTS.start,
        teacher=INPUTS.teacher,
    output:
        training=PATHS.training,
        checkpoints=directory(PATHS.checkpoints),
    log:
        f"{PATHS.logs}/{{run}}/seed{{seed}}/pretrain.log",
    conda:
        "../envs/environment.yaml"
    threads: training_threads(RESULTS)
    resources:
        gpu=gpus(RUNTIME) * RUNTIME.gpus,
        mem_mb=STAGES.memory("pretrain", RUNTIME.gpus * (6000 + 1000 * RUNTIME.workers)),
        runtime=24 * 60,
    params:
        spec=STAGES.spec("pretrain", "run", "seed"),
        code=STAGES.code("pretrain"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime(
            "pretrain",
            device=RUNTIME.device,
            gpus=RUNTIME.gpus,
            workers=RUNTIME.workers,
            log_every=RUNTIME.log_every,
            state=STAGES.state,
            save_minutes=RUNTIME.save_minutes,
            scratch=RUNTIME.scratch or "",
            **TRACKERS,
        ),
    shell:
        "{params.scripts}/pretrain.py --spec {params.spec:q} --images {input.images:q}"
        " --run {wildcards.run:q}/seed{wildcards.seed}"
        " --ordering {input.ordering:q} --start {input.start:q}"
        " --teacher {input.teacher:q} --code {params.code}"
        " --training {output.training:q} --checkpoints {output.checkpoints:q}"
        " --log {log:q} {params.runtime}"


rule export_projector:
    """Take the projector out of a training checkpoint."""
    input:
        checkpoints=PATHS.checkpoints,
    output:
        PATHS.projector,
    log:
        f"{PATHS.logs}/{{run}}/seed{{seed}}/epoch{{epoch}}/export_projector.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(15),
    params:
        spec=STAGES.spec("export_projector", "epoch"),
        code=STAGES.code("export_projector"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("export_projector"),
    shell:
        "{params.scripts}/export_projector.py --spec {params.spec:q}"
        " --checkpoints {input.checkpoints:q} --output {output:q} --log {log:q} {params.runtime}"


rule export_checkpoint:
    """Take the encoder out of a training checkpoint."""
    input:
        checkpoints=PATHS.checkpoints,
    output:
        PATHS.encoder,
    log:
        f"{PATHS.logs}/{{run}}/seed{{seed}}/epoch{{epoch}}/export_checkpoint.log",
    wildcard_constraints:
        run=RESULTS.not_named("checkpoint"),
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(15),
    params:
        spec=STAGES.spec("export_checkpoint", "epoch"),
        code=STAGES.code("export_checkpoint"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("export_checkpoint"),
    shell:
        "{params.scripts}/export_checkpoint.py --spec {params.spec:q}"
        " --checkpoints {input.checkpoints:q} --output {output:q} --log {log:q} {params.runtime}"


rule import_encoder:
    """Take the encoder out of a checkpoint file of a training elsewhere."""
    output:
        PATHS.encoder,
    log:
        f"{PATHS.logs}/{{run}}/seed{{seed}}/epoch{{epoch}}/import_encoder.log",
    wildcard_constraints:
        run=RESULTS.names("checkpoint"),
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(30),
    params:
        spec=STAGES.spec("import_encoder", "run", "epoch"),
        code=STAGES.code("import_encoder"),
        scripts=SCRIPTS,
        runtime=STAGES.runtime("import_encoder", file=INPUTS.checkpoint),
    shell:
        "{params.scripts}/import_encoder.py --spec {params.spec:q} --output {output:q}"
        " --log {log:q} {params.runtime}"
