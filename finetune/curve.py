"""The loss curve as a picture."""

from collections.abc import Sequence
from pathlib import Path


def draw_losses(losses: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]], path: Path) -> None:
    """Draw training and validation loss, nats an answer token, over steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(*zip(*losses, strict=True), color="#9ab", label="training, mean of 10 steps")
    axes.plot(*zip(*validation, strict=True), color="#b04020", marker="o", label="validation")
    axes.set(xlabel="step", ylabel="loss, nats a token of the answer", yscale="log")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
