"""A run with the W&B logger, in a process of its own. See test_loggers.py."""

from lightning.pytorch.callbacks import ModelCheckpoint

from snn_synth.training import ImageGrid, LitAutoencoder, WandbLogger
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer


def run(folder):
    logger = WandbLogger(save_dir=folder)
    best = ModelCheckpoint(folder + "/best", monitor="val/standardized_mse")
    trainer = quiet_trainer(folder, max_epochs=1, logger=logger, log_every_n_steps=1, callbacks=[best, ImageGrid(2)])
    data = TinyImages()
    data.images = data.images.repeat_interleave(10, 2).repeat_interleave(7, 3)[..., :28, :28]
    trainer.fit(LitAutoencoder(firing_autoencoder(28 * 28, 5), num_steps=2), data)
    logger.experiment.finish()
