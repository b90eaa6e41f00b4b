"""A small conventional classifier of images, whose features and probabilities measure generated images."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snn_synth.errors import InputError
from snn_synth.functional.encoding import unit_interval
from snn_synth.functional.inputs import as_values
from snn_synth.models.pretrained import Pretrained


class ImageClassifier(Pretrained):
    """Two convolutions and two linear layers. Its features and probabilities measure generated images.

    It is not Inception: a Frechet distance in its features is no FID.

    Args:
        classes: of images.
        features: of the layer before the last.

    Shape:
        images ``[B, 1, 28, 28]`` in [0, 1] to logits ``[B, classes]``. Others are resized.

    Raises:
        InputError: for images with another number of axes or channels.

    Example:
        >>> classifier = ImageClassifier(features=8)
        >>> classifier(torch.rand(2, 1, 14, 14)).shape, classifier.features(torch.rand(2, 1, 28, 28)).shape
        (torch.Size([2, 10]), torch.Size([2, 8]))
    """

    def __init__(self, classes: int = 10, features: int = 64) -> None:
        """Make the layers."""
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, features),
            nn.ReLU(),
        )
        self.head = nn.Linear(features, classes)

    def features(self, images: Tensor) -> Tensor:
        """``[B, features]``."""
        images = as_values(images, self.head.weight, "images")
        if images.dim() != 4 or images.shape[1] != 1:
            raise InputError(f"Expected images of shape [B, 1, H, W], got {list(images.shape)}")
        images = unit_interval(images)
        if images.shape[2:] != (28, 28):
            images = F.interpolate(images, (28, 28), mode="bilinear")
        found: Tensor = self.trunk(images)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.features(images))
        return logits

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Of the classes, ``[B, classes]``."""
        logits: Tensor = self(images)
        return logits.softmax(1)
