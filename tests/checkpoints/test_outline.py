"""A network without weights has the names and shapes of the real one, at no cost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from stylegraft.checkpoints.outline import outline
from stylegraft.networks import config as stylegan2
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.networks.stylegan1 import config as stylegan1

SIZE: dict[str, Any] = {"img_height": 16, "img_width": 16, "channels": (6, 5, 4)}
LABELS = stylegan2.MappingConfig(z_dim=5, c_dim=3, w_dim=7, num_layers=2)
CASES: list[tuple[Callable[[Any], nn.Module], Any]] = [
    (make_generator, stylegan2.GeneratorConfig(**SIZE, mapping=LABELS, architecture="resnet")),
    (
        make_generator,
        stylegan2.GeneratorConfig(**SIZE, mapping=LABELS.replace(label_input="concatenated")),
    ),
    (make_discriminator, stylegan2.DiscriminatorConfig(**SIZE)),
    (make_generator, stylegan1.GeneratorConfig(**SIZE)),
    (make_discriminator, stylegan1.DiscriminatorConfig(**SIZE)),
]


@pytest.mark.parametrize(("make", "config"), CASES)
def test_outline_has_the_names_and_shapes_of_the_network(make: Any, config: Any) -> None:
    expected = {name: tensor.shape for name, tensor in make(config).state_dict().items()}
    sketched = outline(make, config).state_dict()
    assert {name: tensor.shape for name, tensor in sketched.items()} == expected
    assert all(tensor.is_meta for tensor in sketched.values())


def test_outline_of_a_network_too_large_for_any_machine_is_made() -> None:
    config = stylegan2.GeneratorConfig(img_height=512, img_width=512, channels=(16384,) * 8)
    weights = sum(tensor.numel() for tensor in outline(make_generator, config).state_dict().values())
    assert weights > 30e9


def test_outlines_import_nothing() -> None:
    """Torch would import its compiler; that took one to two seconds of each command that reads a file."""
    script = (
        "import sys\n"
        "from stylegraft.checkpoints.outline import outline\n"
        "from stylegraft.networks import stylegan2\n"
        "from stylegraft.networks.config import GeneratorConfig\n"
        "before = set(sys.modules)\n"
        "outline(stylegan2.Generator, GeneratorConfig(channels=(4,) * 5))\n"
        "print([name for name in set(sys.modules) - before if name.startswith(('torch._dynamo', 'sympy'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
