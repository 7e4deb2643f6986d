"""Official files with options that the reference files lack, written from our networks and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_writer import Persistent, freeze, official, random_networks, write_official

from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.errors import CheckpointError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.layers import register_filter
from stylegraft.networks.stylegan2 import Discriminator, Generator

SIZE: dict[str, Any] = {"img_height": 16, "img_width": 16, "channels": (6, 5, 4)}
MAPPING = MappingConfig(z_dim=5, w_dim=7, num_layers=2)
LABELS = MappingConfig(z_dim=0, c_dim=3, w_dim=8, num_layers=2, w_avg_beta=None)

VARIANTS: dict[str, tuple[GeneratorConfig, DiscriminatorConfig]] = {
    "defaults": (
        GeneratorConfig(**SIZE, mapping=MAPPING),
        DiscriminatorConfig(**SIZE),
    ),
    "grey_resnet_clamped": (
        GeneratorConfig(**SIZE, mapping=MAPPING, img_channels=1, architecture="resnet", conv_clamp=0.5),
        DiscriminatorConfig(**SIZE, img_channels=1, architecture="orig", conv_clamp=2.0),
    ),
    "orig_without_noise": (
        GeneratorConfig(**SIZE, mapping=MAPPING, architecture="orig", use_noise=False),
        DiscriminatorConfig(**SIZE, architecture="skip", mbstd_num_channels=0, mbstd_group_size=None),
    ),
    "other_activations": (
        GeneratorConfig(**SIZE, mapping=MAPPING.replace(activation="swish"), activation="tanh"),
        DiscriminatorConfig(**SIZE, activation="elu", mbstd_group_size=None, mbstd_num_channels=3),
    ),
    "short_filter": (
        GeneratorConfig(**SIZE, mapping=MAPPING, resample_filter=(1.0, 2.0, 1.0)),
        DiscriminatorConfig(**SIZE, resample_filter=(1.0,)),
    ),
    "asymmetric_and_long_filters": (
        GeneratorConfig(**SIZE, mapping=MAPPING, resample_filter=(1.0, 2.0, 5.0, 3.0)),
        DiscriminatorConfig(
            **SIZE, architecture="skip", resample_filter=(1.0, 7.0, 21.0, 35.0, 35.0, 21.0, 7.0, 1.0)
        ),
    ),
    "conditional_with_odd_widths": (
        GeneratorConfig(
            **SIZE,
            mapping=MAPPING.replace(
                c_dim=3, embed_features=4, layer_features=9, num_layers=3, lr_multiplier=0.1, w_avg_beta=0.9
            ),
        ),
        DiscriminatorConfig(**SIZE, mapping=LABELS.replace(embed_features=2, layer_features=11)),
    ),
    "no_w_average_one_layer": (
        GeneratorConfig(**SIZE, mapping=MAPPING.replace(w_avg_beta=None, num_layers=1)),
        DiscriminatorConfig(**SIZE, mapping=LABELS.replace(num_layers=1, lr_multiplier=1.0)),
    ),
}


def networks_of(variant: str = "defaults") -> dict[str, Any]:
    return {name: official(module) for name, module in random_networks(*VARIANTS[variant]).items()}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_each_pickle_protocol_reads_alike(tmp_path: Path, protocol: int) -> None:
    root = {**networks_of(), "augment_pipe": None, "training_set_kwargs": {"path": "x", "max_size": 7}}
    checkpoint = read_foreign(write_official(tmp_path / "x.pkl", root, protocol))
    assert checkpoint.generator_config == VARIANTS["defaults"][0]
    assert checkpoint.extras == {"training_set_kwargs": {"path": "x", "max_size": 7}, "augment": None}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_is_inferred_from_the_file(tmp_path: Path, variant: str) -> None:
    networks = random_networks(*VARIANTS[variant])
    root = {name: official(module) for name, module in networks.items()}
    checkpoint = read_foreign(write_official(tmp_path / "x.pkl", root))
    assert (checkpoint.generator_config, checkpoint.discriminator_config) == VARIANTS[variant]
    for name, module in networks.items():
        expected = module.state_dict()
        assert checkpoint.tensors[name].keys() == expected.keys()
        for tensor, value in checkpoint.tensors[name].items():
            assert torch.equal(value, expected[tensor]), tensor
    assert not checkpoint.report.missing
    assert not checkpoint.report.left_over


def test_loaded_variant_computes_what_the_saved_one_did(tmp_path: Path) -> None:
    networks = random_networks(*VARIANTS["conditional_with_odd_widths"])
    root = {name: official(module) for name, module in networks.items()}
    checkpoint = read_foreign(write_official(tmp_path / "x.pkl", root))
    generator = Generator(checkpoint.generator_config)
    generator.load_state_dict(checkpoint.tensors["G_ema"])
    assert checkpoint.discriminator_config is not None
    discriminator = Discriminator(checkpoint.discriminator_config)
    discriminator.load_state_dict(checkpoint.tensors["D"])
    z, c = torch.randn(2, 5), torch.eye(3)[:2]
    img = generator(z, c)
    assert torch.equal(img, networks["G_ema"](z, c))
    assert torch.equal(discriminator(img, c), networks["D"](img, c))


def test_frozen_discriminator_layers_are_read(tmp_path: Path) -> None:
    root = networks_of()
    for path in ("b16.fromrgb", "b16.conv0", "b16.conv1", "b16.skip"):
        freeze(root["D"].at(path))
    checkpoint = read_foreign(write_official(tmp_path / "x.pkl", root))
    assert torch.equal(
        checkpoint.tensors["D"]["b16.conv0.weight"],
        root["D"].at("b16.conv0").state["_buffers"]["weight"],
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    networks = random_networks(*VARIANTS["defaults"])
    root = {"G_ema": official(networks["G_ema"].to(dtype))}
    for layer in ("b4", "b8", "b16"):
        # Half a digit of a filter is not the filter; the official buffers are float32 at all times.
        register_filter(networks["G_ema"].get_submodule(f"synthesis.{layer}"), (1.0, 3.0, 3.0, 1.0))
    checkpoint = read_foreign(write_official(tmp_path / "x.pkl", root))
    assert checkpoint.discriminator_config is None
    for name, value in networks["G_ema"].state_dict().items():
        assert checkpoint.tensors["G_ema"][name].dtype == torch.float32
        assert torch.equal(checkpoint.tensors["G_ema"][name], value.to(torch.float32))


def test_tensors_are_read_through_offsets_and_strides(tmp_path: Path) -> None:
    root = networks_of()
    weight = root["G_ema"].at("mapping.fc0").state["_parameters"]["weight"]
    inside = torch.randn(20, 30)[3 : 3 + weight.shape[1], 2 : 2 + weight.shape[0]].t()
    root["G_ema"].at("mapping.fc0").state["_parameters"]["weight"] = inside
    checkpoint = read_foreign(write_official(tmp_path / "x.pkl", root))
    assert torch.equal(checkpoint.tensors["G_ema"]["mapping.fc0.weight"], inside)


def test_augmentation_settings_are_kept(tmp_path: Path) -> None:
    pipe = Persistent(
        "AugmentPipe",
        {
            "training": True,
            "_parameters": {},
            "_buffers": {"p": torch.tensor(0.25), "Hz_geom": torch.ones(12)},
            "_modules": {},
            "xflip": 1.0,
            "imgfilter_bands": [1, 1],
        },
    )
    checkpoint = read_foreign(write_official(tmp_path / "x.pkl", {**networks_of(), "augment_pipe": pipe}))
    assert checkpoint.extras["augment"] == {"xflip": 1.0, "imgfilter_bands": [1, 1], "p": 0.25}
    assert checkpoint.report.left_over == ["augment_pipe.Hz_geom"]


def test_report_is_readable_and_plain(tmp_path: Path) -> None:
    report = read_foreign(write_official(tmp_path / "x.pkl", networks_of())).report
    assert "G_ema.mapping.w_avg" in report.to_dict()["copied"]
    assert "G_ema.synthesis.b8.conv0.resample_filter" in report.verified
    assert str(report).splitlines()[0] == f"copied: {len(report.copied)}"


def wrong_activation(root: dict[str, Any]) -> None:
    root["G_ema"].at("synthesis.b8.conv0").state["activation"] = "relu"


def wrong_gain(root: dict[str, Any]) -> None:
    root["D"].at("b4.fc").state["weight_gain"] *= 2


def wrong_clamp(root: dict[str, Any]) -> None:
    root["G"].at("synthesis.b4.torgb").state["conv_clamp"] = 1.0


def wrong_filter(root: dict[str, Any]) -> None:
    root["D"].at("b8.conv1").state["_buffers"]["resample_filter"] = torch.full((4, 4), 1 / 16)


def not_separable_filter(root: dict[str, Any]) -> None:
    root["D"].at("b16").state["_buffers"]["resample_filter"] = torch.eye(4) / 4


def other_class(root: dict[str, Any]) -> None:
    root["G"].at("mapping.fc1").class_name = "SpectralLayer"


def extra_module(root: dict[str, Any]) -> None:
    empty = {"_parameters": {}, "_buffers": {}, "_modules": {}}
    root["G"].at("synthesis").state["_modules"]["attention"] = Persistent("Attention", empty)


def extra_tensor(root: dict[str, Any]) -> None:
    root["G_ema"].at("synthesis.b4").state["_buffers"]["bank"] = torch.ones(3)


def missing_tensor(root: dict[str, Any]) -> None:
    del root["G_ema"].at("synthesis.b8.conv1").state["_parameters"]["noise_strength"]


def wrong_shape(root: dict[str, Any]) -> None:
    root["D"].at("b4.out").state["_parameters"]["weight"] = torch.ones(2, 6)


def missing_block(root: dict[str, Any]) -> None:
    del root["D"].state["_modules"]["b8"]


def missing_attribute(root: dict[str, Any]) -> None:
    del root["G"].state["num_ws"]


def different_generators(root: dict[str, Any]) -> None:
    root["G"] = networks_of("other_activations")["G"]


def stylegan3(root: dict[str, Any]) -> None:
    empty = {"_parameters": {}, "_buffers": {}, "_modules": {}}
    for name in ("G", "G_ema"):
        root[name].at("synthesis").state["_modules"] = {"input": Persistent("SynthesisInput", empty)}


def tensor_as_network(root: dict[str, Any]) -> None:
    root["D"] = torch.ones(3)


CHANGES = {
    wrong_activation: "synthesis.b8.conv0 (SynthesisLayer) with activation relu where lrelu",
    wrong_gain: "D.b4.fc (FullyConnectedLayer) with weight_gain",
    wrong_clamp: "G.synthesis.b4.torgb (ToRGBLayer) with conv_clamp 1.0",
    wrong_filter: "b8.conv1.resample_filter unlike",
    not_separable_filter: "no outer product",
    other_class: "G.mapping.fc1 (SpectralLayer)",
    extra_module: "G.synthesis.attention (Attention)",
    extra_tensor: "tensor synthesis.b4.bank of shape (3,) where None",
    missing_tensor: "tensor synthesis.b8.conv1.noise_strength of shape None where ()",
    wrong_shape: "tensor b4.out.weight of shape (2, 6) where (1, 6)",
    missing_block: "1 blocks where the generator has 3",
    missing_attribute: "num_ws",
    different_generators: "G and G_ema of different architectures",
    stylegan3: "StyleGAN3, which is not supported yet",
    tensor_as_network: "D that is no network module",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_network_that_computes_something_else_is_refused(tmp_path: Path, change: Any) -> None:
    root = networks_of()
    change(root)
    path = write_official(tmp_path / "x.pkl", root)
    with pytest.raises(CheckpointError) as caught:
        read_foreign(path)
    assert CHANGES[change] in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
