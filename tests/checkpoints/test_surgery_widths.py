"""Other numbers of feature maps: maps nobody hears can go and come without a trace."""

from __future__ import annotations

import pytest
import torch
from surgery_cases import configs, discriminator, generator, make_source, operated

from stylegraft.checkpoints.opening import OpenedCheckpoint
from stylegraft.checkpoints.surgery.maps import maps_of
from stylegraft.checkpoints.surgery.target import resized, widths

KINDS = [("skip", "skip"), ("resnet", "resnet"), ("orig", "orig")]
NARROW, WIDE = (12, 8, 8), (16, 14, 10)


def without_spread(c_dim: int, channels, architectures):
    """D's minibatch statistics are a mean over maps, which hears all of them."""
    G, D = configs(channels=channels, architectures=architectures, c_dim=c_dim)
    if D.mapping is not None:
        D = D.replace(mapping=D.mapping.replace(w_dim=7))  # of the labels, not of the maps
    return G, D.replace(mbstd_num_channels=0)


def assert_same_networks(source: OpenedCheckpoint, G, D, result) -> None:
    z, images = torch.randn(4, 8), torch.randn(4, 3, 16, 16)
    c = torch.eye(2).repeat(2, 1)
    with torch.no_grad():
        for name in ("G", "G_ema"):
            expected = generator(source.generator, source.tensors[name])(z, c)
            got = generator(G, result.tensors[name])(z, c)
            torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
        expected = discriminator(source.discriminator, source.tensors["D"])(images, c)
        torch.testing.assert_close(
            discriminator(D, result.tensors["D"])(images, c), expected, atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("architectures", KINDS)
def test_wider_networks_do_what_they_did(architectures):
    source = make_source(*without_spread(2, NARROW, architectures))
    G, D = without_spread(2, WIDE, architectures)
    result = operated(source, G, D)
    assert_same_networks(source, G, D, result)
    new_rows = result.tensors["G"]["synthesis.b8.conv0.weight"][8:]
    assert new_rows.abs().mean() > 0.5  # new maps are made of what is there
    (note,) = result.report.notes
    assert note == "widths: 12 -> 16, 8 -> 14, 8 -> 10 feature maps: the new ones have learned nothing"


@pytest.mark.parametrize("architectures", KINDS)
def test_maps_that_nobody_reads_are_the_first_to_go(architectures):
    G, D = without_spread(2, WIDE, architectures)
    source = make_source(G, D)
    silent = {}
    for config, names in ((G, ("G", "G_ema")), (D, ("D",))):
        maps = maps_of(config)
        for group, size in maps.sizes.items():
            spare = {16: 4, 14: 6, 10: 2}[size]
            silent[group] = torch.randperm(size, generator=torch.Generator().manual_seed(size))[:spare]
        for name in names:
            for tensor, axes in maps.tensors.items():
                reads = axes[1] if len(axes) > 1 and tensor.endswith(".weight") else None
                if reads is not None and ".affine." not in tensor:
                    columns = (
                        silent[reads.group][:, None] * reads.pixels + torch.arange(reads.pixels)
                    ).flatten()
                    source.tensors[name][tensor][:, columns] = 0
    G, D = without_spread(2, NARROW, architectures)
    result = operated(source, G, D)
    assert_same_networks(source, G, D, result)
    (note,) = result.report.notes
    assert "16 -> 12, 14 -> 8, 10 -> 8 feature maps: what the others knew is LOST" in note


def test_g_and_its_average_keep_the_same_maps():
    G, D = without_spread(0, WIDE, ("skip", "resnet"))
    source = make_source(G, D)
    G, D = without_spread(0, NARROW, ("skip", "resnet"))
    result = operated(source, G, D)
    kept = []
    for name in ("G", "G_ema"):
        old, new = (
            source.tensors[name]["synthesis.b8.conv1.bias"],
            result.tensors[name]["synthesis.b8.conv1.bias"],
        )
        kept.append([int((old == value).nonzero()) for value in new])
    assert kept[0] == kept[1] == sorted(kept[0])
    assert len(kept[0]) == 8


def test_all_that_has_maps_is_known():
    for architecture in ("skip", "resnet", "orig", "progressive"):
        G, D = configs(architectures=(architecture, architecture), c_dim=2)
        for config, name in ((G, "G"), (D, "D")):
            wide = config.replace(channels=tuple(2 * channels for channels in config.channels))
            other = configs(architectures=(architecture, architecture), c_dim=2)
            pair = (wide, other[1]) if name == "G" else (other[0], wide)
            before, after = make_source(G, D).tensors[name], make_source(*pair).tensors[name]
            differ = {key for key in before if before[key].shape != after[key].shape}
            assert differ == set(maps_of(config).tensors)


def test_minibatch_statistics_stay_behind_the_maps():
    source = make_source(*configs(channels=WIDE))
    G, D = configs(channels=NARROW)
    result = operated(source, G, D)
    old, new = source.tensors["D"]["b4.conv.weight"], result.tensors["D"]["b4.conv.weight"]
    assert new.shape[1] == 13
    ratio = (13 / 17) ** 0.5  # gain 1 / sqrt(fan_in)
    rows = [
        int((source.tensors["D"]["b4.conv.bias"] == b).nonzero()) for b in result.tensors["D"]["b4.conv.bias"]
    ]
    torch.testing.assert_close(new[:, -1], old[rows][:, -1] * ratio)


def test_widths_and_new_blocks_go_together():
    source = make_source(*configs(channels=(16, 12, 8)))
    G, D = (resized(config, 32, 32).replace(channels=(20, 10, 8, 6)) for config in configs())
    result = operated(source, G, D)
    images = generator(G, result.tensors["G"])(torch.randn(2, 8))
    assert discriminator(D, result.tensors["D"])(images).shape == (2, 1)


def test_flags_follow_the_papers_rule_with_the_sources_part():
    config = configs(channels=(64, 64, 32))[0]  # 64 at most, and 512 / resolution
    assert widths(config, None, None) == (64, 64, 32)
    assert widths(config, None, 48) == (48, 48, 32)
    assert widths(config, 256, None) == (64, 32, 16)
    assert widths(config, 1024, 128) == (128, 128, 64)
