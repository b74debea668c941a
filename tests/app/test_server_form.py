"""The form of a server: its test, its key in the keyring, and its models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError
from PySide6.QtCore import Qt

from app.store.settings import RemoteServer
from app.views.main_window import MainWindow
from app.views.server_form import ServerForm
from app.views.windows import Windows
from engine.remote.server import KEYRING_SERVICE
from tests.app.looks import clipped, lengthen, nameless
from tests.app.scripted import ScriptedClient
from tests.app.windows import Make, request
from tests.fixtures.chat_server import ChatServer, stream
from tests.fixtures.remote import KEY


class MemoryKeyring(KeyringBackend):
    """A backend of the real library; the machine of a test has no keyring of its own."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("none")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryKeyring]:
    monkeypatch.delenv("VISCODEX_API_KEY", raising=False)
    before, made = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer([stream()], ("see-7b", "see-32b")) as server:
        yield server
        assert server.trouble == []


@pytest.fixture
def main(make_window: Make) -> MainWindow:
    return make_window(ScriptedClient, request)


@pytest.fixture
def form(main: MainWindow, keys: MemoryKeyring, qtbot: Any) -> ServerForm:
    windows = Windows(main)
    form = ServerForm(windows.shelf)
    qtbot.addWidget(form)
    form.open(None)
    return form


def test_test_then_save_with_a_key(
    form: ServerForm, main: MainWindow, server: ChatServer, keys: MemoryKeyring, qtbot: Any
) -> None:
    changed: list[bool] = []
    form._shelf.server_changed.connect(lambda: changed.append(True))
    form.name.setText("Lab")
    form.url.setText(server.url)
    form.key.setText(KEY)
    form.test.click()
    assert not form.test.isEnabled()
    qtbot.waitUntil(form.test.isEnabled)
    assert form.result.text().startswith("It works: 127.0.0.1:")
    assert form.result.text().endswith("has 2 models.")
    assert form.result.property("tone") == "good"
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    assert [form.model.itemText(i) for i in range(form.model.count())] == ["see-7b", "see-32b"]
    form.model.setCurrentText("see-32b")
    form.save.click()
    qtbot.waitUntil(lambda: not form.isVisible())
    assert main.settings.servers == (RemoteServer("Lab", server.url, "see-32b"),)
    assert list(keys.kept.values()) == [KEY]
    assert next(iter(keys.kept))[0] == KEYRING_SERVICE
    assert changed == [True] and form.key.text() == ""


def test_the_key_that_is_kept_is_used_and_forgotten(
    form: ServerForm, main: MainWindow, server: ChatServer, keys: MemoryKeyring, qtbot: Any
) -> None:
    host = server.url.removeprefix("http://")
    keys.kept[KEYRING_SERVICE, host] = KEY
    main.keep(servers=(RemoteServer("Lab", server.url),), server="Lab")
    form.open(main.settings.servers[0])
    form.test.click()
    qtbot.waitUntil(form.test.isEnabled)
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    form.name.setText("New name")
    form.save.click()
    assert main.settings.server == "New name", "what is in use stays in use"
    form._shelf.remove_server("New name")
    qtbot.waitUntil(lambda: not keys.kept)
    assert main.settings.servers == ()


def test_a_keyring_that_refuses_costs_the_key_only(
    form: ServerForm, main: MainWindow, keys: MemoryKeyring, qtbot: Any
) -> None:
    keys.locked = True
    form.url.setText("https://models.example.org")
    form.key.setText(KEY)
    form.save.click()
    qtbot.waitUntil(lambda: "keyring" in form.result.text() and "take" in form.result.text())
    assert form.result.property("tone") == "bad" and form.isVisible()
    assert [one.name for one in main.settings.servers] == ["models.example.org"]
    form.save.click()
    assert not form.isVisible(), "without a key it is kept as it is"
    assert len(main.settings.servers) == 1


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "http://"),
        ("models.example.org", "http://"),
        ("https://me:pw@models.example.org", "password"),
        ("http://127.0.0.1:1", "127.0.0.1:1"),
    ],
)
def test_what_is_wrong_is_told(form: ServerForm, qtbot: Any, url: str, word: str) -> None:
    form.url.setText(url)
    form.test.click()
    qtbot.waitUntil(form.test.isEnabled, timeout=20_000)
    assert word in form.result.text() and form.result.property("tone") == "bad"
    if word != "127.0.0.1:1":
        form.save.click()
        assert form.isVisible() and form._shelf.settings.servers == ()


def test_a_model_the_server_lacks_is_told(form: ServerForm, server: ChatServer, qtbot: Any) -> None:
    form.url.setText(server.url)
    form.model.setEditText("other")
    form.test.click()
    qtbot.waitUntil(form.test.isEnabled)
    assert "“other” is not one of them" in form.result.text()
    assert form.result.property("tone") == "warn"


def test_unencrypted_addresses_are_warned_of_at_once(form: ServerForm) -> None:
    form.url.setText("http://10.0.0.7:8000")
    assert form.notice.isVisible() and "unencrypted" in form.notice.text()
    form.url.setText("http://localhost:8000")
    assert not form.notice.isVisible()


def test_an_answer_to_an_older_test_is_not_shown(
    form: ServerForm, server: ChatServer, qtbot: Any
) -> None:
    form.url.setText(server.url)
    form.test.click()
    form.open(None)
    form._shelf.tasks.run(lambda: None, lambda _: form.result.setText("after"), print)
    qtbot.waitUntil(lambda: form.result.text() == "after" and bool(server.asked))
    qtbot.wait(50)
    assert form.result.text() == "after"


def test_two_servers_of_one_name(form: ServerForm, main: MainWindow) -> None:
    main.keep(servers=(RemoteServer("Lab", "https://a.example"),))
    form.name.setText("Lab")
    form.url.setText("https://b.example")
    form.save.click()
    assert "already" in form.result.text() and len(main.settings.servers) == 1


def test_keyboard_and_names(form: ServerForm, qtbot: Any, tmp_path: Path) -> None:
    assert nameless(form) == []
    lengthen(form)
    form.resize(400, 500)
    assert clipped(form) == []
    form.key.setText("secret")
    qtbot.keyClick(form.name, Qt.Key.Key_Escape)
    assert not form.isVisible() and form.key.text() == ""
