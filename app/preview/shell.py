"""The page of ours that holds previewed pages, and the script that runs beside each of them."""

from __future__ import annotations

# The shell belongs to us; generated pages live in its two frames, sandboxed, without its origin.
# A new page loads in the frame behind and comes to the front when it has been drawn: no flicker.
# A page that is still loading is not interrupted; of the pages that arrive meanwhile only the
# newest is loaded after it.
# The title tells the whole state each time, so that nothing is lost where two changes follow so
# quickly that only the second title arrives: when this shell was loaded, a count of changes, the
# document shown, resources refused, links clicked, size in percent, width in CSS pixels.
# A page is laid out at `width` CSS pixels (0: what fits the pane) and enlarged by `zoom` (0: as
# large as fits, never above its own size).
SHELL_HTML = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>shell</title><style>
html, body { margin: 0; height: 100%; overflow: hidden; }
#room { position: absolute; inset: 0; overflow: hidden; }
#room.wide { overflow-x: auto; }
iframe { position: absolute; top: 0; left: 0; border: 0; background: white;
         transform-origin: 0 0; }
.front { z-index: 2; } .back { z-index: 1; }
.empty { visibility: hidden; }
</style></head><body><div id="room">
<iframe class="front empty" sandbox="allow-scripts" title="Preview"></iframe>
<iframe class="back empty" sandbox="allow-scripts" title="Preview in preparation"></iframe>
</div>
<script>
const frames = [...document.querySelectorAll("iframe")], room = document.getElementById("room");
let front = 0, loading = null, pending = null, width = 0, zoom = 0, ratio = 0, told = 0;
let refused = [], blocked = 0, telling = 0, shown = 0, scaled = "0 0", link = "", links = 0;
const tell = () => {
  told += 1;
  const loaded = Math.round(performance.timeOrigin);
  document.title = ["viscodex", loaded, told, shown, blocked, links, scaled].join(" ");
};
const fit = () => {
  const across = room.clientWidth, wanted = width || (zoom ? across / zoom : across);
  const scale = zoom || Math.min(1, across / wanted);
  room.className = wanted * scale > across + 0.5 ? "wide" : "";
  for (const frame of frames) {
    frame.style.width = wanted + "px";
    frame.style.height = Math.ceil(room.clientHeight / scale) + "px";
    frame.style.transform = "scale(" + scale + ")";
    frame.style.left = Math.max(0, Math.floor((across - wanted * scale) / 2)) + "px";
  }
  const now = Math.round(100 * scale) + " " + Math.round(wanted);
  if (now !== scaled && across > 0) { scaled = now; tell(); }
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
  shown = page.serial;
  tell();
  if (pending) { const next = pending; pending = null; start(next); }
};
const start = (page) => {
  loading = page;
  blocked = 0;
  refused = [];
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
  if (event.source === frames[front].contentWindow && typeof data.viscodexLink === "string") {
    link = data.viscodexLink.slice(0, 2000);
    links += 1;
    tell();
  }
  const report = data.viscodexRefused, from = loading ? 1 - front : front;
  if (event.source !== frames[from].contentWindow || blocked >= 999) return;
  if (!report || typeof report.uri !== "string" || typeof report.kind !== "string") return;
  blocked += 1;
  if (refused.length < 200)
    refused.push({uri: report.uri.slice(0, 300), kind: report.kind.slice(0, 40)});
  telling = telling || setTimeout(() => { telling = 0; tell(); }, 60);
});
window.addEventListener("resize", fit);
window.viscodex = {
  show: (serial, url) => {
    const page = {serial, url};
    if (loading) pending = page; else start(page);
  },
  size: (pixels, factor) => { width = pixels; zoom = factor; fit(); },
  refused: () => JSON.stringify(refused),
  link: () => link,
  dress: (colour) => { document.body.style.background = colour; },
};
fit();
tell();
</script></body></html>
"""

# Runs in a world of its own inside each previewed page: keeps the scroll position from one page
# to the next, counts what the content policy refused and tells which link was clicked by hand.
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
  addEventListener("click", (event) => {
    const link = event.isTrusted && event.target.closest && event.target.closest("a[href]");
    if (link && /^https?:$/.test(link.protocol))
      parent.postMessage({viscodexLink: link.href}, "*");
  }, true);
  addEventListener("securitypolicyviolation", (event) => {
    // "inline" and "eval" are scripts of the page itself: switched off, not kept away.
    if (event.blockedURI.includes(":"))
      parent.postMessage({viscodexRefused: {
        uri: event.blockedURI.slice(0, 300), kind: event.effectiveDirective}}, "*");
  });
})()
"""

# Runs before the scripts of each page and takes away what reaches out by ways that neither policy
# nor interceptor sees. The flags leave it nothing to reach but the hosts of a permission.
DISARM_JS = """
for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCIceTransport",
                    "WebTransport", "WebSocketStream"])
  delete window[name];
"""
