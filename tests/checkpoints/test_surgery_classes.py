"""Adding, removing and changing classes: what pictures and scores are right after the operation."""

from __future__ import annotations

import pytest
import torch
from surgery_cases import configs, discriminator, generator, make_source, operated

from stylegraft.checkpoints.surgery.classes import match_classes
from stylegraft.checkpoints.surgery.target import with_discriminator_classes, with_generator_classes
from stylegraft.errors import InputError

FAMILIES = ["embedded", "concatenated", "stylegan1"]


def case(kind: str, c_dim: int):
    """Configs with labels as StyleGAN2-ADA, StyleGAN2 in TensorFlow and StyleGAN have them."""
    if kind == "stylegan1":
        return configs(family="stylegan1", c_dim=c_dim)
    G, D = configs(c_dim=c_dim)
    if kind == "concatenated" and c_dim:
        G = G.replace(mapping=G.mapping.replace(label_input="concatenated"))
        D = D.replace(mapping=None, class_outputs=c_dim)
    return G, D


def changed(kind: str, before: int, after: int, source_names=None, names=None):
    G, D = case(kind, before)
    source = make_source(G, D, source_names)
    beside = case(kind, after)[1] if kind == "stylegan1" else configs(c_dim=after)[1]
    target = with_generator_classes(G, after), with_discriminator_classes(D, after, beside)
    result = operated(source, *target, names)
    old = generator(G, source.tensors["G"]), discriminator(D, source.tensors["D"])
    new = generator(target[0], result.tensors["G"]), discriminator(target[1], result.tensors["D"])
    return source, *old, *new, result


def label(c_dim: int, index: int, rows: int) -> torch.Tensor:
    return torch.eye(c_dim)[[index] * rows]


def normalised_z(rows: int = 16) -> torch.Tensor:
    z = torch.randn(rows, 8, generator=torch.Generator().manual_seed(3))
    return z * z.square().mean(dim=1, keepdim=True).rsqrt()


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0), (3, 5), (4, 2)])
def test_synthesis_stays_bit_by_bit(kind, before, after):
    source, G, _, new_G, _, result = changed(kind, before, after)
    ws = torch.randn(3, G.num_ws, G.config.mapping.w_dim)
    with torch.no_grad():
        assert torch.equal(G.synthesis(ws), new_G.synthesis(ws))
    for name, tensor in result.tensors["G"].items():
        if name.startswith("synthesis.") or name == "mapping.w_avg":
            assert torch.equal(tensor, source.tensors["G"][name])


