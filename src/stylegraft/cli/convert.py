"""`stylegraft convert`: a trained network in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from stylegraft.cli.output import print_json, print_table
from stylegraft.cli.shared import ModelPath
from stylegraft.errors import InputError
from stylegraft.files import check_free
from stylegraft.zoo import resolve

# Spelt out once more, because `checkpoints.export.onnx_file` imports torch and help texts must not.
OnnxNoise = Literal["const", "input", "none"]
Target = Literal["auto", "native", "hub", "onnx", "rosinality"]
_Given = dict[str, str | None]
_BY_SUFFIX: dict[str, Target] = {".onnx": "onnx", ".pt": "rosinality", "": "native"}


def convert(
    source: ModelPath,
    /,
    *,
    out: Annotated[Path, tyro.conf.arg(metavar="PATH")],
    to: Target = "auto",
    licence: str | None = None,
    data_note: str | None = None,
    noise: OnnxNoise = "const",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Writes a trained network in another format; nothing in the source is executed.

    Args:
        source: a run folder (its best checkpoint is taken), a checkpoint folder, a file of a known format or
            a name of the zoo
        out: what to write; it appears when it is whole
        to: native (checkpoint folder), hub (folder for the Hugging Face hub), onnx (one file),
            or rosinality (.pt of stylegan2-pytorch); auto goes by the suffix: none, .onnx or .pt
        licence: terms of the weights, kept with them: an identifier such as cc-by-nc-4.0, or a sentence
        data_note: what the network was trained on, kept with it
        noise: of onnx only: stored in the file, an input for each layer, or none
        overwrite: replace what is there, if it is of the same kind
        json: print the result as JSON
    """
    source, target = resolve(source), _target(to, out)
    if noise != "const" and target != "onnx":
        raise InputError(
            f"--noise {noise}: only ONNX files have a choice of noise, got --to {target}. Leave it out."
        )
    if target == "rosinality" and (licence, data_note) != (None, None):
        raise InputError(
            "--licence, --data-note: a rosinality file has no place for them. Leave them out, or say "
            "--to native."
        )
    given = {"licence": licence, "data_note": data_note}
    if target in ("onnx", "hub"):
        result = _convert_model(source, out, target, given, noise, overwrite)
    else:
        result = _convert_networks(source, out, target, given, overwrite)
    result = {"out": str(out), "format": target, **result, "bytes": _num_bytes(out)}
    if json:
        print_json(result)
        return
    for name in ("inputs", "outputs"):
        if name in result:
            shapes = {tensor: ", ".join(map(str, shape)) for tensor, shape in result[name].items()}
            result[name] = [f"{tensor} [{shape}]" for tensor, shape in shapes.items()]
    print_table(f"converted {source}", result)


def _target(to: Target, out: Path) -> Target:
    if to != "auto":
        return to
    target = _BY_SUFFIX.get(out.suffix.lower())
    if target is None:
        # A folder's name may well have a dot in it, but then it should be said that a folder is meant.
        raise InputError(
            f"--out {out}: expected a name that ends with .onnx or .pt, or has no suffix for a checkpoint "
            f"folder, got {out.suffix}. Say --to native, hub, onnx or rosinality."
        )
    return target


def _convert_model(
    source: Path, out: Path, target: Target, given: _Given, noise: OnnxNoise, overwrite: bool
) -> dict[str, Any]:
    """Writes formats of networks that are ready to sample."""
    from stylegraft.model import load

    check_free(out, overwrite, _own_names(target))
    model = load(source, device="cpu", precision="fp32")
    result: dict[str, Any] = {"source_format": model.info["format"]}
    if target == "onnx":
        return result | vars(model.save_onnx(out, noise=noise, **given))
    model.save_pretrained(out, overwrite=overwrite, **given)
    return result


def _convert_networks(
    source: Path, out: Path, target: Target, given: _Given, overwrite: bool
) -> dict[str, Any]:
    """Writes formats of all networks that the source has."""
    from stylegraft.checkpoints.export.native_folder import write_native
    from stylegraft.checkpoints.export.rosinality import write_rosinality
    from stylegraft.checkpoints.opening import open_checkpoint
    from stylegraft.checkpoints.provenance import carried_facts

    check_free(out, overwrite, _own_names(target))
    opened = open_checkpoint(source, with_training=True)
    result: dict[str, Any] = {"source_format": opened.info["format"], "networks": sorted(opened.tensors)}
    if target == "rosinality":
        result["notes"] = write_rosinality(out, opened.generator, opened.discriminator, opened.tensors)
    else:
        write_native(out, opened, carried_facts(opened.info, **given))
    return result


def _own_names(target: Target) -> tuple[str, ...]:
    """What a folder of a format consists of; nothing for a file."""
    from stylegraft.checkpoints import native
    from stylegraft.checkpoints.hub import folder

    names = {"hub": folder.FILES, "native": (native.CARD_NAME, native.NETWORKS_NAME, native.TRAINING_NAME)}
    return names.get(target, ())


def _num_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path.iterdir() if path.is_dir() else [path]))
