"""Requests to the desktop portal, the way to the screen and the keyboard on Wayland.

A portal answers a request by a signal on an object whose path the caller can work out, so that it
can listen before it asks. See the documentation of `org.freedesktop.portal.Request`.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from enum import Enum
from types import TracebackType
from typing import Any

from app.i18n import _

BUS_NAME = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"
APP_ID = "viscodex"
REPLY_SECONDS = 15.0
"""A portal that has not answered by then is told as an error."""

_NO_SUCH = ("ServiceUnknown", "NameHasNoOwner", "UnknownMethod", "UnknownInterface", "Spawn")


class Trouble(Enum):
    """How a request can fail."""

    MISSING = "missing"  # there is no portal, or it cannot do this
    LEFT = "left"  # the user said no in the portal's own dialog
    REFUSED = "refused"  # the system said no
    TIMEOUT = "timeout"
    GARBLED = "garbled"


class PortalError(Exception):
    """A request failed; the text is for people."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble


def on_bus(name: str = BUS_NAME, seconds: float = 1.0, running: bool = False) -> bool:
    """Whether the session bus has `name` or can start it; with `running` only the first."""
    from jeepney import DBus

    try:
        with PortalClient(seconds) as client:
            asked = [DBus().ListNames()]
            if not running:
                asked.append(DBus().ListActivatableNames())
            return any(name in client.send(one, seconds)[0] for one in asked)
    except PortalError:
        return False


class PortalClient:
    """A connection to the session bus. Calls wait, so it belongs on a thread of its own."""

    def __init__(self, seconds: float = REPLY_SECONDS) -> None:
        from jeepney.io.blocking import open_dbus_connection

        address = os.environ.get("DBUS_SESSION_BUS_ADDRESS") or _usual_address()
        if not address:
            raise PortalError(Trouble.MISSING, _("there is no session bus"))
        try:
            self.connection = open_dbus_connection(address, auth_timeout=seconds)
        except Exception as error:  # jeepney has no common base for what can go wrong here
            raise PortalError(Trouble.MISSING, _("the session bus does not answer")) from error

    def __enter__(self) -> PortalClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def register(self, seconds: float = REPLY_SECONDS) -> None:
        """Tell the portal which application this is; older ones do not want to know."""
        try:
            self.call(
                "org.freedesktop.host.portal.Registry", "Register", "sa{sv}", (APP_ID, {}), seconds
            )
        except PortalError as error:
            if error.trouble is Trouble.TIMEOUT:
                raise

    def call(
        self,
        interface: str,
        method: str,
        signature: str,
        body: tuple[Any, ...],
        seconds: float = REPLY_SECONDS,
        path: str = PATH,
    ) -> tuple[Any, ...]:
        """Call a method of the portal and return what it returns. Raises PortalError."""
        from jeepney import DBusAddress, new_method_call

        address = DBusAddress(path, bus_name=BUS_NAME, interface=interface)
        return self.send(new_method_call(address, method, signature, body), seconds)

    def request(
        self,
        interface: str,
        method: str,
        signature: str,
        arguments: tuple[Any, ...],
        options: Mapping[str, tuple[str, Any]],
        seconds: float = REPLY_SECONDS,
    ) -> dict[str, Any]:
        """Make a request, whose last argument is `options`, and wait for its Response.

        Returns the results, each a plain value. Raises PortalError.
        """
        from jeepney import MatchRule, message_bus

        end = time.monotonic() + seconds
        token = "viscodex_" + secrets.token_hex(8)
        sender = str(self.connection.unique_name)[1:].replace(".", "_")
        handle = f"{PATH}/request/{sender}/{token}"
        rule = MatchRule(
            type="signal", interface="org.freedesktop.portal.Request", member="Response"
        )
        self.send(message_bus.AddMatch(rule), seconds)
        with self.connection.filter(rule) as responses:
            wanted = {**options, "handle_token": ("s", token)}
            answer = self.call(interface, method, signature, (*arguments, wanted), seconds)
            # Portals before 0.9 made up paths of their own.
            paths = {handle, *(one for one in answer[:1] if isinstance(one, str))}
            while True:
                try:
                    left = max(0.0, end - time.monotonic())
                    signal = self.connection.recv_until_filtered(responses, timeout=left)
                except TimeoutError as error:
                    raise _timeout() from error
                except OSError as error:
                    raise PortalError(Trouble.MISSING, _("the session bus went away")) from error
                if _path(signal) in paths:
                    return _results(signal.body)

    def send(self, message: Any, seconds: float) -> tuple[Any, ...]:
        """Send a method call and return the body of its answer. Raises PortalError."""
        from jeepney import DBusErrorResponse
        from jeepney.wrappers import unwrap_msg

        try:
            reply = self.connection.send_and_get_reply(message, timeout=seconds)
            return tuple(unwrap_msg(reply))
        except DBusErrorResponse as error:
            missing = any(part in error.name for part in _NO_SUCH)
            trouble = Trouble.MISSING if missing else Trouble.REFUSED
            detail = " ".join(str(one) for one in error.data) or error.name
            raise PortalError(
                trouble, _("the desktop portal says: {detail}").format(detail=detail)
            ) from error
        except TimeoutError as error:
            raise _timeout() from error
        except OSError as error:
            raise PortalError(Trouble.MISSING, _("the session bus went away")) from error


def _usual_address() -> str:
    """Where systemd puts the session bus; "" where there is none."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    path = os.path.join(folder, "bus")
    return f"unix:path={path}" if folder and os.path.exists(path) else ""


def _timeout() -> PortalError:
    return PortalError(Trouble.TIMEOUT, _("the desktop portal gave no answer"))


def _path(message: Any) -> str:
    from jeepney import HeaderFields

    return str(message.header.fields.get(HeaderFields.path, ""))


def _results(body: tuple[Any, ...]) -> dict[str, Any]:
    """The results of a Response (ua{sv}); each value comes as (signature, value)."""
    match body:
        case (0, dict() as results):
            return {str(key): value[1] for key, value in results.items()}
        case (1, dict()):
            raise PortalError(Trouble.LEFT, _("it was declined in the system's dialog"))
        case (int(), dict()):
            raise PortalError(Trouble.REFUSED, _("the system does not allow it"))
        case _:
            raise PortalError(Trouble.GARBLED, _("the desktop portal's answer cannot be read"))
