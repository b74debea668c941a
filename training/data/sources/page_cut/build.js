// A page of its own from some neighbouring elements, with the rules that apply in it.
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
  // Boxes that nothing names and that hold nothing but boxes: what they do is lost on a reader.
  if (!/(^|[\s>+~,(])div\b/.test(selectors))
    for (const div of [...target.querySelectorAll("div")])
      if (!div.attributes.length && ![...div.childNodes].some((c) =>
        c.nodeType === 3 ? c.data.trim() : simple(c))) div.replaceWith(...div.childNodes);
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
