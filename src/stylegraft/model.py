"""The public door: `stylegraft.load(path)` gives a `Model`, whatever wrote the file."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from stylegraft.checkpoints.building import build_network
from stylegraft.checkpoints.export.onnx_file import OnnxFile, OnnxNoise, write_onnx
from stylegraft.checkpoints.hub.config import hub_config
from stylegraft.checkpoints.hub.folder import FILES, write_hub_folder
from stylegraft.checkpoints.hub.remote import download, upload
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.checkpoints.provenance import carried_facts
from stylegraft.errors import InputError
from stylegraft.files import check_free
from stylegraft.networks.class_centres import ClassCentres
from stylegraft.networks.making import make_discriminator, make_generator
from stylegraft.networks.mapped_seeds import MappedSeeds
from stylegraft.networks.protocol import Discriminator, Generator, NoiseMode
from stylegraft.networks.sampling import labels_of_seeds, pixels_of_w, sampling_batch
from stylegraft.pictures import image_grid
from stylegraft.runtime.precision import Precision, compute_dtype, pick_device
from stylegraft.zoo import resolve

_SHEET_PX = 1024


@dataclass
class Model:
    """A generator ready to sample, and what is known about it.

    Attributes:
        generator: G EMA in evaluation mode, float32 parameters.
        discriminator: D, or None where the source has none.
        info: JSON-ready facts: format, family, resolution, channels, classes, parameters, sha256, kimg...
    """

    generator: Generator
    discriminator: Discriminator | None
    info: dict[str, Any]
    _mapped: MappedSeeds = field(default_factory=MappedSeeds, init=False, repr=False, compare=False)
    _centres: ClassCentres = field(default_factory=ClassCentres, init=False, repr=False, compare=False)

    @property
    def class_names(self) -> list[str] | None:
        """Names of the classes, or None for an unconditional network."""
        return self.info.get("class_names")

    @property
    def sampling_batch(self) -> int:
        """Pictures at a time that are quickest at this size."""
        return sampling_batch(self.generator)

    @property
    def truncation_centre(self) -> Literal["class", "global"]:
        """What truncation moves towards unless told: the mean w of the own class, or w_avg, that of all.

        "class" for networks with classes that stylegraft trained. Networks of other programs keep the
        published meaning, "global", in whatever format they are now, so that their pictures stay the same.
        """
        source = self.info.get("source")
        written_by = source["format"] if isinstance(source, dict) else self.info.get("format", "stylegraft")
        is_ours = written_by in ("stylegraft", "hub")
        return "class" if is_ours and self.generator.config.mapping.c_dim else "global"

    def sample(
        self,
        seeds: Sequence[int],
        psi: float = 0.7,
        cutoff: int | None = None,
        labels: np.ndarray | torch.Tensor | None = None,
        noise_mode: NoiseMode = "const",
        batch: int | None = None,
        truncation_centre: Literal["auto", "class", "global"] = "auto",
    ) -> np.ndarray:
        """Returns pictures, uint8 [N, H, W, C].

        Args:
            seeds: seed N means z = RandomState(N).randn(1, z_dim), as everywhere in this community.
            psi: truncation: 1 is the full variety, towards 0 every picture nears the average one.
            cutoff: number of coarse layers that are truncated; None: as the network was published (8 for
                StyleGAN v1, all for StyleGAN2). With num_ws or more all are.
            labels: float [N, c_dim]; None takes class seed % c_dim (ignored by unconditional networks).
            noise_mode: "const", "random" (keyed by seed) or "none".
            batch: pictures at a time; pictures do not depend on it beyond rounding. None: `sampling_batch`,
                or the next power of two where there are fewer seeds.
            truncation_centre: what psi below 1 moves pictures towards: "class" the mean w of their own label,
                "global" w_avg, "auto" what the property of this name says.

        Raises:
            InputError: a seed is outside 0 to 2^32 - 1, labels have another shape, or the centre is to be
                that of a class and there are none.
        """
        mapping = self.generator.config.mapping
        seeds = [int(seed) for seed in seeds]
        if any(not 0 <= seed < 2**32 for seed in seeds):
            raise InputError(f"seeds: expected 0 to {2**32 - 1}, got {min(seeds)} to {max(seeds)}.")
        c = labels_of_seeds(seeds, mapping.c_dim) if labels is None else torch.as_tensor(labels).float()
        if mapping.c_dim == 0:
            c = None
        elif c is not None and list(c.shape) != [len(seeds), mapping.c_dim]:
            raise InputError(f"labels: expected shape [{len(seeds)}, {mapping.c_dim}], got {list(c.shape)}.")
        if truncation_centre == "auto":
            truncation_centre = self.truncation_centre
        centres = None
        if truncation_centre == "class":
            if c is None:
                raise InputError(
                    "truncation_centre class: expected a model with classes, got an unconditional one. "
                    "Leave it out."
                )
            centres = None if psi == 1 else self._centres(self.generator, c)
        if batch is None:
            batch = min(self.sampling_batch, 1 << max(len(seeds) - 1, 0).bit_length())
        return pixels_of_w(
            self.generator,
            self._mapped(self.generator, seeds, c),
            seeds=seeds,
            psi=psi,
            cutoff=self.generator.config.truncation_cutoff if cutoff is None else cutoff,
            centres=centres,
            noise_mode=noise_mode,
            batch=batch,
        )

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        token: str | None = None,
        device: str = "auto",
        precision: Precision = "fp32",
    ) -> Model:
        """Reads a model of the Hugging Face hub, or anything on disk that `load` reads.

        Args:
            name: a path that exists, or the hub's owner/name.
            revision: branch, tag or commit on the hub; None: the newest.
            token: access token for private models; None: that of `hf auth login`, if any.
            device: as in `load`.
            precision: as in `load`.

        Raises:
            InputError: there is no such model, or huggingface_hub is not installed.
            CheckpointError: it is none of ours, or damaged.
            RunError: the hub cannot be reached.
        """
        path = Path(name)
        if not path.exists():
            path = download(str(name), revision, token)
        return load(path, device, precision)

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        licence: str | None = None,
        data_note: str | None = None,
        overwrite: bool = False,
        name: str | None = None,
    ) -> Path:
        """Writes the model as a folder that the Hugging Face hub shows and `from_pretrained` reads.

        It holds safetensors, config.json, a model card and a sheet of samples; all of it or nothing appears.

        Args:
            folder: where to.
            licence: terms of the weights, an identifier of the hub or a text; None keeps the source's.
            data_note: what it was trained on; None keeps the source's.
            overwrite: replace an earlier folder of this kind.
            name: title of the model card; None: the folder's name.

        Returns:
            The folder.

        Raises:
            InputError: the name is in use, or the facts on the model are not fit to print.
            RunError: the place cannot be written.
        """
        folder = Path(folder)
        check_free(folder, overwrite, FILES)
        networks = {"G_ema": self.generator.state_dict()}
        if self.discriminator is not None:
            networks["D"] = self.discriminator.state_dict()
        facts = carried_facts(self.info, licence, data_note)
        discriminator = None if self.discriminator is None else self.discriminator.config
        config = hub_config(self.generator.config, discriminator, facts)
        write_hub_folder(folder, config, networks, self._samples_png(), name=name or folder.resolve().name)
        return folder

    def push_to_hub(
        self,
        repo_id: str,
        *,
        token: str | None = None,
        private: bool = False,
        licence: str | None = None,
        data_note: str | None = None,
        message: str = "Upload model with stylegraft",
    ) -> str:
        """Uploads what `save_pretrained` writes as one commit, and returns the address on the hub.

        Args:
            repo_id: owner/name; made where there is none.
            token: access token that may write; None: that of `hf auth login`.
            private: a repository made now is for its owner only.
            licence: as in `save_pretrained`.
            data_note: as in `save_pretrained`.
            message: of the commit.

        Raises:
            InputError: the name is none, or huggingface_hub is not installed.
            RunError: the hub cannot be reached, or refuses.
        """
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "model"
            self.save_pretrained(folder, licence=licence, data_note=data_note, name=repo_id)
            return upload(folder, repo_id, token=token, private=private, message=message)

    def save_onnx(
        self,
        path: str | Path,
        *,
        noise: OnnxNoise = "const",
        licence: str | None = None,
        data_note: str | None = None,
    ) -> OnnxFile:
        """Writes mapping and synthesis as one ONNX file, after comparing it with the network in onnxruntime.

        Its psi truncates towards what `sample` takes by default, see `truncation_centre`.

        Args:
            path: the file; one that exists is replaced.
            noise: "const" (stored in the file), "input" (tensors given by the user) or "none".
            licence: terms of the weights, kept as metadata; None keeps what the source says.
            data_note: what it was trained on, likewise.

        Returns:
            Names and shapes of inputs and outputs, and the largest difference found.

        Raises:
            InputError: onnx, onnxscript or onnxruntime is missing, or the model is not fp32 on the CPU.
            RunError: the export failed, or the file cannot be written.
        """
        centres = None
        if self.truncation_centre == "class":
            centres = self._centres(self.generator, torch.eye(self.generator.config.mapping.c_dim)).clone()
        return write_onnx(
            path,
            self.generator,
            noise=noise,
            class_centres=centres,
            facts=carried_facts(self.info, licence, data_note),
        )

    def _samples_png(self) -> bytes:
        """A sheet of samples as PNG; large images make few of them."""
        config = self.generator.config
        columns = max(2, min(6, _SHEET_PX // max(config.img_height, config.img_width)))
        psi = 1.0 if config.mapping.w_avg_beta is None else 0.7
        file = io.BytesIO()
        image_grid(self.sample(range(columns * max(2, columns - 2)), psi=psi), columns).save(
            file, format="PNG"
        )
        return file.getvalue()


def load(path: str | Path, device: str = "auto", precision: Precision = "fp32") -> Model:
    """Reads a generator from a run folder, a checkpoint folder, a public checkpoint file or the zoo.

    A run folder gives its best checkpoint. Nothing in any file is executed.

    Args:
        path: run folder, checkpoint folder or public checkpoint file; where there is none of that name, the
            name of a source in the zoo ("fashion").
        device: "auto", "cpu", "cuda"...
        precision: number type of the convolutions; parameters stay float32.

    Raises:
        InputError: there is neither a path nor a source of that name.
        CheckpointError: the path is none of these, or it is damaged.
    """
    place = pick_device(device)
    opened = open_checkpoint(resolve(path))
    weights = opened.tensors.get("G_ema", opened.tensors.get("G", {}))
    generator = build_network(make_generator, opened.generator, weights, f"{path}: generator")
    discriminator = None
    if opened.discriminator is not None and "D" in opened.tensors:
        discriminator = build_network(
            make_discriminator, opened.discriminator, opened.tensors["D"], f"{path}: discriminator"
        )
    dtype = compute_dtype(precision, place)
    # Low precision wants channels last. Float32 keeps the layout of the public files' own code, so that it
    # reproduces their pictures to the last bits.
    layout = torch.preserve_format if dtype == torch.float32 else torch.channels_last
    for network in (generator, discriminator):
        if network is not None:
            network.to(device=place, memory_format=layout)  # pyright: ignore[reportCallIssue]
            network.eval().requires_grad_(False)
            network.set_compute_dtype(dtype)
    return Model(generator, discriminator, _describe(generator, discriminator) | opened.info)


def _describe(generator: Generator, discriminator: Discriminator | None) -> dict[str, Any]:
    config = generator.config
    info: dict[str, Any] = {
        "family": config.family,
        "architecture": config.architecture,
        "img_height": config.img_height,
        "img_width": config.img_width,
        "img_channels": config.img_channels,
        "channels": list(config.channels),
        "z_dim": config.mapping.z_dim,
        "w_dim": config.mapping.w_dim,
        "c_dim": config.mapping.c_dim,
        "mapping_layers": config.mapping.num_layers,
        "num_ws": generator.num_ws,
        "generator_parameters": sum(p.numel() for p in generator.parameters()),
        "class_names": [str(index) for index in range(config.mapping.c_dim)] or None,
    }
    if lod := getattr(generator, "lod", 0.0):  # networks that have not grown to the full size yet
        info["lod"] = lod
    if config.mapping.w_avg_beta is not None:
        info["w_avg_norm"] = float(generator.mapping.w_avg.norm())
    if discriminator is not None:
        info["discriminator_architecture"] = discriminator.config.architecture
        info["discriminator_parameters"] = sum(p.numel() for p in discriminator.parameters())
    return info
