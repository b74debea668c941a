"""Keys of servers in the system's keyring: kept, told of, forgotten; never in a file of ours.

Reading one is `engine.remote.server.find_key`, which asks the environment first. All of it works
without a keyring service: then keys come from VISCODEX_API_KEY alone, and `keep_key` says so.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from engine.errors import ErrorCode, VisCodexError
from engine.remote.server import KEY_VARIABLE, KEYRING_SERVICE, Server


def keep_key(url: str, key: str) -> None:
    """Keep the key of the server at `url` under its host.

    Raises VisCodexError: server_address or bad_input for what cannot be a server and its key,
    internal where this system has no keyring that takes it.
    """
    Server.at(url, key)
    try:
        import keyring

        keyring.set_password(KEYRING_SERVICE, urlsplit(url.strip()).netloc, key)
    except Exception as error:  # every backend throws its own kinds
        raise VisCodexError(
            ErrorCode.internal,
            f"This system's keyring does not take the key ({type(error).__name__}).",
            f"Unlock the keyring, or set {KEY_VARIABLE} before the start.",
        ) from None


def forget_key(url: str) -> bool:
    """Remove the key of a server; whether there was one."""
    try:
        import keyring

        keyring.delete_password(KEYRING_SERVICE, urlsplit(url.strip()).netloc)
    except Exception:  # none kept, or no keyring
        return False
    return True
