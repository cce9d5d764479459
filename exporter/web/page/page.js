"use strict";
// Takes what changed from a fresh copy of the page, so nothing flickers and what is open stays open.
const same = (a, b) => a && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
function take(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  // A service that changed opens or closes; else that is the reader's choice.
  const turned = old.className !== fresh.className, mine = (name) => name === "open" && !turned;
  for (const {name, value} of [...fresh.attributes])
    if (!mine(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const {name} of [...old.attributes])
    if (!mine(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    let match = at;
    if (child.id) while (match && !same(match, child)) match = match.nextSibling;
    if (same(match, child)) {
      if (match !== at) old.insertBefore(match, at);
      take(match, child);
      at = match.nextSibling;
    } else old.insertBefore(child, at);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}
function filter() {
  const words = document.querySelector("#find input").value.toLowerCase().split(/\s+/);
  let all = 0, found = 0;
  for (const each of document.querySelectorAll("[data-find]")) {
    const text = each.dataset.find.toLowerCase();
    each.hidden = !words.every((word) => text.includes(word));
    if (each.classList.contains("service")) { all += 1; found += !each.hidden; }
  }
  document.getElementById("found").textContent = found < all ? `${found} of ${all} services` : "";
}
async function refresh() {
  const lost = document.getElementById("lost");
  try {
    const answer = await fetch(location.pathname, {cache: "no-store", signal: AbortSignal.timeout(5000)});
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    take(document.getElementById("main"), fresh.getElementById("main"));
    document.title = fresh.title;
    filter();
  } catch (error) {
    if (lost.hidden) {
      lost.textContent =
        `! The exporter does not answer since ${new Date().toISOString().slice(11, 19)} UTC; what is below is old.`;
      if (lost.dataset.runbook) {
        const link = document.createElement("a");
        link.href = lost.dataset.runbook;
        link.textContent = "Runbook";
        lost.append(" ", link);
      }
    }
    lost.hidden = false;
  }
  setTimeout(refresh, document.hidden ? 10000 : 2000);
}
document.documentElement.classList.add("js");
document.querySelector("#find input").oninput = filter;
filter();
setTimeout(refresh, 2000);
