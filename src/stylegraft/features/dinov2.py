"""DINOv2 (Oquab et al. 2023): a vision transformer trained without labels; its class token is the feature.

Layer by layer as published (`dinov2_vits14_pretrain.pth`, without registers): pre-normalised blocks with
layer scale, patches of 14 px, position embeddings of 37 x 37 patches resized to the grid at hand.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from stylegraft.features.inputs import imagenet_normalise, resize_bicubic
from stylegraft.features.trunk import Layout, Trunk

_IMAGE_PX = 224
_PATCH_PX = 14
_GRID = _IMAGE_PX // _PATCH_PX
_TRAINED_GRID = 37
_NORM_EPS = 1e-6


class DinoV2(Trunk):
    """From pixels to the class token after the last normalisation.

    Args:
        dim: length of a token.
        depth: number of blocks.
        num_heads: of each attention.
    """

    batch = 8
    layouts = (Layout(unused=("mask_token",)),)

    def __init__(self, dim: int, depth: int, num_heads: int) -> None:
        super().__init__()
        self.dim = dim
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + _TRAINED_GRID**2, dim))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, dim, _PATCH_PX, _PATCH_PX)})
        self.blocks = nn.ModuleList(Block(dim, num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=_NORM_EPS)

    def after_load(self) -> None:
        """Resizes the position embeddings once and for all."""
        self.pos_embed = nn.Parameter(resize_positions(self.pos_embed), False)

    def prepare(self, rgb255: torch.Tensor) -> torch.Tensor:
        """Maps RGB [N, 3, H, W] in 0..255 to 224 px and ImageNet's scale."""
        return resize_bicubic(imagenet_normalise(rgb255), _IMAGE_PX)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps prepared images to features [N, dim] in float32."""
        patches = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        # [N, 256, dim]
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, 0]).float()


class Block(nn.Module):
    """Attention, then a perceptron, each after a normalisation, scaled by channel and added."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm1 = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(dim, 3 * dim), "proj": nn.Linear(dim, dim)})
        self.ls1 = _LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, 4 * dim), "fc2": nn.Linear(4 * dim, dim)})
        self.ls2 = _LayerScale(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps tokens [N, T, dim] to tokens of the same shape."""
        x = x + self.ls1.gamma * self._attend(self.norm1(x))
        return x + self.ls2.gamma * self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        batch, num_tokens, dim = x.shape
        qkv = self.attn["qkv"](x).reshape(batch, num_tokens, 3, self.num_heads, dim // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        # each [N, heads, T, dim / heads]
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.attn["proj"](mixed.transpose(1, 2).reshape(batch, num_tokens, dim))


class _LayerScale(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))


def resize_positions(embedding: torch.Tensor) -> torch.Tensor:
    """Maps position embeddings [1, 1 + 37 * 37, dim] to [1, 1 + 16 * 16, dim], those of 224 px.

    The published network adds 0.1 to the wanted size, against a rounding error, and hands the quotient to the
    interpolation as its scale; that shifts the samples a little, so it belongs to the network.
    """
    dim = embedding.shape[2]
    grid = embedding[:, 1:].reshape(1, _TRAINED_GRID, _TRAINED_GRID, dim).permute(0, 3, 1, 2)
    scale = (_GRID + 0.1) / _TRAINED_GRID
    grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([embedding[:, :1], grid.permute(0, 2, 3, 1).reshape(1, -1, dim)], dim=1)
