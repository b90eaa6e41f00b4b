from pathlib import Path

import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.models import SpikingTokenDenoiser, SpikingVQAE, SpikingVQDiffusion
from snn_synth.models.codebook import Codebook


@pytest.fixture
def network() -> SpikingVQDiffusion:
    torch.manual_seed(0)
    network = SpikingVQDiffusion(
        SpikingVQAE(side=16, channels=(4, 6), features=3, codebook=7), SpikingTokenDenoiser(7, 16, hidden=20)
    )
    return network.eval()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_decoding_the_tokens_of_an_image_is_reconstructing_it(network: SpikingVQDiffusion) -> None:
    images = torch.rand(3, 1, 16, 16, generator=generator())
    vae = network.autoencoder
    torch.testing.assert_close(vae.decode(vae.encode(images)), vae.reconstruct(images))


def test_code_is_the_mix_of_late_and_mean_spikes(network: SpikingVQDiffusion) -> None:
    vae, images = network.autoencoder, torch.rand(2, 1, 16, 16, generator=generator())
    kept = []
    vae.encoder[-1].register_forward_hook(lambda module, inputs, spikes: kept.append(spikes))
    with torch.no_grad():
        vae.mix.fill_(0.25)
        codes = vae.codes(images)
    (spikes,) = kept
    for b, d, i, j in ((0, 0, 1, 2), (1, 2, 3, 0)):
        train = [float(s) for s in spikes[:, b, d, i, j]]
        late = sum(0.8 ** (len(train) - 1 - t) * s for t, s in enumerate(train))
        assert float(codes[b, 4 * i + j, d]) == pytest.approx(0.75 * late + 0.25 * sum(train) / len(train))


def test_first_product_of_the_denoiser_is_a_constant_current(network: SpikingVQDiffusion) -> None:
    denoiser = network.denoiser
    tokens = torch.randint(8, (2, 16), generator=generator())
    condition = denoiser.one_hot(torch.tensor([3, 5]))
    with torch.no_grad():
        count = denoiser.count((tokens == 7).sum(1))
        seen = torch.cat([denoiser.embed(tokens).flatten(1), condition @ denoiser.condition.weight.T, count], 1)
        current = denoiser.input(seen)
        first = second = torch.zeros(())
        fired, other = torch.zeros_like(current), torch.zeros(2, denoiser.output.out_features)
        rates = torch.zeros_like(other)
        for _ in range(denoiser.num_steps):  # V[t] = V[t-1] / 2 (1 - A[t-1]) + Z[t]
            first = 0.5 * first * (1 - fired) + current
            fired = (first >= 1).float()
            second = 0.5 * second * (1 - other) + fired @ denoiser.output.weight.T + denoiser.output.bias
            other = (second >= 1).float()
            rates += other / denoiser.num_steps
        expected = rates.reshape(2, 16, -1) @ denoiser.head.weight.T + denoiser.bias
        torch.testing.assert_close(denoiser(tokens, condition), expected)


def test_samples_depend_on_generator_and_labels_alone(network: SpikingVQDiffusion) -> None:
    torch.manual_seed(1)
    first = network.sample(4, generator(), labels=[1, 2, 3, 4])
    torch.manual_seed(2)
    again = network.sample(4, generator(), labels=torch.tensor([1, 2, 3, 4]))
    assert torch.equal(first, again)
    assert first.shape == (4, 1, 16, 16)
    assert first.min() >= 0
    assert first.max() <= 1
    assert not torch.equal(first, network.sample(4, generator(1), labels=[1, 2, 3, 4]))


def test_condition_and_labels_are_the_same_thing(network: SpikingVQDiffusion) -> None:
    labels = torch.tensor([1, 9])
    by_label = network.sample(2, generator(), labels=labels)
    assert torch.equal(by_label, network.sample(2, generator(), condition=network.denoiser.one_hot(labels)))


def test_forming_ends_with_the_sample_and_unmasks_ever_more(network: SpikingVQDiffusion) -> None:
    steps = list(network.forming(3, generator()))
    assert len(steps) == network.sampling_steps
    masked = [int((tokens == network.denoiser.masked).sum()) for tokens, _ in steps]
    assert masked == sorted(masked, reverse=True)
    assert masked[-1] == 0
    torch.testing.assert_close(steps[-1][1], network.sample(3, generator()))


def test_guidance_stresses_the_condition(network: SpikingVQDiffusion) -> None:
    with torch.no_grad():  # untrained, few neurons fire
        network.denoiser.input.weight.mul_(10)
        network.denoiser.output.weight.mul_(10)
        network.denoiser.head.weight.mul_(10)
    plain = network.sample(5, generator(), labels=[0] * 5)
    network.guidance = 3.0
    assert not torch.equal(plain, network.sample(5, generator(), labels=[0] * 5))
    free = network.sample(5, generator())
    network.guidance = 0.0
    assert torch.equal(free, network.sample(5, generator()))  # without a condition there is nothing to stress


