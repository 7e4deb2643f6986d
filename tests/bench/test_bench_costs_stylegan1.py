"""Nominal cost of StyleGAN v1: agreement with the real network's weights, and a count by hand."""

from __future__ import annotations

from stylegraft.bench.costs import sample_flop, stylegan1_generator_layers
from stylegraft.networks.stylegan1.config import GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan1.generator import Generator


def test_weights_are_those_of_the_network() -> None:
    mapping = MappingConfig(z_dim=5, c_dim=3, w_dim=4, num_layers=3, layer_features=6)
    config = GeneratorConfig(img_height=16, img_width=24, channels=(7, 5, 2), mapping=mapping)
    generator = Generator(config)
    used_at_lod_0 = {
        name.removesuffix(".weight").removeprefix("synthesis."): value.numel()
        for name, value in generator.named_parameters()
        if name.endswith(".weight") and "torgb" not in name
    }
    last = generator.synthesis.blocks[-1].torgb.weight.numel()
    counted = {layer.name: layer.weights for layer in stylegan1_generator_layers(config)}
    assert counted == used_at_lod_0 | {"torgb": last}


def test_costs_of_a_hand_counted_generator() -> None:
    config = GeneratorConfig(img_height=8, img_width=8, channels=(5, 2))
    # b4: layer1; b8: layer0 at 4x4, layer1, torgb.
    assert sample_flop(config) == 2 * (16 * 9 * 25 + 16 * 9 * 10 + 64 * 9 * 4 + 64 * 6)
