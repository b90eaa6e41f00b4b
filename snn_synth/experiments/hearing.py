"""Recognition: which words were said in a recording, and with which probability."""

from typing import Any, NamedTuple

from torch import Tensor

from snn_synth.models import AudioToImage

UNSURE = 0.7  # of FSDD's test words above it 99 % are right, of those below it 58 %: the first shipped pair, calibrated


class Heard(NamedTuple):
    """The words of a recording as far as they were recognized, and what makes that doubtful."""

    words: list[dict[str, Any]]
    """Of each, ``label``, ``probability``, and ``probabilities`` by label; nothing of a model without labels."""
    warnings: list[str]

    @property
    def labels(self) -> list[str]:
        """What was said, as far as there are labels."""
        return [word["label"] for word in self.words if word]

    def __str__(self) -> str:
        """One line.

        Example:
            >>> print(Heard([{"label": "7", "probability": 0.987}], []))
            7, sure 0.98
            >>> print(Heard([{"label": "3", "probability": 0.98}, {"label": "1", "probability": 0.6}], ["unsure: 1"]))
            3 1, sure 0.98 0.60 (unsure: 1)
        """
        sure = " ".join(f"{int(100 * word['probability']) / 100:.2f}" for word in self.words if word)  # 1.00 never is
        said = f"{' '.join(self.labels)}, sure {sure}" if self.labels else "drawn, by a model without labels"
        return f"{said} ({'; '.join(self.warnings)})" if self.warnings else said


def hear(model: AudioToImage, images: Tensor, faults: list[str]) -> Heard:
    """Recognize the words that images were drawn of.

    Args:
        model: that drew them.
        images: of the words of a recording, ``[N, *image_shape]``.
        faults: of the recording.
    """
    if model.labels is None:
        return Heard([{} for _ in images], faults)
    words, doubts = [], []
    for row in model.recognize(images.to(model.gallery.device)).tolist():
        ranked = sorted(zip(row, model.labels, strict=True), reverse=True)
        (probability, label), (_, second) = ranked[:2]
        if probability < UNSURE:
            doubts.append(f"unsure: {label} or {second}")
        probabilities = {name: round(one, 4) for name, one in zip(model.labels, row, strict=True)}
        words.append({"label": label, "probability": round(probability, 4), "probabilities": probabilities})
    return Heard(words, doubts + faults)
