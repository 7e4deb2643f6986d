"""The files the fuzzer starts from: tiny honest checkpoints of every format, and the tests' hostile corpus.

`PYTHONPATH=tests/checkpoints python fuzz/seeds.py FOLDER` writes them.
"""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MAX_SEED_BYTES = 48 << 10


def build_seeds() -> dict[str, bytes]:
    """Returns the seeds by name; what is too large to be changed quickly is left out."""
    seeds = {**_honest(), **_hostile()}
    return {name: data for name, data in seeds.items() if 0 < len(data) <= MAX_SEED_BYTES}


def _hostile() -> dict[str, bytes]:
    from hostile.corpus import FILES

    return {f"hostile_{name}": hostile.make() for name, hostile in FILES.items()}


def _honest() -> dict[str, bytes]:
    return {name: write(root) for name, (root, write) in templates().items()}


def templates() -> dict[str, tuple[Any, Callable[[Any], bytes]]]:
    """Returns tiny checkpoints of every format by name: the object, and how it is written."""
    return {**_official(), **_tensorflow(), **_rosinality()}


def _official() -> dict[str, tuple[Any, Callable[[Any], bytes]]]:
    from foreign_writer import official, pickled, random_networks

    from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig

    mapping = MappingConfig(z_dim=2, w_dim=2, num_layers=1)
    labels = MappingConfig(z_dim=0, c_dim=2, w_dim=2, num_layers=1, w_avg_beta=None)
    small: dict[str, Any] = {"img_height": 4, "img_width": 4, "channels": (1,)}
    size: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (1, 1)}
    plain = random_networks(GeneratorConfig(**size, mapping=mapping), DiscriminatorConfig(**size))
    other = random_networks(
        GeneratorConfig(**size, mapping=mapping.replace(c_dim=2), architecture="resnet", conv_clamp=1.0),
        DiscriminatorConfig(**size, mapping=labels, architecture="orig"),
    )
    tiny = random_networks(GeneratorConfig(**small, mapping=mapping), DiscriminatorConfig(**small))
    settings = {
        "class_name": "training.dataset.ImageFolderDataset",
        "path": "x.zip",
        "max_size": 8,
        "xflip": True,
    }
    made: dict[str, tuple[Any, Callable[[Any], bytes]]] = {
        f"official_tiny_protocol_{protocol}": (
            {"G_ema": official(tiny["G_ema"])},
            partial(pickled, protocol=protocol),
        )
        for protocol in (2, 3, 4, 5)
    }
    for name, networks in (("plain", plain), ("conditional", other)):
        root = {key: official(module) for key, module in networks.items() if key != "G"}
        made[f"official_{name}"] = ({"training_set_kwargs": settings, **root, "augment_pipe": None}, pickled)
    return made


def _tensorflow() -> dict[str, tuple[Any, Callable[[Any], bytes]]]:
    from tensorflow_writer import discriminator_network, generator_network, randomize

    from stylegraft.networks import config as stylegan2
    from stylegraft.networks.making import make_discriminator, make_generator
    from stylegraft.networks.stylegan1 import config as stylegan1

    size: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (2, 1)}
    mapping: dict[str, Any] = {"z_dim": 2, "w_dim": 2, "num_layers": 1}
    v1_mapping, mapping2 = stylegan1.MappingConfig(**mapping, c_dim=2), stylegan2.MappingConfig(**mapping)
    pairs = {
        "v1": (
            stylegan1.GeneratorConfig(**size, mapping=v1_mapping),
            stylegan1.DiscriminatorConfig(**size, c_dim=2),
        ),
        "v2": (stylegan2.GeneratorConfig(**size, mapping=mapping2), stylegan2.DiscriminatorConfig(**size)),
        "growing": (
            stylegan2.GeneratorConfig(**size, mapping=mapping2, architecture="progressive"),
            stylegan2.DiscriminatorConfig(**size, architecture="progressive"),
        ),
    }
    made: dict[str, tuple[Any, Callable[[Any], bytes]]] = {}
    for name, (g_config, d_config) in pairs.items():
        g = [generator_network(randomize(make_generator(g_config)), name) for name in ("G", "Gs")]
        d = discriminator_network(randomize(make_discriminator(d_config)))
        made[f"tensorflow_{name}"] = ((g[0], d, g[1]), _tensorflow_bytes)
        made[f"tensorflow_{name}_protocol_2"] = (g[1], partial(_tensorflow_bytes, protocol=2))
    return made


def _tensorflow_bytes(root: Any, protocol: int = 4) -> bytes:
    from tensorflow_writer import write_tensorflow

    with TemporaryDirectory() as folder:
        return write_tensorflow(Path(folder) / "x.pkl", root, protocol).read_bytes()


def _rosinality() -> dict[str, tuple[Any, Callable[[Any], bytes]]]:
    import torch

    from stylegraft.checkpoints.export.rosinality import to_rosinality
    from stylegraft.checkpoints.foreign.rosinality_layout import stock_discriminator, stock_generator
    from stylegraft.networks.stylegan2 import Discriminator, Generator

    channels, fir = (2, 1), (1.0, 3.0, 3.0, 1.0)
    configs = (
        stock_generator(channels, style_dim=2, num_layers=1, resample_filter=fir),
        stock_discriminator(channels, resample_filter=fir),
    )
    tensors = {"G_ema": Generator(configs[0]).state_dict(), "D": Discriminator(configs[1]).state_dict()}
    converted, _ = to_rosinality(*configs, tensors)
    training = {name: value for name, value in converted.items() if name != "latent_avg"}
    training |= {
        "g": training["g_ema"],
        "args": Namespace(size=8, r1=10, path="x", mixing=0.9),
        "ada_aug_p": 0.5,
    }
    training["g_optim"] = {
        "state": {0: {"step": 3, "exp_avg": torch.ones(2)}},
        "param_groups": [{"lr": 0.002}],
    }
    old = partial(_saved, _use_new_zipfile_serialization=False)
    return {
        "rosinality_converted": (converted, _saved),
        "rosinality_training": (training, _saved),
        "rosinality_old": (training, old),
        "rosinality_bare": (converted["g_ema"], _saved),
    }


def _saved(root: Any, **how: Any) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(root, file, **how)
    return file.getvalue()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for seed_name, seed_data in build_seeds().items():
        (folder / seed_name).write_bytes(seed_data)
    print(f"{len(list(folder.iterdir()))} seeds in {folder}")
