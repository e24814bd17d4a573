# Pretraining: packed images -> checkpoints -> encoders.
#
# requires: results/data/{dataset}/{train.h5,ordering-seed{k}.npy}
# produces: results/runs/{run}/seed{k}/{training.csv,checkpoints/,epoch{e}/encoder.safetensors}


rule pretrain:
    """Train one seed of one run; an interrupted training goes on where it was saved."""
    input:
        images=lambda w: f"{dataset_of(w)}/train.h5",
        ordering=lambda w: f"{dataset_of(w)}/ordering-seed{w.seed}.npy",
        start=start_checkpoints,
    output:
        training="results/runs/{run}/seed{seed}/training.csv",
        checkpoints=directory("results/runs/{run}/seed{seed}/checkpoints"),
    log:
        "results/logs/{run}/seed{seed}/pretrain.log",
    conda:
        "../envs/environment.yaml"
    threads: RUNTIME.gpus * (1 + RUNTIME.workers)
    resources:
        gpu=gpus() * RUNTIME.gpus,
        mem_mb=per_attempt(RUNTIME.gpus * (6000 + 1000 * RUNTIME.workers)),
        runtime=24 * 60,
    params:
        spec=spec("pretrain", "run", "seed"),
        code=code("pretrain"),
        command=command(
            "pretrain",
            device=RUNTIME.device,
            gpus=RUNTIME.gpus,
            workers=RUNTIME.workers,
            log_every=RUNTIME.log_every,
            state=state_of,
            scratch=SCRATCH,
        ),
    shell:
        "{params.command} --spec {params.spec:q} --images {input.images:q}"
        " --run {wildcards.run:q}/seed{wildcards.seed}"
        " --ordering {input.ordering:q} --start {input.start:q} --code {params.code}"
        " --training {output.training:q} --checkpoints {output.checkpoints:q}"
        " --log {log:q}"


rule export_checkpoint:
    """Take the encoder out of a training checkpoint."""
    input:
        checkpoints="results/runs/{run}/seed{seed}/checkpoints",
    output:
        "results/runs/{run}/seed{seed}/epoch{epoch}/encoder.safetensors",
    log:
        "results/logs/{run}/seed{seed}/epoch{epoch}/export_checkpoint.log",
    conda:
        "../envs/environment.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(15),
    params:
        spec=of_wildcards(lambda w: canonical({"epoch": int(w.epoch)})),
        code=code("export_checkpoint"),
        command=command("export_checkpoint"),
    shell:
        "{params.command} --spec {params.spec:q}"
        " --checkpoints {input.checkpoints:q} --output {output:q} --log {log:q}"
