// The rules of the page, flattened: those of media queries and @supports that hold, without what
// shows nothing in a still picture and without addresses. Taken before the page is changed.
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
