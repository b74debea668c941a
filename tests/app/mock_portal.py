"""A desktop portal as a process of its own, on the session bus it finds: for tests.

Arguments: how it answers a screenshot (a key of `SCREENSHOTS`), the picture file, how it answers
hotkeys (a key of `SHORTCUTS`). Prints "ready"; a line "press" on stdin fires the bound shortcut.
"""

from __future__ import annotations

import select
import sys
import time
from typing import Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    Message,
    MessageType,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.bus_messages import DBus
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"
REQUEST = "org.freedesktop.portal.Request"
SHORTCUT = "org.freedesktop.portal.GlobalShortcuts"

SCREENSHOTS = ("ok", "left", "refused", "silent", "slow", "no_uri", "remote", "no_file", "denied")
SHORTCUTS = ("ok", "left", "none_bound", "missing")


class Portal:
    def __init__(self, screenshot: str, picture: str, shortcut: str) -> None:
        assert screenshot in SCREENSHOTS and shortcut in SHORTCUTS
        self.screenshot, self.picture, self.shortcut = screenshot, picture, shortcut
        self.registered = ""
        self.session = ""
        self.bound: list[str] = []
        self.connection = open_dbus_connection("SESSION")
        self.connection.send_and_get_reply(DBus().RequestName(NAME))

    def run(self) -> None:
        rule = MatchRule(type="method_call", path=PATH)
        session = MatchRule(type="method_call", interface="org.freedesktop.portal.Session")
        with (
            self.connection.filter(rule, bufsize=50) as calls,
            self.connection.filter(session, bufsize=50) as closes,
        ):
            print("ready", flush=True)
            while True:
                ready, _, _ = select.select([sys.stdin, self.connection.sock], [], [], 0.1)
                if sys.stdin in ready:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self.command(line.strip())
                if self.connection.sock in ready:
                    self.connection.recv_messages(timeout=0)
                while calls:
                    self.answer(calls.popleft())
                while closes:
                    call = closes.popleft()
                    print("closed", flush=True)
                    self.session = ""
                    self.connection.send(new_method_return(call))

    def command(self, line: str) -> None:
        if line == "press" and self.session and self.bound:
            emitter = DBusAddress(PATH, interface=SHORTCUT)
            body = (self.session, self.bound[0], 1, {})
            self.connection.send(new_signal(emitter, "Activated", "osta{sv}", body))

    def answer(self, call: Message) -> None:
        fields = call.header.fields
        method = fields.get(HeaderFields.member, "")
        handler = getattr(self, f"on_{method}", None)
        if handler is None or call.header.message_type is not MessageType.method_call:
            self.connection.send(
                new_error(call, "org.freedesktop.DBus.Error.UnknownMethod", "s", (method,))
            )
            return
        handler(call)

    def on_Register(self, call: Message) -> None:
        self.registered = call.body[0]
        self.connection.send(new_method_return(call))

    def respond(self, call: Message, code: int, results: dict[str, Any]) -> None:
        """Return the handle of the request, then its Response, as a real portal does."""
        handle = self.handle(call)
        self.connection.send(new_method_return(call, "o", (handle,)))
        emitter = DBusAddress(handle, interface=REQUEST)
        # A Response to somebody else comes first: it has to be passed by.
        other = DBusAddress(f"{PATH}/request/1_1/other", interface=REQUEST)
        self.connection.send(new_signal(other, "Response", "ua{sv}", (2, {})))
        self.connection.send(new_signal(emitter, "Response", "ua{sv}", (code, results)))

    def handle(self, call: Message) -> str:
        sender = call.header.fields[HeaderFields.sender][1:].replace(".", "_")
        token = call.body[-1]["handle_token"][1]
        return f"{PATH}/request/{sender}/{token}"

    def on_Screenshot(self, call: Message) -> None:
        parent, options = call.body
        uri = {"uri": ("s", f"file://{self.picture}")}
        if not parent or options["interactive"] != ("b", False) or self.registered != "viscodex":
            self.respond(call, 2, {})
        elif self.screenshot == "denied":
            error = "org.freedesktop.portal.Error.NotAllowed"
            self.connection.send(new_error(call, error, "s", ("no",)))
        elif self.screenshot == "silent":
            self.connection.send(new_method_return(call, "o", (self.handle(call),)))
        else:
            if self.screenshot == "slow":
                time.sleep(1.0)
            code, results = {
                "left": (1, {}),
                "refused": (2, {}),
                "no_uri": (0, {"url": ("s", "x")}),
                "remote": (0, {"uri": ("s", "https://example.org/a.png")}),
                "no_file": (0, {"uri": ("s", "file:///nowhere/at/all.png")}),
            }.get(self.screenshot, (0, uri))
            self.respond(call, code, results)

    def on_CreateSession(self, call: Message) -> None:
        if self.shortcut == "missing":
            error = "org.freedesktop.DBus.Error.UnknownMethod"
            self.connection.send(new_error(call, error, "s", ("no such interface",)))
            return
        sender = call.header.fields[HeaderFields.sender][1:].replace(".", "_")
        self.session = f"{PATH}/session/{sender}/{call.body[0]['session_handle_token'][1]}"
        self.respond(call, 0, {"session_handle": ("s", self.session)})

    def on_BindShortcuts(self, call: Message) -> None:
        session, shortcuts, _, _ = call.body
        assert session == self.session
        if self.shortcut == "left":
            self.respond(call, 1, {})
            return
        chosen = [] if self.shortcut == "none_bound" else shortcuts
        self.bound = [name for name, _ in chosen]
        told = [
            (
                name,
                {
                    "description": values["description"],
                    "trigger_description": ("s", f"Press {values['preferred_trigger'][1]}"),
                },
            )
            for name, values in chosen
        ]
        self.respond(call, 0, {"shortcuts": ("a(sa{sv})", told)})


if __name__ == "__main__":
    Portal(*sys.argv[1:4]).run()
