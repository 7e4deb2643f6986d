"""Files of projected-gan: the StyleGAN2 generators are read, the discriminator is stepped over."""

from __future__ import annotations

import functools
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_writer import Persistent, official, random_networks, write_official
from torch import nn

from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.errors import CheckpointError, UnsafeFileError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig

SIZE: dict[str, Any] = {"img_height": 16, "img_width": 16, "channels": (6, 5, 4)}
CONFIG = GeneratorConfig(**SIZE, mapping=MappingConfig(z_dim=5, w_dim=7, num_layers=2))


class _Module(nn.Module):
    """Pickled as torch pickles live modules: the class by name, then all attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(0.2))
        self.shapes = [torch.zeros(2, 3).shape[0], (1, 2)]


@pytest.fixture
def discriminator(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A discriminator whose class is found under the name that projected-gan gives it."""
    home = types.ModuleType("pg_modules.discriminator")
    kind = type("ProjectedDiscriminator", (_Module,), {"__module__": home.__name__})
    vars(home)["ProjectedDiscriminator"] = kind
    monkeypatch.setitem(sys.modules, "pg_modules", types.ModuleType("pg_modules"))
    monkeypatch.setitem(sys.modules, home.__name__, home)
    return kind()


def generators() -> dict[str, Any]:
    networks = random_networks(CONFIG, DiscriminatorConfig(**SIZE))
    return {name: networks[name] for name in ("G", "G_ema")}


@pytest.mark.parametrize("protocol", [2, 4])
def test_generators_are_read_and_the_discriminator_is_reported(
    tmp_path: Path, discriminator: nn.Module, protocol: int
) -> None:
    networks = generators()
    root = {name: official(network) for name, network in networks.items()}
    root |= {"D": discriminator, "training_set_kwargs": {"path": "x"}, "progress": {"cur_nimg": 8000}}
    path = write_official(tmp_path / "x.pkl", root, protocol)
    checkpoint = read_foreign(path)
    assert checkpoint.generator_config == CONFIG
    assert checkpoint.discriminator_config is None
    assert checkpoint.tensors.keys() == {"G", "G_ema"}
    for name, network in networks.items():
        for key, tensor in network.state_dict().items():
            assert torch.equal(checkpoint.tensors[name][key], tensor)
    assert checkpoint.report.left_over == ["D"]
    assert checkpoint.extras["progress"] == {"cur_nimg": 8000}
    assert "D is projected-gan's" in open_checkpoint(path).info["notes"][0]


def test_fastgan_generator_is_refused_with_the_reason(tmp_path: Path) -> None:
    modules = {"mapping": Persistent("DummyMapping", {}), "synthesis": Persistent("FastganSynthesis", {})}
    generator = Persistent("Generator", {"_modules": modules, "_parameters": {}, "_buffers": {}})
    path = write_official(tmp_path / "x.pkl", {"G": generator, "D": None, "G_ema": generator})
    with pytest.raises(CheckpointError, match="got projected-gan's FastGAN, which is another network"):
        read_foreign(path)


def test_other_names_stay_forbidden(tmp_path: Path) -> None:
    """Only classes of its packages are stepped over, and not what they might have been made with."""
    root = {"G_ema": official(generators()["G_ema"]), "D": functools.partial(OrderedDict)}
    with pytest.raises(UnsafeFileError, match=r"asks for functools.partial"):
        read_foreign(write_official(tmp_path / "x.pkl", root))


@pytest.mark.parametrize("module", ["torch", "torch.hub", "timmx.models", "pg_modulesx", "torch.nnx"])
def test_packages_of_similar_names_stay_forbidden(tmp_path: Path, module: str) -> None:
    (tmp_path / "x.pkl").write_bytes(b"\x80\x02c" + module.encode() + b"\nload\n)R.")
    with pytest.raises(UnsafeFileError, match=f"asks for {module}.load"):
        read_foreign(tmp_path / "x.pkl")
