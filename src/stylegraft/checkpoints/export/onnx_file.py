"""Writes a generator as one ONNX file: latents, class and truncation in, images out, any number at a time.

PyTorch's own exporter follows the network as it computes, so that there is no second description of the
networks to be kept true. Its result is run by onnxruntime beside the network before the file gets its name.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from stylegraft import __version__
from stylegraft.checkpoints.export.extras import require
from stylegraft.errors import InputError, RunError
from stylegraft.files import write_bytes

if TYPE_CHECKING:
    from stylegraft.networks.protocol import Generator

OnnxNoise = Literal["const", "input", "none"]

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference from the network that is let through, relative to its largest value."""

_TRACED_BATCH = 2  # an exporter may take a batch of 1 for a constant
_CHECKED = ((1, 1.0), (3, 0.7))  # batch, psi


@dataclass(frozen=True)
class OnnxFile:
    """What was written.

    Attributes:
        inputs: name -> shape; "batch" is any number.
        outputs: name -> shape.
        opset: version of the operators.
        largest_difference: between onnxruntime and the network, relative to the largest value.
    """

    inputs: dict[str, list[int | str]]
    outputs: dict[str, list[int | str]]
    opset: int
    largest_difference: float


def write_onnx(
    path: str | Path,
    generator: Generator,
    *,
    noise: OnnxNoise = "const",
    class_centres: torch.Tensor | None = None,
    facts: Mapping[str, Any] | None = None,
) -> OnnxFile:
    """Writes mapping and synthesis of a generator as one ONNX file, checked against the network.

    Inputs, all float32, are `z` [batch, z_dim]; `c` [batch, c_dim] where there are classes; the scalar `psi`
    where the network keeps w_avg (1 is off; it truncates the layers that the network truncates by default);
    with noise "input" also `noise_0`, `noise_1`... [batch, 1, h, w]. The output is `image`, float32
    [batch, C, H, W] in about [-1, 1].

    Args:
        path: the file; one that exists is replaced.
        generator: in evaluation mode, on the CPU, computing in float32.
        noise: "const" keeps the stored noise in the file, "input" asks the user for it, "none" has none.
        class_centres: w of each class that psi truncates towards, float32 [c_dim, w_dim]; labels that mix
            classes mix them too. None: w_avg, for all.
        facts: what is known of the network; the file carries classes, licence and source as metadata.

    Raises:
        InputError: onnx, onnxscript or onnxruntime is not installed, or the generator is elsewhere or rounds.
        RunError: the export failed, its result differs from the network, or the file cannot be written.
    """
    require(("onnx", "onnxscript", "onnxruntime"), extra="onnx", purpose="ONNX files")
    device = next(generator.parameters()).device
    dtype = generator.synthesis.compute_dtype
    if device.type != "cpu" or dtype != torch.float32:
        raise InputError(
            f"cannot write {path}: expected a model that computes in float32 on the CPU, got {dtype} on "
            f"{device}. Load it with device='cpu', precision='fp32'."
        )
    whole = _Whole(generator, noise, class_centres).eval()
    program = _export(whole)
    program.model.metadata_props.update(_metadata(facts or {}))
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # the exporter's traces, with paths of this machine
        node.doc_string = None
    graph = program.model_proto.graph
    inputs, outputs = _shapes(graph.input), _shapes(graph.output)
    fixed = [name for name, shape in (inputs | outputs).items() if shape and shape[0] != "batch"]
    if fixed:
        # Code that asks for `len` of a tensor makes its exporter take the number for a constant.
        raise RunError(
            f"cannot write {path}: expected a batch of any size, got one fixed in {', '.join(fixed)} by the "
            "exporter. Please report it with the output of stylegraft inspect."
        )
    data = program.model_proto.SerializeToString()
    difference = _largest_difference(data, whole)
    if not difference <= TOLERANCE:
        raise RunError(
            f"cannot write {path}: expected onnxruntime to agree with the network to {TOLERANCE:g}, got "
            f"{difference:.2g}. Nothing was written; please report it with the output of stylegraft inspect."
        )
    write_bytes(path, data)
    return OnnxFile(inputs, outputs, OPSET, difference)


