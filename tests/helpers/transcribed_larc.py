"""One step of apex's LARC, read off its source: an oracle for ours, and a stand-in for apex."""

import numpy as np

Arrays = list[np.ndarray]


def larc_step(
    parameters: Arrays, gradients: Arrays, buffers: list[np.ndarray | None],
    lr: float, momentum: float, decay: float,
) -> None:  # fmt: skip
    """LARC(SGD, trust 0.001, clip=False, eps 1e-8): changes parameters and buffers in place."""
    for i, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
        length, slope = np.sqrt((p * p).sum()), np.sqrt((g * g).sum())
        if length != 0 and slope != 0:
            local = 0.001 * length / (slope + length * decay + 1e-8)
            g = local * (g + decay * p)
        before = buffers[i]
        buffers[i] = g.copy() if before is None else momentum * before + g
        p -= lr * buffers[i]
