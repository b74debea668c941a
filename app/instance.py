"""One running instance: a second start hands its request to the first and ends."""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

CONNECT_MS = 500
MAX_BYTES = 64_000


def server_name(scope: str = "") -> str:
    """A name that belongs to this user (and, in tests, to `scope`)."""
    identity = f"{getpass.getuser()}|{Path.home()}|{scope}"
    return "viscodex-" + hashlib.sha256(identity.encode()).hexdigest()[:16]


def forward(name: str, request: Mapping[str, Any]) -> bool:
    """Hand `request` to the running instance; False where there is none."""
    socket = QLocalSocket()
    socket.connectToServer(name)
    if not socket.waitForConnected(CONNECT_MS):
        return False
    socket.write(json.dumps(request).encode() + b"\n")
    written = socket.waitForBytesWritten(CONNECT_MS)
    socket.disconnectFromServer()
    return bool(written)


class InstanceServer(QObject):
    """Listens for later starts; `requested` carries what they were asked for."""

    requested = Signal(dict)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._accept)
        if not self._server.listen(name):
            # A name left behind by a crash: nobody answered on it, so it can be taken over.
            QLocalServer.removeServer(name)
            self._server.listen(name)

    @property
    def listening(self) -> bool:
        return self._server.isListening()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(lambda s=socket: self._read(s))
            socket.disconnected.connect(socket.deleteLater)
            if socket.bytesAvailable():
                self._read(socket)

    def _read(self, socket: QLocalSocket) -> None:
        if socket.bytesAvailable() > MAX_BYTES:
            socket.abort()
            return
        if not socket.canReadLine():
            return
        try:
            request = json.loads(bytes(socket.readLine().data()))
        except ValueError:
            return
        if isinstance(request, dict):
            self.requested.emit(request)
