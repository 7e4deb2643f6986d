"""The roofline's formulas: products as torch counts them, parameters of the real networks, bytes by hand."""

import itertools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, conv_backward_flop, conv_flop

from stylegraft.augment.config import augment_preset
from stylegraft.bench.costs import discriminator_layers, generator_layers
from stylegraft.bench.roofline import (
    Kernel,
    Phase,
    count_parameters,
    limit_seconds,
    moved_share,
    sample_phases,
    step_phases,
)
from stylegraft.bench.shipped import run_config
from stylegraft.bench.yardstick import YardstickSettings
from stylegraft.errors import InputError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan1 import config as stylegan1
from stylegraft.networks.stylegan2 import Discriminator, Generator

ARCHITECTURES = ["skip", "resnet", "orig"]
RATES = {"gemm_fp32_gflops": 100.0, "gemm_bf16_gflops": 400.0, "copy_gb_per_sec": 50.0}
TINY = YardstickSettings(
    resolution_px=16, channel_base=128, channel_max=12, z_dim=8, w_dim=10, mapping_layers=2, batch=4
)


def dense_convolutions() -> FlopCounterMode:
    """Counts products; FIR filters, which are convolutions of one channel a group, are none."""

    def unless_grouped(count, groups_at):
        def flop(*values, out_val=None):
            return 0 if values[groups_at] > 1 else count(*values, out_val=out_val)

        flop._get_raw = True  # tensors, not their shapes
        return flop

    mapping = {
        torch.ops.aten.convolution: unless_grouped(conv_flop, groups_at=8),
        torch.ops.aten.convolution_backward: unless_grouped(conv_backward_flop, groups_at=9),
    }
    return FlopCounterMode(display=False, custom_mapping=mapping)


def flop_of(phases: list[Phase], *names: str) -> float:
    return sum(phase.flop for phase in phases if phase.name.startswith(names))


def tiny(**changes) -> tuple[GeneratorConfig, DiscriminatorConfig, list[Phase]]:
    config = run_config(TINY, "fp32")
    generator = config.generator.replace(**changes)
    discriminator = config.discriminator
    return generator, discriminator, step_phases(config.replace(generator=generator))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_generator_products_are_those_torch_counts(architecture):
    config, _, phases = tiny(architecture=architecture)
    G = Generator(config)
    ws = torch.randn(TINY.batch, G.num_ws, TINY.w_dim)
    with dense_convolutions() as counter:
        images = G.synthesis(ws, "none")
    forward = [phase for phase in phases if phase.name.endswith("forward")]
    assert counter.get_total_flops() == flop_of(forward, "G.")
    with dense_convolutions() as counter:
        images.sum().backward()
    backward = [phase for phase in phases if phase.name.endswith("backward")]
    # No gradient of the inputs reaches w here: one of two products of each affine layer is left out.
    layers = generator_layers(config)
    affine = sum(2 * layer.macs * TINY.batch for layer in layers if layer.name.endswith("affine"))
    assert counter.get_total_flops() == flop_of(backward, "G.") - affine


def test_discriminator_products_are_those_torch_counts():
    _, config, phases = tiny()
    D = Discriminator(config)
    images = torch.randn(TINY.batch, 3, 16, 16, requires_grad=True)
    with dense_convolutions() as counter:
        logits = D(images)
    forward = [phase for phase in phases if phase.name.endswith("forward")]
    assert 2 * counter.get_total_flops() == flop_of(forward, "D.")
    with dense_convolutions() as counter:
        torch.autograd.grad(logits.sum(), images, retain_graph=True)
        for _ in range(2):
            logits.sum().backward(retain_graph=True)
    backward = [phase for phase in phases if phase.name.endswith("backward")]
    assert counter.get_total_flops() == flop_of(backward, "D.")


def test_r1_products_are_those_torch_counts():
    _, config, phases = tiny()
    D = Discriminator(config)
    images = torch.randn(TINY.batch, 3, 16, 16, requires_grad=True)
    with dense_convolutions() as counter:
        (gradient,) = torch.autograd.grad(D(images * 1).sum(), images, create_graph=True)
        gradient.square().sum().backward()
    formula = flop_of([phase for phase in phases if phase.name == "R1"], "R1") * TINY.r1_interval_steps
    layers = discriminator_layers(config)
    network = 6 * sum(2 * layer.macs for layer in layers) * TINY.batch
    assert formula > network  # the rest is augmentation
    # Leaky ReLU is linear in pieces, so the products of the first gradient with respect to activations, and
    # the way back to the image, are not all needed: torch leaves out a few.
    assert 0.75 * network <= counter.get_total_flops() <= network


def test_mapping_products_are_those_torch_counts():
    config, _, phases = tiny()
    mapping = Generator(config).mapping
    z = torch.randn(2 * TINY.batch, TINY.z_dim)  # two styles, to be mixed
    with dense_convolutions() as counter:
        mapping(z)
    assert counter.get_total_flops() == flop_of(phases, "mapping forward")


