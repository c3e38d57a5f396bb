// Fetches the page anew once a minute and says aloud only what changed, and filters the list. Without it the page is complete
// all the same.
"use strict";
(() => {
  const PERIOD_MS = 60000;
  const news = document.getElementById("news");
  const rows = (root) => [...root.querySelectorAll(".monitors > li")];
  const nameOf = (row) => row.querySelector("a").textContent;
  // The rows of the list, or the banner of the page of one monitor.
  const states = (root) => new Map([
    ...rows(root).map((row) => [nameOf(row), row.dataset.state]),
    ...[...root.querySelectorAll(".banner[data-monitor]")].map((banner) => [banner.dataset.monitor, banner.dataset.state]),
  ]);
  // What was unfolded when the page came, so that what a reader did is told from what a state did.
  const remember = (root) => root.querySelectorAll("details").forEach((item) => { item.dataset.open = item.open; });

  let wanted = "";
  const apply = (root) => {
    for (const row of rows(root)) row.hidden = wanted !== "" && !(nameOf(row) + " " + row.dataset.state).toLowerCase().includes(wanted);
    for (const group of root.querySelectorAll(".group")) {
      const some = group.querySelector(".monitors > li:not([hidden])") !== null;
      group.hidden = !some;
      const details = group.querySelector("details");
      if (details) details.open = wanted !== "" ? some : details.dataset.open === "true";
    }
  };
  const filter = (root) => {
    const place = root.querySelector("#filter");
    if (!place || (rows(root).length < Number(place.dataset.from) && wanted === "")) return;
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "search";
    input.value = wanted;
    label.append("Filter ", input);
    input.addEventListener("input", () => { wanted = input.value.trim().toLowerCase(); apply(document); });
    input.addEventListener("keydown", (event) => {
      // What stands on further pages only the server can find.
      if (event.key === "Enter" && Number(place.dataset.pages) > 1) location.href = "/?q=" + encodeURIComponent(input.value.trim());
    });
    place.append(label);
    place.hidden = false;
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
      // A reader who has unfolded a table, chosen a chart or stands on a link keeps all of that.
      const kept = [...main.querySelectorAll("details")].map((item) => [item.id, item.open, String(item.open) !== item.dataset.open]);
      const chosen = main.querySelector("input[type=radio]:checked");
      const focus = main.contains(document.activeElement) ? document.activeElement : null;
      const selection = focus && focus.type === "search" ? focus.selectionStart : null;
      remember(next);
      filter(next);
      main.replaceWith(document.adoptNode(next));
      apply(document);
      if (wanted === "") {
        next.querySelectorAll("details").forEach((item, index) => {
          const [id, open, changed] = kept.find((one) => item.id !== "" && one[0] === item.id) || kept[index] || [];
          if (changed && id === item.id) item.open = open;
        });
      }
      const span = chosen && document.getElementById(chosen.id);
      if (span) span.checked = true;
      let again = null;
      if (selection !== null) again = next.querySelector("#filter input");
      else if (focus && focus.id) again = document.getElementById(focus.id);
      else if (focus) again = [...next.querySelectorAll("a")].find((item) => item.getAttribute("href") === focus.getAttribute("href"));
      if (again) again.focus({ preventScroll: true });
      if (again && selection !== null) again.setSelectionRange(selection, selection);
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
  remember(document);
  filter(document);
  setInterval(refresh, PERIOD_MS);
  document.addEventListener("visibilitychange", refresh);
})();