def test_completing_keeps_the_pixels_that_are_there(network: SpikingVQDiffusion) -> None:
    images = torch.rand(3, 1, 16, 16, generator=generator())
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[8:] = True
    drawn = network.complete(images, mask, generator())
    assert torch.equal(drawn[:, :, :8], images[:, :, :8])
    images[:, :, 8:] = 0.5  # what is missing may be anything
    assert torch.equal(drawn, network.complete(images, mask, generator()))
    assert torch.equal(network.complete(images, torch.zeros(1, dtype=torch.bool)), images)


def test_the_likely_label_is_that_under_which_the_tokens_are_told_best(network: SpikingVQDiffusion) -> None:
    with torch.no_grad():
        for weight in (network.denoiser.input.weight, network.denoiser.output.weight, network.denoiser.head.weight):
            weight.mul_(10)
    tokens = torch.randint(7, (4, 16), generator=generator())
    tokens[:, 8:] = network.denoiser.masked
    found, rounds = network.likely_labels(tokens, generator(1), 3), generator(1)
    score = torch.zeros(4, 10)
    for _ in range(3):
        share = torch.rand(4, generator=rounds)
        hidden = torch.rand(4, 16, generator=rounds) < share[:, None]
        seen = tokens.masked_fill(hidden, 7)
        for label in range(10):
            with torch.no_grad():
                log_p = network.denoiser(seen, network.denoiser.one_hot(torch.tensor([label] * 4))).log_softmax(-1)
            for b in range(4):
                for i in range(8):
                    if hidden[b, i]:
                        score[b, label] += log_p[b, i, tokens[b, i]]
    assert torch.equal(found, score.argmax(1))
    assert len(set(found.tolist())) > 1


def test_completing_without_labels_takes_the_likely_ones(network: SpikingVQDiffusion, monkeypatch) -> None:
    with torch.no_grad():
        for weight in (network.denoiser.input.weight, network.denoiser.output.weight, network.denoiser.head.weight):
            weight.mul_(10)
    images, mask = torch.rand(3, 1, 16, 16, generator=generator()), torch.zeros(16, 16, dtype=torch.bool)
    mask[8:] = True
    labels = torch.tensor([2, 7, 9])
    monkeypatch.setattr(network, "likely_labels", lambda tokens, generator: labels)
    found = network.complete(images, mask, generator())
    assert torch.equal(found, network.complete(images, mask, generator(), labels))
    assert not torch.equal(found, network.complete(images, mask, generator(), [0, 0, 0]))


def test_a_walk_begins_and_ends_at_its_classes_with_one_set_of_random_numbers(network: SpikingVQDiffusion) -> None:
    with torch.no_grad():
        for weight in (network.denoiser.input.weight, network.denoiser.output.weight, network.denoiser.head.weight):
            weight.mul_(10)
    images = network.walk(3, 8, 5, generator())
    assert torch.equal(images[:1], network.sample(1, generator(), [3]))
    assert torch.equal(images[-1:], network.sample(1, generator(), [8]))
    with pytest.raises(InputError, match="at least 2 frames, got 1"):
        network.walk(3, 8, 1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32])
def test_labels_and_tokens_of_other_integers_are_the_same(network: SpikingVQDiffusion, dtype: torch.dtype) -> None:
    labels = torch.tensor([1, 9])
    expected = network.sample(2, generator(), labels)
    assert torch.equal(network.sample(2, generator(), labels.to(dtype)), expected)
    assert torch.equal(network.sample(2, generator(), labels.to(dtype).numpy()), expected)
    tokens = torch.randint(7, (2, 16), generator=generator())
    assert torch.equal(network.denoiser(tokens.to(dtype)), network.denoiser(tokens))
    assert torch.equal(network.autoencoder.decode(tokens.to(dtype)), network.autoencoder.decode(tokens))


def test_no_images_are_none(network: SpikingVQDiffusion) -> None:
    none = torch.zeros(0, 1, 16, 16)
    assert network.sample(0).shape == network.sample(0, labels=[]).shape == none.shape
    assert network.autoencoder.reconstruct(none).shape == none.shape
    assert network.complete(none, torch.ones(16, 16)).shape == none.shape
    assert network.denoiser(torch.zeros(0, 16, dtype=torch.long)).shape == (0, 16, 7)


def test_completes_arrays_and_takes_any_missing_pixel_of_a_block(network: SpikingVQDiffusion) -> None:
    images = torch.rand(2, 1, 16, 16, generator=generator())
    mask = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    mask[0, 0, 5, 14] = True
    seen = []
    network.denoiser.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    drawn = network.complete(images, mask, generator(), [1, 2])
    assert (seen[0] == network.denoiser.masked).nonzero().tolist() == [[0, 4 * 1 + 3]]
    assert len(seen) == 2  # of 25 steps, as one of 16 tokens is masked
    again = network.complete(images.numpy(), mask.numpy(), generator(), [1, 2])  # type: ignore[arg-type]
    assert torch.equal(again, drawn)


def test_saves_and_loads(network: SpikingVQDiffusion, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path / "vqd")
    again = SpikingVQDiffusion.from_pretrained(tmp_path / "vqd")
    assert torch.equal(network.sample(3, generator(), [0, 1, 2]), again.sample(3, generator(), [0, 1, 2]))