@pytest.mark.parametrize(("architecture", "c_dim"), list(itertools.product(ARCHITECTURES, [0, 3])))
def test_parameters_are_those_of_the_networks(architecture, c_dim):
    mapping = MappingConfig(z_dim=6, c_dim=c_dim, w_dim=8, num_layers=2, layer_features=7)
    sizes = {"img_height": 24, "img_width": 16, "channels": (6, 4, 3), "architecture": architecture}
    label = MappingConfig(z_dim=0, c_dim=3, w_dim=5, num_layers=1, w_avg_beta=None) if c_dim else None
    G, D = GeneratorConfig(**sizes, mapping=mapping), DiscriminatorConfig(**sizes, mapping=label)
    for config, network in ((G, Generator(G)), (D, Discriminator(D))):
        assert count_parameters(config) == sum(parameter.numel() for parameter in network.parameters())


def test_bytes_of_a_hand_counted_block():
    mapping = MappingConfig(z_dim=4, w_dim=4, num_layers=1)
    config = GeneratorConfig(img_height=8, img_width=8, channels=(5, 2), mapping=mapping)
    phases = {phase.name: phase for phase in sample_phases(config, batch=3, type="bf16")}
    conv0 = (
        (3 * (4 + 5) + 4 * 5) * 4  # affine layer: inputs, outputs, weights
        + 9 * 5 * 2 * 4  # weights squared for demodulation
        + 3 * (5 * 16 + 2 * 64) * 2 + 9 * 5 * 2 * 4  # product
        + 2 * 3 * 5 * 16 * 2  # styles applied
        + 2 * 3 * 2 * 64 * 2 + 3 * 64 * 4  # epilogue with noise
        + 2 * 3 * 2 * 64 * 2  # FIR
    )  # fmt: skip
    conv1 = (
        (3 * (4 + 2) + 4 * 2) * 4
        + 9 * 2 * 2 * 4
        + 3 * (2 * 64 + 2 * 64) * 2 + 9 * 2 * 2 * 4
        + 2 * 3 * 2 * 64 * 2
        + 2 * 3 * 2 * 64 * 2 + 3 * 64 * 4
    )  # fmt: skip
    image = 3 * 3 * 64 * 4
    torgb = (3 * (4 + 2) + 4 * 2) * 4 + 3 * 2 * 64 * 2 + image + 1.25 * image
    assert phases["G.b8 forward"].num_bytes == conv0 + conv1 + torgb
    assert phases["pixels"].num_bytes == 3 * 3 * 64 * 5


def test_kernel_takes_the_slower_of_arithmetic_and_memory():
    assert Kernel(2e9, 0.5e9, "bf16").seconds(RATES) == pytest.approx(0.01)
    assert Kernel(2e9, 0.5e9, "fp32").seconds(RATES) == pytest.approx(0.02)
    faster = RATES | {"convolution_fp32_gflops": 400.0, "convolution_bf16_gflops": 300.0}
    assert Kernel(2e9, 0, "fp32").seconds(faster) == pytest.approx(0.005)
    assert Kernel(2e9, 0, "bf16").seconds(faster) == pytest.approx(0.005)
    phase = Phase("both", (Kernel(2e9, 0.5e9, "fp32"), Kernel(0, 1e9)), times=0.25)
    assert phase.seconds(RATES) == pytest.approx(0.25 * (0.02 + 0.02))
    assert limit_seconds([phase, phase], RATES) == pytest.approx(0.02)


def test_halves_of_a_batch_take_the_products_of_the_whole():
    config = run_config(TINY, "bf16")
    whole, halves = step_phases(config), step_phases(config.replace(micro_batch=2))
    assert [phase.name for phase in whole] == [phase.name for phase in halves]
    for one, two in zip(whole, halves):
        assert two.flop == pytest.approx(one.flop), one.name
        assert two.num_bytes >= one.num_bytes * 0.999, one.name  # weights are read twice


def test_moved_share_of_certain_and_impossible_transforms():
    assert moved_share(augment_preset("bgc"), 0.0) == 0
    blit = augment_preset("blit")
    chances = [0.4 * blit.xflip / 2, 0.4 * blit.rotate90 * 0.75, 0.4 * blit.xint]
    expected = 1 - (1 - chances[0]) * (1 - chances[1]) * (1 - chances[2])
    assert moved_share(blit, 0.4) == pytest.approx(expected)


def test_style_gan_1_is_refused_in_one_line():
    config = run_config(TINY, "fp32")
    sizes = {"img_height": 16, "img_width": 16, "channels": (8, 8, 8)}
    old = config.replace(
        family="stylegan1",
        generator=stylegan1.GeneratorConfig(**sizes),
        discriminator=stylegan1.DiscriminatorConfig(**sizes),
    )
    with pytest.raises(InputError, match=r"expected networks of family stylegan2, got stylegan1"):
        step_phases(old)
