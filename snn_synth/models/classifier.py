"""Two small conventional classifiers of images, whose features and probabilities measure generated images."""

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
        self.trunk = self._trunk(features)
        self.head = nn.Linear(features, classes)

    def _trunk(self, features: int) -> nn.Sequential:
        """The layers from an image to its features."""
        return nn.Sequential(
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


class DeepImageClassifier(ImageClassifier):
    """Five convolutions with batch normalization, and the mean of the last one's maps: a second opinion.

    What a generator has learned to please in one architecture does not please the other. The arguments are those of
    :class:`ImageClassifier`; a shipped one is ``ImageClassifier.from_pretrained("mnist-classifier-deep")``.

    Example:
        >>> classifier = DeepImageClassifier(features=8)
        >>> classifier(torch.rand(2, 1, 14, 14)).shape, classifier.features(torch.rand(2, 1, 28, 28)).shape
        (torch.Size([2, 10]), torch.Size([2, 8]))
    """

    def _trunk(self, features: int) -> nn.Sequential:
        def block(before: int, after: int, stride: int) -> list[nn.Module]:
            convolution = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            return [convolution, nn.BatchNorm2d(after), nn.ReLU()]

        return nn.Sequential(
            *block(1, 16, 2),
            *block(16, 32, 1),
            *block(32, 32, 2),
            *block(32, 64, 1),
            *block(64, features, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
