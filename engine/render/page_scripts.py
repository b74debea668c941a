"""The scripts that `html_worker` runs in a page, in a world apart from the page's own."""

from __future__ import annotations

# Runs in a world of its own: the page's scripts can neither see nor change it. The title tells
# when two frames have been drawn after the layout was final. No frame is drawn for a view that is
# not visible to the compositor, hence the timer as second way out.
# The mark, a dot in the corner, says to whoever looks at the view whether such a frame has come
# there. It lies in the top layer: nothing that the page does to its root or its dialogs changes it.
SETTLE_JS = """
(() => {
  const mark = () => {
    const dot = globalThis.viscodexMark = document.createElement("div");
    dot.style.cssText = "all:initial !important;display:block !important;" +
      "position:fixed !important;left:0 !important;top:0 !important;width:2px !important;" +
      "height:2px !important;background:%s !important";
    dot.popover = "manual";
    if (document.documentElement) {
      document.documentElement.append(dot);
      dot.showPopover();
    }
  };
  const tell = () => { document.title = "%s"; };
  let told = false;
  const once = () => { if (!told) { told = true; tell(); } };
  // A new size of the view arrives later than this script: two frames of that size are awaited.
  const sized = () => innerWidth === %d && innerHeight === %d;
  const wait = () => {
    if (told) return;
    if (!sized()) return requestAnimationFrame(wait);
    mark();
    requestAnimationFrame(() => requestAnimationFrame(once));
  };
  wait();
  setTimeout(() => { if (!globalThis.viscodexMark) mark(); once(); }, 400);
})()
"""
UNMARK_JS = "globalThis.viscodexMark.remove()"
HEIGHT_JS = """
(() => {
  const root = document.documentElement, body = document.body;
  if (!root) return 0;
  return Math.ceil(Math.max(root.getBoundingClientRect().height, body ? body.scrollHeight : 0,
                            body ? body.getBoundingClientRect().bottom : 0));
})()
"""
DESCRIBE_JS = """
(() => {
  const texts = [], elements = [], doc = document;
  if (!doc.body) return JSON.stringify({texts, elements});
  const visible = (style) => style.visibility !== "hidden" && style.display !== "none"
                             && parseFloat(style.opacity) > 0.05;
  const walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
  const lines = (node, style) => {
    // One entry for each drawn line: the words of a text node fall apart where their tops differ.
    const range = doc.createRange(), found = [];
    const pattern = /\\S+/g;
    for (let m; (m = pattern.exec(node.data));) {
      range.setStart(node, m.index);
      range.setEnd(node, m.index + m[0].length);
      for (const r of range.getClientRects()) {
        if (r.width < 1 || r.height < 1) continue;
        const last = found[found.length - 1];
        if (last && Math.abs(last.box[1] - r.top) < 3 && r.left >= last.box[0]) {
          last.text += " " + m[0];
          last.box[2] = Math.max(last.box[2], r.right);
        } else {
          found.push({text: m[0], box: [r.left, r.top, r.right, r.bottom]});
        }
        break;
      }
    }
    return found;
  };
  const add = (found, style, kind) => {
    for (const line of found)
      texts.push({text: line.text, box: line.box, font_px: parseFloat(style.fontSize),
                  family: style.fontFamily, color: style.color, weight: style.fontWeight, kind});
  };
  for (let node; (node = walker.nextNode());) {
    const parent = node.parentElement;
    if (!parent || /^(STYLE|SCRIPT|TITLE|OPTION|TEXTAREA|NOSCRIPT)$/.test(parent.tagName)) continue;
    const style = getComputedStyle(parent);
    if (!visible(style)) continue;
    add(lines(node, style), style, "text");
  }
  for (const el of doc.body.querySelectorAll("*")) {
    const style = getComputedStyle(el), r = el.getBoundingClientRect();
    if (r.width < 1 || r.height < 1 || !visible(style)) continue;
    const shown = el.value || el.placeholder;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) && typeof shown === "string"
        && !/^(checkbox|radio|range|color|hidden|password)$/.test(el.type)) {
      const text = el.tagName === "SELECT"
        ? (el.selectedOptions[0] ? el.selectedOptions[0].text : "") : shown;
      const left = r.left + parseFloat(style.paddingLeft) + parseFloat(style.borderLeftWidth);
      const size = parseFloat(style.fontSize);
      const context = doc.createElement("canvas").getContext("2d");
      let width = text.length * size * 0.5;
      if (context) { context.font = style.font; width = context.measureText(text).width; }
      const top = el.tagName === "TEXTAREA"
        ? r.top + parseFloat(style.paddingTop) + 1 : (r.top + r.bottom) / 2 - size * 0.6;
      if (text.trim())
        add([{text: text.trim(),
              box: [left, top, Math.min(left + width, r.right), top + size * 1.2]}],
            el.value ? style : getComputedStyle(el, "::placeholder"), "control");
    }
    elements.push({tag: el.tagName.toLowerCase(), cls: el.getAttribute("class") || "",
                   type: el.type || "", box: [r.left, r.top, r.right, r.bottom],
                   background: style.backgroundColor, border: parseFloat(style.borderTopWidth),
                   border_bottom: parseFloat(style.borderBottomWidth),
                   border_color: style.borderBottomColor,
                   radius: parseFloat(style.borderTopLeftRadius)});
  }
  return JSON.stringify({texts, elements});
})()
"""
