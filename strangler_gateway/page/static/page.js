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
    const open = [...event.detail.target.querySelectorAll("details")].map((one) => one.open);
    [...event.detail.fragment.querySelectorAll("details")].forEach((one, at) => { if (open[at] !== undefined) one.open = open[at]; });
  });
});
