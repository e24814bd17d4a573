"""What the training loop needs of a method: the base of all modules in `models/methods/`."""

from torch import Tensor, nn


class MethodModule(nn.Module):
    """A method around a backbone: called with the views of a batch, it returns the loss.

    All that going on takes lies in parameters and buffers (EMA, queues, centres): they are saved.
    """

    def __init__(
        self,
        backbone: nn.Module,
        projector: nn.Module | None = None,
        predictor: nn.Module | None = None,
    ) -> None:
        """Take the network's parts.

        Args:
            backbone: (N, 3, H, W) -> (N, feature_dim): what is exported and evaluated.
            projector: backbone features -> embedding, where the method has one.
            predictor: what keeps its learning rate under `fix_pred_lr`, where there is one.
        """
        super().__init__()
        self.backbone = backbone
        self.projector = projector
        self.predictor = predictor
        self.failure: str | None = None  # why there is nothing to train, if so

    def forward(self, *views: Tensor) -> Tensor:
        """Loss of a batch: n >= 2 views, each (B, 3, H, W) -> scalar."""
        raise NotImplementedError

    def before_step(self, step: int, steps: int) -> None:
        """Do what is due before a step's forward, such as the update of an EMA.

        Args:
            step: from 0, over the whole training.
            steps: of the whole training.
        """

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters that `n_warmup_steps` freezes; those without gradient are never trained."""
        parts = (self.backbone, self.projector)
        return [p for part in parts if part is not None for p in part.parameters()]

    def predictor_parameters(self) -> list[nn.Parameter]:
        """Parameters that keep the initial learning rate under `fix_pred_lr`."""
        return [] if self.predictor is None else list(self.predictor.parameters())
