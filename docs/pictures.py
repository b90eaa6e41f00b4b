"""Draws the animation of README.md, pictures of docs/results.md and of the generators' pages: python docs/pictures.py.

The networks are those that come with the package, the words are espeak-ng's, and the image the one it is paired with.
"""

from pathlib import Path

import torch
from PIL import Image

from snn_synth import plot
from snn_synth.codec import repeat_map
from snn_synth.data import EspeakDigits, build_front_end
from snn_synth.data.espeak import UNHEARD_VOICES
from snn_synth.encoding import poisson_encode
from snn_synth.models import AudioToImage, CodeCondition, SpikingVQDiffusion, SpokenDiffusion
from snn_synth.neurons import SigmoidLeaky

FOLDER = Path(__file__).parent / "images"
WEIGHTS = torch.tensor([0.45, 0.3, 0.2])  # of the neuron's synapses
RATES = torch.tensor([0.35, 0.4, 0.5])  # of their input
STEPS = 40
DIGIT, VOICE = 3, 5  # of the word
SPOKEN = {"three": 3, "seven": 7, "two": 2}  # the words of the animation
IMAGINED = 2, 3, 7, 8  # the words of which new images are drawn
COLOURS, GREYS = 96, 32  # of the animation, to keep it small


def neuron() -> None:
    """A neuron with a leak of 0.1 and three synapses."""
    inputs = poisson_encode(RATES, STEPS, generator=torch.Generator().manual_seed(0))
    spikes, membrane = SigmoidLeaky(alpha=0.1).scan((inputs @ WEIGHTS)[:, None, None])
    plot.save_figure(plot.membrane_trace(inputs, membrane.flatten(), spikes.flatten()), FOLDER / "neuron.png")


@torch.no_grad()
def model() -> None:
    """The way of an image through the autoencoder, and of a word to it."""
    a2i, corpus, generator = AudioToImage.from_pretrained("fsdd"), EspeakDigits(), torch.Generator().manual_seed(0)
    place = (corpus.labels == DIGIT).nonzero()[VOICE, 0]
    waveform, _ = corpus[int(place)]
    spectrogram = build_front_end(a2i.front_end)(waveform, corpus.sample_rate)
    code = a2i.audiocoder(poisson_encode(spectrogram.flatten()[None], 30, generator=generator)).spikes
    image = a2i.gallery[DIGIT]
    hidden = a2i.autoencoder.encode(poisson_encode(image.flatten()[None], 15, generator=generator))
    drawn, redrawn = (a2i.autoencoder.decode(one).mean((0, 1)).view(28, 28) for one in (code, repeat_map(hidden, 15)))
    figure = plot.architecture(spectrogram, code[:, 0], drawn, image, hidden[:, 0], redrawn)
    plot.save_figure(figure, FOLDER / "architecture.png")


@torch.no_grad()
def animation() -> None:
    """Three words, each becoming an image over 30 time steps."""
    a2i, corpus = AudioToImage.from_pretrained("fsdd"), EspeakDigits()
    front_end, frames = build_front_end(a2i.front_end), []
    for word, digit in SPOKEN.items():
        place = int((corpus.labels == digit).nonzero()[VOICE, 0])
        waveform, _ = corpus[place]
        spectrogram = front_end(waveform, corpus.sample_rate)
        stages = a2i(spectrogram[None], 30, generator=torch.Generator().manual_seed(0))
        hidden, output = stages.hidden[:, 0], stages.output_spikes[:, 0]
        drawn = plot.word_forming(waveform, corpus.sample_rate, spectrogram, hidden, output, word=f"“{word}”")
        frames += [*drawn, *[drawn[-1]] * 12]  # the finished image for a while
    greys = Image.linear_gradient("L").quantize(GREYS).convert("RGB")
    sheet = Image.new("RGB", (frames[0].width, frames[0].height + greys.height), "white")
    sheet.paste(frames[-1], (0, 0))
    sheet.paste(greys.resize((frames[0].width, greys.height)), (0, frames[0].height))
    palette = sheet.quantize(COLOURS)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    plot.save_animation(small, FOLDER / "word-to-image.gif", frame_ms=100, last_ms=1500)


@torch.no_grad()
def diffusion() -> None:
    """New digits, some of them forming, and new clothes."""
    labels = torch.arange(40) % 10
    for name, picture in (("mnist-vqd", "vq-diffusion.png"), ("fashion-mnist-vqd", "vq-diffusion-clothes.png")):
        network = SpikingVQDiffusion.from_pretrained(name)
        network.guidance = 0.5
        drawn = network.sample(40, torch.Generator().manual_seed(0), labels)
        plot.save_figure(plot.image_grid(drawn), FOLDER / picture)
    network = SpikingVQDiffusion.from_pretrained("mnist-vqd")
    steps = [images for _, images in network.forming(4, torch.Generator().manual_seed(1), [2, 3, 5, 8])]
    shown = [round(step) for step in torch.linspace(0, len(steps) - 1, 10).tolist()]
    forming = torch.cat([torch.stack([steps[step][word] for step in shown]) for word in range(4)])
    plot.save_figure(plot.image_grid(forming), FOLDER / "vq-diffusion-forming.png")
    network.guidance = 0.5
    frames = []
    for _, images in network.forming(10, torch.Generator().manual_seed(2), list(range(10))):
        row = (255 * torch.cat([*images[:, 0]], 1)).byte().numpy()
        frames.append(Image.fromarray(row).resize((4 * row.shape[1], 4 * row.shape[0]), Image.Resampling.NEAREST))
    plot.save_animation(frames, FOLDER / "vq-diffusion.gif", frame_ms=120, last_ms=2000)


@torch.no_grad()
def spoken() -> None:
    """New images of four words by a voice that was not trained on."""
    diffusion = SpikingVQDiffusion.from_pretrained("mnist-vqd")
    diffusion.guidance = 0.5
    audio, corpus = AudioToImage.from_pretrained("fsdd"), EspeakDigits(UNHEARD_VOICES, takes=1)
    network = SpokenDiffusion(audio, diffusion, CodeCondition.from_pretrained("fsdd-condition"))
    front_end, words = build_front_end(audio.front_end), []
    for digit in IMAGINED:
        waveform, _ = corpus[int((corpus.labels == digit).nonzero()[0, 0])]
        words.append(front_end(waveform, corpus.sample_rate))
    images = network(torch.stack(words), 5, torch.Generator().manual_seed(0))
    figure = plot.image_rows({f"“{digit}”": row[:, 0] for digit, row in zip(IMAGINED, images, strict=True)})
    plot.save_figure(figure, FOLDER / "spoken-diffusion.png")


if __name__ == "__main__":
    animation()
    neuron()
    model()
    diffusion()
    spoken()
