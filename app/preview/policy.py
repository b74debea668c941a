"""What keeps a generated page from reaching anything: as data, so that it can be read and tested.

Four walls: a scheme of our own, a content policy on every answer, a request interceptor with
navigation veto (preview/web.py), and Chromium flags for what the other three never see
(preconnect, STUN, WebTransport). The flags hold for the whole process.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from engine.render.policy import (
    CHROMIUM_FLAGS,
    NO_SANDBOX_VARIABLE,
    SETTINGS_OFF,
    document_csp,
)

__all__ = [
    "CHROMIUM_FLAGS",
    "HOST",
    "MAX_DOCUMENT_BYTES",
    "NO_SANDBOX_VARIABLE",
    "SCHEME",
    "SETTINGS_OFF",
    "SHELL_CSP",
    "SHELL_URL",
    "document_csp",
    "set_chromium_flags",
]

SCHEME = "preview"
HOST = "doc"
SHELL_URL = f"{SCHEME}://{HOST}/shell"
MAX_DOCUMENT_BYTES = 8_000_000

SHELL_CSP = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    f"frame-src {SCHEME}:; form-action 'none'; base-uri 'none'"
)


def set_chromium_flags(environment: MutableMapping[str, str]) -> None:
    """Add the flags to the variable that Qt reads once, when WebEngine starts."""
    present = environment.get("QTWEBENGINE_CHROMIUM_FLAGS", "")
    wanted = list(CHROMIUM_FLAGS)
    if environment.get(NO_SANDBOX_VARIABLE) == "1":
        wanted.append("--no-sandbox")
        environment["QTWEBENGINE_DISABLE_SANDBOX"] = "1"
    missing = [flag for flag in wanted if flag not in present]
    environment["QTWEBENGINE_CHROMIUM_FLAGS"] = " ".join([present, *missing]).strip()


# The shell belongs to us; generated pages live in its two frames, sandboxed, without its origin.
# A new page loads in the frame behind and comes to the front when it has been drawn: no flicker.
# A page that is still loading is not interrupted; of the pages that arrive meanwhile only the
# newest is loaded after it.
SHELL_HTML = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>shell</title><style>
html, body { margin: 0; height: 100%; overflow: hidden; }
iframe { position: absolute; top: 0; left: 0; border: 0; background: white;
         transform-origin: 0 0; }
.front { z-index: 2; } .back { z-index: 1; }
.empty { visibility: hidden; }
</style></head><body>
<iframe class="front empty" sandbox="allow-scripts" title="Preview"></iframe>
<iframe class="back empty" sandbox="allow-scripts" title="Preview in preparation"></iframe>
<script>
const frames = [...document.querySelectorAll("iframe")];
let front = 0, loading = null, pending = null, width = 0, ratio = 0, blocked = 0, told = 0;
const tell = (what) => { told += 1; document.title = what + " " + told; };
const fit = () => {
  const room = document.documentElement.clientWidth, high = document.documentElement.clientHeight;
  const wanted = width || room, scale = Math.min(1, room / wanted);
  for (const frame of frames) {
    frame.style.width = wanted + "px";
    frame.style.height = Math.ceil(high / scale) + "px";
    frame.style.transform = "scale(" + scale + ")";
    frame.style.left = Math.max(0, Math.floor((room - wanted * scale) / 2)) + "px";
  }
};
const swap = (page) => {
  if (loading !== page) return;
  clearTimeout(page.limit);
  const frame = frames[1 - front];
  frame.contentWindow.postMessage({viscodexScrollTo: ratio}, "*");
  frame.className = "front";
  frames[front].className = "back";
  front = 1 - front;
  loading = null;
  tell("shown " + page.serial);
  if (pending) { const next = pending; pending = null; start(next); }
};
const start = (page) => {
  loading = page;
  blocked = 0;
  // A page that tries to go elsewhere, or never ends loading, is shown as far as it has come.
  page.limit = setTimeout(() => swap(page), 1500);
  frames[1 - front].src = page.url;
};
frames.forEach((frame, index) => frame.addEventListener("load", () => {
  const page = loading;
  if (!page || index !== 1 - front) return;
  frame.contentWindow.postMessage({viscodexScrollTo: ratio}, "*");
  requestAnimationFrame(() => requestAnimationFrame(() => swap(page)));
  setTimeout(() => swap(page), 250);
}));
window.addEventListener("message", (event) => {
  const data = event.data;
  if (!data || typeof data !== "object") return;
  if (event.source === frames[front].contentWindow && Number.isFinite(data.viscodexScroll))
    ratio = Math.max(0, Math.min(1, data.viscodexScroll));
  if (data.viscodexBlocked === true && blocked < 999) {
    blocked += 1;
    tell("blocked " + blocked);
  }
});
window.addEventListener("resize", fit);
window.viscodex = {
  show: (serial, url) => {
    const page = {serial, url};
    if (loading) pending = page; else start(page);
  },
  width: (pixels) => { width = pixels; fit(); },
  dress: (colour) => { document.body.style.background = colour; },
};
fit();
tell("ready");
</script></body></html>
"""

# Runs in a world of its own inside each previewed page: keeps the scroll position from one page
# to the next and counts what the content policy refused.
FRAME_JS = """
(() => {
  if (window === window.top) return;
  const root = () => document.scrollingElement || document.documentElement;
  const room = () => Math.max(1, root().scrollHeight - root().clientHeight);
  addEventListener("message", (event) => {
    if (event.source === parent && event.data && Number.isFinite(event.data.viscodexScrollTo))
      root().scrollTop = event.data.viscodexScrollTo * room();
  });
  addEventListener("scroll", () =>
    parent.postMessage({viscodexScroll: root().scrollTop / room()}, "*"), {passive: true});
  addEventListener("securitypolicyviolation", () =>
    parent.postMessage({viscodexBlocked: true}, "*"));
})()
"""
