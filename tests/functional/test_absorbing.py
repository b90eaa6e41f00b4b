import math

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional import guided_logits, mask_tokens, token_loss, token_nats, unmask_tokens

MASKED = 9


def test_as_many_tokens_are_masked_as_the_share_says() -> None:
    tokens = torch.arange(50_000).expand(3, -1) % MASKED
    seen = mask_tokens(tokens, torch.tensor([0.0, 0.3, 1.0]), MASKED, torch.Generator().manual_seed(0))
    found = (seen == MASKED).float().mean(1)
    assert found[0] == 0
    assert found[2] == 1
    assert abs(float(found[1]) - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 50_000)
    assert torch.equal(seen[seen != MASKED], tokens[seen != MASKED])


def test_losses_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    logits, tokens = rng.normal(size=(3, 4, 5)), rng.integers(5, size=(3, 4))
    hidden, share = rng.random((3, 4)) < 0.5, rng.random(3)
    weighted, nats = 0.0, []
    for b in range(3):
        for i in range(4):
            if hidden[b, i]:
                lost = -(logits[b, i, tokens[b, i]] - np.log(np.exp(logits[b, i]).sum()))
                weighted += (1 - share[b]) * lost / 12
                nats.append(lost)
    given = torch.tensor(logits), torch.tensor(tokens), torch.tensor(hidden)
    assert float(token_loss(*given, torch.tensor(share))) == pytest.approx(weighted)
    assert float(token_nats(*given[:2])[given[2]].mean()) == pytest.approx(np.mean(nats))


def test_nothing_masked_costs_nothing() -> None:
    tokens, none = torch.zeros(1, 2, dtype=torch.long), torch.zeros(1, 2, dtype=torch.bool)
    assert float(token_loss(torch.zeros(1, 2, 3), tokens, none, torch.zeros(1))) == 0


def test_guidance_moves_away_from_what_is_likely_without_the_condition() -> None:
    logits, unconditional = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.equal(guided_logits(logits, unconditional, 0.0), logits)
    torch.testing.assert_close(guided_logits(logits, unconditional, 2.0), 3 * logits - 2 * unconditional)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_the_softmax_says(temperature: float) -> None:
    count = 40_000
    logits = torch.tensor([0.0, 1.0, 2.0]).expand(1, count, 3)
    drawn = unmask_tokens(
        torch.full((1, count), 3), logits, 1, 3, temperature, generator=torch.Generator().manual_seed(0)
    )
    expected = (logits[0, 0] / temperature).softmax(0)
    found = torch.bincount(drawn[0], minlength=3) / count
    assert bool(((found - expected).abs() < 4 * (expected * (1 - expected) / count).sqrt()).all())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_rare_tokens_are_drawn_as_often_in_every_dtype(dtype: torch.dtype) -> None:
    count, rare = 200_000, 0.001
    logits = torch.tensor([1 - rare, rare]).log().to(dtype).expand(1, count, 2)
    drawn = unmask_tokens(torch.full((1, count), 2), logits, 1, 2, generator=torch.Generator().manual_seed(0))
    expected = float(logits[0, 0].double().softmax(0)[1])
    assert abs(float(drawn.float().mean()) - expected) < 4 * math.sqrt(rare / count)


def test_a_share_of_the_masked_is_drawn_at_each_step_and_what_is_there_stays() -> None:
    count = 40_000
    tokens = torch.full((1, count), 3)
    tokens[0, ::4] = 1
    drawn = unmask_tokens(tokens, torch.zeros(1, count, 3), 5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn[0, ::4], tokens[0, ::4])
    masked = tokens[0] == 3
    assert abs(float((drawn[0, masked] != 3).float().mean()) - 1 / 5) < 4 * math.sqrt(0.16 / (0.75 * count))


def test_the_least_random_number_masks_nothing_without_a_share_and_draws_a_token(monkeypatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, **options: torch.zeros(shape))
    tokens = torch.tensor([[MASKED, 3]])
    assert torch.equal(mask_tokens(tokens, torch.zeros(1), MASKED), tokens)
    assert mask_tokens(tokens, torch.full((1,), 1e-6), MASKED).tolist() == [[MASKED, MASKED]]
    assert unmask_tokens(tokens, torch.zeros(1, 2, 4), 1000, MASKED)[0, 0] < 4


def test_a_random_number_of_one_by_the_steps_is_too_large(monkeypatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, **options: torch.full(shape, 0.25))
    for step, found in ((3, 1), (4, 2)):
        assert unmask_tokens(torch.tensor([[2]]), torch.tensor([[[0.0, 1.0]]]), step, 2).item() == found


@pytest.mark.parametrize(("step", "temperature"), [(0, 1.0), (1, 0.0), (1, -1.0), (1, math.inf), (1, math.nan)])
def test_refuses_steps_and_temperatures_out_of_range(step: int, temperature: float) -> None:
    with pytest.raises(InputError, match="a step of at least 1 and a temperature above 0"):
        unmask_tokens(torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1, 2), step, 2, temperature)