class _Whole(nn.Module):
    """Mapping, truncation by a tensor, and synthesis, as one function of tensors."""

    class_centres: torch.Tensor | None

    def __init__(self, generator: Generator, noise: OnnxNoise, class_centres: torch.Tensor | None) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("class_centres", class_centres)
        self.noise: OnnxNoise = noise if generator.config.use_noise else "none"
        self.has_psi = generator.config.mapping.w_avg_beta is not None
        cutoff = generator.config.truncation_cutoff
        self.cutoff: int = generator.num_ws if cutoff is None else cutoff
        # How far a growing network has grown: a number here, so that the exporter need not follow a buffer.
        self.at_lod = (
            {"lod": float(lod)} if (lod := getattr(generator.synthesis, "lod", None)) is not None else {}
        )
        self.noise_shapes = generator.synthesis.noise_shapes if self.noise == "input" else []

    def forward(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        mapping, synthesis = self.generator.mapping, self.generator.synthesis
        ws = mapping(inputs["z"], inputs.get("c"))
        if self.has_psi:
            centre = mapping.w_avg
            if self.class_centres is not None:
                centre = (inputs["c"] @ self.class_centres).unsqueeze(1)
            truncated = centre.lerp(ws[:, : self.cutoff], inputs["psi"])
            ws = torch.cat([truncated, ws[:, self.cutoff :]], dim=1)
        if self.noise != "input":
            return synthesis(ws, self.noise, **self.at_lod)
        noises = [inputs[f"noise_{layer}"] for layer in range(len(self.noise_shapes))]
        return synthesis(ws, "random", noises, **self.at_lod)

    def example(self, batch: int, psi: float) -> dict[str, torch.Tensor]:
        """Returns inputs by name, in the order of the file."""
        config, random = self.generator.config.mapping, np.random.RandomState(batch)
        inputs = {"z": torch.from_numpy(random.randn(batch, config.z_dim)).float()}
        if config.c_dim:
            inputs["c"] = torch.eye(config.c_dim)[torch.arange(batch) % config.c_dim]
        if self.has_psi:
            inputs["psi"] = torch.tensor(psi)
        for layer, (height, width) in enumerate(self.noise_shapes):
            inputs[f"noise_{layer}"] = torch.from_numpy(random.randn(batch, 1, height, width)).float()
        return inputs


def _export(whole: _Whole) -> Any:
    """Returns torch's ONNX program of the whole."""
    inputs = whole.example(_TRACED_BATCH, psi=0.5)
    batch = torch.export.Dim("batch")
    shapes = {name: {0: batch} if tensor.ndim else {} for name, tensor in inputs.items()}
    with _quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                whole,
                kwargs={"inputs": inputs},
                dynamo=True,
                input_names=list(inputs),
                output_names=["image"],
                dynamic_shapes={"inputs": shapes},
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise RunError(
                f"cannot write ONNX: torch's exporter failed: {_first_line(error)}. Use the releases of "
                "torch, onnx and onnxscript that constraints.txt names."
            ) from error
    assert program is not None
    return program


def _metadata(facts: Mapping[str, Any]) -> dict[str, str]:
    """Texts for the file: those who have nothing else must know what its image means and whose it is."""
    kept = {
        name: facts[name] for name in ("class_names", "source", "licence", "data_note") if facts.get(name)
    }
    return {
        "library": f"stylegraft {__version__}",
        "image": "NCHW, about [-1, 1]; grey levels are clip(image * 127.5 + 128, 0, 255) cut off",
        **{name: value if isinstance(value, str) else json.dumps(value) for name, value in kept.items()},
    }


def _largest_difference(data: bytes, whole: _Whole) -> float:
    """Returns the largest difference between onnxruntime and the network, relative to its largest value."""
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    differences = []
    for batch, psi in _CHECKED:
        inputs = whole.example(batch, psi)
        with torch.no_grad():
            expected = whole(inputs).numpy()
        (found,) = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        scale = max(np.abs(expected).max(), np.finfo(np.float32).tiny)  # a new network may be all grey
        differences.append(np.abs(found - expected).max() / scale)
    return float(np.max(differences))  # NaN where there is one


def _shapes(values: Sequence[Any]) -> dict[str, list[int | str]]:
    """Names and shapes of a graph's inputs or outputs."""
    return {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in values
    }


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's advice to developers out of a user's terminal."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
