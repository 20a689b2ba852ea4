/** What the board shows, as the address has it: sorting, search, filters, columns, the models picked for comparison. */
"use strict";

(() => {
  const MOST_PICKED = 4;
  const SIZES = [
    ["0-2", "under 2B"],
    ["2-8", "2B to 8B"],
    ["8-20", "8B to 20B"],
    ["20-", "20B and more"],
    ["unknown", "not declared"],
  ];
  const WEIGHTS = [["open", "open weights"], ["closed", "closed"], ["unknown", "not declared"]];

  function read() {
    const get = sparkle.params.get;
    const cols = sparkle.list(get("cols"));
    const theme = sparkle.data.board.themes.includes(get("theme")) ? get("theme") : "";
    const subtheme = subthemes(theme).some(([, name]) => name === get("subtheme")) ? get("subtheme") : "";
    return {
      sort: get("sort"),
      desc: get("desc") === "1",
      q: get("q"),
      theme,
      subtheme,
      open: get("open"),
      size: get("size"),
      track: get("track"),
      ci: get("ci") === "1",
      cols: cols.length ? cols : null,
      pick: picked(),
    };
  }

  /** The picked models that there are, four at most. */
  function picked() {
    const names = sparkle.list(sparkle.params.get("pick")).filter((name) => sparkle.data.byName.has(name));
    return [...new Set(names)].slice(0, MOST_PICKED);
  }

  function pick(names, options) {
    sparkle.params.set({pick: sparkle.unlist(names)}, options);
  }

  /** Which samples the numbers stand on; null for all. */
  function part(state) {
    return state.theme || state.subtheme ? {theme: state.theme, subtheme: state.subtheme} : null;
  }

  function sized(row, size) {
    if (!size) return true;
    if (size === "unknown") return !row.parameters;
    const found = /^(\d+(?:\.\d+)?)?-(\d+(?:\.\d+)?)?$/.exec(size);
    if (!found) return true;
    const billions = (row.parameters ?? NaN) / 1e9;
    return billions >= Number(found[1] ?? 0) && billions < Number(found[2] ?? Infinity);
  }

  function sought(row, q) {
    if (!q) return true;
    const text = [row.model, row.declared?.model?.name, row.license, row.track, row.machine].filter(Boolean).join("\n");
    const folded = text.toLowerCase();
    return q.toLowerCase().split(/\s+/).every((word) => folded.includes(word));
  }

  /** Whether a row is shown. */
  function matches(row, state) {
    return sought(row, state.q) && sized(row, state.size)
      && (!state.open || (row.weights ?? "unknown") === state.open)
      && (!state.track || row.track === state.track);
  }

  /** The subthemes of a theme, or all with their theme. */
  function subthemes(theme) {
    return sparkle.data.board.subthemes.filter(([name]) => !theme || name === theme);
  }

  sparkle.state = {MOST_PICKED, SIZES, WEIGHTS, read, picked, pick, part, matches, subthemes};
})();
