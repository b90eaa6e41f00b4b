import os
import pty

import pytest
from lightning.pytorch import loggers

from snn_synth.training.loggers import WandbLogger, wandb_is_offline
from tests.processes import exit_codes
from tests.training import wandb_child


@pytest.fixture
def no_key(monkeypatch, tmp_path):
    """A machine on which nobody has logged in to W&B."""
    for name in list(os.environ):
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / "netrc"))
    (tmp_path / "home").mkdir()


@pytest.mark.slow
def test_without_a_key_a_run_is_written_here_and_nothing_is_asked(no_key, tmp_path, fresh_process):
    terminal, end = pty.openpty()  # on a terminal, wandb would ask for a key
    output = tmp_path / "output"
    process = fresh_process(wandb_child.run, str(tmp_path), streams=(os.ttyname(end), output))
    codes = exit_codes(process)
    os.close(terminal)
    os.close(end)
    assert codes == [0], output.read_text()
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    (record,) = run.glob("*.wandb")
    content = record.read_bytes()
    assert b"val/standardized_mse" in content
    assert b"train/loss" in content
    said = output.read_text()
    assert "W&B is offline" in said
    assert "checkpoints stay in the run's folder" in said
    assert "Create a W&B account" not in said
    assert "Run history" not in said
    assert "Run summary" not in said
    assert list((tmp_path / "best").glob("*.ckpt"))
    assert not list(run.rglob("*.ckpt"))


@pytest.mark.slow
def test_disabled_writes_nothing_and_says_nothing(no_key, tmp_path, monkeypatch, fresh_process, capfd):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    process = fresh_process(wandb_child.run, str(tmp_path))
    assert exit_codes(process) == [0]
    assert not list(tmp_path.rglob("*.wandb"))
    assert list((tmp_path / "best").glob("*.ckpt"))
    assert "W&B is offline" not in "".join(capfd.readouterr())


def test_a_key_in_netrc_counts(no_key, tmp_path):
    import wandb

    assert wandb_is_offline()
    (tmp_path / "home").mkdir(exist_ok=True)
    host = wandb.Settings().base_url.removeprefix("https://")
    (tmp_path / "home" / "netrc").write_text(f"machine {host} login user password {'0' * 40}\n")
    assert not wandb_is_offline()


def test_a_key_for_a_server_of_ones_own_counts_there_alone(no_key, tmp_path, monkeypatch):
    (tmp_path / "home" / "netrc").write_text(f"machine wandb.example login user password {'0' * 40}\n")
    assert wandb_is_offline()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example")
    assert not wandb_is_offline()


OFFLINE = {"_offline": True, "_log_model": False}
ONLINE = {"_offline": False, "_log_model": True}


@pytest.mark.parametrize(
    ("key", "settings", "found"),
    [
        (False, {}, OFFLINE),
        (True, {}, ONLINE),
        (True, {"offline": True}, OFFLINE),
        (False, {"offline": False}, ONLINE),
        (True, {"log_model": "all"}, {"_offline": False, "_log_model": "all"}),
        (True, {"log_model": False}, {"_offline": False, "_log_model": False}),
        (False, {"log_model": "all"}, OFFLINE),
    ],
)
def test_who_is_online_and_sends_checkpoints_up(no_key, monkeypatch, tmp_path, key, settings, found):
    if key:
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    logger = WandbLogger(save_dir=str(tmp_path / "new" / "runs"), **settings)
    assert {name: getattr(logger, name) for name in found} == found
    assert logger._wandb_init.get("mode") == ("offline" if found["_offline"] else None)
    assert (tmp_path / "new" / "runs").is_dir()


def test_what_wandb_is_told(no_key, monkeypatch, tmp_path):
    told = WandbLogger(save_dir=str(tmp_path), tags=["first"], mode=None, group=None)._wandb_init
    assert told["tags"] == ["first"]
    assert "group" not in told
    assert "anonymous" not in told, "which wandb warns of"
    assert told["settings"] == {"quiet": True}
    assert WandbLogger(save_dir=str(tmp_path), settings={"silent": True})._wandb_init["settings"] == {"silent": True}
    monkeypatch.setenv("WANDB_QUIET", "false")
    assert "settings" not in WandbLogger(save_dir=str(tmp_path))._wandb_init
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert WandbLogger(save_dir=str(tmp_path))._wandb_init["mode"] == "disabled"


@pytest.mark.parametrize(("mode", "said"), [(None, True), ("offline", True), ("disabled", False), ("online", False)])
def test_an_offline_run_says_where_it_is_kept(no_key, monkeypatch, tmp_path, caplog, mode, said):
    if mode is not None:
        monkeypatch.setenv("WANDB_MODE", mode)
    caplog.set_level("INFO", logger="lightning.pytorch")
    WandbLogger(save_dir=str(tmp_path))
    assert (f"the run is kept in {tmp_path}/wandb" in caplog.text) == said


@pytest.mark.parametrize("agent", [True, False])
def test_only_wandbs_agents_are_told_former_names(no_key, monkeypatch, tmp_path, agent):
    told = {}
    monkeypatch.setattr(loggers.WandbLogger, "log_metrics", lambda self, metrics, step=None: told.update(metrics))
    if agent:
        monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    WandbLogger(save_dir=str(tmp_path)).log_metrics({"val/standardized_mse": 0.1, "val/spike_mse": 0.2}, 3)
    assert told == {"val/standardized_mse": 0.1, "val/spike_mse": 0.2} | ({"val/mse": 0.1} if agent else {})


@pytest.mark.parametrize(
    ("mode", "key", "offline"),
    [
        (None, None, True),
        (None, "0" * 40, False),
        ("offline", "0" * 40, True),
        ("disabled", "0" * 40, True),
        ("online", "0" * 40, False),
    ],
)
def test_offline_without_a_key_or_when_told_so(no_key, monkeypatch, mode, key, offline):
    for name, value in (("WANDB_MODE", mode), ("WANDB_API_KEY", key)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert wandb_is_offline() is offline
