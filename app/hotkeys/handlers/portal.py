"""Wayland: the desktop portal registers the combination and tells when it is pressed."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from typing import Any

from app.hotkeys.models import Combination, Told, by_command
from app.i18n import N_, _
from app.portal import PortalClient, PortalError, Trouble, on_bus

SHORTCUTS = "org.freedesktop.portal.GlobalShortcuts"
SHORTCUT_ID = "snip"
ANSWER_SECONDS = 120.0
"""The desktop may ask the user which key to give; reading that takes a while."""

_BY_COMMAND = {
    Trouble.MISSING: N_("This desktop has no portal for global shortcuts."),
    Trouble.TIMEOUT: N_("The desktop did not answer."),
}
"""What went wrong where a key for our command helps."""


def trigger(combination: Combination) -> str:
    """The combination in the notation of the shortcuts specification: CTRL+SHIFT+F8."""
    names = [one.portal for one in combination.modifier_codes()]
    return "+".join([*names, combination.codes.portal])


class PortalHandler:
    """A session of the portal, on a thread that only waits for it."""

    method = N_("The desktop itself listens and reports this one shortcut; no other key is seen.")

    def __init__(self, seconds: float = ANSWER_SECONDS) -> None:
        self._seconds = seconds
        self._listener: _Listener | None = None

    def reason(self) -> str:
        return "" if on_bus() else by_command(_BY_COMMAND[Trouble.MISSING])

    def register(self, combination: Combination, told: Told) -> None:
        self.unregister()
        self._listener = _Listener(combination, told, self._seconds)
        self._listener.start()

    def unregister(self) -> None:
        if self._listener is not None:
            self._listener.stop()
            self._listener = None


class _Listener(threading.Thread):
    """Makes a session, binds the shortcut and waits; the session ends with its connection."""

    def __init__(self, combination: Combination, told: Told, seconds: float) -> None:
        super().__init__(name="hotkey", daemon=True)
        self._trigger = trigger(combination)
        self._told = told
        self._seconds = seconds
        self._stopped = threading.Event()
        self._client: PortalClient | None = None

    def stop(self) -> None:
        """End the wait; nothing more is told."""
        self._stopped.set()
        client = self._client
        if client is not None:
            # Closing alone would not wake a thread that waits for the socket.
            with contextlib.suppress(OSError):  # it may have gone already
                client.connection.sock.shutdown(socket.SHUT_RDWR)
        self.join(timeout=0.5)

    def run(self) -> None:
        try:
            with PortalClient() as client:
                self._client = client
                if not self._stopped.is_set():
                    self._listen(client)
        except PortalError as error:
            self._fail(_reason(error))
        except OSError:
            self._fail(_("The connection to the desktop is lost."))

    def _fail(self, text: str) -> None:
        if not self._stopped.is_set():
            self._told.failed(text)

    def _listen(self, client: PortalClient) -> None:
        from jeepney import MatchRule, message_bus

        client.register()
        session = client.request(
            SHORTCUTS,
            "CreateSession",
            "a{sv}",
            (),
            {"session_handle_token": ("s", "viscodex_" + secrets.token_hex(8))},
        ).get("session_handle")
        if not isinstance(session, str):
            raise PortalError(Trouble.GARBLED, _("the portal gave no session"))
        rule = MatchRule(type="signal", interface=SHORTCUTS, member="Activated")
        client.send(message_bus.AddMatch(rule), self._seconds)
        with client.connection.filter(rule, bufsize=8) as presses:
            wanted = {
                "description": ("s", _("Snip a part of the screen")),
                "preferred_trigger": ("s", self._trigger),
            }
            results = client.request(
                SHORTCUTS,
                "BindShortcuts",
                "oa(sa{sv})sa{sv}",
                (session, [(SHORTCUT_ID, wanted)], "wayland:"),
                {},
                self._seconds,
            )
            self._told.active(_assigned(results))
            while not self._stopped.is_set():
                signal = client.connection.recv_until_filtered(presses)
                if tuple(signal.body[:2]) == (session, SHORTCUT_ID):
                    self._told.pressed()


def _reason(error: PortalError) -> str:
    if error.trouble in _BY_COMMAND:
        return by_command(_BY_COMMAND[error.trouble])
    if error.trouble is Trouble.LEFT:
        return _("The shortcut was declined in the system's dialog.")
    return _("The shortcut cannot be used: {error}.").format(error=error)


def _assigned(results: dict[str, Any]) -> str:
    """What the desktop made of the wish, in its own words. Raises PortalError if nothing."""
    shortcuts = results.get("shortcuts")
    for name, values in shortcuts if isinstance(shortcuts, list) else ():
        if name == SHORTCUT_ID:
            return str(values.get("trigger_description", ("s", ""))[1])
    raise PortalError(Trouble.REFUSED, _("the desktop gave it no key"))
