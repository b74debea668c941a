"""Models by folder or by their name on the Hub."""

from __future__ import annotations

import re
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
    from httpx import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=PATTERNS))
    except RevisionNotFoundError:
        raise VisCodexError(
            ErrorCode.bad_input, f"'{name}' has no revision '{revision}'.", "Check the name."
        ) from None
    except RepositoryNotFoundError:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no folder and no model on the Hub called '{name}'.",
            "Check the name; for a closed model log in with `hf auth login`.",
        ) from None
    except (LocalEntryNotFoundError, HTTPError, OSError) as error:
        if isinstance(error, HfHubHTTPError):
            raise VisCodexError(
                ErrorCode.server_failed,
                f"The Hub did not give '{name}': {str(error).splitlines()[0]}.",
                "Try again later.",
            ) from None
        raise VisCodexError(
            ErrorCode.server_unreachable,
            f"There is no folder '{name}', and the Hub cannot be reached.",
            "Check the path or the network.",
        ) from None
