"""Networks that have learned one colour, pictures of one colour, and features that cost nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from stylegraft.checkpoints.native import Checkpoint, write_checkpoint
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Discriminator, Generator

SIDE = 16


class MeanColours:
    """Twelve numbers an image: the colours of its four quarters."""

    name, dim, sha256 = "colours", 12, "0" * 64
    is_published, precision = False, "fp32"

    def __call__(self, images: np.ndarray) -> torch.Tensor:
        planes = torch.as_tensor(np.array(images)).permute(0, 3, 1, 2).float()
        quarters = torch.nn.functional.adaptive_avg_pool2d(planes.expand(-1, 3, -1, -1), 2)
        return quarters.flatten(1)


def write_pictures(
    folder: Path, number: int = 24, colour: tuple[int, int, int] = (200, 40, 40), size: int = SIDE
) -> Path:
    """Writes noise around a colour; names without numbers, so that each file is a source of its own."""
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    for index in range(number):
        pixels = np.clip(random.normal(colour, 40, size=[size, size, 3]), 0, 255).astype(np.uint8)
        pixels[: size // 2] //= random.randint(1, 4)
        Image.fromarray(pixels).save(folder / f"picture{chr(97 + index // 26)}{chr(97 + index % 26)}.png")
    return folder


def write_source(folder: Path, colour: tuple[int, int, int], size: int = SIDE, channels: int = 3) -> Path:
    """Writes a checkpoint whose generator makes pictures around a colour, and a discriminator."""
    torch.manual_seed(0)
    shape = {"img_height": size, "img_width": size, "img_channels": channels}
    widths = (8,) * (size.bit_length() - 2)
    config = GeneratorConfig(
        **shape, channels=widths, mapping=MappingConfig(z_dim=8, w_dim=8, c_dim=0, num_layers=1)
    )
    generator, judge = Generator(config), DiscriminatorConfig(**shape, channels=widths)
    tensors = {f"G_ema.{name}": tensor for name, tensor in generator.state_dict().items()}
    biases = [name for name in tensors if name.endswith("torgb.bias")]
    values = torch.tensor(colour[:channels]) / 127.5 - 1
    for name in biases:
        tensors[name] = values / len(biases)
    tensors |= {f"D.{name}": tensor for name, tensor in Discriminator(judge).state_dict().items()}
    write_checkpoint(folder, Checkpoint(config, judge, tensors, info={"kimg": 1.0, "step": 1}))
    return folder
