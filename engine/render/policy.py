"""What keeps a generated page from reaching anything, as data: for drawing and for preview alike.

A content policy on every document, settings that are off, and Chromium flags for what neither a
policy nor a request interceptor sees (preconnect, STUN, WebTransport).
"""

from __future__ import annotations

# Chromium refuses to run as root with its sandbox on; only tests and data building run as root.
NO_SANDBOX_VARIABLE = "VISCODEX_RENDER_NO_SANDBOX"

CHROMIUM_FLAGS = (
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--proxy-server=socks5://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
    '--host-resolver-rules="MAP * ~NOTFOUND"',
)

_DOCUMENT = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; media-src data: blob:; connect-src 'none'; "
    "frame-src 'none'; object-src 'none'; worker-src 'none'; form-action 'none'; "
    "base-uri 'none'; sandbox{allow}"
)


def document_csp(scripts: bool) -> str:
    """The policy of a previewed document, with or without its scripts."""
    if scripts:
        return _DOCUMENT.format(scripts="'unsafe-inline'", allow=" allow-scripts")
    return _DOCUMENT.format(scripts="'none'", allow="")


SETTINGS_OFF = (
    "LocalContentCanAccessFileUrls",
    "LocalContentCanAccessRemoteUrls",
    "PluginsEnabled",
    "JavascriptCanOpenWindows",
    "JavascriptCanAccessClipboard",
    "JavascriptCanPaste",
    "LocalStorageEnabled",
    "HyperlinkAuditingEnabled",
    "PdfViewerEnabled",
    "DnsPrefetchEnabled",
    "ScreenCaptureEnabled",
    "WebGLEnabled",
    "FullScreenSupportEnabled",
    "NavigateOnDropEnabled",
    "AllowRunningInsecureContent",
    "ErrorPageEnabled",
    "AutoLoadIconsForPage",
    "FocusOnNavigationEnabled",
    "AllowWindowActivationFromJavaScript",
)
"""Names of QWebEngineSettings.WebAttribute that are switched off."""
