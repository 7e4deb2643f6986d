"""The generator and the discriminator: shapes, truncation, noise, clamping, gradients, number types."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from stylegraft.errors import InputError
from stylegraft.networks.config import MappingConfig
from stylegraft.networks.layers import Conv
from stylegraft.networks.stylegan2 import SynthesisLayer, ToRGB

ARCHITECTURES = ["skip", "resnet", "orig"]


def one_hot(n: int, c_dim: int) -> torch.Tensor | None:
    return functional.one_hot(torch.arange(n) % c_dim, c_dim).float() if c_dim else None


@pytest.mark.parametrize(("size", "num_ws"), [((16, 16), 6), ((24, 16), 6), ((12, 12), 6), ((96, 64), 10)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("c_dim", "img_channels"), [(0, 3), (3, 1)])
def test_networks_have_the_shapes_they_promise(
    make_generator, make_discriminator, size, num_ws, architecture, c_dim, img_channels
):
    settings = {"architecture": architecture, "c_dim": c_dim, "img_channels": img_channels}
    G, D = make_generator(*size, **settings), make_discriminator(*size, **settings)
    c = one_hot(4, c_dim)
    ws = G.mapping(torch.randn(4, 12), c)
    images = G.synthesis(ws)
    assert G.num_ws == num_ws
    assert ws.shape == (4, num_ws, 10)
    assert images.shape == (4, img_channels, *size)
    assert images.dtype == torch.float32
    logits = D(images, c)
    assert logits.shape == (4, 1)
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


def test_48_px_has_an_odd_base(make_generator):
    G = make_generator(48, 48)
    assert G.synthesis.noise_shapes[0] == (3, 3)
    assert G(torch.randn(2, 12)).shape == (2, 3, 48, 48)


@pytest.mark.parametrize("depth", [1, 2, 8])
def test_mapping_has_the_depth_it_is_told(make_generator, depth):
    G = make_generator(depth=depth)
    assert [name for name, _ in G.mapping.named_children()] == [f"fc{index}" for index in range(depth)]
    z = torch.randn(3, 12)
    # Longhand: normalise; dense layers with weights scaled by lr / sqrt(fan in), leaky ReLU, gain sqrt 2.
    x = z / (z.square().mean(dim=1, keepdim=True) + 1e-8).sqrt()
    for index in range(depth):
        layer = G.mapping.get_submodule(f"fc{index}")
        x = x @ (layer.weight * 0.01 / math.sqrt(x.shape[1])).t() + layer.bias * 0.01
        x = functional.leaky_relu(x, 0.2) * math.sqrt(2)
    torch.testing.assert_close(G.mapping(z)[:, 0], x)


def test_labels_change_w_and_logits(make_generator, make_discriminator):
    G, D = make_generator(c_dim=3), make_discriminator(c_dim=3)
    z, eye = torch.randn(1, 12).expand(3, -1), torch.eye(3)
    ws = G.mapping(z, eye)
    assert (ws[0] - ws[1]).abs().max() > 1e-4
    logits = D(torch.randn(1, 3, 16, 16).expand(3, -1, -1, -1), eye)
    assert logits.flatten().unique().numel() == 3


def test_truncation_moves_w_towards_its_mean(make_generator):
    mapping = make_generator().mapping
    z = torch.randn(3, 12)
    ws = mapping(z)
    torch.testing.assert_close(mapping(z, psi=0.7), mapping.w_avg + 0.7 * (ws - mapping.w_avg))
    assert torch.equal(mapping(z, psi=0), mapping.w_avg.expand_as(ws))
    cut = mapping(z, psi=0.5, cutoff=2)
    torch.testing.assert_close(cut[:, :2], mapping.w_avg + 0.5 * (ws[:, :2] - mapping.w_avg))
    assert torch.equal(cut[:, 2:], ws[:, 2:])
    assert torch.equal(mapping(z, psi=0.5, cutoff=0), ws)


def test_negative_cutoff_is_refused(make_generator):
    with pytest.raises(InputError, match="cutoff: expected 0 or more layers, got -1"):
        make_generator().mapping(torch.randn(1, 12), psi=0.5, cutoff=-1)


def test_truncation_needs_a_mean(make_generator):
    G = make_generator(mapping=MappingConfig(z_dim=12, w_dim=10, num_layers=1, w_avg_beta=None))
    assert "mapping.w_avg" not in G.state_dict()
    G.mapping(torch.randn(1, 12))
    with pytest.raises(InputError, match="psi: this network keeps no w_avg"):
        G.mapping(torch.randn(1, 12), psi=0.7)


def test_w_avg_moves_by_its_decay(make_generator):
    mapping = make_generator().mapping
    before, mean = mapping.w_avg.clone(), torch.randn(10)
    mapping.update_w_avg(mean)
    torch.testing.assert_close(mapping.w_avg, 0.995 * before + 0.005 * mean)


def test_noise_modes_do_what_they_say(make_generator):
    G = make_generator()
    ws = G.mapping(torch.randn(2, 12))
    none, const = G.synthesis(ws, "none"), G.synthesis(ws, "const")
    assert torch.equal(none, G.synthesis(ws, "none"))
    assert torch.equal(const, G.synthesis(ws, "const"))
    assert (none - const).abs().max() > 1e-3
    assert (G.synthesis(ws, "random") - G.synthesis(ws, "random")).abs().max() > 1e-3
    stored = [
        layer.noise_const.expand(2, 1, -1, -1) for block in G.synthesis.blocks for layer in block.layers
    ]
    torch.testing.assert_close(G.synthesis(ws, "random", stored), const)


def test_generator_without_noise_inputs_has_none(make_generator):
    G = make_generator(use_noise=False)
    assert not [name for name in G.state_dict() if "noise" in name]
    ws = G.mapping(torch.randn(2, 12))
    assert torch.equal(G.synthesis(ws, "random"), G.synthesis(ws, "none"))


def test_each_w_reaches_the_image(make_generator):
    G = make_generator()
    ws = G.mapping(torch.randn(1, 12)).detach().requires_grad_()
    G.synthesis(ws, "none").square().sum().backward()
    assert ws.grad is not None
    assert (ws.grad.abs().amax(dim=(0, 2)) > 0).all()


def test_clamp_limits_convolutions_and_images(make_generator, make_discriminator):
    # Small enough to bite everywhere: the leaky ReLU's output after a clamp of 0.01 lies within it.
    G, D = make_generator(conv_clamp=0.01), make_discriminator(conv_clamp=0.01)
    outputs = []
    for network in (G, D):
        for module in network.modules():
            if isinstance(module, (SynthesisLayer, ToRGB)) or (
                isinstance(module, Conv) and module.conv_clamp
            ):
                module.register_forward_hook(lambda m, i, output: outputs.append(output.abs().max().item()))
    images = G(torch.randn(4, 12))
    D(torch.randn(4, 3, 16, 16))
    assert len(outputs) >= 10
    assert max(outputs) == pytest.approx(0.01)
    assert images.abs().max() <= 0.04 + 1e-6  # three ToRGB layers add up; upsampling may overshoot a little


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda G, D: G.mapping(torch.zeros(2, 11)), r"z: expected .*\[N, 12\], got \[2, 11\]"),
        (lambda G, D: G.mapping(torch.zeros(12)), r"z: expected .*\[N, 12\], got \[12\]"),
        (lambda G, D: G.mapping(None), r"z: expected .* got None"),
        (lambda G, D: G.mapping(torch.zeros(2, 12)), r"c: expected .*\[N, 3\], got None"),
        (lambda G, D: G.mapping(torch.zeros(2, 12), torch.zeros(2, 4)), r"c: expected .* got \[2, 4\]"),
        (
            lambda G, D: G.mapping(torch.zeros(2, 12), torch.zeros(3, 3)),
            r"c: expected one row for each of the 2 rows of z, got 3",
        ),
        (lambda G, D: G.synthesis(torch.zeros(2, 5, 10)), r"ws: expected shape \[N, 6, 10\]"),
        (lambda G, D: G.synthesis(torch.zeros(2, 10)), r"ws: expected shape .* got \[2, 10\]"),
        (lambda G, D: G.synthesis(torch.zeros(2, 6, 10), "loud"), "noise_mode: expected const"),
        (lambda G, D: G.synthesis(torch.zeros(2, 6, 10), "random", []), "noise: expected 5 tensors"),
        (lambda G, D: D(torch.zeros(2, 1, 16, 16), torch.zeros(2, 3)), r"img: .*\[N, 3, 16, 16\], got"),
        (lambda G, D: D(torch.zeros(3, 16, 16), torch.zeros(2, 3)), r"img: expected shape"),
        (lambda G, D: D(torch.zeros(2, 3, 16, 16)), r"c: expected .* got None"),
        (
            lambda G, D: D(torch.zeros(4, 3, 16, 16), torch.zeros(1, 3)),
            r"c: expected one row for each of the 4 images, got 1",
        ),
    ],
)
def test_wrong_shapes_are_refused_in_one_line(make_generator, make_discriminator, call, words):
    with pytest.raises(InputError, match=words) as caught:
        call(make_generator(c_dim=3), make_discriminator(c_dim=3))
    assert "\n" not in str(caught.value)


def test_minibatch_std_sees_the_group_and_nothing_beyond(make_discriminator):
    D = make_discriminator(mbstd_group_size=4).eval()
    images = torch.randn(8, 3, 16, 16)
    logits = D(images)
    changed = images.clone()
    changed[0] *= 3
    moved = (D(changed) - logits).abs().flatten() > 1e-6
    # Groups are strided: with two groups of four, samples 0, 2, 4, 6 belong together.
    assert moved.tolist() == [True, False, True, False, True, False, True, False]
    alone = make_discriminator(mbstd_num_channels=0).eval()
    assert ((alone(changed) - alone(images)).abs().flatten() > 1e-6).tolist() == [True] + [False] * 7


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("c_dim", [0, 3])
def test_gradients_reach_every_parameter(make_generator, make_discriminator, architecture, c_dim):
    G = make_generator(architecture=architecture, c_dim=c_dim)
    D = make_discriminator(architecture=architecture, c_dim=c_dim)
    c = one_hot(4, c_dim)
    images = G(torch.randn(4, 12), c, noise_mode="random")
    (D(images, c) * torch.randn(4, 1)).sum().backward()
    for network in (G, D):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_bf16_is_close_to_fp32(make_generator, make_discriminator, architecture):
    G, D = make_generator(architecture=architecture), make_discriminator(architecture=architecture)
    z = torch.randn(4, 12)
    exact_images = G(z)
    exact_logits = D(exact_images)
    for network in (G, D):
        network.set_compute_dtype(torch.bfloat16)
    images = G(z)
    logits = D(exact_images)
    assert images.dtype == logits.dtype == torch.float32
    # bfloat16 keeps 8 bits (0.4 %), and half a dozen layers each round several times.
    for rounded, exact in ((images, exact_images), (logits, exact_logits)):
        error = (rounded - exact).square().mean().sqrt() / exact.square().mean().sqrt()
        assert 1e-5 < error < 0.04


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_saved_tensors_are_weights_and_noise_only(make_generator, make_discriminator, architecture):
    for network in (make_generator(architecture=architecture), make_discriminator(architecture=architecture)):
        names = network.state_dict().keys()
        assert not [name for name in names if "resample_filter" in name]
        parameters = dict(network.named_parameters()).keys()
        assert all(name.endswith(("noise_const", "w_avg")) for name in names - parameters)


@pytest.mark.parametrize("up", [1, 2])
def test_synthesis_layer_is_the_equation_of_the_paper(make_generator, up):
    """Karras et al. 2020, equations 1 and 3, weight by weight and pixel by pixel, in float64."""
    G = make_generator()
    block = G.synthesis.blocks[1]
    layer = block.conv0 if up == 2 else block.conv1
    with torch.no_grad():
        layer.bias.normal_()
    x, w = torch.randn(2, 8, 4 * (2 // up), 4 * (2 // up)), torch.randn(2, 10)
    noise = torch.randn(2, 1, 8, 8)
    result = layer(x, w, noise, gain=0.5)

    expected = torch.empty(2, 8, 8, 8, dtype=torch.float64)
    for n in range(2):
        affine = layer.affine
        style = affine.weight.double() @ w[n].double() / math.sqrt(10) + affine.bias.double()  # s_i
        weight = layer.weight.double() * style[None, :, None, None]  # w'_ijk = s_i w_ijk
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()  # w''_ijk
        image = x[n : n + 1].double()
        if up == 2:
            # Zeros between the pixels, convolution (flipped, as a transposed convolution does), then the FIR
            # [1 3 3 1] in both directions, scaled to keep the brightness of an image twice as large.
            spread = torch.zeros(1, 8, 8, 8, dtype=torch.float64)
            spread[:, :, ::2, ::2] = image
            taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64) / 8
            fir = (taps[:, None] * taps[None, :] * 4).expand(8, 1, 4, 4)
            image = functional.conv2d(functional.pad(spread, [3, 2, 3, 2]), fir, groups=8)
            y = functional.conv2d(image, weight.flip(2, 3))
        else:
            y = functional.conv2d(image, weight, padding=1)
        y = y + noise[n].double() * 0.3 + layer.bias.double()[None, :, None, None]
        expected[n] = functional.leaky_relu(y, 0.2)[0] * math.sqrt(2) * 0.5
    # float32 sums of 72 products.
    torch.testing.assert_close(result.double(), expected, rtol=1e-4, atol=2e-5)


def test_torgb_modulates_without_demodulation(make_generator):
    layer = make_generator().synthesis.blocks[0].torgb
    x, w = torch.randn(2, 8, 4, 4), torch.randn(2, 10)
    style = (w @ (layer.affine.weight / math.sqrt(10)).t() + layer.affine.bias) / math.sqrt(8)
    expected = torch.einsum("nihw,ni,oi->nohw", x, style, layer.weight[:, :, 0, 0])
    torch.testing.assert_close(layer(x, w), expected)


def test_convolution_weights_are_scaled_by_their_fan_in():
    torch.manual_seed(0)
    layer = Conv(6, 5, 3)
    x = torch.randn(2, 6, 7, 7)
    torch.testing.assert_close(layer(x), functional.conv2d(x, layer.weight / math.sqrt(54), padding=1))
