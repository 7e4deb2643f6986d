"""Cost formulas: the nominal figures, and agreement with the real networks' weights."""

import itertools

import pytest

from stylegraft.bench.costs import (
    YARDSTICK_SAMPLE_GFLOP,
    YARDSTICK_TRAINING_GFLOP,
    discriminator_layers,
    generator_layers,
    nominal_flop,
    sample_flop,
    training_flop,
    training_terms,
)
from stylegraft.bench.shipped import run_config
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Discriminator, Generator

ARCHITECTURES = ["skip", "resnet", "orig"]


def test_costs_give_the_nominal_figures():
    config = run_config(YardstickSettings(), "fp32")
    # 1 % is the slack of figures quoted with three digits.
    assert sample_flop(config.generator) / 1e9 == pytest.approx(YARDSTICK_SAMPLE_GFLOP, rel=0.01)
    training = training_flop(config.generator, config.discriminator) / 1e9
    assert training == pytest.approx(YARDSTICK_TRAINING_GFLOP, rel=0.01)
    assert (YARDSTICK_SAMPLE_GFLOP, YARDSTICK_TRAINING_GFLOP) == (1.40, 18.7)


def test_costs_of_a_hand_counted_pair():
    mapping = MappingConfig(z_dim=4, w_dim=4, num_layers=1)
    G = GeneratorConfig(img_height=8, img_width=8, channels=(5, 2), mapping=mapping)
    D = DiscriminatorConfig(img_height=8, img_width=8, channels=(5, 2), mbstd_num_channels=1)
    # b4: conv1, torgb; b8: conv0 at 4x4, conv1, torgb.
    g = 2 * (16 * 9 * 25 + 16 * 15 + 16 * 9 * 10 + 64 * 9 * 4 + 64 * 6)
    # b8: fromrgb, conv0, conv1 and skip at 4x4; b4: conv on 5 + 1 maps.
    d = 2 * (64 * 6 + 64 * 9 * 4 + 16 * 9 * 10 + 16 * 10 + 16 * 9 * 6 * 5)
    assert sample_flop(G) == g
    assert nominal_flop(discriminator_layers(D)) == d
    assert training_flop(G, D, training_terms(None, None)) == 4 * g + 8 * d
    assert training_flop(G, D, training_terms(16, 4, 2)) == pytest.approx((4 + 6 / 8) * g + (8 + 6 / 16) * d)


@pytest.mark.parametrize(("architecture", "c_dim"), list(itertools.product(ARCHITECTURES, [0, 3])))
def test_costs_list_every_kernel_of_the_networks(architecture, c_dim):
    mapping = MappingConfig(z_dim=6, c_dim=c_dim, w_dim=8, num_layers=2, layer_features=7)
    G = GeneratorConfig(
        img_height=24, img_width=16, channels=(6, 4, 3), architecture=architecture, mapping=mapping
    )
    label = MappingConfig(z_dim=0, c_dim=3, w_dim=5, num_layers=1, w_avg_beta=None) if c_dim else None
    D = DiscriminatorConfig(
        img_height=24, img_width=16, channels=(6, 4, 3), architecture=architecture, mapping=label
    )
    for layers, network in [(generator_layers(G), Generator(G)), (discriminator_layers(D), Discriminator(D))]:
        kernels = {
            name.removeprefix("synthesis.").removesuffix(".weight"): parameter.numel()
            for name, parameter in network.named_parameters()
            if name.endswith(".weight")
        }
        assert {layer.name: layer.weights for layer in layers} == kernels
