"""The pickle machine reads honest data as Python's own does, in all protocols."""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stylegraft.checkpoints.foreign.arrays import NUMPY_GLOBALS, TORCH_GLOBALS, NumpyArray, TensorView
from stylegraft.checkpoints.foreign.inert import PYTHON_GLOBALS
from stylegraft.checkpoints.foreign.legacy_storage import STORAGE_LOADER_GLOBALS, read_legacy_stream
from stylegraft.checkpoints.foreign.limits import Reading
from stylegraft.checkpoints.foreign.unpickler import read_pickle
from stylegraft.errors import CheckpointError

ALLOWED = {**PYTHON_GLOBALS, **NUMPY_GLOBALS, **TORCH_GLOBALS, **STORAGE_LOADER_GLOBALS}
PROTOCOLS = range(6)


def read(data: bytes) -> Any:
    value, num_bytes = read_pickle(memoryview(data), ALLOWED, Reading("x.pkl", len(data)))
    assert num_bytes == len(data)
    return value


def plain(value: Any) -> Any:
    """The value with views of the file as bytes."""
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(item) for item in value)
    return value


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
keys = st.one_of(texts, st.integers(-(1 << 31), 1 << 31), st.booleans(), st.none())
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 126), 1 << 126),
    st.floats(allow_nan=False),
    texts,
    st.binary(max_size=300),
    st.sets(texts, max_size=4),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(keys, inner, max_size=5),
        inner.map(lambda item: [item, item]),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=values, protocol=st.sampled_from(PROTOCOLS))
def test_plain_data_reads_as_python_reads_it(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert plain(read(data)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ordered_dicts_with_attributes_read_as_dicts(protocol: int) -> None:
    state = OrderedDict(a=1, b=2.5)
    state._metadata = {"": {"version": 1}}  # pyright: ignore[reportAttributeAccessIssue]
    assert read(pickle.dumps(state, protocol)) == {"a": 1, "b": 2.5}


def test_python_2_byte_strings_read_as_latin1_text() -> None:
    assert read(b"S'a\\x80\\n\\'b'\n.") == "a\x80\n'b"
    assert read(b"\x80\x02U\x02\xe9\x80.") == "\xe9\x80"
    assert read(b"\x80\x02T\x02\x00\x00\x00\xe9\x80.") == "\xe9\x80"


def test_old_opcodes_read_as_documented() -> None:
    assert read(b"I01\n.") is True
    assert read(b"(I00\nI-7\nL12345678901234567890L\nF-2.5e3\nV\\u20ac\nt.") == (
        False,
        -7,
        12345678901234567890,
        -2500.0,
        "\u20ac",
    )
    assert read(b"(dp0\nS'k'\nK\x05sg0\n0.") == {"k": 5}
    assert read(b"(NNl.") == [None, None]
    assert read(b"(K\x01(K\x02K\x031K\x042t.") == (1, 4, 4)
    assert math.isnan(read(b"Fnan\n."))


ARRAYS = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "big_endian": np.arange(4, dtype=">f8"),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    "half": np.ones(2, np.float16),
    "bool": np.array([True, False]),
    "uint8": np.array([1, 255], np.uint8),
    "no_elements": np.zeros((2, 0), np.float32),
    "no_dimensions": np.array(7.5),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ARRAYS)
def test_numpy_arrays_read_as_saved(name: str, protocol: int) -> None:
    got = read(pickle.dumps(ARRAYS[name], protocol))
    assert isinstance(got, NumpyArray)
    assert got.array.dtype == ARRAYS[name].dtype
    np.testing.assert_array_equal(got.array, ARRAYS[name])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_numbers_read_as_python_numbers(protocol: int) -> None:
    for number in (np.float64(0.1), np.float32(2.5), np.int64(-3), np.bool_(True)):
        got = read(pickle.dumps(number, protocol))
        assert got == number.item()
        assert type(got) is type(number.item())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tensors_read_as_saved(protocol: int) -> None:
    tensor = torch.randn(3, 4)[1:, ::2]
    data = pickle.dumps(torch.nn.Parameter(tensor), protocol)
    got = read(data)
    assert isinstance(got, TensorView)
    assert torch.equal(got.to_torch(Reading("x.pkl", len(data))), tensor)


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float32,
        torch.float16,
        torch.float64,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    ],
)
def test_each_storage_type_keeps_its_values(dtype: torch.dtype) -> None:
    for tensor in (torch.tensor([[0.0, 1.0, 2.5, 100.0]]).to(dtype), torch.tensor(1.0).to(dtype)):
        data = pickle.dumps(tensor)
        got = read(data).to_torch(Reading("x.pkl", len(data)))
        assert got.dtype == (torch.float32 if dtype.is_floating_point else dtype)
        assert torch.equal(got, tensor.to(got.dtype))


def test_whole_legacy_file_shares_its_storages() -> None:
    base = torch.arange(6.0)
    file = io.BytesIO()
    torch.save({"a": base[:4], "b": base[2:]}, file, _use_new_zipfile_serialization=False)
    data = file.getvalue()
    reading = Reading("x.pt", len(data))
    got: Any = read_legacy_stream(memoryview(data), reading, {**PYTHON_GLOBALS, **TORCH_GLOBALS})
    assert got["a"].storage is got["b"].storage
    assert torch.equal(got["b"].to_torch(reading), base[2:])


def test_tensor_is_refused_once_the_elements_are_spent() -> None:
    data = pickle.dumps(torch.zeros(100, dtype=torch.float32))
    view = read(data)
    reading = Reading("x.pkl", 250)
    view.to_torch(reading)
    view.to_torch(reading)
    with pytest.raises(CheckpointError, match="more elements than the file has bytes"):
        view.to_torch(reading)
