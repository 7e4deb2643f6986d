"""The mean w of a class, and when it is found anew."""

from __future__ import annotations

import pytest
import torch

from stylegraft.networks.class_centres import NUM_Z, ClassCentres
from stylegraft.networks.config import GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Generator


@pytest.fixture
def generator():
    torch.manual_seed(0)
    mapping = MappingConfig(z_dim=6, c_dim=3, w_dim=8, num_layers=2, lr_multiplier=1.0)
    G = Generator(GeneratorConfig(img_height=8, img_width=8, channels=(4, 4), mapping=mapping))
    return G.eval().requires_grad_(False)


def mapped(generator, num, c, seed):
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(num, 6, generator=random)
    return generator.mapping(z, c.expand(num, -1))[:, 0]


def test_centre_is_the_mean_w_of_the_class(generator):
    labels = torch.eye(3)
    centres = ClassCentres()(generator, labels)
    assert centres.shape == (3, 8)
    for label, centre in zip(labels, centres):
        w = mapped(generator, 20_000, label, seed=1)
        # Both means err by the spread of w over the root of the count; five times that is out of reach.
        assert ((centre - w.mean(dim=0)).abs() < 5 * w.std(dim=0) / NUM_Z**0.5).all()
    spread = mapped(generator, 1000, labels[0], seed=1).std(dim=0)
    assert ((centres[0] - centres[1]).abs() > spread / 2).any()  # else the test above tells nothing


def test_centres_do_not_depend_on_what_else_is_asked_for(generator):
    labels = torch.eye(3)
    together, alone = ClassCentres()(generator, labels[[2, 0, 2, 1]]), ClassCentres()(generator, labels[2:])
    assert torch.equal(together[0], together[2])
    assert torch.equal(together[0], alone[0])
    assert ClassCentres()(generator, labels[:0]).shape == (0, 8)


def test_centres_are_found_once_until_the_weights_change(generator, monkeypatch):
    asked = []
    forward = generator.mapping.forward
    monkeypatch.setattr(generator.mapping, "forward", lambda *args: (asked.append(1), forward(*args))[1])
    centres = ClassCentres()
    first = centres(generator, torch.eye(3)[:1])
    num_calls = len(asked)
    assert num_calls > 0
    assert torch.equal(centres(generator, torch.eye(3)[:1]), first)
    assert len(asked) == num_calls
    with torch.no_grad():
        generator.mapping.fc1.bias += 1
    assert not torch.allclose(centres(generator, torch.eye(3)[:1]), first)
