"""The generator beside the definition in double precision.

Errors are relative to the largest value. Float32 and another order of the sums give about 1e-6; 1e-5 finds
every wrong term, which are of the order of 1.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from stylegan1_cases import GENERATORS, double_state, make_generator, relative_error
from stylegan1_reference import map_latents, synthesize

from stylegraft.errors import InputError
from stylegraft.networks.config import channels_per_block
from stylegraft.networks.stylegan1 import generator as generator_module
from stylegraft.networks.stylegan1.config import GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan1.generator import Generator
from stylegraft.networks.stylegan1.resample import nearest_upscale

TOLERANCE = 1e-5


def random_ws(generator: Generator, count: int = 3) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(count, generator.num_ws, generator.config.mapping.w_dim)


@pytest.mark.parametrize("lod", [0.0, 0.25, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("records_gradients", [False, True])
@pytest.mark.parametrize("name", GENERATORS)
def test_images_are_those_of_the_definition(name: str, records_gradients: bool, lod: float) -> None:
    generator = make_generator(**GENERATORS[name])
    ws = random_ws(generator)
    with torch.set_grad_enabled(records_gradients):
        images = generator.synthesis(ws, lod=lod)
    want = synthesize(generator.config, double_state(generator), ws.double(), lod)
    assert relative_error(images.double(), want) < TOLERANCE


@pytest.mark.parametrize("name", ["as published", "fused", "pixel norm only", "plain weights"])
def test_gradients_are_those_of_the_definition(name: str) -> None:
    generator = make_generator(**GENERATORS[name])
    ws = random_ws(generator).requires_grad_()
    images = generator.synthesis(ws, lod=0.5)
    torch.manual_seed(2)
    directions = torch.randn_like(images)
    parameters = dict(generator.synthesis.named_parameters(prefix="synthesis"))
    got = torch.autograd.grad((images * directions).sum(), [ws, *parameters.values()], allow_unused=True)

    state = {key: value.requires_grad_(key in parameters) for key, value in double_state(generator).items()}
    ws_double = ws.detach().double().requires_grad_()
    images = synthesize(generator.config, state, ws_double, lod=0.5)
    inputs = [ws_double, *(state[key] for key in parameters)]
    wanted = torch.autograd.grad((images * directions.double()).sum(), inputs, allow_unused=True)
    for key, gradient, want in zip(["ws", *parameters], got, wanted):
        if gradient is None:
            # The definition multiplies what is not in use by zero.
            assert want is None or not want.any(), key
        else:
            assert relative_error(gradient.double(), want) < 1e-4, key


def test_second_derivatives_are_those_of_the_definition() -> None:
    """As path length regularisation takes them: of the length of a gradient with respect to w."""
    generator = make_generator(fused_from_px=16)
    state = double_state(generator)
    name = "synthesis.b8.layer0.weight"
    torch.manual_seed(2)
    directions = torch.randn(2, 3, 16, 16, dtype=torch.float64)

    def length_gradient(images: torch.Tensor, ws: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        product = (images * directions.to(images.dtype)).sum()
        (gradient,) = torch.autograd.grad(product, ws, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), weight)[0]

    ws = random_ws(generator, 2).requires_grad_()
    weight = generator.get_parameter(name)
    got = length_gradient(generator.synthesis(ws), ws, weight)
    ws = ws.detach().double().requires_grad_()
    state[name].requires_grad_()
    want = length_gradient(synthesize(generator.config, state, ws), ws, state[name])
    assert relative_error(got.double(), want) < 1e-4


@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize(
    "changes",
    [{}, {"normalize_latents": False}, {"activation": "relu"}, {"use_wscale": False}, {"num_layers": 1}],
)
def test_mapping_is_that_of_the_definition(c_dim: int, changes: dict[str, Any]) -> None:
    sizes: dict[str, Any] = {"z_dim": 12, "w_dim": 9, "num_layers": 3, "layer_features": 7, "c_dim": c_dim}
    generator = make_generator(mapping=MappingConfig(**sizes | changes))
    z = torch.randn(4, 12)
    c = torch.eye(3)[[0, 2, 1, 2]] if c_dim else None
    ws = generator.mapping(z, c)
    want = map_latents(generator.config, double_state(generator), z.double(), c if c is None else c.double())
    assert relative_error(ws.double(), want[:, None].expand(-1, 6, -1)) < TOLERANCE
    truncated = generator.mapping(z, c, psi=0.5, cutoff=2)
    half_way = (generator.mapping.w_avg + ws[:, :2]) / 2
    assert torch.allclose(truncated[:, :2], half_way, atol=1e-6)
    assert torch.equal(truncated[:, 2:], ws[:, 2:])


def test_noise_modes() -> None:
    generator = make_generator()
    ws = random_ws(generator)
    want = synthesize(generator.config, double_state(generator), ws.double(), use_noise=False)
    assert relative_error(generator.synthesis(ws, "none").double(), want) < TOLERANCE
    noise = [torch.randn(3, 1, h, w) for h, w in generator.synthesis.noise_shapes]
    state = double_state(generator)
    for index, draw in enumerate(noise):
        block = generator.config.block_names[index // 2]
        state[f"synthesis.{block}.layer{index % 2}.noise_const"] = draw.double()
    want = synthesize(generator.config, state, ws.double(), lod=1.0)
    for given in (noise, noise[:4]):  # those of layers that are not in use may be left out
        images = generator.synthesis(ws, "random", given, lod=1.0)
        assert relative_error(images.double(), want) < TOLERANCE
    assert not torch.equal(generator.synthesis(ws, "random"), generator.synthesis(ws, "random"))


def test_images_do_not_depend_on_how_many_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = make_generator()
    ws = random_ws(generator, 5)
    noise = [torch.randn(5, 1, h, w) for h, w in generator.synthesis.noise_shapes]
    with torch.no_grad():
        together = [generator.synthesis(ws, "random", noise, lod=lod) for lod in (0.0, 0.5)]
        calls: list[int] = []
        layer = generator.synthesis.blocks[-1].layer1
        layer.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
        monkeypatch.setattr(generator_module, "_CHUNK_BYTES", 2 * 8 * 8 * 8 * 4)
        apart = [generator.synthesis(ws, "random", noise, lod=lod) for lod in (0.0, 0.5)]
    assert calls == 2 * [1, 1, 1, 1, 1]
    for want, got in zip(together, apart):
        assert relative_error(got, want) < TOLERANCE


def test_what_is_not_in_use_gets_no_gradient() -> None:
    generator = make_generator()
    generator.set_lod(1.0)
    generator.synthesis(random_ws(generator)).sum().backward()
    with_gradient = {name for name, value in generator.synthesis.named_parameters() if value.grad is not None}
    blocks = {name.split(".")[0] for name in with_gradient}
    assert blocks == {"b4", "b8"}
    assert {name for name in with_gradient if "torgb" in name} == {"b8.torgb.weight", "b8.torgb.bias"}
    assert generator.num_ws_in_use(1.0) == generator.num_ws_in_use(1.75) == 4
    assert generator.num_ws_in_use(0.0) == generator.num_ws == 6


def test_lod_is_saved_with_the_weights() -> None:
    generator = make_generator()
    generator.set_lod(1.25)
    copy = make_generator(seed=1)
    copy.load_state_dict(generator.state_dict())
    assert copy.lod == 1.25
    ws = random_ws(generator)
    assert torch.equal(copy.synthesis(ws), generator.synthesis(ws, lod=1.25))


def test_images_of_native_size_are_those_of_full_size_without_repetition() -> None:
    generator = make_generator()
    ws = random_ws(generator)
    native = generator.synthesis(ws, lod=1.5, image_size="native")
    assert native.shape == (3, 3, 8, 8)
    assert torch.equal(nearest_upscale(native, 2), generator.synthesis(ws, lod=1.5))


def test_bfloat16_stays_near_float32() -> None:
    """bfloat16 has 8 bits: 0.4 % a value. Five layers in which errors add up at random stay below 3 %."""
    generator = make_generator()
    ws = random_ws(generator)
    want = generator.synthesis(ws)
    generator.set_compute_dtype(torch.bfloat16)
    images = generator.synthesis(ws)
    assert images.dtype == torch.float32
    assert 1e-4 < (images - want).square().mean().sqrt() / want.square().mean().sqrt() < 0.03
    images.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in generator.parameters())


def test_statistics_survive_a_large_mean() -> None:
    """A map with a mean of 1000 times its deviation is normalised to the accuracy of float32 values."""
    generator = make_generator()
    layer = generator.synthesis.blocks[0].layer0
    with torch.no_grad():
        layer.bias.fill_(1000.0)
        generator.synthesis.blocks[0].const.normal_()
    ws = random_ws(generator)
    want = synthesize(generator.config, double_state(generator), ws.double())
    for records_gradients in (False, True):
        with torch.set_grad_enabled(records_gradients):
            # Values near 1000 are 6e-5 apart.
            assert relative_error(generator.synthesis(ws).double(), want) < 5e-4


def test_generator_of_1024_px_has_26_2_million_parameters() -> None:
    """26.2 M trainable parameters: Karras et al. 2019, section 2."""
    config = GeneratorConfig(img_height=1024, img_width=1024, channels=channels_per_block(8, 16384, 512))
    with torch.device("meta"):
        generator = Generator(config)
    assert round(sum(p.numel() for p in generator.parameters()) / 1e6, 1) == 26.2
    assert generator.num_ws == 18
    assert [4 << block for block in range(9) if config.is_fused(block)] == [128, 256, 512, 1024]


def test_wrong_input_is_named() -> None:
    generator = make_generator(mapping=MappingConfig(z_dim=12, w_dim=9, num_layers=1, c_dim=3))
    ws = random_ws(generator)
    for lod in (-0.1, 2.1, float("nan")):
        with pytest.raises(InputError, match="lod"):
            generator.synthesis(ws, lod=lod)
        with pytest.raises(InputError, match="lod"):
            generator.set_lod(lod)
    with pytest.raises(InputError, match="ws"):
        generator.synthesis(ws[:, 1:])
    with pytest.raises(InputError, match="noise_mode"):
        generator.synthesis(ws, "loud")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="noise"):
        generator.synthesis(ws, "random", [torch.zeros(3, 1, 4, 4)])
    with pytest.raises(InputError, match="c: expected"):
        generator.mapping(torch.zeros(2, 12))
    with pytest.raises(InputError, match="one row for each of the 2 rows of z, got 1"):
        generator.mapping(torch.zeros(2, 12), torch.zeros(1, 3))
