"""Models and data sets by path or by their name on the Hub."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w./-]+)?")
# Weights as safetensors only, and all that belongs to them.
PATTERNS = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "LICENSE*", "NOTICE*"]


def find_checkpoint(model: str) -> Path:
    """The folder of a model: a path, or `owner/name` or `owner/name@revision`, which is fetched
    into the Hub's cache where it is not there yet.

    Raises VisCodexError: bad_input where there is no such model, server_unreachable and
    server_failed where it cannot be fetched.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if not _HUB_ID.fullmatch(model) or folder.is_absolute():
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no folder '{model}'.",
            "Give the folder of a checkpoint, or a Hub id such as Qwen/Qwen2.5-7B.",
        )
    return _fetch(*model.partition("@")[::2])


def _fetch(name: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    def fetch() -> str:
        return snapshot_download(name, revision=revision or None, allow_patterns=PATTERNS)

    return _fetched(name, revision, "model", fetch)


@lru_cache(maxsize=16)
def _fetch_file(name: str, revision: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download

    def fetch() -> str:
        return hf_hub_download(name, file, revision=revision or None, repo_type="dataset")

    return _fetched(name, revision, "data set", fetch)


def _fetched(name: str, revision: str, what: str, fetch: Callable[[], str]) -> Path:
    """What `fetch` brings from the Hub; its errors in our words."""
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    # Of httpx in version 1 of the library, of httpx2 in version 2; it covers broken transfers too.
    transport_error: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        return Path(fetch())
    except RevisionNotFoundError:
        raise VisCodexError(
            ErrorCode.bad_input, f"'{name}' has no revision '{revision}'.", "Check the name."
        ) from None
    except RepositoryNotFoundError:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no folder and no {what} on the Hub called '{name}'.",
            f"Check the name; for a closed {what} log in with `hf auth login`.",
        ) from None
    except RemoteEntryNotFoundError:
        raise VisCodexError(
            ErrorCode.bad_input, f"'{name}' has no such file on the Hub.", "Check the name."
        ) from None
    except (LocalEntryNotFoundError, transport_error, OSError) as error:
        answer = error if isinstance(error, HfHubHTTPError) else error.__cause__
        if isinstance(answer, HfHubHTTPError):
            raise VisCodexError(
                ErrorCode.server_failed,
                f"The Hub did not give '{name}': {str(answer).splitlines()[0]}.",
                "Try again later.",
            ) from None
        if not isinstance(error, LocalEntryNotFoundError):
            raise VisCodexError(
                ErrorCode.server_failed,
                f"'{name}' was not fetched whole from the Hub: {str(error).splitlines()[0]}.",
                "Run the command again: what is there already is kept.",
            ) from None
        raise VisCodexError(
            ErrorCode.server_unreachable,
            f"There is no folder '{name}', and the Hub cannot be reached.",
            "Check the path or the network.",
        ) from None


def find_data_file(place: str) -> Path:
    """A file or folder of a data set: a path, or `owner/name:file` of a data set on the Hub, which
    is fetched into the Hub's cache where it is not there yet.

    Raises VisCodexError as `find_checkpoint` does.
    """
    path = Path(place).expanduser()
    if path.exists():
        return path
    name, colon, file = place.partition(":")
    if not colon or not file or not _HUB_ID.fullmatch(name) or path.is_absolute():
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no '{place}'.",
            "Give a path, or a file of a data set on the Hub, such as owner/name:rows.json.",
        )
    return _fetch_file(name.partition("@")[0], name.partition("@")[2], file)
