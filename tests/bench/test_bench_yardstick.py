"""The yardstick is a real StyleGAN2: right operations, the project's images, learning in every tensor."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stylegraft.bench.plain_networks import fir_kernel, modulated_conv, upsample
from stylegraft.bench.shipped import run_config
from stylegraft.bench.yardstick import Yardstick, YardstickSettings, lazy_adam
from stylegraft.networks.stylegan2 import Discriminator, Generator

TINY = YardstickSettings(
    resolution_px=16, channel_base=128, channel_max=12, z_dim=8, w_dim=10, mapping_layers=2, batch=4
)


def tiny_yardstick() -> Yardstick:
    return Yardstick(TINY, augment=lambda images: images)


def tiny_reals() -> torch.Tensor:
    return torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)


def fill(network: nn.Module) -> None:
    """Gives zero-initialised tensors values, so that each term of the equations shows."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_modulated_conv_equals_a_loop_over_samples(up, demodulate):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 6, 5, generator=generator)
    weight = torch.randn(7, 4, 3, 3, generator=generator)
    styles = torch.randn(3, 4, generator=generator)
    y = modulated_conv(x, weight, styles, fir_kernel(), up=up, demodulate=demodulate)
    for sample in range(3):
        kernel = weight * styles[sample][None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum(dim=[1, 2, 3], keepdim=True) + 1e-8).sqrt()
        if up:
            # The published form: transposed convolution of stride 2, then the FIR with gain 4.
            z = F.conv_transpose2d(x[sample : sample + 1], kernel.transpose(0, 1), stride=2)
            z = F.conv2d(F.pad(z, [1, 1, 1, 1]), (fir_kernel() * 4).expand(7, 1, 4, 4), groups=7)
        else:
            z = F.conv2d(x[sample : sample + 1], kernel, padding=1)
        # Sums of 36 products in another order: a few float32 roundings of values of about 10.
        torch.testing.assert_close(y[sample : sample + 1], z, rtol=1e-4, atol=1e-4)


def test_upsample_keeps_a_constant_and_doubles_the_size():
    y = upsample(torch.ones(1, 2, 6, 5), fir_kernel())
    assert y.shape == (1, 2, 12, 10)
    torch.testing.assert_close(y[:, :, 2:-2, 2:-2], torch.ones(1, 2, 8, 6))


def test_yardstick_has_the_parameters_of_the_architecture():
    yardstick = Yardstick(YardstickSettings(), augment=lambda images: images)
    channels = [256, 256, 256, 128, 64]
    mapping = 8 * (512 * 512 + 512)
    g = mapping + 256 * 16  # the constant
    for index, c in enumerate(channels):
        if index:
            before = channels[index - 1]
            g += before * c * 9 + c + 1 + 513 * before  # conv0: kernel, bias, noise strength, style
        g += c * c * 9 + c + 1 + 513 * c  # conv1
        g += c * 3 + 3 + 513 * c  # ToRGB
    d = 3 * 64 + 64
    for c, after in zip([64, 128, 256, 256], [128, 256, 256, 256]):
        d += c * c * 9 + c + c * after * 9 + after + c * after
    d += 257 * 256 * 9 + 256 + 4096 * 256 + 256 + 256 + 1
    assert sum(p.numel() for p in yardstick.G.parameters()) == g == 7056600
    assert sum(p.numel() for p in yardstick.D.parameters()) == d == 4727617


def test_yardstick_networks_compute_what_the_shipped_ones_do():
    yardstick = tiny_yardstick()
    fill(yardstick.G)
    fill(yardstick.D)
    config = run_config(TINY, "fp32")
    G, D = Generator(config.generator), Discriminator(config.discriminator)
    for mine, other in ((yardstick.G, G), (yardstick.D, D)):
        # What is left over on either side may only be filters, which are constants.
        report = other.load_state_dict(mine.state_dict(), strict=False)
        names = [*report.missing_keys, *report.unexpected_keys]
        assert all(name.endswith("resample_filter") for name in names)
    z = torch.randn(4, 8, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        ws = G.mapping(z)
        torch.testing.assert_close(yardstick.G.mapping(z), ws[:, 0])
        ws = ws + torch.randn(ws.shape, generator=torch.Generator().manual_seed(4))  # another w in each layer
        images = G.synthesis(ws, noise_mode="const")
        # Ten float32 convolutions in another order of summation.
        scale = images.abs().max().item()
        torch.testing.assert_close(
            yardstick.G.synthesis(ws, random_noise=False), images, rtol=0, atol=1e-5 * scale
        )
        logits = D(images)
        torch.testing.assert_close(yardstick.D(images), logits, rtol=0, atol=1e-5 * logits.abs().max().item())


def test_yardstick_step_moves_every_parameter():
    yardstick = tiny_yardstick()
    before = {id(p): p.detach().clone() for n in (yardstick.G, yardstick.D) for p in n.parameters()}
    yardstick.step(0, tiny_reals())
    for network in (yardstick.G, yardstick.D):
        for name, parameter in network.named_parameters():
            assert torch.isfinite(parameter).all(), name
            assert not torch.equal(parameter, before[id(parameter)]), name
    assert set(yardstick.losses) == {"G", "path_length", "D_fake", "D_real", "R1"}


def test_yardstick_regularises_at_its_intervals():
    yardstick = tiny_yardstick()
    called = []
    for index in range(17):
        yardstick.losses.clear()
        yardstick.step(index, tiny_reals())
        called.append(set(yardstick.losses) & {"path_length", "R1"})
    assert [index for index in range(17) if "path_length" in called[index]] == [0, 4, 8, 12, 16]
    assert [index for index in range(17) if "R1" in called[index]] == [0, 16]


def test_yardstick_r1_is_the_squared_gradient():
    yardstick = tiny_yardstick()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 1))
    yardstick.D = linear  # pyright: ignore[reportAttributeAccessIssue]
    expected = linear[1].weight.square().sum() * TINY.r1_gamma / 2 * 16
    torch.testing.assert_close(yardstick._r1_loss(tiny_reals()), expected)


def test_lazy_adam_corrects_rate_and_betas():
    optimizer = lazy_adam([nn.Parameter(torch.zeros(1))], 0.0025, interval=4)
    group = optimizer.param_groups[0]
    assert group["lr"] == pytest.approx(0.0025 * 0.8)
    assert group["betas"] == (0.0, pytest.approx(0.99**0.8))


def test_yardstick_samples_by_seed():
    yardstick = tiny_yardstick()
    fill(yardstick.G_ema)
    pictures = yardstick.sample([5, 6, 5])
    assert pictures.shape == (3, 16, 16, 3)
    assert pictures.dtype == torch.uint8
    # Grouped convolutions of one batch may round differently by position: one grey level.
    assert (pictures[0].int() - pictures[2].int()).abs().max() <= 1
    assert (pictures[0].int() - pictures[1].int()).abs().max() > 1
