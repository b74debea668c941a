"""The script that cuts a loaded page into snips, run in the renderer in a world apart.

It answers a JSON list of {part, width, html}: whole pages of their own, each with the rules that
apply in it and nothing that would be fetched, run or followed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

PLACEHOLDER = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"

# Everything that the cascade needs to know is taken before anything is taken out of the page.
_RULES = r"""
const splitAt = (text, mark) => {
  const found = [];
  let depth = 0, quote = "", start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quote) { if (c === "\\") i++; else if (c === quote) quote = ""; }
    else if (c === '"' || c === "'") quote = c;
    else if (c === "(" || c === "[") depth++;
    else if (c === ")" || c === "]") depth--;
    else if (c === mark && depth === 0) { found.push(text.slice(start, i)); start = i + 1; }
  }
  found.push(text.slice(start));
  return found.map((part) => part.trim()).filter(Boolean);
};
const UNSEEN = new RegExp("^(animation|transition|cursor|will-change|pointer-events|user-select|" +
  "touch-action|scroll-|overscroll-|speak|page-break|break-|orphans|widows|-webkit-|-moz-|-ms-|" +
  "behavior|appearance|text-size-adjust|tab-index|resize)");
const FETCHED = /url\(\s*(?!["']?data:)(?:"[^"]*"|'[^']*'|[^)]*)\s*\)|image-set\([^)]*\)/g;
const declarations = (text) => splitAt(text, ";").flatMap((one) => {
  const colon = one.indexOf(":");
  const name = one.slice(0, colon).trim();
  if (colon < 1 || UNSEEN.test(name)) return [];
  let value = one.slice(colon + 1).trim();
  if (FETCHED.test(value)) {
    value = value.replace(FETCHED, "").replace(/\s+/g, " ").trim();
    const plain = value.replace(/!important/, "").trim();
    if (!plain || !CSS.supports(name, plain)) return [];
  }
  return [{name, value}];
});
const DYNAMIC = new RegExp(":(hover|focus|active|visited|target|fullscreen|autofill|modal|popover|" +
  ":?selection|:?-webkit-|:?-moz-|:?-ms-)");
const PSEUDO = /::?(before|after|first-letter|first-line|marker|placeholder|backdrop)\b/g;
const rules = [];
const take = (list) => {
  for (const rule of list) {
    if (rule instanceof CSSStyleRule) {
      const parts = splitAt(rule.selectorText, ",").filter((text) => !DYNAMIC.test(text))
        .map((text) => {
          const bare = text.replace(PSEUDO, "").trim();
          return {text, test: !bare || /[>+~\s]$/.test(bare) ? bare + " *" : bare};
        });
      const body = declarations(rule.style.cssText);
      if (parts.length && body.length) rules.push({parts, body});
    } else if (rule instanceof CSSMediaRule) {
      if (matchMedia(rule.conditionText).matches) take(rule.cssRules);
    } else if (rule instanceof CSSSupportsRule) {
      if (CSS.supports(rule.conditionText)) take(rule.cssRules);
    } else if (window.CSSLayerBlockRule && rule instanceof CSSLayerBlockRule) {
      take(rule.cssRules);
    }
  }
};
for (const sheet of doc.styleSheets) {
  const media = sheet.media.mediaText;
  if (sheet.disabled || (media && !matchMedia(media).matches)) continue;
  try { take(sheet.cssRules); } catch (error) { /* a sheet that is not ours to read */ }
}
"""

_CLEAN = r"""
const placeholder = (old, across, down) => {
  const image = doc.createElement("img");
  for (const name of ["class", "id", "style"])
    if (old.hasAttribute(name)) image.setAttribute(name, old.getAttribute(name));
  image.setAttribute("alt", "");
  image.setAttribute("width", Math.max(1, Math.round(across)));
  image.setAttribute("height", Math.max(1, Math.round(down)));
  old.replaceWith(image);
  return image;
};
for (const image of doc.querySelectorAll("img")) {
  const told = (name) => parseFloat(image.getAttribute(name) || "") || 0;
  let across = told("width") || told("data-across"), down = told("height") || told("data-down");
  across = across || (down ? down * 4 / 3 : 120);
  down = down || across * 3 / 4;
  image.setAttribute("width", Math.round(across));
  image.setAttribute("height", Math.round(down));
  image.removeAttribute("srcset");
  image.setAttribute("src", PLACEHOLDER);
}
for (const media of doc.querySelectorAll("iframe, video, canvas, object, embed, applet, svg")) {
  if (!media.isConnected) continue;
  const r = media.getBoundingClientRect();
  if (r.width < 1 || r.height < 1) media.remove();
  else if (media.tagName.toLowerCase() !== "svg" || media.outerHTML.length > 1200
           || /<(image|use|foreignObject|script|style|animate)\b|href/i.test(media.innerHTML))
    placeholder(media, r.width, r.height).setAttribute("src", PLACEHOLDER);
}
const gone = "script, noscript, link, meta, base, template, audio, source, track, map, dialog, title";
for (const element of doc.querySelectorAll(gone)) element.remove();
const comments = doc.createTreeWalker(doc, NodeFilter.SHOW_COMMENT);
const dead = [];
while (comments.nextNode()) dead.push(comments.currentNode);
for (const comment of dead) comment.remove();
for (const element of [...body.querySelectorAll("*")]) {
  const style = getComputedStyle(element);
  if (style.display === "none" && !/^(OPTION|OPTGROUP|STYLE)$/.test(element.tagName)
      && !element.closest("svg")) element.remove();
}
for (const style of doc.querySelectorAll("style")) style.setAttribute("data-old", "");
"""

_WRITE = r"""
const INLINE = new Set(("a abbr b bdi bdo br button cite code data dfn em font i img input kbd " +
  "label mark q s samp select small span strong sub sup svg time tt u var wbr big del ins " +
  "textarea").split(" "));
const VOID = new Set("area br col hr img input wbr".split(" "));
const escapeText = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/\u00a0/g, "&nbsp;");
const tagOf = (element) => element.tagName.toLowerCase();
const open = (element) => {
  let text = "<" + tagOf(element);
  for (const a of element.attributes)
    text += a.value === "" && a.name !== "alt" ? " " + a.name
      : ` ${a.name}="${a.value.replace(/&/g, "&amp;").replace(/"/g, "&quot;")}"`;
  return text + ">";
};
const flat = (node, kept) => {
  if (node.nodeType === 3) return escapeText(kept ? node.data : node.data.replace(/[ \t\r\n\f]+/g, " "));
  if (node.nodeType !== 1) return "";
  const tag = tagOf(node);
  if (tag === "svg") return node.outerHTML.replace(/\s+/g, " ");
  if (VOID.has(tag)) return open(node);
  const inside = [...node.childNodes].map((child) =>
    flat(child, kept || tag === "pre" || tag === "textarea")).join("");
  const start = tag === "pre" && inside.startsWith("\n") ? "\n" : "";
  return open(node) + start + inside + `</${tag}>`;
};
const simple = (node) => node.nodeType !== 1 || (INLINE.has(tagOf(node))
  && [...node.childNodes].every(simple));
const write = (element, depth, out) => {
  const pad = "  ".repeat(depth), tag = tagOf(element);
  if (tag === "pre" || VOID.has(tag)) { out.push(pad + flat(element, false)); return; }
  const children = [...element.childNodes];
  if (children.every(simple)) {
    const inside = children.map((child) => flat(child, false)).join("").trim();
    out.push(pad + open(element) + inside + `</${tag}>`);
    return;
  }
  out.push(pad + open(element));
  let line = "";
  const end = () => { if (line.trim()) out.push("  ".repeat(depth + 1) + line.trim()); line = ""; };
  for (const child of children) {
    if (simple(child)) line += flat(child, false);
    else { end(); write(child, depth + 1, out); }
  }
  end();
  out.push(pad + `</${tag}>`);
};
const ruleText = (selector, body) => {
  const one = `${selector} { ${body.map((d) => `${d.name}: ${d.value};`).join(" ")} }`;
  return one.length <= 100 ? one
    : `${selector} {\n${body.map((d) => `  ${d.name}: ${d.value};`).join("\n")}\n}`;
};
"""

_BUILD = r"""
const ALLOWED = new Set(("class id style lang dir href src alt width height type value placeholder " +
  "checked selected disabled multiple size rows cols colspan rowspan start reversed open align " +
  "valign bgcolor border cellpadding cellspacing color face nowrap hidden label").split(" "));
const FIXED = new Set(("table tbody thead tfoot tr ul ol dl menu select optgroup fieldset details " +
  "figure picture").split(" "));
const INHERITED = ["color", "font-family", "font-size", "font-weight", "font-style", "line-height",
                   "text-align", "letter-spacing", "direction"];
const ROOTS = /^(html|body|:root|\*)$/;
const union = (elements) => {
  const boxes = elements.map((e) => e.getBoundingClientRect()).filter((r) => r.width && r.height);
  const left = Math.min(...boxes.map((r) => r.left)), top = Math.min(...boxes.map((r) => r.top));
  return {left, top, width: Math.max(...boxes.map((r) => r.right)) - left,
          height: Math.max(...boxes.map((r) => r.bottom)) - top};
};
const groundBehind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (!/^(transparent|rgba\(.*, 0\))$/.test(colour)) return colour;
  }
  return "";
};
const names = (target, selectors) => {
  for (const element of target.querySelectorAll("*")) {
    if (element.closest("svg") && tagOf(element) !== "svg") continue;
    for (const {name, value} of [...element.attributes]) {
      const asked = selectors.includes("[" + name);
      const svg = tagOf(element) === "svg" && /^(viewbox|fill|stroke|stroke-width|xmlns)$/i.test(name);
      if (/^on/i.test(name) || !(ALLOWED.has(name) || asked || svg)) element.removeAttribute(name);
      else if (name === "href") element.setAttribute("href", "#");
      else if (name === "style") {
        const text = declarations(element.style.cssText).map((d) => `${d.name}: ${d.value}`).join("; ");
        if (text) element.setAttribute("style", text); else element.removeAttribute("style");
      } else if (name === "class" && !asked) {
        const left = value.split(/\s+/).filter((c) => c && selectors.includes("." + CSS.escape(c)));
        if (left.length) element.className = left.join(" "); else element.removeAttribute("class");
      } else if (name === "id" && !asked && !selectors.includes("#" + CSS.escape(value))) {
        element.removeAttribute("id");
      }
    }
  }
  if (!/(^|[\s>+~,(])span\b/.test(selectors))
    for (const span of [...target.querySelectorAll("span")])
      if (!span.attributes.length) span.replaceWith(...span.childNodes);
  target.body.normalize();
};
const build = (roots, part) => {
  const target = doc.implementation.createHTMLDocument("");
  for (const [from, to] of [[doc.documentElement, target.documentElement], [body, target.body]])
    for (const {name, value} of from.attributes)
      if (ALLOWED.has(name) && name !== "hidden") to.setAttribute(name, value);
  const whole = part === "page";
  let wrappers = [];
  let at = target.body;
  if (!whole) {
    const chain = [];
    for (let up = roots[0].parentElement; up && up !== body; up = up.parentElement) chain.unshift(up);
    for (const original of chain) {
      const copy = target.importNode(original, false);
      at.append(copy);
      wrappers.push({original, copy});
      at = copy;
    }
  }
  const inside = new Set();
  for (const root of whole ? body.childNodes : roots) {
    const copy = target.importNode(root, true);
    at.append(copy);
    if (copy.nodeType === 1) for (const e of [copy, ...copy.querySelectorAll("*")]) inside.add(e);
  }
  for (const style of target.querySelectorAll("style")) style.remove();
  const applied = () => rules.map((rule) => ({rule, parts: rule.parts.filter((p) => {
    try { return target.querySelector(p.test) !== null; } catch (error) { return false; }
  })})).filter((one) => one.parts.length);
  let used = applied();
  const matched = () => used.map(({parts}) => parts.map((p) => {
    let count = 0;
    for (const e of target.querySelectorAll(p.test)) if (inside.has(e)) count++;
    return count;
  }).join()).join(";");
  if (wrappers.length) {
    // A wrapper stays only where rules reach through it to what is shown.
    let before = matched();
    for (const wrapper of [...wrappers]) {
      const {copy} = wrapper;
      if (FIXED.has(tagOf(copy))) continue;
      const parent = copy.parentElement, after = copy.nextSibling, children = [...copy.childNodes];
      copy.replaceWith(...children);
      if (matched() === before) wrappers = wrappers.filter((one) => one !== wrapper);
      else { parent.insertBefore(copy, after); copy.append(...children); }
    }
    used = applied();
  }
  let width = innerWidth;
  const base = [];
  if (!whole) {
    const outer = wrappers.length ? [wrappers[0].original] : roots;
    const parent = outer[0].parentElement, style = getComputedStyle(parent);
    const plain = getComputedStyle(doc.documentElement);
    const shown = union(outer);
    if (!(shown.width >= 40)) return null;
    width = Math.min(innerWidth, Math.max(160, Math.ceil(shown.width) + 32));
    base.push({name: "margin", value: "16px"});
    const ground = groundBehind(parent);
    if (ground) base.push({name: "background", value: ground});
    for (const name of INHERITED) {
      const value = style.getPropertyValue(name);
      const usual = {"font-weight": "400", "font-style": "normal", "line-height": "normal",
                     "text-align": "start", "letter-spacing": "normal", "direction": "ltr",
                     "color": "rgb(0, 0, 0)"}[name];
      if (value && value !== usual) base.push({name, value});
    }
  }
  // In a snip the body is ours: of rules for the root only variables stay, and the size of a rem.
  let lines = used.flatMap(({rule, parts}) => {
    if (whole) return [{selector: parts.map((p) => p.text).join(", "), body: rule.body}];
    const roots = parts.filter((p) => ROOTS.test(p.test) && p.test !== "*");
    const others = parts.filter((p) => !roots.includes(p));
    const out = [];
    const kept = rule.body.filter((d) => d.name.startsWith("--")
      || (d.name === "font-size" && roots.some((p) => p.test !== "body")));
    if (roots.length && kept.length) out.push({selector: ":root", body: kept});
    if (others.length) out.push({selector: others.map((p) => p.text).join(", "), body: rule.body});
    return out;
  });
  if (base.length) lines.unshift({selector: "body", body: base});
  if (!whole) for (const e of [target.documentElement, target.body])
    for (const name of ["style", "id"]) e.removeAttribute(name);
  names(target, lines.map((line) => line.selector).join("\n"));
  if (target.querySelector("img"))
    lines.unshift({selector: "img", body: [{name: "background", value: "#cdd2da"}]});
  // Variables that nothing asks for, and those that only such variables ask for.
  for (let before = -1; before !== lines.length;) {
    before = lines.length;
    const text = target.body.outerHTML + lines.flatMap((l) => l.body.map((d) => d.value)).join(" ");
    const asked = new Set([...text.matchAll(/var\(\s*(--[\w-]+)/g)].map((m) => m[1]));
    let fewer = false;
    lines = lines.map((line) => {
      const body = line.body.filter((d) => !d.name.startsWith("--") || asked.has(d.name));
      fewer = fewer || body.length < line.body.length;
      return {selector: line.selector, body};
    }).filter((line) => line.body.length);
    if (fewer) before = -1;
  }
  if (![...inside].some((e) => e.isConnected)) return null;
  const language = target.documentElement.getAttribute("lang") || "en";
  target.documentElement.setAttribute("lang", language);
  const out = ["<!DOCTYPE html>", open(target.documentElement), "<head>", '<meta charset="utf-8">'];
  if (lines.length)
    out.push("<style>", ...new Set(lines.map((l) => ruleText(l.selector, l.body))), "</style>");
  out.push("</head>");
  write(target.body, 0, out);
  out.push("</html>", "");
  return {part, width, html: out.join("\n")};
};
"""

_CUT = r"""
const shown = (element) => {
  const r = element.getBoundingClientRect();
  return r.width >= 40 && r.height >= 8 && r.right > 0 && r.bottom > 0 ? r : null;
};
const SECTION = Math.min(700, MAX - 40);
const sections = [];
const cut = (element, depth) => {
  let run = [];
  const end = () => {
    if (run.length) {
      const box = union(run);
      if (box.width >= 200 && box.height >= 80) sections.push(run);
    }
    run = [];
  };
  for (const child of element.children) {
    const box = shown(child);
    if (!box) continue;
    if (box.height > SECTION) {
      end();
      if (depth < 12 && child.children.length) cut(child, depth + 1);
      continue;
    }
    const heading = /^H[1-3]$/.test(child.tagName);
    const joined = run.length ? union([...run, child]).height : 0;
    if (joined > SECTION || (heading && joined > 250)) end();
    run.push(child);
  }
  end();
};
const COMPONENTS = "table, form, nav, pre, ul, ol, dl, blockquote, figure, fieldset, header, footer," +
  "aside, details, article, [class*=card], [class*=panel], [class*=box], [class*=menu]," +
  "[class*=alert], [class*=note], [class*=group], [class*=toc], [class*=sidebar], [class*=banner]";
const components = () => {
  const found = [], places = new Set();
  for (const element of body.querySelectorAll(COMPONENTS)) {
    const r = shown(element);
    if (!r || r.width < 120 || r.width > 960 || r.height < 32 || r.height > 640) continue;
    const place = [r.left, r.top, r.width, r.height].map((v) => Math.round(v / 4)).join();
    if (places.has(place)) continue;
    places.add(place);
    found.push([element]);
  }
  return found;
};
// Spread over the page, in its order: a page's parts are alike near each other.
const spread = (list, count) => list.length <= count ? list
  : Array.from({length: count}, (_, i) => list[Math.floor(i * list.length / count)]);
const wanted = [];
const height = Math.max(doc.documentElement.getBoundingClientRect().height, body.scrollHeight);
const fits = height <= MAX && body.children.length > 0;
if (PARTS.includes("page") && fits) wanted.push([null, "page"]);
if (PARTS.includes("section")) {
  cut(body, 0);
  const room = Math.ceil((LIMIT - wanted.length) / (PARTS.includes("component") ? 2 : 1));
  // A page of one section is that section.
  if (!(fits && sections.length === 1))
    for (const roots of spread(sections, room)) wanted.push([roots, "section"]);
}
if (PARTS.includes("component"))
  for (const roots of spread(components(), LIMIT - wanted.length)) wanted.push([roots, "component"]);
return JSON.stringify(wanted.slice(0, LIMIT).map(([roots, part]) => build(roots, part)).filter(Boolean));
"""


def cutting_script(parts: Sequence[str], max_height: int, limit: int) -> str:
    """The script for these parts of a page: at most `limit` snips, none higher than `max_height`
    CSS pixels as it stands in the page."""
    constants = (
        f"const PARTS = {json.dumps(list(parts))}, MAX = {max_height}, LIMIT = {limit}, "
        f"PLACEHOLDER = {json.dumps(PLACEHOLDER)};"
        'const doc = document, body = document.body; if (!body) return "[]";'
    )
    pieces = "\n".join((constants, _RULES, _CLEAN, _WRITE, _BUILD, _CUT))
    return f"(() => {{\n{pieces}\n}})()"
