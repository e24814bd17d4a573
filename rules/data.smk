# Datasets: images in class folders -> dataset.json -> packed images and orderings.
#
# requires: a user's folders of images, or nothing for `kind: textures`
# produces: results/data/{dataset}/{dataset.json,train.h5,val.h5,ordering-seed{k}.npy}

# Where each dataset's images lie. It reaches the shell as text and is no param: a dataset that
# has moved is the same dataset.
FOLDERS = json.dumps(
    {name: PLAN.folders(name, f"results/data/{name}/images") for name in EXPERIMENT.datasets}
)
ORDERINGS = json.dumps({name: d.ordering for name, d in EXPERIMENT.datasets.items() if d.ordering})


def generated(wildcards):
    """The images as an input, for a dataset that the workflow generates itself."""
    if EXPERIMENT.datasets[wildcards.dataset].source.kind == "textures":
        return f"results/data/{wildcards.dataset}/images"
    return []


rule textures:
    """Generate the embedded dataset as folders of PNG files."""
    output:
        directory("results/data/{dataset}/images"),
    log:
        "results/logs/{dataset}/textures.log",
    params:
        spec=spec("textures", "dataset"),
        code=code("textures"),
    shell:
        "{PYTHON:q} {SCRIPTS:q}/textures.py --spec {params.spec:q} --output {output:q}"
        " --log {log:q}"


rule dataset:
    """Check every image and describe the dataset: classes, counts, fingerprint."""
    input:
        generated,
    output:
        "results/data/{dataset}/dataset.json",
    log:
        "results/logs/{dataset}/dataset.log",
    params:
        spec=spec("dataset", "dataset"),
        code=code("dataset"),
    threads: max(1, RUNTIME.workers)
    shell:
        "{PYTHON:q} {SCRIPTS:q}/dataset.py --name {wildcards.dataset:q} --spec {params.spec:q}"
        " --folders {FOLDERS:q} --workers {threads} --output {output:q} --log {log:q}"


rule pack:
    """Decode and resize the images of a split once, into one file."""
    input:
        generated,
        dataset="results/data/{dataset}/dataset.json",
    output:
        "results/data/{dataset}/{split}.h5",
    log:
        "results/logs/{dataset}/pack-{split}.log",
    params:
        spec=spec("pack", "dataset"),
        code=code("pack"),
    threads: max(1, RUNTIME.workers)
    shell:
        "{PYTHON:q} {SCRIPTS:q}/pack.py --split {wildcards.split} --spec {params.spec:q}"
        " --dataset {input.dataset:q} --folders {FOLDERS:q} --workers {threads}"
        " --output {output:q} --log {log:q}"


rule ordering:
    """The order in which a data schedule meets the training images."""
    input:
        "results/data/{dataset}/dataset.json",
    output:
        "results/data/{dataset}/ordering-seed{seed}.npy",
    log:
        "results/logs/{dataset}/ordering-seed{seed}.log",
    params:
        spec=spec("ordering", "dataset", "seed"),
        code=code("ordering"),
    shell:
        "{PYTHON:q} {SCRIPTS:q}/ordering.py --dataset {input:q} --spec {params.spec:q}"
        " --orderings {ORDERINGS:q} --output {output:q} --log {log:q}"
