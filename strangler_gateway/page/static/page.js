// What htmx does not do by itself: says whether the page is live, keeps details open, follows the end of a log-in.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const body = document.body, live = document.getElementById("live");
  const say = (text, state) => { if (live) { live.textContent = text; live.dataset.state = state; } };
  body.addEventListener("htmx:sseOpen", (event) => {
    say("live", "on");
    const source = event.detail.source;
    source.addEventListener("expired", () => { source.close(); location.reload(); });
  });
  body.addEventListener("htmx:sseError", () => say("reconnecting", "off"));
  body.addEventListener("htmx:oobBeforeSwap", (event) => {
    const named = (part) => [...part.querySelectorAll("details")].map((one, at) => [one.dataset.name ?? at, one]);
    const before = new Map(named(event.detail.target));
    for (const [name, one] of named(event.detail.fragment)) { if (before.has(name)) one.open = before.get(name).open; }
  });
});
