"""ONNX files: what onnxruntime computes from them is what the network computes, for any batch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from stylegraft.checkpoints.export import onnx_file
from stylegraft.checkpoints.export.onnx_file import OnnxFile, write_onnx
from stylegraft.errors import InputError, RunError
from stylegraft.networks.config import GeneratorConfig, MappingConfig
from stylegraft.networks.making import make_generator
from stylegraft.networks.stylegan1 import config as stylegan1

# The bar is 1e-4 of the largest value; float32 in another order of additions stays a hundred times below.
TOLERANCE = 1e-5
MAPPING: dict[str, Any] = {"z_dim": 6, "w_dim": 8, "num_layers": 2}
CONFIGS = {
    "skip, wide": GeneratorConfig(
        img_height=8, img_width=12, channels=(6, 4), mapping=MappingConfig(**MAPPING, c_dim=3)
    ),
    "resnet": GeneratorConfig(
        img_height=16,
        img_width=16,
        img_channels=1,
        channels=(6, 5, 4),
        architecture="resnet",
        conv_clamp=256.0,
        mapping=MappingConfig(**MAPPING),
    ),
    "growing": GeneratorConfig(
        img_height=8,
        img_width=8,
        channels=(6, 4),
        architecture="progressive",
        mapping=MappingConfig(**MAPPING, w_avg_beta=None),
    ),
    "v1": stylegan1.GeneratorConfig(
        img_height=16,
        img_width=16,
        channels=(6, 5, 4),
        fused_from_px=16,
        truncation_cutoff=2,
        mapping=stylegan1.MappingConfig(**MAPPING, c_dim=3),
    ),
}
NOISE: dict[str, onnx_file.OnnxNoise] = {
    "skip, wide": "input",
    "resnet": "none",
    "growing": "const",
    "v1": "const",
}
FACTS = {"class_names": ["a", "ü"], "licence": "mit", "path": "/private/model.pkl", "data_note": None}


def generator_of(config: Any) -> Any:
    """A generator with random values in every tensor, so that none of them can be missing unnoticed."""
    torch.manual_seed(1)
    generator = make_generator(config).eval().requires_grad_(False)
    for name, tensor in generator.state_dict().items():
        if name == "synthesis.lod":
            tensor.fill_(0.5 if config.family == "stylegan2" else 0)
        else:
            tensor.normal_()
    return generator


def expected_images(generator: Any, inputs: dict[str, np.ndarray], noise: Any) -> np.ndarray:
    tensors = {name: torch.from_numpy(value) for name, value in inputs.items()}
    cutoff = generator.config.truncation_cutoff
    psi = float(tensors["psi"]) if "psi" in tensors else 1.0
    ws = generator.mapping(tensors["z"], tensors.get("c"), psi, cutoff)
    noises = [tensor for name, tensor in tensors.items() if name.startswith("noise_")]
    return generator.synthesis(ws, "random" if noises else noise, noises or None).numpy()


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Any, Path, OnnxFile]]:
    """Gives the generator, the file and what is said of it; each takes seconds and is made once."""

    @cache
    def make(name: str) -> tuple[Any, Path, OnnxFile]:
        generator = generator_of(CONFIGS[name])
        path = tmp_path_factory.mktemp("onnx") / "g.onnx"
        return generator, path, write_onnx(path, generator, noise=NOISE[name], facts=FACTS)

    return make


class EmptyProgram:
    """In place of torch's, which takes seconds to make."""

    def __init__(self, batch: str | int = "batch") -> None:
        image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [batch, 3, 8, 8])
        self.model_proto = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], [image]))
        self.model = SimpleNamespace(metadata_props={}, graph=SimpleNamespace(all_nodes=lambda: iter(())))


