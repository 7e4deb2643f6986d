"""From a config of any family to its network."""

from __future__ import annotations

from stylegraft.networks.families import DiscriminatorConfig, GeneratorConfig
from stylegraft.networks.protocol import Discriminator, Generator
from stylegraft.networks.stylegan1 import config as stylegan1
from stylegraft.networks.stylegan1.discriminator import Discriminator as StyleGan1Discriminator
from stylegraft.networks.stylegan1.generator import Generator as StyleGan1Generator
from stylegraft.networks.stylegan2 import Discriminator as StyleGan2Discriminator
from stylegraft.networks.stylegan2 import Generator as StyleGan2Generator
from stylegraft.networks.stylegan2_growing import GrowingDiscriminator, GrowingGenerator


def make_generator(config: GeneratorConfig) -> Generator:
    """Returns a new generator of a config, with random weights."""
    if isinstance(config, stylegan1.GeneratorConfig):
        return StyleGan1Generator(config)
    if config.architecture == "progressive":
        return GrowingGenerator(config)
    return StyleGan2Generator(config)


def make_discriminator(config: DiscriminatorConfig) -> Discriminator:
    """Returns a new discriminator of a config, with random weights."""
    if isinstance(config, stylegan1.DiscriminatorConfig):
        return StyleGan1Discriminator(config)
    if config.architecture == "progressive":
        return GrowingDiscriminator(config)
    return StyleGan2Discriminator(config)
