/**
 * The board's table: sorted by its head's buttons, ranked and unranked rows apart and each track apart, one row per model.
 * As a file it is downloaded as it is shown.
 */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  const FORMULA = /^[=+\-@]/;
  const NUMBER = /^[+-]?\d+(\.\d+)?$/;

  /** Rows in the parts of the board that do not mix: each track's ranked ones, then those below the line. */
  function parts(rows) {
    const found = new Map();
    for (const row of rows) {
      const ranked = row.rank !== null && row.rank !== undefined;
      const key = ranked ? `ranked ${row.track}` : "unranked";
      if (!found.has(key)) found.set(key, {ranked, track: row.track, rows: []});
      found.get(key).rows.push(row);
    }
    return [...found.values()];
  }

  function compared(one, other) {
    if (typeof one === "string" || typeof other === "string") return String(one).localeCompare(String(other), "en");
    return one - other;
  }

  /** Sort; what is not known comes last either way, and equal rows keep the board's order. */
  function sorted(rows, column, state) {
    if (!column) return rows;
    const keyed = rows.map((row) => ({row, value: column.sort(row, state.samples)}));
    const unknown = ({value}) => value === null || value === undefined || value === "";
    keyed.sort((a, b) => {
      if (unknown(a) || unknown(b)) return unknown(a) - unknown(b) || a.row.index - b.row.index;
      return (state.desc ? -1 : 1) * compared(a.value, b.value) || a.row.index - b.row.index;
    });
    return keyed.map(({row}) => row);
  }

  /** Higher is better for marks, so the first click on one shows the highest first. */
  const firstDescending = (column) => column.kind === "number" && !["rank", "ranks", "rank_uncapped"].includes(column.key);

  function head(columns, state, onSort) {
    return el("thead", null, el("tr", null, columns.map((column) => {
      const on = state.sort === column.key;
      const button = el("button", {type: "button", title: column.about, dataset: {key: column.key},
        onclick: () => onSort(column, on ? !state.desc : firstDescending(column))},
      el("span", {class: "label"}, bdi(column.label)), el("span", {class: "arrow", "aria-hidden": "true"}));
      return el("th", {scope: "col", class: `${column.kind} ${column.key === "model" ? "model" : ""}`,
        "aria-sort": on ? (state.desc ? "descending" : "ascending") : null}, button);
    })));
  }

  function badges(row) {
    const found = [];
    if (row.control) found.push(["control", "The source itself, handed in as an edit: what doing nothing gets."]);
    if (row.judged === "self-reported") found.push(["self-reported", "Its makers handed in the verdicts; nobody judged it here."]);
    if (elsewhere(row.model).length) found.push(["quoted", "Also printed elsewhere; its page here says where, and how the model there differs."]);
    if (row.overlap === "yes") found.push(["training overlap", "Its training data overlaps the benchmark’s sources, as declared."]);
    return found.map(([label, about]) => el("span", {class: `badge ${label.split(" ")[0]}`, title: about}, label));
  }

  /** What is printed of a model elsewhere: [{board, overall, differs}]. */
  function elsewhere(model) {
    return sparkle.data.board.quoted?.find((one) => one.model === model)?.on ?? [];
  }

  /** What is declared of a model, in few words; the same as without scripts. */
  function said(row) {
    const card = row.declared?.model;
    if (!card) return null;
    const parts = [card.version, row.parameters ? sparkle.format.parameters(row.parameters) : null, card.license];
    const rest = parts.filter(Boolean).map((part) => sparkle.format.excerpt(part, 40)).join(", ");
    return [sparkle.outward(card.link, sparkle.format.excerpt(card.name, 60)), rest ? ", " : "", rest ? bdi(rest) : ""];
  }

  function nameCell(row, state, onPick) {
    const box = el("input", {type: "checkbox", "aria-label": `Pick ${row.model} to compare`, dataset: {pick: row.index},
      onchange: (event) => onPick(row.model, event.target.checked)});
    box.checked = state.pick.includes(row.model);
    box.disabled = !box.checked && state.pick.length >= sparkle.state.MOST_PICKED;
    return el("th", {scope: "row", class: "model"}, el("div", {class: "name"},
      el("label", {class: "tick"}, box),
      el("div", null,
        el("a", {href: sparkle.href(["model", row.model]), class: "row-link"}, bdi(row.model)),
        el("small", null, said(row), " ", badges(row)),
        row.unranked ? el("small", {class: "why"}, bdi(row.unranked)) : null)));
  }

  function cell(column, row, state) {
    const classes = [column.kind, column.key === "overall" && "overall", column.narrow && "narrow",
      state.samples && column.whole && "whole"];
    return el("td", {class: classes.filter(Boolean).join(" ")}, column.cell(row, state));
  }

  function body(part, columns, state, several, onPick) {
    const found = el("tbody", {class: part.ranked ? "ranked" : "unranked"});
    const label = part.ranked ? (several ? ["Track: ", bdi(part.track)] : null) : ["Not ranked"];
    if (label) {
      found.append(el("tr", {class: "part"}, el("th", {scope: "rowgroup", colspan: columns.length}, el("span", null, label))));
    }
    for (const row of part.rows) {
      found.append(el("tr", {class: row.control ? "control" : null}, columns.map((column) =>
        (column.key === "model" ? nameCell(row, state, onPick) : cell(column, row, state)))));
    }
    return found;
  }

  /** The rows that are shown, part by part, each sorted. */
  function arranged(rows, columns, state) {
    const column = sparkle.columns.all().find((one) => one.key === state.sort);
    return parts(rows).map((part) => ({...part, rows: sorted(part.rows, column, state)}));
  }

  function draw(rows, state, {onSort, onPick}) {
    const columns = sparkle.columns.shown(state);
    const found = arranged(rows, columns, state);
    const several = new Set(sparkle.data.models.filter((row) => row.rank).map((row) => row.track)).size > 1;
    const table = el("table", {class: "board"}, el("caption", {class: "unseen"}, "The board: one row for each model. The head’s "
      + "buttons sort."), head(columns, state, onSort), found.map((part) => body(part, columns, state, several, onPick)));
    table.addEventListener("keydown", walk);
    return table;
  }

  /** Up and down go from model to model, Home and End to the first and last. */
  function walk(event) {
    if (!event.target.classList.contains("row-link") || event.altKey || event.ctrlKey || event.metaKey) return;
    const links = [...event.currentTarget.querySelectorAll(".row-link")];
    const at = links.indexOf(event.target);
    const next = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1}[event.key];
    if (next === undefined || !links[next]) return;
    event.preventDefault();
    links[next].focus();
  }

  // -- as a file ----------------------------------------------------------------------------------------------------

  /** A cell that no spreadsheet takes for a formula, and that stays one cell. */
  function quotedCell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(Math.round(value * 1e4) / 1e4);
    const line = String(value).split(/\s+/).filter(Boolean).join(" ");
    const safe = FORMULA.test(line) && !NUMBER.test(line) ? `'${line}` : line;
    return /[",]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  }

  function csv(rows, state) {
    const columns = sparkle.columns.shown(state);
    const shown = arranged(rows, columns, state).flatMap((part) => part.rows);
    const lines = shown.map((row) => columns.flatMap((column) => column.plain(row, state.samples)));
    const heads = (lines[0] || []).map(([name]) => name);
    const all = [heads, ...lines.map((line) => line.map(([, value]) => value))];
    return all.map((line) => line.map(quotedCell).join(",")).join("\n") + "\n";
  }

  /** Hand a text over as a file. */
  function save(text, name) {
    const address = URL.createObjectURL(new Blob([text], {type: "text/csv;charset=utf-8"}));
    const link = el("a", {href: address, download: name});
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }

  sparkle.table = {draw, csv, save, badges, elsewhere, quotedCell};
})();
