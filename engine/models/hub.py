"""What the Hugging Face Hub tells of a repository's files: names, sizes, SHA-256.

Two questions: the list of files (`/api/models/REPO/tree/REVISION`), and for each chosen one a HEAD
of `/REPO/resolve/COMMIT/FILE`, whose answer names the commit, the exact size (X-Linked-Size) and
the SHA-256 (X-Linked-Etag) before it redirects to where the bytes lie.
HF_ENDPOINT names another server of the same kind, HF_TOKEN is shown to that server alone.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from engine.errors import ErrorCode, VisCodexError
from engine.models.transfer import Source, failed, of_transport, refuse_status

ENDPOINT = "https://huggingface.co"
ENDPOINT_VARIABLE, TOKEN_VARIABLE = "HF_ENDPOINT", "HF_TOKEN"
MOST_PAGES = 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART_OF_SEVERAL = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


@dataclass(frozen=True)
class Hub:
    """The server to ask. `token` never shows in a repr."""

    endpoint: str = ENDPOINT
    token: str = ""

    def __repr__(self) -> str:
        return f"Hub({self.endpoint!r})"

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Hub:
        """As HF_ENDPOINT and HF_TOKEN have it. Raises VisCodexError(bad_input)."""
        endpoint = environment.get(ENDPOINT_VARIABLE, "").strip().rstrip("/") or ENDPOINT
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"{ENDPOINT_VARIABLE} is no address of a server.",
                f"Unset it, or give one as in {ENDPOINT}.",
            )
        return cls(endpoint, environment.get(TOKEN_VARIABLE, "").strip())

    @property
    def host(self) -> str:
        """Its name for people."""
        return urlsplit(self.endpoint).netloc

    @property
    def headers(self) -> dict[str, str]:
        """What shows who asks; httpx drops it where a redirect leads to another host."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@dataclass(frozen=True)
class Listed:
    """A file in a repository; `sha256` is "" where the list does not tell it."""

    path: str
    size: int
    sha256: str


async def list_files(
    client: httpx.AsyncClient, hub: Hub, repo: str, revision: str = "main"
) -> list[Listed]:
    """All files of a repository. Raises VisCodexError(download_failed)."""
    url = f"{hub.endpoint}/api/models/{quote(repo)}/tree/{quote(revision, safe='')}?recursive=true"
    found: list[Listed] = []
    for _ in range(MOST_PAGES):
        response = await _ask(client, "GET", url, hub)
        try:
            rows = response.json()
            found += [_listed(row) for row in rows if row.get("type") == "file"]
        except (ValueError, AttributeError, TypeError, KeyError):
            raise failed(
                f"{hub.host} answered with something else than a list of files.",
                "A page that asks for a sign-in may stand between: open the address in a browser.",
            ) from None
        following = response.links.get("next", {}).get("url")
        if following is None or urlsplit(following).netloc != hub.host:
            break
        url = following
    return found


def choose(files: Sequence[Listed], patterns: Sequence[str], kind: str, repo: str) -> Listed:
    """The first file that matches the first pattern that any matches; never one of several parts.

    `kind` is "model" or "mmproj": what has "mmproj" in its name is the second and nothing else.
    Raises VisCodexError(download_failed).
    """
    usable = [
        file
        for file in files
        if ("mmproj" in file.path.lower()) == (kind == "mmproj")
        and not _PART_OF_SEVERAL.search(file.path)
    ]
    for pattern in patterns:
        matching = sorted(f.path for f in usable if fnmatch.fnmatchcase(f.path, pattern))
        if matching:
            return next(file for file in usable if file.path == matching[0])
    raise failed(
        f"{repo} has no {kind} file of the kind that is looked for ({patterns[0]}).",
        "Its files may have been renamed: download them by hand and use `viscodex models add`.",
    )


async def resolve(
    client: httpx.AsyncClient, hub: Hub, repo: str, file: Listed, revision: str = "main"
) -> Source:
    """Where a file's bytes are asked for, with exact size and sum, at one commit.

    Raises VisCodexError(download_failed), also where the Hub tells no sum.
    """
    response = await _ask(client, "HEAD", _address(hub, repo, revision, file.path), hub)
    sums = response.headers.get("x-linked-etag", "").removeprefix("W/").strip('"')
    size = response.headers.get("x-linked-size", "")
    sha256 = sums if _SHA256.fullmatch(sums) else file.sha256
    if not _SHA256.fullmatch(sha256):
        raise failed(
            f"{hub.host} tells no SHA-256 for {file.path}.",
            "Without it the file cannot be checked, so it is not downloaded.",
        )
    commit = response.headers.get("x-repo-commit", "")
    named = commit if re.fullmatch(r"[0-9a-f]{40}", commit) else revision
    return Source(
        url=_address(hub, repo, named, file.path),
        name=file.path.rsplit("/", 1)[-1],
        size=int(size) if size.isdigit() else file.size,
        sha256=sha256,
        headers=hub.headers,
        revision=named,
    )


def _address(hub: Hub, repo: str, revision: str, path: str) -> str:
    return f"{hub.endpoint}/{quote(repo)}/resolve/{quote(revision, safe='')}/{quote(path)}"


async def _ask(client: httpx.AsyncClient, method: str, url: str, hub: Hub) -> httpx.Response:
    try:
        response = await client.request(method, url, headers=hub.headers, follow_redirects=False)
        # A repository that was renamed: the Hub points to itself, with a relative address.
        for _ in range(3):
            following = response.headers.get("location", "")
            if response.status_code not in (301, 302, 307, 308) or not following.startswith("/"):
                break
            url = hub.endpoint + following
            response = await client.request(method, url, headers=hub.headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise of_transport(error, hub.host) from error
    if response.status_code >= 400:
        refuse_status(response, hub.host)
    return response


def _listed(row: dict[str, Any]) -> Listed:
    lfs = row.get("lfs") or {}
    return Listed(str(row["path"]), int(row["size"]), str(lfs.get("oid", "")))
