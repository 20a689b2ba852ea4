/** Tables with drawings that the model page and the comparison share. */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  const f = sparkle.format;

  /** A table that scrolls in its own box, and can be downloaded. */
  function table(label, heads, rows) {
    const box = el("div", {class: "wide", tabindex: "0", role: "region", "aria-label": label},
      el("table", null,
        el("thead", null, el("tr", null, heads.map(([text, kind = "number"]) =>
          el("th", {scope: "col", class: kind}, text)))),
        el("tbody", null, rows)));
    return el("div", null, box, download(label, box));
  }

  /** What a cell says in one line; a drawing says what is read out of it, and a number has the minus of a keyboard. */
  function said(cell) {
    const text = cell.querySelector("[role=img]")?.getAttribute("aria-label") ?? cell.innerText;
    return text.trim().replace(/^−(?=\d+(\.\d+)?$)/, "-");
  }

  /** The cells of a table as they are shown; a cell over many columns stands in the first, and a column of drawings alone is left out. */
  function cells(shown) {
    const lines = [...shown.rows].map((row) => [...row.cells].flatMap((cell) => [said(cell), ...Array(cell.colSpan - 1).fill("")]));
    const kept = (lines[0] ?? []).map((_, place) => lines.some((line) => line[place]));
    return lines.map((line) => line.filter((_, place) => kept[place]));
  }

  /** A button that hands over a table as it then stands in its box. */
  function download(label, box) {
    const save = () => {
      const shown = box.querySelector("table");
      if (!shown) return;
      const {benchmark, judge} = sparkle.data.board;
      const text = cells(shown).map((line) => line.map(sparkle.table.quotedCell).join(",")).join("\n");
      const name = label.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 80);
      sparkle.table.save(`${text}\n`, `${benchmark.name}-${judge.key}-${name}.csv`);
    };
    return el("p", {class: "save"}, el("button", {type: "button", "aria-label": `Download as CSV: ${label}`, onclick: save}, "CSV"));
  }

  /** The tables that stand on the page without scripts too. */
  for (const box of document.querySelectorAll("section .wide")) box.after(download(box.getAttribute("aria-label"), box));

  /** A list of names and what is said of them; what is not known is left out. */
  function facts(pairs) {
    const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== f.NONE);
    if (!known.length) return el("p", {class: "quiet"}, "Nothing is known.");
    return el("dl", {class: "told"}, known.map(([name, value]) => [el("dt", null, bdi(f.excerpt(name, 60))), el("dd", null, shown(value))]));
  }

  /** Any JSON value in words; what lies in it is hostile text. */
  function shown(value) {
    if (value instanceof Node) return value;
    if (value === null || value === undefined) return f.NONE;
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value === "number") return String(value);
    if (Array.isArray(value)) {
      return value.some((one) => typeof one === "object" && one) ? el("ul", null, value.map((one) => el("li", null, shown(one))))
        : bdi(f.excerpt(value.map(String).join(", "), 400));
    }
    if (typeof value === "object") return facts(Object.entries(value));
    return f.long(value, 160);
  }

  /** A link to a sample, seen through some models. */
  function sampleLink(sample, models) {
    return el("a", {href: sparkle.href(["sample", sample.id], {models: sparkle.unlist(models)})}, bdi(sample.id));
  }

  const place = (sample) => [bdi(sample.theme), ", ", bdi(sample.subtheme), sample.scene ? [": ", bdi(f.excerpt(sample.scene, 60))] : ""];

  /** Every pair of a track: {difference, low, high, adjusted, apart} of one less the other; null if they are not compared. */
  function pair(one, other) {
    const tracks = Object.values(sparkle.data.board.statistics?.tracks ?? {});
    for (const {models, pairs} of tracks) {
      const [i, j] = [models.indexOf(one), models.indexOf(other)];
      if (i < 0 || j < 0 || i === j || !pairs) continue;
      const [a, b] = i < j ? [i, j] : [j, i];
      const at = a * models.length - (a * (a + 1)) / 2 + (b - a - 1);
      const sign = i < j ? 1 : -1;
      const ends = [pairs.low[at], pairs.high[at]];
      const known = ends[0] !== null && ends[1] !== null;
      return {
        difference: sign * pairs.difference[at],
        interval: known ? (sign > 0 ? ends : [-ends[1], -ends[0]]) : null,
        adjusted: pairs.adjusted[at],
        apart: Boolean(pairs.apart[at]),
      };
    }
    return null;
  }

  const p = (value) => (value === null ? f.NONE : value < 0.001 ? "<0.001" : value.toFixed(3));

  sparkle.charts = {table, download, facts, shown, sampleLink, place, pair, p};
})();
