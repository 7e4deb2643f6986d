"""To the Hugging Face hub and back. What comes from it is a folder like any other: see `folder`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stylegraft.checkpoints.export.extras import require
from stylegraft.checkpoints.hub.folder import FILES
from stylegraft.errors import InputError, RunError

_REPO_ID = re.compile(r"[\w.-]{1,96}(?:/[\w.-]{1,96})?")


def download(repo_id: str, revision: str | None = None, token: str | None = None) -> Path:
    """Returns the folder of a hub model, downloaded to the hub's own cache unless it is there.

    Args:
        repo_id: "owner/name".
        revision: branch, tag or commit; None: the newest.
        token: access token; None: the one that `hf auth login` keeps, if any.

    Raises:
        InputError: there is no such model, or huggingface_hub is not installed.
        RunError: the hub cannot be reached.
    """
    _check_repo_id(repo_id)
    require(("huggingface_hub",), extra="hub", purpose="models of the Hugging Face hub")
    import huggingface_hub

    with _errors_in_one_line(f"cannot get {repo_id} from the hub"):
        # Only our own names: a repository may hold anything, and none of the rest is read here.
        return Path(
            huggingface_hub.snapshot_download(
                repo_id, revision=revision, token=token, allow_patterns=list(FILES)
            )
        )


def upload(folder: Path, repo_id: str, *, token: str | None, private: bool, message: str) -> str:
    """Makes the repository where there is none, uploads a hub folder as one commit, returns its address.

    Raises:
        InputError: the name is none or not ours, or huggingface_hub is not installed.
        RunError: the hub cannot be reached.
    """
    _check_repo_id(repo_id)
    require(("huggingface_hub",), extra="hub", purpose="models of the Hugging Face hub")
    import huggingface_hub

    api = huggingface_hub.HfApi(token=token, library_name="stylegraft")
    with _errors_in_one_line(f"cannot upload to {repo_id} on the hub"):
        address = api.create_repo(repo_id, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=message)
    return str(address)


def _check_repo_id(repo_id: str) -> None:
    if not _REPO_ID.fullmatch(repo_id):
        raise InputError(
            f"{repo_id}: expected a folder that exists, or a model of the hub as owner/name. Check the name."
        )


@contextmanager
def _errors_in_one_line(what: str) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        raise InputError(
            f"{what}: {_first_line(error)} Check name and revision; private models need a token "
            "(hf auth login)."
        ) from error
    # Its client's errors, which are OSErrors or not, by release.
    except (OSError, getattr(errors, "HTTPError", OSError)) as error:
        raise RunError(f"{what}: {_first_line(error)} Check the connection and the token.") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") + "." if lines else f"{type(error).__name__}."
