"use strict";
// Takes what changed from a fresh copy of the page, so nothing flickers and what is open stays open.
const same = (a, b) => a && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
function take(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const {name, value} of [...fresh.attributes])
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const {name} of [...old.attributes])
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    let match = at;
    if (child.id) while (match && !same(match, child)) match = match.nextSibling;
    if (same(match, child)) {
      while (at !== match) { const gone = at; at = at.nextSibling; gone.remove(); }
      take(match, child);
      at = match.nextSibling;
    } else old.insertBefore(child, at);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}
async function refresh() {
  const lost = document.getElementById("lost");
  try {
    const answer = await fetch(location.pathname, {cache: "no-store", signal: AbortSignal.timeout(5000)});
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    take(document.getElementById("main"), fresh.getElementById("main"));
    document.title = fresh.title;
  } catch (error) {
    if (lost.hidden) lost.textContent =
      `! The exporter does not answer since ${new Date().toISOString().slice(11, 19)} UTC; what is below is old.`;
    lost.hidden = false;
  }
  setTimeout(refresh, document.hidden ? 10000 : 2000);
}
setTimeout(refresh, 2000);