def test_codebook_learns_the_centres_of_clusters_and_leaves_no_vector_unused() -> None:
    torch.manual_seed(0)
    book = Codebook(4, 2, decay=0.8)
    centres = torch.tensor([[5.0, 5.0], [-5.0, 5.0], [5.0, -5.0], [-5.0, -5.0]])
    for step in range(300):
        codes = centres[torch.randint(4, (64,), generator=generator(step))]
        codes = codes + 0.01 * torch.randn(64, 2, generator=generator(step))
        book.follow(codes, book(codes)[1], generator(step))
    near = torch.cdist(centres, book.vectors).min(1).values
    assert float(near.max()) < 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpikingVQAE(side=30), "a side that is a multiple of 4"),
        (lambda: SpikingVQAE(channels=(4,)), "two layers' channels"),
        (lambda: SpikingTokenDenoiser(hidden=0), "sizes of at least 1"),
        (lambda: Codebook(3, 2, decay=1.0), r"a decay in \[0, 1\)"),
        (
            lambda: SpikingVQDiffusion(SpikingVQAE(8, (4, 4), 3, 5), SpikingTokenDenoiser(6, 4)),
            "a denoiser of the autoencoder's 5 tokens at 4 places, got one of 6 at 4",
        ),
        (
            lambda: SpikingVQDiffusion(
                SpikingVQAE(8, (4, 4), 3, 5), SpikingTokenDenoiser(5, 4), temperature=float("nan")
            ),
            "a temperature above 0",
        ),
    ],
)
def test_refuses_sizes_that_do_not_fit(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]


def test_refuses_bad_input_in_one_sentence(network: SpikingVQDiffusion) -> None:
    vae, denoiser = network.autoencoder, network.denoiser
    with pytest.raises(InputError, match=r"images of shape \[B, 1, 16, 16\], got \[2, 1, 8, 8\]"):
        vae(torch.zeros(2, 1, 8, 8))
    with pytest.raises(InputError, match=r"tokens from 0 to 6, got 0 to 7"):
        vae.decode(torch.tensor([[0] * 15 + [7]]))
    with pytest.raises(InputError, match=r"tokens of shape \[B, 16\], integers, got \[1, 15\]"):
        vae.decode(torch.zeros(1, 15, dtype=torch.long))
    with pytest.raises(InputError, match=r"a condition of shape \[1, 10\], got \[1, 9\]"):
        denoiser(torch.zeros(1, 16, dtype=torch.long), torch.zeros(1, 9))
    with pytest.raises(InputError, match=r"2 labels from 0 to 9, got \[3, 10\]"):
        network.sample(2, labels=[3, 10])
    with pytest.raises(InputError, match="`labels` or a `condition`, got both"):
        network.sample(1, labels=[1], condition=torch.zeros(1, 10))
    with pytest.raises(InputError, match=r"a mask that broadcasts to \[1, 1, 16, 16\], got \[5, 5\]"):
        network.complete(torch.zeros(1, 1, 16, 16), torch.zeros(5, 5))
    with pytest.raises(InputError, match=r"images of shape \[B, 1, 16, 16\], got \[16, 16\]"):
        network.complete(torch.zeros(16, 16), torch.zeros(16, 16))
    for labels in ("ab", ["a", "b"], [[1], [2, 3]], [1, None], [1.0, 2.0], [True, False]):
        with pytest.raises(InputError, match="Expected 2 labels from 0 to 9, got "):
            network.sample(2, labels=labels)  # type: ignore[arg-type]
    for mask in (torch.full((16, 16), 0.5), torch.full((16, 16), torch.nan)):
        with pytest.raises(InputError, match="a mask of True and False, or ones and zeros, got "):
            network.complete(torch.zeros(1, 1, 16, 16), mask)
    with pytest.raises(InputError, match=r"a finite condition, got tensor\(\[\[nan"):
        network.sample(1, condition=torch.full((1, 10), torch.nan))
    for count in (-1, 2.5, "3", None):
        with pytest.raises(InputError, match="a count of at least 0, got "):
            network.sample(count)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="tokens from 0 to 7, the mask, got 0 to 8"):
        denoiser(torch.tensor([[0] * 15 + [8]]))
    with pytest.raises(InputError, match="sampling_steps of at least 1"):
        SpikingVQDiffusion(vae, denoiser, sampling_steps=float("inf"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "setting",
    [
        {"guidance": -1.0},
        {"guidance": float("nan")},
        {"guidance": "a"},
        {"temperature": 0},
        {"temperature": float("inf")},
        {"sampling_steps": 0},
        {"sampling_steps": 2.5},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_where_they_are_used_too(network: SpikingVQDiffusion, setting: dict) -> None:
    with pytest.raises(InputError, match="Expected whole sampling_steps of at least 1, a temperature above 0 and "):
        SpikingVQDiffusion(network.autoencoder, network.denoiser, **setting)
    vars(network).update(setting)
    with pytest.raises(InputError, match="Expected whole sampling_steps of at least 1, a temperature above 0 and "):
        network.sample(1, labels=[3])
