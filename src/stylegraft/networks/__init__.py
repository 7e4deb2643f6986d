"""The networks of the StyleGAN family behind one protocol (`protocol.Generator`), and their configs.

Config classes import no torch; the networks themselves are imported from their modules.
"""

from stylegraft.networks.config import (
    DiscriminatorConfig,
    GeneratorConfig,
    MappingConfig,
    base_size,
    channels_per_block,
)

__all__ = ["DiscriminatorConfig", "GeneratorConfig", "MappingConfig", "base_size", "channels_per_block"]
