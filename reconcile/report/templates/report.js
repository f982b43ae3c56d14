"use strict";
(() => {
  const LIMIT = Number(document.querySelector("#lists").dataset.shown); // rows of a list at once
  const form = document.querySelector(".search");
  const search = document.querySelector("#search");
  const only = document.querySelector("#only");
  const found = document.querySelector("#found");
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const lists = [...document.querySelectorAll("#lists > section")].map((section) => ({
    section,
    body: section.querySelector("tbody"),
    rows: [...section.querySelectorAll("tbody > tr")],
    texts: null,
    all: false,
    more: document.createElement("button"),
  }));

  const show = (list) => {
    let hits = 0;
    for (const row of list.rows) {
      if (row.hidden) continue;
      hits += 1;
      const later = !list.all && hits > LIMIT;
      if (row.classList.contains("later") !== later) row.classList.toggle("later", later);
    }
    list.more.hidden = list.all || hits <= LIMIT;
    list.more.textContent = `Show all ${hits.toLocaleString("en")} rows`;
    return hits;
  };

  const filter = () => {
    const words = folded(search.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const list of lists) {
      list.texts ??= list.rows.map((row) => folded(row.textContent));
      list.rows.forEach((row, at) => {
        const hit = words.every((word) => list.texts[at].includes(word));
        if (row.hidden === hit) row.hidden = !hit;
      });
      const hits = show(list);
      list.section.hidden = !hits || (only.value !== "" && only.value !== list.section.id);
      if (!list.section.hidden) shown += hits;
    }
    found.textContent = words.length || only.value ? `rows: ${shown.toLocaleString("en")}` : "";
  };

  const sort = (list, header, column) => {
    const falling = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const keyed = list.rows.map((row, at) => ({ row, at, key: row.children[column].textContent }));
    keyed.sort((a, b) => collator.compare(a.key, b.key) * (falling ? -1 : 1) || a.at - b.at);
    if (list.texts) list.texts = keyed.map(({ at }) => list.texts[at]);
    list.rows = keyed.map(({ row }) => row);
    list.body.append(...list.rows);
    show(list);
  };

  for (const list of lists) {
    [...list.section.querySelectorAll("thead th")].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sort(list, header, column));
      header.append(button);
    });
    list.more.type = "button";
    list.more.className = "more";
    list.more.addEventListener("click", () => {
      list.all = true;
      show(list);
    });
    list.section.append(list.more);
    show(list);
  }
  let waiting = 0;
  search.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(filter);
  });
  only.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = lists.length === 0;
})();
