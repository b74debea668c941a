"""The tray and the notices of a desktop, as a process of its own on the session bus it finds.

Speaks StatusNotifierWatcher, com.canonical.dbusmenu and org.freedesktop.Notifications. Prints a
JSON object a line for what happens; commands on stdin: "menu", "click TEXT", "activate".
"""

from __future__ import annotations

import json
import select
import sys
from typing import Any

from jeepney import DBusAddress, HeaderFields, MatchRule, Message, new_error, new_method_call
from jeepney import new_method_return as returned
from jeepney.bus_messages import DBus
from jeepney.io.blocking import open_dbus_connection

WATCHER, NOTICES = "org.kde.StatusNotifierWatcher", "org.freedesktop.Notifications"
MENU = "com.canonical.dbusmenu"


def tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


class Shell:
    def __init__(self) -> None:
        self.connection = open_dbus_connection("SESSION")
        for name in (WATCHER, NOTICES):
            self.connection.send_and_get_reply(DBus().RequestName(name))
        self.item = ""
        self.path = "/StatusNotifierItem"

    def run(self) -> None:
        with self.connection.filter(MatchRule(type="method_call"), bufsize=99) as calls:
            tell(ready=True)
            while True:
                ready, _, _ = select.select([sys.stdin, self.connection.sock], [], [], 0.1)
                if self.connection.sock in ready:
                    self.connection.recv_messages(timeout=0)
                while calls:
                    self.answer(calls.popleft())
                if sys.stdin in ready:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    self.command(*line.strip().split(" ", 1))

    def answer(self, call: Message) -> None:
        member = call.header.fields.get(HeaderFields.member, "")
        sender = call.header.fields.get(HeaderFields.sender, "")
        if member == "RegisterStatusNotifierItem":
            given = call.body[0]
            self.item, self.path = (sender, given) if given[0] == "/" else (given, self.path)
            tell(item=True)
            self.connection.send(returned(call))
        elif member == "Get":
            self.connection.send(returned(call, "v", (("b", True),)))
        elif member == "GetAll":
            values = {"IsStatusNotifierHostRegistered": ("b", True)}
            self.connection.send(returned(call, "a{sv}", (values,)))
        elif member == "GetCapabilities":
            self.connection.send(returned(call, "as", (["actions", "body"],)))
        elif member == "GetServerInformation":
            self.connection.send(returned(call, "ssss", ("mock", "mock", "1", "1.2")))
        elif member == "Notify":
            tell(notice=call.body[3], text=call.body[4])
            self.connection.send(returned(call, "u", (7,)))
        else:
            unknown = "org.freedesktop.DBus.Error.UnknownMethod"
            self.connection.send(new_error(call, unknown, "s", (member,)))

    def command(self, verb: str, rest: str = "") -> None:
        if verb == "activate":
            item = DBusAddress(self.path, self.item, "org.kde.StatusNotifierItem")
            self.ask(new_method_call(item, "Activate", "ii", (0, 0)))
        elif verb == "menu":
            tell(menu=[entry for _, entry in self.entries()])
        elif verb == "click":
            number = next((n for n, entry in self.entries() if entry["label"] == rest), None)
            assert number is not None, rest
            menu = DBusAddress("/MenuBar", self.item, MENU)
            body = (number, "clicked", ("i", 0), 0)
            self.ask(new_method_call(menu, "Event", "isvu", body))
        tell(done=verb)

    def entries(self) -> list[tuple[int, dict[str, Any]]]:
        menu = DBusAddress("/MenuBar", self.item, MENU)
        _, (_, _, children) = self.ask(new_method_call(menu, "GetLayout", "iias", (0, -1, [])))
        found = []
        for _, (number, properties, _) in children:
            values = {key: value for key, (_, value) in properties.items()}
            if values.get("visible", True):
                label = "-" if values.get("type") == "separator" else values.get("label", "")
                entry = {"label": label.replace("_", ""), "enabled": values.get("enabled", True)}
                found.append((number, entry))
        return found

    def ask(self, message: Message) -> Any:
        return self.connection.send_and_get_reply(message, timeout=10).body


if __name__ == "__main__":
    Shell().run()
