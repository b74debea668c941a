"""Registers the scheme of previewed pages: the one part of WebEngine needed before the window."""

from __future__ import annotations

from PySide6.QtCore import QByteArray
from PySide6.QtWebEngineCore import QWebEngineUrlScheme

from app.preview import policy


def register_scheme() -> None:
    """Make `preview:` known to Chromium; once, before the QApplication. A second call is free."""
    name = QByteArray(policy.SCHEME.encode())
    if QWebEngineUrlScheme.schemeByName(name).name():
        return
    scheme = QWebEngineUrlScheme(name)
    scheme.setSyntax(QWebEngineUrlScheme.Syntax.Host)
    scheme.setFlags(QWebEngineUrlScheme.Flag.SecureScheme | QWebEngineUrlScheme.Flag.CorsEnabled)
    QWebEngineUrlScheme.registerScheme(scheme)
