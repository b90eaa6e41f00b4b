"""Recognition: which words were said in a recording, and with which probability."""

from typing import Any, NamedTuple

from torch import Tensor

from snn_synth.models import AudioToImage

UNSURE = 0.7  # probability below which the second digit is named too


class Heard(NamedTuple):
    """The words of a recording as far as they were recognized, and what makes that doubtful."""

    words: list[dict[str, Any]]
    """Of each, ``label``, ``probability``, and ``probabilities`` by label; nothing of a model without labels."""
    warnings: list[str]

    @property
    def labels(self) -> list[str]:
        """What was said, as far as there are labels."""
        return [word["label"] for word in self.words if word]

    @property
    def drawn(self) -> str:
        """The labels, and the probability of each; empty without labels.

        Example:
            >>> words = [{"label": "3", "probability": 0.987}, {"label": "1", "probability": 0.6}]
            >>> Heard(words[:1], []).drawn, Heard(words, []).drawn
            ('3 (probability 0.98)', '3 1 (probabilities 0.98 0.60)')
        """
        if not self.labels:
            return ""
        name = "probability" if len(self.labels) == 1 else "probabilities"
        return f"{' '.join(self.labels)} ({name} {' '.join(_shown(word['probability']) for word in self.words)})"

    @property
    def titles(self) -> list[str] | None:
        """What stands above the picture of each word; None of a model without labels.

        Example:
            >>> Heard([{"label": "7", "probability": 0.98}, {"label": "8", "probability": 0.535}], []).titles
            ['7', '8? (0.53)']
        """
        if not self.labels:
            return None
        return [
            word["label"] if word["probability"] >= UNSURE else f"{word['label']}? ({_shown(word['probability'])})"
            for word in self.words
        ]

    def __str__(self) -> str:
        """One line.

        Example:
            >>> print(Heard([{"label": "7", "probability": 0.987}], []))
            7 (probability 0.98)
            >>> words = [{"label": "3", "probability": 0.98}, {"label": "1", "probability": 0.6}]
            >>> print(Heard(words, ["unsure of word 2: 1 or 9"]))
            3 1 (probabilities 0.98 0.60); unsure of word 2: 1 or 9
        """
        return "; ".join([self.drawn or "drawn, by a model without labels", *self.warnings])


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
    for number, row in enumerate(model.recognize(images.to(model.gallery.device)).tolist(), start=1):
        ranked = sorted(zip(row, model.labels, strict=True), reverse=True)
        (probability, label), (_, second) = ranked[:2]
        if probability < UNSURE:
            which = f" of word {number}" if len(images) > 1 else ""
            doubts.append(f"unsure{which}: {label} or {second}")
        probabilities = {name: round(one, 4) for name, one in zip(model.labels, row, strict=True)}
        words.append({"label": label, "probability": round(probability, 4), "probabilities": probabilities})
    return Heard(words, doubts + faults)


def _shown(probability: float) -> str:
    """Two digits, rounded down: 1.00 never is."""
    return f"{int(100 * probability) / 100:.2f}"
