/** Up to four models side by side: dimensions, themes, subthemes, who is told apart, where they differ most. */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  const f = sparkle.format;
  const MOST_SAMPLES = 12;

  function chooser(rows) {
    const names = rows.map((row) => row.model);
    const others = sparkle.data.models.filter((row) => !names.includes(row.model));
    const change = (next) => sparkle.state.pick(next, {push: true, draw: true});
    const add = el("select", {id: "add", onchange: (event) => change([...names, event.target.value])},
      el("option", {value: ""}, "add a model…"), others.map((row) => el("option", {value: row.model}, row.model)));
    add.disabled = names.length >= sparkle.state.MOST_PICKED;
    return el("div", {class: "tray"}, rows.map((row, series) => el("span", {class: "picked"}, f.key(series),
      el("a", {href: sparkle.href(["model", row.model])}, bdi(row.model)), sparkle.table.badges(row),
      el("button", {type: "button", class: "plain", "aria-label": `Take out ${row.model}`,
        onclick: () => change(names.filter((name) => name !== row.model))}, "×"))),
    el("label", {for: "add", class: "unseen"}, "Add a model"), add,
    names.length ? el("a", {class: "button", href: sparkle.href(["samples"], {models: sparkle.unlist(names)})}, "See their samples") : null);
  }

  const head = (rows) => [["", "text"], ...rows.map((row, series) =>
    [el("span", null, f.key(series), bdi(f.excerpt(row.model, 40)))]), ["", "text"]];

  /** One line: a number of each model, the best bold, and all on one scale. */
  function line(label, rows, of, {indented = false} = {}) {
    const items = rows.map((row, series) => ({...of(row), series}));
    const best = Math.max(...items.map(({found}) => found?.value ?? -Infinity));
    return el("tr", {class: indented ? "inner" : null}, el("th", {scope: "row", class: "text"}, bdi(label)),
      items.map(({found, interval}) => el("td", {class: found?.value === best ? "best" : null}, f.estimate(found, interval))),
      el("td", {class: "drawing"}, f.whiskers(items, {width: 200, line: 9, ticks: true})));
  }

  function numbers(rows) {
    const {board} = sparkle.data;
    const cell = (name) => (row) => ({found: f.pair(row.bounds[name]), interval: row.intervals?.[name]});
    const sub = (theme, name) => (row) => {
      const found = sparkle.columns.subthemeOf(row, theme, name);
      return {found: f.pair(found?.bounds), interval: found?.interval};
    };
    const fact = (label, of) => el("tr", null, el("th", {scope: "row", class: "text"}, label),
      rows.map((row) => el("td", null, of(row))), el("td"));
    const part = (label) => el("tr", {class: "part"}, el("th", {scope: "rowgroup", colspan: rows.length + 2}, label));
    const lines = [
      line("Overall", rows, cell("overall")),
      fact("Rank", (row) => (row.rank ? `${row.rank} (${sparkle.columns.rankText(row)})` : f.NONE)),
      fact("Group", (row) => row.group || f.NONE),
      fact("n of N", (row) => `${row.n} of ${row.of}`),
      fact("Track", (row) => bdi(row.track)),
      part("Dimensions"),
      ...board.rubric.dimensions.map(({key, label}) => line(label, rows, cell(key))),
      part("Themes and subthemes"),
      ...board.themes.flatMap((theme) => [line(theme, rows, cell(theme)), ...board.subthemes
        .filter(([of]) => of === theme).map(([, name]) => line(name, rows, sub(theme, name), {indented: true}))]),
      part("Raw marks and the cap"),
      line("Overall without cap", rows, (row) => ({found: f.pair(row.uncapped), interval: row.raw_intervals?.overall})),
      ...board.rubric.dimensions.map(({key, label}) =>
        line(`${label} (raw)`, rows, (row) => ({found: f.pair(row.raw[key]), interval: row.raw_intervals?.[key]}))),
      fact("Cap bound", (row) => f.share(row.cap_bound)),
      part("Speed, cost, what is declared"),
      fact("s per clip", (row) => f.amount(row.seconds_per_clip)),
      fact("USD per clip", (row) => f.amount(row.cost_per_clip_usd)),
      fact("Machine", (row) => bdi(row.machine ? f.excerpt(row.machine, 40) : f.NONE)),
      fact("Size", (row) => f.parameters(row.parameters)),
      fact("Weights", (row) => row.weights ?? f.NONE),
      fact("License", (row) => bdi(row.license ? f.excerpt(row.license, 40) : f.NONE)),
      fact("Training overlap", (row) => row.overlap),
      fact("Judged", (row) => row.judged ?? f.NONE),
    ];
    return sparkle.charts.table("Numbers side by side", head(rows), lines);
  }

  function verdict(one, other, found) {
    if (!found.apart) return "not told apart";
    const better = found.difference > 0 ? one : other;
    return [bdi(better.model), " is better beyond chance"];
  }

  function pairs(rows) {
    const lines = [];
    rows.forEach((one, i) => rows.slice(i + 1).forEach((other) => {
      const found = sparkle.charts.pair(one.model, other.model);
      const names = el("th", {scope: "row", class: "text"}, bdi(one.model), " − ", bdi(other.model));
      lines.push(found
        ? el("tr", null, names, el("td", null, f.signed(found.difference)),
          el("td", null, found.interval ? `${f.signed(found.interval[0])} to ${f.signed(found.interval[1])}` : f.NONE),
          el("td", null, sparkle.charts.p(found.adjusted)), el("td", {class: "text wider"}, verdict(one, other, found)))
        : el("tr", null, names, el("td", null, f.NONE), el("td", null, f.NONE), el("td", null, f.NONE),
          el("td", {class: "text wider"}, "not compared: both must be ranked, in one track")));
    }));
    return el("section", {"aria-labelledby": "apart"}, el("h3", {id: "apart"}, "Told apart or not"),
      el("p", null, `On the same samples, over scenes; intervals hold for one comparison at ${f.confidence()}, p is corrected for all `
        + "pairs of the track (Holm)."),
      sparkle.charts.table("Told apart or not", [["Pair", "text"], ["Difference"], ["Interval"], ["p, corrected"], ["", "text"]], lines));
  }

  function differing(rows) {
    const marks = rows.map((row) => sparkle.marks(row.model));
    const names = rows.map((row) => row.model);
    const found = sparkle.data.samples.map((sample, s) => {
      const means = marks.map((one) => one.sampleMean(s));
      const known = means.filter((mean) => mean !== null);
      return {sample, s, means, range: known.length > 1 ? Math.max(...known) - Math.min(...known) : -1};
    }).filter(({range}) => range > 0);
    found.sort((a, b) => b.range - a.range || a.s - b.s);
    const lines = found.slice(0, MOST_SAMPLES).map(({sample, means, range}) => el("tr", null,
      el("th", {scope: "row", class: "text wider"}, sparkle.charts.sampleLink(sample, names), " ",
        el("small", null, sparkle.charts.place(sample))),
      means.map((mean) => el("td", null, f.number(mean))), el("td", null, f.number(range))));
    return el("section", {"aria-labelledby": "differ"}, el("h3", {id: "differ"}, "Samples that differ most"),
      el("p", null, el("a", {href: sparkle.href(["samples"], {models: sparkle.unlist(names), differ: "models"})}, "All of them")),
      lines.length ? sparkle.charts.table("Samples that differ most", [["Sample", "text"], ...head(rows).slice(1, -1), ["Range"]], lines)
        : el("p", {class: "quiet"}, "None differ."));
  }

  function render(container) {
    const rows = sparkle.state.picked().map((name) => sparkle.data.byName.get(name));
    sparkle.title("Compare");
    container.append(el("h2", null, "Compare"), chooser(rows));
    if (!rows.length) {
      container.append(el("p", {class: "quiet"}, "Choose up to four models here, or tick them on the board."));
      return;
    }
    container.append(numbers(rows));
    if (rows.length > 1) container.append(pairs(rows), differing(rows));
  }

  sparkle.view("compare", {render});

  /** The figures stand on the page without scripts too: this view shows them alone. */
  sparkle.view("figures", {render() { sparkle.title("Figures"); }});
})();
