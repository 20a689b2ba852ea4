/** The board: search, filters, columns, the table, and what is picked from it. */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  let parts = {};

  const state = () => {
    const read = sparkle.state.read();
    return {...read, samples: sparkle.state.part(read)};
  };

  function choice(id, label, entries, chosen, onchange) {
    const select = el("select", {id, onchange: (event) => onchange(event.target.value)},
      el("option", {value: ""}, "any"), entries.map(([value, text]) => el("option", {value}, text)));
    if (chosen && !entries.some(([value]) => value === chosen)) select.append(el("option", {value: chosen}, chosen));
    select.value = chosen;
    return el("div", {class: "field"}, el("label", {for: id}, label), select);
  }

  function change(values) {
    sparkle.params.set(values);
    refresh();
  }

  function search(now) {
    const box = el("input", {id: "search", type: "search", placeholder: "name, license, machine", autocomplete: "off",
      spellcheck: "false", "aria-keyshortcuts": "/", oninput: (event) => change({q: event.target.value})});
    box.value = now.q;
    return el("div", {class: "field grow"}, el("label", {for: "search"}, "Search", el("kbd", {title: "Key"}, "/")), box);
  }

  function themes() {
    const {board} = sparkle.data;
    const holder = el("div", {class: "pair"});
    const fill = () => {
      const {theme, subtheme} = state();
      const known = sparkle.state.subthemes(theme);
      const names = [...new Set(known.map(([, name]) => name))];
      holder.replaceChildren(
        choice("theme", "Theme", board.themes.map((name) => [name, name]), theme, (value) => {
          const fits = sparkle.state.subthemes(value).some(([, name]) => name === subtheme);
          change({theme: value, subtheme: fits ? subtheme : ""});
          fill();
          document.getElementById("theme").focus();
        }),
        choice("subtheme", "Subtheme", names.map((name) => [name, name]), subtheme, (value) => change({subtheme: value})),
      );
    };
    fill();
    return holder;
  }

  function filters(now) {
    const {models} = sparkle.data;
    const tracks = [...new Set(models.map((row) => row.track))];
    const more = el("div", {class: "more", id: "filters", dataset: {open: filtered(now)}},
      themes(),
      choice("open", "Weights", sparkle.state.WEIGHTS, now.open, (value) => change({open: value})),
      choice("size", "Size", sparkle.state.SIZES, now.size, (value) => change({size: value})),
      tracks.length > 1 || now.track
        ? choice("track", "Track", tracks.map((name) => [name, name]), now.track, (value) => change({track: value})) : null);
    const toggle = el("button", {type: "button", class: "toggle", "aria-controls": "filters", "aria-expanded": String(filtered(now)),
      onclick: () => {
        const open = more.dataset.open !== "true";
        more.dataset.open = String(open);
        toggle.setAttribute("aria-expanded", String(open));
      }}, "Filters");
    return el("div", {class: "controls", role: "search", "aria-label": "Which models and samples"}, search(now), toggle, more);
  }

  const filtered = (now) => Boolean(now.theme || now.subtheme || now.open || now.size || now.track);

  function pickColumns(now) {
    const wanted = (read) => new Set(sparkle.columns.shown({...read, samples: null}).map((column) => column.key));
    const shown = wanted(now);
    const boxes = [];
    const collect = () => change({cols: sparkle.unlist(boxes.filter((box) => box.checked).map((box) => box.value))});
    const list = sparkle.columns.PARTS.map(([part, label]) => {
      const own = sparkle.columns.all().filter((column) => column.part === part && !column.always);
      return own.length ? el("fieldset", null, el("legend", null, label), own.map((column) => {
        const box = el("input", {type: "checkbox", value: column.key, onchange: collect});
        box.checked = shown.has(column.key);
        boxes.push(box);
        return el("label", {title: column.about}, box, " ", bdi(column.label));
      })) : null;
    });
    const intervals = el("input", {type: "checkbox", id: "ci", onchange: (event) => change({ci: event.target.checked})});
    intervals.checked = now.ci;
    const reset = el("button", {type: "button", onclick: () => {
      change({cols: null, ci: null});
      const usual = wanted(state());
      for (const box of boxes) box.checked = usual.has(box.value);
      intervals.checked = false;
    }}, "As at first");
    return el("details", {class: "menu", id: "columns"}, el("summary", null, "Columns"),
      el("div", {class: "panel"}, el("p", {class: "line"}, el("label", null, intervals, " ± in every column"), reset), list));
  }

  function downloads() {
    const files = [["leaderboard.csv", "CSV"], ["leaderboard.json", "JSON"], ["leaderboard.md", "Markdown"],
      ["leaderboard.tex", "LaTeX"], ["leaderboard-intervals.tex", "LaTeX with intervals"],
      ["subthemes.csv", "Subthemes, CSV"], ["pairs.csv", "Pairs, CSV"]];
    return el("details", {class: "menu", id: "downloads"}, el("summary", null, "Download"), el("div", {class: "panel small"},
      el("p", null, el("button", {type: "button", id: "save", onclick: () => {
        const now = state();
        const {benchmark, judge} = sparkle.data.board;
        sparkle.table.save(sparkle.table.csv(rows(now), now), `${benchmark.name}-${judge.key}-shown.csv`);
      }}, "This table as shown (CSV)")),
      el("p", null, "The whole board:"),
      el("ul", null, files.map(([name, label]) => el("li", null, el("a", {href: name, download: name}, label))))));
  }

  const rows = (now) => sparkle.data.models.filter((row) => sparkle.state.matches(row, now));

  function note(now) {
    if (!now.samples) return null;
    const {theme, subtheme} = now;
    const count = sparkle.grouped(now.samples).flat().length;
    const where = [theme, subtheme].filter(Boolean).join(", ");
    return el("p", {class: "note"}, "Numbers over the ", el("b", null, `${count} samples`), " of ", bdi(where),
      " alone. Ranks, groups and what is printed pale hold for the whole board only; only the overall number has an interval here.");
  }

  function tray(now) {
    const names = now.pick;
    if (!names.length) return [el("span", {class: "quiet"}, "Tick up to four models to compare them side by side.")];
    return [
      el("span", null, `${names.length} picked: `), names.map((name) => el("button", {type: "button", class: "chip",
        title: "Take out", onclick: () => pick(name, false)}, bdi(name), el("span", {"aria-hidden": "true"}, " ×"),
      el("span", {class: "unseen"}, " take out"))),
      el("a", {class: "button", id: "compare", href: sparkle.href(["compare"], {pick: sparkle.unlist(names)})}, "Compare"),
      el("a", {class: "button", href: sparkle.href(["samples"], {models: sparkle.unlist(names)})}, "See their samples"),
    ];
  }

  function pick(name, on) {
    const names = sparkle.state.picked();
    const next = on ? [...names, name] : names.filter((one) => one !== name);
    sparkle.state.pick(next.slice(0, sparkle.state.MOST_PICKED));
    const focused = document.activeElement?.dataset?.pick;
    refresh();
    if (focused !== undefined) parts.table.querySelector(`[data-pick="${Number(focused)}"]`)?.focus();
  }

  function sort(column, desc) {
    sparkle.params.set({sort: column.key, desc: desc ? "1" : null});
    refresh();
    [...parts.table.querySelectorAll("thead button")].find((one) => one.dataset.key === column.key)?.focus({preventScroll: true});
  }

  /** Say that columns are out of sight, as long as the last one is. */
  function hint() {
    const {scrollLeft, scrollWidth, clientWidth} = parts.table;
    parts.more.hidden = scrollLeft + clientWidth > scrollWidth - 8;
  }

  /** Draw all that follows from the address; the controls keep the focus. */
  function refresh() {
    const now = state();
    const found = rows(now);
    const {scrollLeft, scrollTop} = parts.table;
    parts.table.replaceChildren(found.length ? sparkle.table.draw(found, now, {onSort: sort, onPick: pick})
      : el("p", {class: "empty"}, "No model fits the search and the filters."));
    Object.assign(parts.table, {scrollLeft, scrollTop});
    hint();
    parts.count.textContent = `${found.length} of ${sparkle.data.models.length} models`;
    parts.note.replaceChildren(...[note(now)].filter(Boolean));
    sparkle.fill(parts.tray, tray(now));
    parts.clear.hidden = !(now.q || filtered(now));
  }

  function render(container) {
    const now = state();
    sparkle.title("Board");
    parts = {
      table: el("div", {class: "wide", tabindex: "0", role: "region", "aria-label": "The board’s table", onscroll: hint}),
      more: el("span", {class: "hint", "aria-hidden": "true", hidden: true}, "more columns →"),
      count: el("span", {role: "status", class: "count"}),
      note: el("div", {"aria-live": "polite"}),
      tray: el("div", {class: "tray"}),
      clear: el("button", {type: "button", onclick: () => {
        sparkle.params.set({q: null, theme: null, subtheme: null, open: null, size: null, track: null}, {draw: true});
        document.getElementById("search")?.focus();
      }}, "Clear filters"),
    };
    container.append(
      el("h2", {class: "unseen"}, "Board"),
      filters(now),
      el("div", {class: "bar-line"}, parts.count, parts.clear, el("span", {class: "push"}), pickColumns(now), downloads()),
      parts.note, el("div", {class: "over"}, parts.tray, parts.more), parts.table,
    );
    refresh();
    new ResizeObserver(hint).observe(parts.table);
  }

  /** `/` goes to the search, as on many pages; Escape closes an open list. */
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const box = document.getElementById("search");
      if (box) {
        event.preventDefault();
        box.focus();
        box.select();
      }
    } else if (event.key === "Escape") {
      const menu = event.target.closest?.("details.menu[open]") || document.querySelector("details.menu[open]");
      if (!menu) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  sparkle.view("board", {render});
})();
