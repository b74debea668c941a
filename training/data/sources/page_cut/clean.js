// The page without what runs, fetches or is not seen; pictures become placeholders of their size.
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
for (const element of [...body.querySelectorAll("*")]) {
  const style = getComputedStyle(element);
  const flowing = style.display === "inline" || /absolute|fixed/.test(style.position);
  if (style.visibility === "hidden" && flowing && !element.closest("svg")
      && ![...element.querySelectorAll("*")].some((e) => getComputedStyle(e).visibility !== "hidden"))
    element.remove();
}
