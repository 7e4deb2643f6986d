"""What the networks of every family offer, so that no other code asks which family it has.

A generator has
    config                                   its `GeneratorConfig`, with `mapping` (z_dim, c_dim, w_dim...)
    mapping(z, c, psi, cutoff)               ws [N, num_ws, w_dim]; `cutoff` None truncates all layers
    mapping.w_avg, .truncate, .update_w_avg  the running mean of w
    synthesis(ws, noise_mode, noise)         images [N, img_channels, H, W], float32
    synthesis.noise_shapes                   (height, width) of each layer's noise
    num_ws                                   number of layers that take a w
    set_compute_dtype(dtype)                 number type of the convolutions
A discriminator has `config`, `set_compute_dtype`, and maps images and labels to logits [N, 1], float32.
"""

from __future__ import annotations

from stylegraft.networks import stylegan2
from stylegraft.networks.stylegan1 import discriminator as stylegan1_discriminator
from stylegraft.networks.stylegan1 import generator as stylegan1_generator

NoiseMode = stylegan2.NoiseMode
Generator = stylegan1_generator.Generator | stylegan2.Generator
Discriminator = stylegan1_discriminator.Discriminator | stylegan2.Discriminator
