"use strict";
(() => {
  const form = document.querySelector(".search");
  const search = document.querySelector("#search");
  const only = document.querySelector("#only");
  const found = document.querySelector("#found");
  const sections = [...document.querySelectorAll("#lists > section")];
  const lists = sections.map((section) => ({
    section,
    body: section.querySelector("tbody"),
    rows: [...section.querySelectorAll("tbody > tr")],
    texts: null,
  }));
  const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const filter = () => {
    const words = folded(search.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const list of lists) {
      list.texts ??= list.rows.map((row) => folded(row.textContent));
      let here = 0;
      list.rows.forEach((row, at) => {
        const hit = words.every((word) => list.texts[at].includes(word));
        if (row.hidden === hit) row.hidden = !hit;
        here += hit;
      });
      list.section.hidden = !here || (only.value !== "" && only.value !== list.section.id);
      if (!list.section.hidden) shown += here;
    }
    found.textContent = words.length || only.value ? `${shown.toLocaleString("en")} rows` : "";
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
  };

  for (const list of lists) {
    [...list.section.querySelectorAll("thead th")].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sort(list, header, column));
      header.append(button);
    });
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
