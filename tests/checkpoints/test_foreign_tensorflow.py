"""TensorFlow pickles of many shapes and settings, written from our networks and read again."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorflow_writer import (
    Network,
    discriminator_network,
    generator_network,
    randomize,
    write_tensorflow,
)

import stylegraft
from stylegraft.checkpoints.foreign import read_foreign, sniff
from stylegraft.errors import CheckpointError, UnsafeFileError
from stylegraft.networks import config as stylegan2
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.networks.stylegan1 import config as stylegan1

REFERENCE = Path(__file__).parents[1] / "reference" / "nvidia_tensorflow"
SIZE: dict[str, Any] = {"img_height": 16, "img_width": 16, "channels": (6, 5, 4)}
V1_MAPPING = stylegan1.MappingConfig(z_dim=5, w_dim=7, num_layers=2)
V2_MAPPING = stylegan2.MappingConfig(z_dim=5, w_dim=7, num_layers=2)
LABELS = stylegan2.MappingConfig(z_dim=0, c_dim=3, w_dim=8, num_layers=0, lr_multiplier=0.1, w_avg_beta=None)


def v1(generator: dict[str, Any] | None = None, **discriminator: Any) -> tuple[Any, Any]:
    generator = {"mapping": V1_MAPPING, **SIZE, **(generator or {})}
    shared = {key: generator[key] for key in ("img_height", "img_width", "channels")}
    return stylegan1.GeneratorConfig(**generator), stylegan1.DiscriminatorConfig(**shared | discriminator)


def v2(generator: dict[str, Any] | None = None, **discriminator: Any) -> tuple[Any, Any]:
    generator = {"mapping": V2_MAPPING, **SIZE, **(generator or {})}
    shared = {key: generator[key] for key in ("img_height", "img_width", "channels")}
    return stylegan2.GeneratorConfig(**generator), stylegan2.DiscriminatorConfig(**shared | discriminator)


# Configs of G and D, and the settings that the file holds because the variables do not tell them.
VARIANTS: dict[str, tuple[tuple[Any, Any], dict[str, Any]]] = {
    "v1": (v1(), {}),
    "v1_256px_fused": (
        v1({"img_height": 256, "img_width": 256, "channels": (5, 5, 5, 4, 4, 3, 2)}),
        {"resolution": 256, "fmap_base": 64, "fused_scale": "auto"},
    ),
    "v1_fused_everywhere": (v1({"fused_from_px": 1}), {"fused_scale": True}),
    "v1_never_fused_no_blur": (
        v1({"fused_from_px": None, "blur_filter": None}, blur_filter=None),
        {"fused_scale": False, "blur_filter": None},
    ),
    "v1_one_class_block": (v1({"img_height": 4, "img_width": 4, "channels": (3,)}), {}),
    "v1_conditional_grey": (
        v1(
            {"mapping": V1_MAPPING.replace(c_dim=3), "img_channels": 1},
            c_dim=3,
            img_channels=1,
            mbstd_num_channels=2,
        ),
        {"label_size": 3, "num_channels": 1, "mbstd_num_features": 2},
    ),
    "v1_one_label": (
        v1({"mapping": V1_MAPPING.replace(c_dim=1)}, c_dim=1),
        {"label_size": 1},
    ),
    "v1_settings": (
        v1(
            {
                "mapping": V1_MAPPING.replace(
                    num_layers=5,
                    layer_features=9,
                    activation="relu",
                    lr_multiplier=0.1,
                    normalize_latents=False,
                    use_wscale=False,
                    w_avg_beta=0.9,
                ),
                "activation": "relu",
                "use_wscale": False,
                "use_pixel_norm": True,
                "use_instance_norm": False,
                "truncation_psi": 0.4,
                "truncation_cutoff": None,
            },
            activation="relu",
            use_wscale=False,
            mbstd_group_size=None,
            fc_features=11,
        ),
        {
            "mapping_nonlinearity": "relu",
            "mapping_lrmul": 0.1,
            "normalize_latents": False,
            "use_wscale": False,
            "dlatent_avg_beta": 0.9,
            "nonlinearity": "relu",
            "use_pixel_norm": True,
            "use_instance_norm": False,
            "truncation_psi": 0.4,
            "truncation_cutoff": None,
            "mbstd_group_size": None,
        },
    ),
    "v1_without_noise_and_styles": (v1({"use_noise": False, "use_styles": False}), {"use_noise": False}),
    "v2": (v2(), {}),
    "v2_256px": (v2({"img_height": 256, "img_width": 256, "channels": (5, 5, 5, 4, 4, 3, 2)}), {}),
    "v2_orig_skip": (v2({"architecture": "orig"}, architecture="skip"), {}),
    "v2_resnet_orig_grey": (
        v2({"architecture": "resnet", "img_channels": 1}, architecture="orig", img_channels=1),
        {"num_channels": 1},
    ),
    "v2_not_square": (v2({"img_height": 20, "img_width": 12}), {"min_h": 5, "min_w": 3, "res_log2": 2}),
    "v2_conditional": (
        v2(
            {
                "mapping": V2_MAPPING.replace(
                    c_dim=3, embed_features=5, label_input="concatenated", num_layers=5, layer_features=9
                )
            },
            class_outputs=3,
            fc_features=11,
        ),
        {"label_size": 3},
    ),
    "v2_settings": (
        v2(
            {
                "mapping": V2_MAPPING.replace(activation="relu", lr_multiplier=0.1, w_avg_beta=1.0),
                "activation": "relu",
                "resample_filter": (1.0, 2.0, 1.0),
                "use_noise": False,
            },
            activation="relu",
            resample_filter=(1.0, 2.0, 1.0),
            mbstd_num_channels=0,
            mbstd_group_size=1,
        ),
        {
            "mapping_nonlinearity": "relu",
            "mapping_lrmul": 0.1,
            "dlatent_avg_beta": None,
            "nonlinearity": "relu",
            "resample_kernel": [1, 2, 1],
            "mbstd_group_size": 0,
        },
    ),
    "v2_nearest": (
        v2({"resample_filter": (1.0, 1.0)}, resample_filter=(1.0, 1.0), mbstd_group_size=None),
        {"resample_kernel": None, "mbstd_group_size": None},
    ),
    "v2_progressive": (v2({"architecture": "progressive"}, architecture="progressive"), {}),
    "ada_conditional": (
        v2(
            {"mapping": V2_MAPPING.replace(c_dim=3, embed_features=4), "conv_clamp": 256.0},
            mapping=LABELS,
            conv_clamp=256.0,
            mbstd_group_size=None,
        ),
        {"conv_clamp": 256, "num_fp16_res": 4, "label_fmaps": 4, "w_avg_beta": 0.995},
    ),
    "ada_mapped_labels": (
        v2(
            {"mapping": V2_MAPPING.replace(c_dim=3)},
            mapping=LABELS.replace(num_layers=2, embed_features=4, layer_features=9),
            mbstd_group_size=8,
        ),
        {"mbstd_group_size": 8},
    ),
}
_G_ONLY = {
    *("dlatent_avg_beta", "w_avg_beta", "truncation_psi", "truncation_cutoff", "label_fmaps"),
    *("mapping_nonlinearity", "mapping_lrmul", "normalize_latents", "use_pixel_norm", "use_instance_norm"),
}


def networks_of(variant: str) -> dict[str, Any]:
    (g_config, d_config), _ = VARIANTS[variant]
    return {
        "G": randomize(make_generator(g_config), 1),
        "D": randomize(make_discriminator(d_config), 2),
        "G_ema": randomize(make_generator(g_config), 3),
    }


def official(networks: dict[str, Any], settings: dict[str, Any]) -> tuple[Network, Network, Network]:
    g_settings = {key: value for key, value in settings.items() if not key.startswith("mbstd_")}
    d_settings = {key: value for key, value in settings.items() if key not in _G_ONLY}
    return (
        generator_network(networks["G"], "G", g_settings),
        discriminator_network(networks["D"], d_settings),
        generator_network(networks["G_ema"], "Gs", g_settings),
    )


def official_variant(variant: str = "v2") -> tuple[Network, Network, Network]:
    return official(networks_of(variant), VARIANTS[variant][1])


@pytest.mark.parametrize("network", ["G", "D", "Gs"])
@pytest.mark.parametrize(
    "name",
    ["sg1_uncond_r32", "sg1_uncond_r128_fusedauto", "sg2tf_uncond_skip_r32", "sg2tf_cond_resnet_r64"],
)
def test_every_variable_comes_back_with_the_bytes_of_the_original(name: str, network: str) -> None:
    """What was read, written again, is compared: so each value is where it belongs, and none was lost."""
    file = read_foreign(REFERENCE / f"{name}.pkl")
    ours: Any
    if network == "D":
        assert file.discriminator_config is not None
        ours = make_discriminator(file.discriminator_config)
        ours.load_state_dict(file.tensors["D"])
        written = discriminator_network(ours)
    else:
        ours = make_generator(file.generator_config)
        ours.load_state_dict(file.tensors[{"G": "G", "Gs": "G_ema"}[network]])
        written = generator_network(ours, network)
    found = dict(written.variables)
    for component, part in written.state["components"].items():
        found |= {f"G_{component}/{variable}": value for variable, value in part.variables}
    expected = json.loads((REFERENCE / f"{name}.json").read_text())[network]
    assert found.keys() == expected.keys()
    for variable, facts in expected.items():
        array = np.ascontiguousarray(found[variable])
        assert list(np.shape(found[variable])) == facts["shape"], variable
        if variable.endswith("/mod_bias"):  # 1 was added to it and taken away again, which rounds
            assert array.sum(dtype=np.float64) == pytest.approx(facts["sum"], abs=1e-5), variable
        else:
            assert f"{zlib.crc32(array.tobytes()):08x}" == facts["crc32"], variable


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_is_inferred_from_the_file(tmp_path: Path, variant: str) -> None:
    networks = networks_of(variant)
    path = write_tensorflow(tmp_path / "x.pkl", official(networks, VARIANTS[variant][1]))
    file = read_foreign(path)
    assert (file.generator_config, file.discriminator_config) == VARIANTS[variant][0]
    assert file.tensors.keys() == networks.keys()
    for name, network in networks.items():
        expected = network.state_dict()
        assert file.tensors[name].keys() == expected.keys()
        for key, value in file.tensors[name].items():
            # To the biases of styles 1 was added after it was taken away, which rounds.
            assert torch.allclose(value, expected[key], rtol=0, atol=3e-7), key
    assert not file.report.missing
    assert not file.report.left_over


@pytest.mark.parametrize(
    "variant", ["v1_conditional_grey", "v2_conditional", "v2_progressive", "ada_conditional"]
)
def test_loaded_variant_computes_what_the_saved_one_did(tmp_path: Path, variant: str) -> None:
    networks = networks_of(variant)
    model = stylegraft.load(write_tensorflow(tmp_path / "x.pkl", official(networks, VARIANTS[variant][1])))
    config = model.generator.config
    z = torch.randn(4, config.mapping.z_dim, generator=torch.Generator().manual_seed(0))
    c = torch.eye(config.c_dim)[[0, 1, 2, 0]] if config.c_dim else None
    img = networks["G_ema"](z, c)
    assert torch.allclose(model.generator(z, c), img, rtol=0, atol=1e-5 * float(img.abs().max()))
    assert model.discriminator is not None
    logits = networks["D"](img, c)
    assert torch.allclose(model.discriminator(img, c), logits, rtol=0, atol=1e-5 * float(logits.abs().max()))
    assert model.info["family"] == config.family
    assert model.info["c_dim"] == config.c_dim


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_each_pickle_protocol_reads_alike(tmp_path: Path, protocol: int) -> None:
    path = write_tensorflow(tmp_path / "x.pkl", official_variant(), protocol)
    assert sniff(path) == "nvidia-tensorflow"
    assert read_foreign(path).generator_config == VARIANTS["v2"][0][0]


@pytest.mark.parametrize(
    "module", ["stylegan2.dnnlib.tflib.network", "tflib.network", "my.dnnlib_ada.tflib.network"]
)
def test_code_of_another_package_reads_alike(tmp_path: Path, module: str) -> None:
    path = write_tensorflow(tmp_path / "x.pkl", official_variant(), module=module)
    assert read_foreign(path).generator_config == VARIANTS["v2"][0][0]


def test_a_single_averaged_network_is_read(tmp_path: Path) -> None:
    file = read_foreign(write_tensorflow(tmp_path / "x.pkl", official_variant()[2]))
    assert file.tensors.keys() == {"G_ema"}
    assert file.discriminator_config is None


def test_networks_without_average_are_read(tmp_path: Path) -> None:
    path = write_tensorflow(tmp_path / "x.pkl", official_variant("v1")[:2])
    assert read_foreign(path).tensors.keys() == {"G", "D"}
    assert stylegraft.load(path).discriminator is not None


def test_growing_network_keeps_where_it_stood(tmp_path: Path) -> None:
    for variant in ("v1", "v2_progressive"):
        networks = networks_of(variant)
        for network in networks.values():
            getattr(network, "synthesis", network).lod.fill_(0.75)
        model = stylegraft.load(write_tensorflow(tmp_path / "x.pkl", official(networks, {})))
        assert model.info["lod"] == 0.75
        assert model.generator.state_dict()["synthesis.lod"] == 0.75
        z = torch.ones(1, 5)
        assert not torch.equal(
            model.generator(z), model.generator.synthesis(model.generator.mapping(z), lod=0.0)
        )


def test_licence_in_the_source_text_is_told_and_the_text_never_run(tmp_path: Path) -> None:
    licence = read_foreign(write_tensorflow(tmp_path / "x.pkl", official_variant())).info["licence"]
    assert licence.startswith(
        "Copyright (c) 2019, NVIDIA Corporation. All rights reserved. This work is made"
    )
    assert licence.endswith("https://nvlabs.github.io/stylegan2/license.html")


def test_source_text_without_licence_tells_none(tmp_path: Path) -> None:
    root = official_variant()
    root[2].state["build_module_src"] = "import licence\n"
    assert "licence" not in read_foreign(write_tensorflow(tmp_path / "x.pkl", root)).info


def test_ada_compares_with_the_whole_batch_by_default(tmp_path: Path) -> None:
    root = official_variant()
    root[1].state["build_func_name"] = "D_main"
    config = read_foreign(write_tensorflow(tmp_path / "x.pkl", root)).discriminator_config
    assert config is not None
    assert config.mbstd_group_size is None


def test_unknown_setting_that_is_off_is_told(tmp_path: Path) -> None:
    root = official_variant()
    root[0].state["static_kwargs"]["use_attention"] = False
    info = read_foreign(write_tensorflow(tmp_path / "x.pkl", root)).info
    assert info["settings_not_understood"] == ["use_attention"]


def test_inspect_shows_what_the_file_says(tmp_path: Path, run_cli: Any) -> None:
    path = write_tensorflow(tmp_path / "x.pkl", official_variant("v1_conditional_grey"))
    shown = run_cli("inspect", path)
    assert shown.code == 0
    for word in ("nvidia-tensorflow", "stylegan1", "Nvidia Source Code License-NC", "truncation psi"):
        assert word in shown.out.replace("\n", " ")


def rename(network: Network, before: str, after: str) -> None:
    network.state["variables"] = [
        (after if name == before else name, value) for name, value in network.variables
    ]


def drop(network: Network, name: str) -> None:
    network.state["variables"] = [row for row in network.variables if row[0] != name]


def replace(network: Network, name: str, value: object) -> None:
    network.state["variables"] = [(key, value if key == name else old) for key, old in network.variables]


def setting(network: Network, name: str, value: object) -> None:
    for part in (network, *network.state["components"].values()):
        part.state["static_kwargs"][name] = value


def part(network: Network, name: str) -> Network:
    return network.state["components"][name]


# What is done to (G, D, Gs) of a variant, and what the one line of error says.
CHANGES: dict[str, tuple[str, Any, str]] = {
    "missing": (
        "v2",
        lambda g, d, s: drop(part(s, "synthesis"), "8x8/Conv1/bias"),
        "Gs with no variable synthesis",
    ),
    "missing_noise": ("v1", lambda g, d, s: drop(part(s, "synthesis"), "noise3"), "synthesis/noise3 (1 such"),
    "missing_average": ("v2", lambda g, d, s: drop(s, "dlatent_avg"), "no variable dlatent_avg"),
    "left_over": (
        "v2",
        lambda g, d, s: d.variables.append(("8x8/Attention/weight", np.ones((2, 2), np.float32))),
        "D with the variable 8x8/Attention/weight, for which there is no use here (1 such variables)",
    ),
    "renamed": ("v1", lambda g, d, s: rename(d, "4x4/Dense1/bias", "4x4/Dense2/bias"), "4x4/Dense1/bias"),
    "shape": (
        "v2",
        lambda g, d, s: replace(d, "Output/bias", np.ones(2, np.float32)),
        "Output/bias of shape [2] where one for [1] belongs",
    ),
    "twice": ("v2", lambda g, d, s: d.variables.append(d.variables[0]), "two variables 4x4/Conv/weight"),
    "axes": ("v1", lambda g, d, s: replace(d, "4x4/Conv/weight", np.ones(3, np.float32)), "of shape [3]"),
    "no_number": ("v2", lambda g, d, s: replace(d, "Output/bias", "text"), "Output/bias that is no array"),
    "no_dense": (
        "v2",
        lambda g, d, s: part(g, "mapping").state.update(variables=[]),
        "G with no variable mapping/Dense0/weight",
    ),
    "no_blocks": (
        "v2",
        lambda g, d, s: d.state.update(variables=d.variables[-1:]),
        "3 generators and 0 discriminators",
    ),
    "odd_blocks": (
        "v1",
        lambda g, d, s: d.state.update(
            variables=[(name.replace("8x8/", "9x9/"), value) for name, value in d.variables]
        ),
        "blocks of 4x4, 9x9, 16x16 px that do not double",
    ),
    "version": ("v2", lambda g, d, s: g.state.update(version=1), "the format version 1"),
    "pixel_norm": ("v2", lambda g, d, s: setting(s, "use_pixel_norm", True), "use_pixel_norm True"),
    "raw_z": (
        "v2",
        lambda g, d, s: setting(g, "normalize_latents", False),
        "setting normalize_latents False",
    ),
    "no_constant": ("v1", lambda g, d, s: setting(g, "const_input_layer", False), "const_input_layer False"),
    "activation": ("v1", lambda g, d, s: setting(d, "nonlinearity", "elu"), "setting nonlinearity elu"),
    "spectral": ("v2", lambda g, d, s: setting(d, "use_spectral_norm", True), "use_spectral_norm True"),
    "unknown": ("v2", lambda g, d, s: setting(g, "use_attention", [8, 16]), "setting use_attention [8, 16]"),
    "uneven_filter": ("v2", lambda g, d, s: setting(g, "resample_kernel", [1, 2]), "resample_kernel [1, 2]"),
    "zero_filter": ("v1", lambda g, d, s: setting(g, "blur_filter", [0, 0, 0]), "blur_filter [0, 0, 0]"),
    "even_blur": ("v1", lambda g, d, s: setting(g, "blur_filter", [1, 1]), "odd number of taps"),
    "fused": ("v1", lambda g, d, s: setting(g, "fused_scale", "yes"), "setting fused_scale yes"),
    "lrmul": ("v1", lambda g, d, s: setting(g, "mapping_lrmul", "big"), "setting mapping_lrmul big"),
    "flag": ("v1", lambda g, d, s: setting(g, "use_instance_norm", 1), "setting use_instance_norm 1"),
    "group": ("v2", lambda g, d, s: setting(d, "mbstd_group_size", 2.5), "setting mbstd_group_size 2.5"),
    "other_g": (
        "v2",
        lambda g, d, s: setting(g, "nonlinearity", "relu"),
        "G and Gs of different architectures",
    ),
    "lod": ("v1", lambda g, d, s: replace(s, "lod", np.float32(9)), "lod 9.0 where 0 to 2 is possible"),
    "no_state": ("v2", lambda g, d, s: s.state.clear(), "the format version None"),
    "no_variables": ("v2", lambda g, d, s: s.state.update(variables={}), "no settings or no variables"),
    "components": ("v2", lambda g, d, s: s.state.update(components=[s]), "itself"),
    "deep": (
        "v2",
        lambda g, d, s: part(s, "mapping").state.update(components={"g": g}),
        "components within components",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_network_that_computes_something_else_is_refused(tmp_path: Path, change: str) -> None:
    variant, alter, says = CHANGES[change]
    root = official_variant(variant)
    alter(*root)
    path = write_tensorflow(tmp_path / "x.pkl", root)
    with pytest.raises(CheckpointError) as caught:
        read_foreign(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("root", "says"),
    [
        (("dnnlib.tflib.network",), "got a tuple of 1 objects"),
        (["dnnlib.tflib.network", None, 1, 2], "got a list of 4 objects"),
        ({"dnnlib.tflib.network": 1}, "got a dict"),
    ],
)
def test_other_things_are_called_by_their_name(tmp_path: Path, root: object, says: str) -> None:
    path = write_tensorflow(tmp_path / "x.pkl", root)
    assert sniff(path) == "nvidia-tensorflow"
    with pytest.raises(CheckpointError, match="expected the networks") as caught:
        read_foreign(path)
    assert says in str(caught.value)


def test_discriminator_alone_is_refused(tmp_path: Path) -> None:
    path = write_tensorflow(tmp_path / "x.pkl", official_variant()[1])
    with pytest.raises(CheckpointError, match="0 generators and 1 discriminators"):
        read_foreign(path)


def test_call_of_a_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x04cdnnlib.tflib.network\nNetwork\n(U\x01aU\x01btR.")
    with pytest.raises(UnsafeFileError, match="made from arguments"):
        read_foreign(path)


@pytest.mark.parametrize(
    "name", [b"cdnnlib.tflib.network\nsetattr", b"ctflib.network.os\nsystem", b"cos\nsystem"]
)
def test_other_names_are_refused(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x04U\x0dtflib.network0" + name + b"\n.")
    with pytest.raises(UnsafeFileError):
        read_foreign(path)