@pytest.mark.parametrize("name", CONFIGS)
def test_onnxruntime_computes_what_the_network_computes(export: Any, name: str) -> None:
    generator, path, written = export(name)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == list(written.inputs)
    random = np.random.RandomState(2)
    for batch in (1, 5):
        images = {}
        for psi in (0.7, 1.0):
            random.seed(batch)
            inputs = {}
            for key, shape in written.inputs.items():
                value = random.randn(*[batch if axis == "batch" else int(axis) for axis in shape])
                inputs[key] = np.array(psi if key == "psi" else value, dtype=np.float32)
            (images[psi],) = session.run(None, inputs)
            expected = expected_images(generator, inputs, NOISE[name])
            assert images[psi].shape == expected.shape
            assert np.abs(images[psi] - expected).max() <= TOLERANCE * np.abs(expected).max()
        assert np.array_equal(images[0.7], images[1.0]) == ("psi" not in written.inputs)
    assert 0 < written.largest_difference <= TOLERANCE


def test_file_says_what_it_takes_gives_and_is(export: Any) -> None:
    _, path, written = export("v1")
    assert written.inputs == {"z": ["batch", 6], "c": ["batch", 3], "psi": []}
    assert written.outputs == {"image": ["batch", 3, 16, 16]}
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [written.opset]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert (metadata["licence"], metadata["class_names"]) == ("mit", '["a", "\\u00fc"]')
    assert "[-1, 1]" in metadata["image"]
    assert "data_note" not in metadata
    # The exporter notes where in the sources each node comes from: paths that are nobody's business.
    assert b".py" not in path.read_bytes()
    assert b"private" not in path.read_bytes()
    assert export("skip, wide")[2].inputs["noise_2"] == ["batch", 1, 8, 12]


def test_file_that_differs_from_the_network_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "_largest_difference", lambda data, whole: float("nan"))
    monkeypatch.setattr(onnx_file, "_export", lambda whole: EmptyProgram())
    with pytest.raises(RunError, match=r"expected onnxruntime to agree with the network to 0\.0001, got nan"):
        write_onnx(tmp_path / "g.onnx", generator_of(CONFIGS["growing"]))
    assert not list(tmp_path.iterdir())


def test_values_that_are_no_numbers_are_a_difference(export: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, path, _ = export("resnet")
    whole = onnx_file._Whole(generator, "none", None)
    assert 0 < onnx_file._largest_difference(path.read_bytes(), whole) < TOLERANCE
    answers = iter([np.full([1, 1, 16, 16], np.nan), np.zeros([3, 1, 16, 16])])
    session = SimpleNamespace(run=lambda names, inputs: [next(answers)])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **kwargs: session)
    assert np.isnan(onnx_file._largest_difference(b"", whole))


def test_file_of_a_fixed_batch_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "_export", lambda whole: EmptyProgram(batch=2))
    with pytest.raises(RunError, match="expected a batch of any size, got one fixed in image"):
        write_onnx(tmp_path / "g.onnx", generator_of(CONFIGS["growing"]))
    assert not list(tmp_path.iterdir())


def test_failed_export_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = generator_of(CONFIGS["growing"])
    monkeypatch.setattr(generator.mapping, "forward", lambda z, c: z if z.sum() > 0 else -z)
    with pytest.raises(RunError, match="torch's exporter failed") as caught:
        write_onnx(tmp_path / "g.onnx", generator)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_rounding_model_is_refused(tmp_path: Path) -> None:
    generator = generator_of(CONFIGS["resnet"])
    generator.set_compute_dtype(torch.bfloat16)
    with pytest.raises(InputError, match=r"float32 on the CPU, got torch\.bfloat16 on cpu"):
        write_onnx(tmp_path / "g.onnx", generator)


def test_network_without_noise_has_no_noise_inputs() -> None:
    generator = generator_of(GeneratorConfig(img_height=8, img_width=8, channels=(4, 4), use_noise=False))
    assert list(onnx_file._Whole(generator, "input", None).example(1, psi=1.0)) == ["z", "psi"]


def test_missing_library_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "stylegraft.checkpoints.export.extras.find_spec",
        lambda name: None if name == "onnxscript" else find(name),
    )
    with pytest.raises(InputError, match=r"expected onnxscript.*Run: pip install 'stylegraft\[onnx\]'"):
        write_onnx(tmp_path / "g.onnx", generator_of(CONFIGS["resnet"]))
