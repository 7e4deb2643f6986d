"""StyleGAN v1 (Karras, Laine, Aila 2019): generator and discriminator with progressive growing.

`config` imports no torch; the networks are in `generator` and `discriminator`.

Names and shapes of the state, where b{px} is a block and px its shorter side (b4, b8, ... for square images),
C its feature maps, I those of the block below. Layer l of all is `layer{l % 2}` of block l // 2.

    Generator                                  shape                     in the TensorFlow files
    mapping.w_avg                              [w_dim]                   dlatent_avg
    mapping.label_weight       (if c_dim)      [c_dim, z_dim]            G_mapping/LabelConcat/weight
    mapping.fc{i}.weight                       [out, in]                 G_mapping/Dense{i}/weight, transposed
    mapping.fc{i}.bias                         [out]                     G_mapping/Dense{i}/bias
    synthesis.lod                              []                        G_synthesis/lod
    synthesis.b4.const                         [C, h, w]                 4x4/Const/const, first axis dropped
    synthesis.b{px}.layer1.weight              [C, C, 3, 3]              {px}x{px}/Conv1/weight, 4x4/Conv
    synthesis.b{px}.layer0.weight  (not b4)    [C, I, 3, 3]              {px}x{px}/Conv0_up/weight
    synthesis.b{px}.layer{0,1}.bias            [C]                       .../bias; 4x4/Const/bias is b4.layer0
    synthesis.b{px}.layer{0,1}.noise_strength  [C]                       .../Noise/weight     (if use_noise)
    synthesis.b{px}.layer{0,1}.noise_const     [h, w]                    noise{l}, two axes dropped
    synthesis.b{px}.layer{0,1}.affine.weight   [2 C, w_dim]              .../StyleMod/weight, transposed
    synthesis.b{px}.layer{0,1}.affine.bias     [2 C]                     .../StyleMod/bias    (if use_styles)
    synthesis.b{px}.torgb.weight               [img_channels, C, 1, 1]   ToRGB_lod{k}/weight
    synthesis.b{px}.torgb.bias                 [img_channels]            ToRGB_lod{k}/bias

    Discriminator                              shape                     in the TensorFlow files
    lod                                        []                        lod
    b{px}.fromrgb.weight                       [C, img_channels, 1, 1]   FromRGB_lod{k}/weight
    b{px}.fromrgb.bias                         [C]                       FromRGB_lod{k}/bias
    b{px}.conv0.weight, .bias      (not b4)    [C, C, 3, 3], [C]         {px}x{px}/Conv0/...
    b{px}.conv1.weight, .bias      (not b4)    [I, C, 3, 3], [I]         {px}x{px}/Conv1_down/...
    b4.conv.weight, .bias                      [C, C + mbstd, 3, 3], [C] 4x4/Conv/...
    b4.fc.weight, .bias                        [F, C h w], [F]           4x4/Dense0/..., transposed
    b4.out.weight, .bias                       [max(c_dim, 1), F], ...   4x4/Dense1/..., transposed

k is the lod of the block: log2(resolution / px), 0 for the largest. F is fc_features. Convolution kernels
[kh, kw, in, out] become [out, in, kh, kw] without any flip or gain: the layers know whether they are fused,
and scale at run time. The first half of a style is the scale, without the 1 that is added to it.
"""

from stylegraft.networks.stylegan1.config import DiscriminatorConfig, GeneratorConfig, MappingConfig

__all__ = ["DiscriminatorConfig", "GeneratorConfig", "MappingConfig"]
