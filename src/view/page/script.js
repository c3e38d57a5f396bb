// Fetches the page anew once a minute and says aloud only what changed. Without it the page is complete all the same.
"use strict";
(() => {
  const PERIOD_MS = 60000;
  const news = document.getElementById("news");
  const states = (root) => {
    const found = new Map();
    for (const item of root.querySelectorAll("[data-monitor]")) found.set(item.dataset.monitor, item.dataset.state);
    return found;
  };
  let running = false;
  const refresh = async () => {
    if (running || document.hidden) return;
    running = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = fresh.getElementById("main");
      const main = document.getElementById("main");
      if (!next) return;
      const before = states(main);
      const said = [];
      for (const [name, state] of states(next)) {
        if (before.has(name) && before.get(name) !== state) said.push(name + " is " + state);
      }
      // Whoever reads a table or stands on a link is not thrown out of it.
      const open = [...main.querySelectorAll("details")].map((item) => item.open);
      const at = main.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      main.replaceWith(document.adoptNode(next));
      next.querySelectorAll("details").forEach((item, index) => { item.open = open[index] === true; });
      if (at) {
        const link = [...next.querySelectorAll("a")].find((item) => item.getAttribute("href") === at);
        if (link) link.focus({ preventScroll: true });
      }
      document.title = fresh.title;
      const made = fresh.getElementById("made");
      const shown = document.getElementById("made");
      if (made && shown) shown.replaceWith(document.adoptNode(made));
      document.body.classList.remove("stale");
      if (said.length) news.textContent = said.slice(0, 5).join(", ");
    } catch {
      if (!document.body.classList.contains("stale")) news.textContent = "This page cannot be refreshed at the moment";
      document.body.classList.add("stale");
    } finally {
      running = false;
    }
  };
  setInterval(refresh, PERIOD_MS);
  document.addEventListener("visibilitychange", refresh);
})();
