"""What resume_child leaves of a run, and whether two runs left the same."""

import torch


def result(folder):
    return torch.load(folder / "result.pt", weights_only=True)


def diary(folder):
    """What happened in each place of the run: (event, epoch, batch) to every account of it."""
    accounts = {}
    for line in (folder / "diary.txt").read_text().splitlines():
        event, epoch, batch, *account = line.split(maxsplit=3)
        accounts.setdefault((event, int(epoch), int(batch)), set()).add(*account)
    return accounts


def assert_same_bits(found, expected, where="result"):
    assert type(found) is type(expected), where
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype, where
        assert torch.equal(found, expected), where
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            assert_same_bits(found[key], expected[key], f"{where}[{key!r}]")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for place, (a, b) in enumerate(zip(found, expected, strict=True)):
            assert_same_bits(a, b, f"{where}[{place}]")
    else:
        assert found == expected, where


def assert_same_run(found, expected):
    """Two folders: every loss, every validation, and at the end weights, optimizers, schedules and measures."""
    accounts, others = diary(found), diary(expected)
    assert {place: sorted(account) for place, account in accounts.items()} == {
        place: sorted(account) for place, account in others.items()
    }
    assert_same_bits(result(found), result(expected))
