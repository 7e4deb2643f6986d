"""Which number type and which device a request becomes."""

from __future__ import annotations

import pytest
import torch

from stylegraft.errors import InputError
from stylegraft.runtime import precision
from stylegraft.runtime.precision import compute_dtype, has_bf16_units, pick_device

CPU = torch.device("cpu")


def test_explicit_precision_is_kept(monkeypatch):
    for has_units in (False, True):
        monkeypatch.setattr(precision, "has_bf16_units", lambda device, answer=has_units: answer)
        assert compute_dtype("fp32", CPU) == torch.float32
        assert compute_dtype("bf16", CPU) == torch.bfloat16


@pytest.mark.parametrize(("has_units", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_precision_asks_the_processor(monkeypatch, has_units, dtype):
    monkeypatch.setattr(precision, "has_bf16_units", lambda device: has_units)
    assert compute_dtype("auto", CPU) == dtype


def test_units_are_those_torch_reports(monkeypatch):
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    for name in names:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert not has_bf16_units(CPU)
    monkeypatch.setattr(torch.cpu, names[1], lambda: True, raising=False)
    assert has_bf16_units(CPU)
    assert not has_bf16_units(torch.device("meta"))
    for name in names:
        monkeypatch.delattr(torch.cpu, name)
    assert not has_bf16_units(CPU)


def test_auto_device_takes_what_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device() == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"
    assert pick_device("cpu") == CPU


@pytest.mark.parametrize("name", ["graphics", "", "cuda:99", "cpu:x"])
def test_impossible_device_is_refused_in_one_line(name):
    with pytest.raises(InputError, match=r"\(--device\).*Use auto, cpu or cuda") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)
