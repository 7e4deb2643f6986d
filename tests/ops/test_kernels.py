"""The compiled kernels against float32 torch on the same input, bfloat16 or float32.

Tolerances: a bfloat16 result differs by its last rounding, 2^-8 of the value; float32 results are sums of
up to some thousand products in another order, 1e-5 of the largest.
"""

import os
import subprocess
import sys
import time

import pytest
import torch
from torch.nn import functional as F

from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Discriminator, Generator
from stylegraft.ops.kernels.epilogue import epilogue
from stylegraft.ops.kernels.scale import scale_channels
from stylegraft.ops.kernels.spread import spread
from stylegraft.ops.kernels.switch import compile_kernels, first_order, kernels_fit
from stylegraft.ops.kernels.to_image import to_image

BF16, SUMS = 2**-8, 1e-5
# Few and odd channels (vector tails), one sample, and enough values for several threads.
SHAPES = [(3, 17, 7, 5), (1, 257, 4, 4), (4, 64, 32, 32)]


BOTH_TYPES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])


def maps(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.randn(*shape).to(dtype).to(memory_format=torch.channels_last)


def rounding(dtype: torch.dtype) -> float:
    return BF16 if dtype == torch.bfloat16 else SUMS


def distance(result: torch.Tensor, expected: torch.Tensor) -> float:
    return float((result.detach().float() - expected.detach()).abs().max() / expected.detach().abs().max())


@BOTH_TYPES
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("clamp", [None, 1.0])
@pytest.mark.parametrize("noisy", [True, False])
def test_epilogue_agrees_with_float32(shape, clamp, noisy, dtype):
    torch.manual_seed(0)
    n, channels, height, width = shape
    x, grad = maps(*shape, dtype=dtype), maps(*shape, dtype=dtype)
    scale, bias = torch.rand(n, channels) + 0.5, torch.randn(channels)
    noise = torch.randn(n, 1, height, width) if noisy else torch.zeros(n, 1, height, width)
    exact = [t.float().clone().requires_grad_() for t in (x, scale, noise, bias)]
    v = F.leaky_relu(exact[0] * exact[1][:, :, None, None] + exact[2] + exact[3][:, None, None], 0.2) * 2**0.5
    expected = v if clamp is None else v.clamp(-clamp, clamp)
    # Where rounding decides on which side of a kink a value lies, the derivative may be either.
    undecided = v.abs() < 1e-4
    if clamp is not None:
        undecided |= (v.abs() - clamp).abs() < 2 * rounding(dtype)
    grad[undecided] = 0

    inputs = [x.requires_grad_(), scale.requires_grad_(), noise.requires_grad_(), bias.requires_grad_()]
    y = epilogue(inputs[0], inputs[1], inputs[2], inputs[3], 0.2, 2**0.5, clamp)
    assert y.dtype == dtype
    assert distance(y, expected.detach()) < rounding(dtype)
    gradients = torch.autograd.grad(y, inputs, grad)
    expected_gradients = torch.autograd.grad(expected, exact, grad.float())
    # The kernel works x out from the rounded y, hence the rounding in the gradient of the scale.
    for gradient, wanted, tolerance in zip(
        gradients, expected_gradients, (rounding(dtype), 3 * rounding(dtype), SUMS, SUMS)
    ):
        assert distance(gradient, wanted) < tolerance


@BOTH_TYPES
@pytest.mark.parametrize("shape", SHAPES)
def test_scale_channels_agrees_with_float32(shape, dtype):
    torch.manual_seed(0)
    x, grad = maps(*shape, dtype=dtype), maps(*shape, dtype=dtype)
    factors = torch.randn(shape[:2])
    exact_x, exact_factors = x.float().clone().requires_grad_(), factors.clone().requires_grad_()
    expected = exact_x * exact_factors[:, :, None, None]
    wanted = torch.autograd.grad(expected, [exact_x, exact_factors], grad.float())
    y = scale_channels(x.requires_grad_(), factors.requires_grad_())
    grad_x, grad_factors = torch.autograd.grad(y, [x, factors], grad)
    assert distance(y, expected.detach()) < rounding(dtype)
    assert distance(grad_x, wanted[0]) < rounding(dtype)
    assert distance(grad_factors, wanted[1]) < SUMS


@BOTH_TYPES
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("image_channels", [1, 3])
def test_to_image_agrees_with_float32(shape, image_channels, dtype):
    torch.manual_seed(0)
    x, weights = maps(*shape, dtype=dtype), torch.randn(shape[0], image_channels, shape[1])
    exact_x, exact_weights = x.float().clone().requires_grad_(), weights.clone().requires_grad_()
    expected = torch.einsum("nchw,nkc->nkhw", exact_x, exact_weights)
    grad = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [exact_x, exact_weights], grad)
    y = to_image(x.requires_grad_(), weights.requires_grad_())
    grad_x, grad_weights = torch.autograd.grad(y, [x, weights], grad)
    assert y.dtype == torch.float32
    assert distance(y, expected.detach()) < SUMS
    assert distance(grad_x, wanted[0]) < rounding(dtype)
    assert distance(grad_weights, wanted[1]) < SUMS


