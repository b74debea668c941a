// What is cut out: the page, runs of neighbours as sections, components; the answer.
const height = Math.max(doc.documentElement.getBoundingClientRect().height, body.scrollHeight);
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
    if (!r || r.width < 120 || r.height < 32 || r.height > 640) continue;
    if (r.width * r.height > 0.7 * innerWidth * height) continue;
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
