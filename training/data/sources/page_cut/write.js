// Elements as indented source.
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