@BOTH_TYPES
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("taps", [(4, 4), (3, 2), (1, 1)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
def test_spread_agrees_with_the_transposed_convolution(shape, taps, padding, dtype):
    torch.manual_seed(0)
    x, filter_taps = maps(*shape, dtype=dtype), torch.rand(taps)
    whole = F.conv_transpose2d(
        x.float(), filter_taps.expand(shape[1], 1, -1, -1), stride=2, groups=shape[1], output_padding=1
    )
    size = (whole.shape[2] - 2 * padding[0], whole.shape[3] - 2 * padding[1])
    expected = whole[:, :, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]
    assert distance(spread(x, filter_taps, padding, size), expected) < rounding(dtype)


def test_kernels_give_the_same_bits_with_any_number_of_threads(monkeypatch):
    torch.manual_seed(0)
    x, grad, factors = maps(3, 64, 32, 32), maps(3, 64, 32, 32), torch.randn(3, 64)
    x.requires_grad_()
    factors.requires_grad_()
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        y = scale_channels(x, factors)
        results.append([y.detach(), *torch.autograd.grad(y, [x, factors], grad)])
    for others in results[1:]:
        assert all(torch.equal(one, other) for one, other in zip(results[0], others))


def test_kernels_fit_channels_last_without_second_derivatives_only():
    x = maps(2, 8, 4, 4)
    assert not kernels_fit(x), "gradients are recorded, and nobody promised that they are of first order"
    with first_order():
        assert kernels_fit(x)
        assert not kernels_fit(x.contiguous())
        assert not kernels_fit(x[:, :1].contiguous()), "with one channel it is in both formats"
        assert kernels_fit(x.float())
        assert not kernels_fit(x.double())
        with first_order(False):
            assert not kernels_fit(x)
    with torch.no_grad():
        assert kernels_fit(x)


def test_kernels_refuse_to_be_differentiated_twice():
    x, factors = maps(1, 8, 4, 4).requires_grad_(), torch.ones(1, 8)
    (gradient,) = torch.autograd.grad(scale_channels(x, factors).float().square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.float().sum().backward()


@pytest.mark.parametrize(
    ("dtype", "images_apart", "gradients_apart"), [(torch.bfloat16, 0.02, 0.05), (torch.float32, 1e-5, 1e-4)]
)
def test_networks_compute_the_same_with_kernels_as_with_plain_torch(dtype, images_apart, gradients_apart):
    torch.manual_seed(0)
    channels = (16, 16, 8)
    mapping = MappingConfig(z_dim=16, w_dim=16, num_layers=2)
    for architecture in ("skip", "resnet"):
        G = Generator(
            GeneratorConfig(
                img_height=16,
                img_width=16,
                channels=channels,
                mapping=mapping,
                conv_clamp=256,
                architecture=architecture,
            )
        )
        D = Discriminator(DiscriminatorConfig(img_height=16, img_width=16, channels=channels))
        for network in (G, D):
            network.to(memory_format=torch.channels_last)
            network.set_compute_dtype(dtype)
            for name, parameter in network.named_parameters():
                if name.endswith(("bias", "noise_strength")):
                    parameter.data += 0.1 * torch.randn_like(parameter)
        parameters = [*G.parameters(), *D.parameters()]
        ws = G.mapping(torch.randn(4, 16))

        def run(G=G, D=D, ws=ws, parameters=parameters):
            images = G.synthesis(ws)
            return images, torch.autograd.grad(
                D(images).sum(), parameters, retain_graph=True, allow_unused=True
            )

        plain_images, plain = run()
        with first_order():
            images, gradients = run()
        # Both round after every layer, but at other places.
        assert distance(images, plain_images) < images_apart
        whole = torch.cat([g.flatten() for g in gradients if g is not None])
        whole_plain = torch.cat([g.flatten() for g in plain if g is not None])
        assert float((whole - whole_plain).norm() / whole_plain.norm()) < gradients_apart


def test_compile_kernels_is_quick_the_second_time():
    compile_kernels("bf16")
    start = time.perf_counter()
    compile_kernels("bf16")
    assert time.perf_counter() - start < 0.1


def test_launch_works_without_an_openmp_runtime(monkeypatch):
    monkeypatch.setattr("stylegraft.ops.kernels.parallel._team", lambda: (None, 0, 0))
    x, factors = maps(2, 64, 32, 32), torch.randn(2, 64)
    assert distance(scale_channels(x, factors), x.float() * factors[:, :, None, None]) < BF16


def test_kernels_do_all_the_work_with_fewer_threads_than_asked_for():
    program = (
        "import torch; from stylegraft.ops.kernels.scale import scale_channels\n"
        "torch.set_num_threads(4)\n"
        "x = torch.ones(4, 64, 32, 32, dtype=torch.bfloat16).to(memory_format=torch.channels_last)\n"
        "print(int((scale_channels(x, torch.full((4, 64), 3.0)) == 3).sum()))\n"
    )
    for limit in ({"OMP_THREAD_LIMIT": "1"}, {"OMP_THREAD_LIMIT": "3"}, {"OMP_DYNAMIC": "true"}):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | limit,
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stdout) == 4 * 64 * 32 * 32


def test_kernels_leave_several_threads_to_torch_where_they_have_but_one(monkeypatch):
    monkeypatch.setattr("stylegraft.ops.kernels.parallel._team", lambda: (None, 0, 0))
    x = maps(2, 8, 4, 4)
    with torch.no_grad():
        monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
        assert not kernels_fit(x)
        monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
        assert kernels_fit(x)
