"""The model card: README.md with the front matter that the hub indexes, and what a stranger needs to know."""

from __future__ import annotations

import json
import re

from stylegraft.checkpoints.hub.config import HubConfig

# The identifiers that the hub knows and that weights come under; any other text is shown on the card instead.
_HUB_LICENCE = re.compile(
    r"""apache-2\.0 | mit | isc | zlib | unlicense | wtfpl | bsd(-[23]-clause(-clear)?)? | bsl-1\.0 | mpl-2\.0
    | a?gpl-3\.0 | gpl-2\.0 | lgpl-(2\.1|3\.0) | afl-3\.0 | artistic-2\.0 | ecl-2\.0 | osl-3\.0
    | cc0-1\.0 | cc-by(-nc)?(-nd|-sa)?-(2|3|4)\.0 | pddl | odbl | odc-by
    | openrail(\+\+)? | creativeml-openrail-m""",
    re.VERBOSE,
)
_FAMILY_NAMES = {"stylegan1": "StyleGAN", "stylegan2": "StyleGAN2"}
_FAMILY_PAPERS = {
    "stylegan1": "[Karras et al. 2019](https://arxiv.org/abs/1812.04948)",
    "stylegan2": "[Karras et al. 2020](https://arxiv.org/abs/1912.04958)",
}


def model_card(config: HubConfig, name: str) -> str:
    """Returns the text of README.md.

    Args:
        config: of the model.
        name: its title; what follows `from_pretrained` in the example.
    """
    G = config.generator
    family = _FAMILY_NAMES[G.family]
    classes = ", ".join(config.class_names) if config.class_names else str(G.mapping.c_dim or "none")
    facts = {
        "family": f"{family}, {G.architecture} ({_FAMILY_PAPERS[G.family]})",
        "images": f"{G.img_height} x {G.img_width} px, {G.img_channels} channels",
        "classes": classes,
        "feature maps": " ".join(map(str, G.channels)),
        "z, w": f"{G.mapping.z_dim}, {G.mapping.w_dim}; {G.mapping.num_layers} mapping layers",
        "discriminator": "`discriminator.safetensors`" if config.discriminator else "none",
    }
    if config.kimg is not None:
        facts["trained for"] = f"{config.kimg:,.0f} thousand images"
    if config.distance is not None:
        facts["FD-EffLite0 to held-out images"] = f"{config.distance:.2f} (not FID)"
    if config.source is not None:
        source = config.source
        facts["read from"] = f"`{source.file}` ({source.format}), SHA-256 `{source.sha256}`"
    rows = "\n".join(f"| {key} | {_cell(value)} |" for key, value in facts.items())
    return f"""{_front_matter(config)}
# {_cell(name)}

![Samples](samples.png)

| | |
|---|---|
{rows}

## Use

```
pip install 'stylegraft[hub]'
```

```python
import stylegraft

model = stylegraft.Model.from_pretrained({json.dumps(name)})
images = model.sample(seeds=range(16), psi=0.7)  # uint8 [16, {G.img_height}, {G.img_width}, {G.img_channels}]
```

Seed N is z = `RandomState(N).randn(1, {G.mapping.z_dim})`. Reading these files executes nothing in them.

## Training data

{config.data_note or "Not stated."}

## Licence

{config.licence or "Not stated: ask whoever trained the weights before you use them."}
"""


def _front_matter(config: HubConfig) -> str:
    """The YAML head; values are JSON, which YAML includes."""
    licence = (config.licence or "").strip().lower()
    head: dict[str, object] = {
        "library_name": "stylegraft",
        "pipeline_tag": "unconditional-image-generation",
        "tags": [config.generator.family, "stylegan", "gan", "image-generation"],
    }
    if _HUB_LICENCE.fullmatch(licence):
        head["license"] = licence
    elif licence:
        head |= {"license": "other", "license_name": "see-model-card", "license_link": "README.md"}
    lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in head.items())
    return f"---\n{lines}\n---\n"


def _cell(text: str) -> str:
    """Text in one cell or line of Markdown: class and file names come from strangers."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