@pytest.mark.parametrize("kind", FAMILIES)
@torch.no_grad()
def test_added_classes_all_begin_as_the_unconditional_network(kind):
    _, G, D, new_G, new_D, _ = changed(kind, 0, 3)
    z, images = torch.randn(8, 8), torch.randn(8, 3, 16, 16)
    for index in range(3):
        c = label(3, index, 8)
        torch.testing.assert_close(new_G.mapping(z, c), G.mapping(z), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(new_D(images, c), D(images), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", FAMILIES)
def test_added_classes_can_be_told_apart_after_a_few_steps(kind):
    _, _, _, G, _, _ = changed(kind, 0, 2)
    G.requires_grad_(True)
    z, c = normalised_z(), torch.eye(2).repeat(8, 1)
    wanted = torch.where(c[:, :1] > 0, 1.0, -1.0)
    optimizer = torch.optim.Adam(G.mapping.parameters(), lr=0.0025, betas=(0.0, 0.99))
    for _ in range(150):
        optimizer.zero_grad()
        loss = (G.mapping(z, c)[:, 0].mean(dim=1, keepdim=True) - wanted).square().mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        means = [G.mapping(z, label(2, index, 16)).mean() for index in range(2)]
    assert means[0] - means[1] > 0.1


@pytest.mark.parametrize("kind", FAMILIES)
@torch.no_grad()
def test_removed_classes_leave_the_mean_of_their_scores(kind):
    _, _, D, _, new_D, _ = changed(kind, 3, 0)
    images = torch.randn(8, 3, 16, 16)
    scores = torch.stack([D(images, label(3, index, 8)) for index in range(3)])
    assert scores.std(dim=0).min() > 1e-3
    torch.testing.assert_close(new_D(images), scores.mean(dim=0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", FAMILIES)
@torch.no_grad()
def test_removing_the_only_class_keeps_w(kind):
    _, G, D, new_G, new_D, _ = changed(kind, 1, 0)
    z, images = normalised_z(), torch.randn(16, 3, 16, 16)
    expected = G.mapping(z, torch.ones(16, 1))
    torch.testing.assert_close(new_G.mapping(z), expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(new_D(images), D(images, torch.ones(16, 1)), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_removed_classes_leave_the_average_class():
    _, G, _, new_G, _, _ = changed("embedded", 3, 0)
    z = normalised_z()
    # Before its activation the first layer is linear in the normalised embedding.
    before = torch.stack([first_layer_input(G, z, index) for index in range(3)]).mean(dim=0)
    old, new = G.mapping.fc0, new_G.mapping.fc0
    expected = before @ (old.weight * old.weight_gain).t() + old.bias * old.bias_gain
    got = z @ (new.weight * new.weight_gain).t() + new.bias * new.bias_gain
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def first_layer_input(G, z: torch.Tensor, index: int) -> torch.Tensor:
    embedded = G.mapping.embed(label(3, index, len(z)))
    return torch.cat([z, embedded * embedded.square().mean(dim=1, keepdim=True).rsqrt()], dim=1)


@pytest.mark.parametrize("kind", FAMILIES)
@torch.no_grad()
def test_classes_of_known_names_go_on_and_new_ones_start_as_the_average(kind):
    names = ["plum", "fig", "pear", "kiwi"]
    _, G, D, new_G, new_D, result = changed(kind, 3, 4, ["fig", "apple", "plum"], names)
    z, images = torch.randn(8, 8), torch.randn(8, 3, 16, 16)
    for new, old in ((0, 2), (1, 0)):
        one, other = label(4, new, 8), label(3, old, 8)
        torch.testing.assert_close(new_G.mapping(z, one), G.mapping(z, other), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(new_D(images, one), D(images, other), atol=1e-5, rtol=1e-4)
    average = torch.full([8, 3], 1 / 3)
    for new in (2, 3):
        got = new_G.mapping(z, label(4, new, 8))
        torch.testing.assert_close(got, G.mapping(z, average), atol=1e-5, rtol=1e-4)
    assert result.report.notes == [
        "classes: 2 of 4 go on by name (plum, fig); 2 new start as the source's average class"
    ]


def test_same_classes_are_copied_and_not_spoken_of():
    _, _, _, _, _, result = changed("embedded", 2, 2, ["a", "b"], ["a", "b"])
    assert result.report.is_plain_copy


@pytest.mark.parametrize(
    ("source_names", "names", "c_dim", "origins", "says"),
    [
        (["a", "b"], ["b", "a"], 2, (1, 0), "2 of 2 go on by name"),
        (["a", "b"], ["c", "d"], 2, (0, 1), "by position"),
        (None, ["c", "d"], 2, (0, 1), None),
        (["a", "b"], None, 2, (0, 1), None),
        (["a", "b"], ["b"], 1, (1,), "1 of 1 go on by name"),
        (["a", "b"], ["a", "b", "c"], 3, (0, 1, None), "1 new"),
        (["a", "b"], ["c", "d", "e"], 3, (None, None, None), "all 3 start as"),
        (None, None, 1, (None,), "all 1 start as"),
    ],
)
def test_classes_are_matched_by_name_then_by_position(source_names, names, c_dim, origins, says):
    match = match_classes(2, source_names, c_dim, names)
    assert match.origins == origins
    assert match.note is None if says is None else says in (match.note or "")


def test_mapping_network_without_layers_takes_no_classes():
    G, _ = configs()
    flat = G.replace(mapping=G.mapping.replace(num_layers=0, z_dim=10))
    with pytest.raises(InputError, match="without layers has no place"):
        with_generator_classes(flat, 2)
