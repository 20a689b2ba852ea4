/** One model: all its numbers, its marks, its best and worst samples, what failed, how it was made. */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  const f = sparkle.format;
  const EXTREMES = 8;
  const MOST_FAILURES = 60;

  const section = (title, ...children) => {
    const id = title.toLowerCase().replace(/[^a-z]+/g, "-");
    return el("section", {"aria-labelledby": id}, el("h3", {id}, title), children);
  };

  function headline(row) {
    const interval = row.intervals?.overall;
    const confidence = f.confidence();
    const parts = [
      ["Overall", el("span", {class: "big"}, f.bounds(f.pair(row.bounds.overall))), interval
        ? `${confidence}: ${f.intervalText(interval)}` : row.rank ? "" : "bounds: verdicts are missing"],
      ["Rank", el("span", {class: "big"}, row.rank ?? f.NONE), row.rank
        ? `${confidence}: ${sparkle.columns.rankText(row)}; place by the mean alone ${row.place}` : ""],
      ["Group", el("span", {class: "big"}, row.group || f.NONE), "models that share a letter are not told apart"],
      ["Scored", el("span", {class: "big"}, `${row.n} of ${row.of}`), row.unranked ? bdi(row.unranked) : "samples"],
      ["Without the cap", el("span", {class: "big"}, f.bounds(f.pair(row.uncapped))),
        `${row.rank_uncapped ? `rank ${row.rank_uncapped}; ` : ""}the cap bound in ${f.share(row.cap_bound)} of verdicts`],
    ];
    return el("dl", {class: "headline"}, parts.map(([name, value, about]) =>
      el("div", null, el("dt", null, name), el("dd", null, value, el("small", null, about)))));
  }

  function line(label, found, interval, rest = []) {
    return el("tr", null, el("th", {scope: "row", class: "text"}, bdi(label)),
      el("td", null, f.estimate(f.pair(found), interval)),
      el("td", {class: "drawing"}, f.whiskers([{found: f.pair(found), interval}], {width: 180, ticks: true})), rest);
  }

  function dimensions(row, marks) {
    const {rubric} = sparkle.data.board;
    const rows = rubric.dimensions.map(({key, label}, d) => line(label, row.bounds[key], row.intervals?.[key], [
      el("td", null, f.bounds(f.pair(row.raw[key]))),
      el("td", {class: "drawing"}, f.spread(marks.spread(d), rubric.lowest)),
    ]));
    return section("Dimensions", sparkle.charts.table("Dimensions",
      [["Dimension", "text"], ["Counts (capped)"], [`On the scale ${rubric.lowest} to ${rubric.highest}`, "text"], ["Raw"],
        ["How often each raw mark was given", "text"]], rows));
  }

  function themes(row) {
    const {board} = sparkle.data;
    const rows = board.themes.flatMap((theme) => [
      el("tr", {class: "strong"}, ...line(theme, row.bounds[theme], row.intervals?.[theme],
        [el("td", null, sparkle.grouped({theme}).flat().length)]).childNodes),
      ...row.subthemes.filter((one) => one.theme === theme).map((one) =>
        el("tr", {class: "inner"}, ...line(one.subtheme, one.bounds, one.interval, [el("td", null, one.samples)]).childNodes)),
    ]);
    return section("Themes and subthemes", sparkle.charts.table("Themes and subthemes",
      [["Theme", "text"], ["Mean"], ["", "text"], ["Samples"]], rows));
  }

  function standing(row) {
    if (!row.rank) return null;
    const others = sparkle.data.models.filter((one) => one.rank && one.track === row.track && one !== row)
      .map((one) => [one, sparkle.charts.pair(row.model, one.model)]).filter(([, found]) => found);
    const names = (test) => {
      const fit = others.filter(([, found]) => test(found)).map(([one]) => one);
      return fit.length ? fit.flatMap((one, place) => [place ? ", " : "",
        el("a", {href: sparkle.href(["compare"], {pick: sparkle.unlist([row.model, one.model])})}, bdi(one.model))]) : "none";
    };
    return section("Against the others", el("dl", {class: "told"},
      el("dt", null, "Better beyond chance"), el("dd", null, names((found) => found.apart && found.difference < 0)),
      el("dt", null, "Not told apart"), el("dd", null, names((found) => !found.apart)),
      el("dt", null, "Worse beyond chance"), el("dd", null, names((found) => found.apart && found.difference > 0))));
  }

  function elsewhere(row) {
    const printed = sparkle.table.elsewhere(row.model);
    if (!printed.length) return null;
    const rows = printed.map(({board, overall, differs}) => el("tr", null, el("th", {scope: "row", class: "text"}, bdi(board)),
      el("td", null, bdi(overall)), el("td", {class: "text wider"}, differs ? f.long(differs, 200) : f.NONE)));
    return section("Printed elsewhere", el("p", null, "Quoted, never ranked with the results here: ",
      el("a", {href: "../../index.html"}, "all boards"), " say where the figures come from and why boards differ."),
    sparkle.charts.table("Printed elsewhere", [["Board", "text"], ["Overall"], ["How the model there differs", "text"]], rows));
  }

  function extremes(row, marks) {
    const ranked = sparkle.data.samples.map((sample, s) => ({sample, s, mean: marks.sampleMean(s)}))
      .filter(({s, mean}) => mean !== null && marks.status(s, 0) !== "e");
    ranked.sort((a, b) => b.mean - a.mean || a.s - b.s);
    const list = (items) => el("ol", {class: "extremes"}, items.map(({sample, mean}) => el("li", null,
      el("span", {class: "value"}, f.number(mean)), " ", sparkle.charts.sampleLink(sample, [row.model]),
      el("small", null, sparkle.charts.place(sample)),
      el("span", {class: "said"}, bdi(f.excerpt(sample.instruction, 150))))));
    if (!ranked.length) return section("Best and worst samples", el("p", {class: "quiet"}, "No sample is scored."));
    const few = Math.min(EXTREMES, Math.ceil(ranked.length / 2));
    return section("Best and worst samples",
      el("p", null, "By the mean of the marks that count. ", el("a", {href: sparkle.href(["samples"],
        {models: sparkle.unlist([row.model])})}, "All samples")),
      el("div", {class: "two"},
        el("div", null, el("h4", null, "Best"), list(ranked.slice(0, few))),
        el("div", null, el("h4", null, "Worst"), list(ranked.slice(-few).reverse()))));
  }

  /** The samples on which a model has no marks, by kind. */
  function failed(marks) {
    const found = [];
    sparkle.data.samples.forEach((sample, s) => {
      const kinds = new Set();
      for (let r = 0; r < marks.repeats; r++) if (marks.status(s, r) !== "s") kinds.add(marks.status(s, r));
      if (kinds.size) found.push({sample, kinds: [...kinds]});
    });
    return found;
  }

  function reason(said) {
    if (!said) return f.NONE;
    const told = [];
    if (said.edit?.error) told.push([said.edit.error_type, said.edit.error]);
    for (const verdict of said.verdicts ?? []) if (verdict?.error) told.push([verdict.error_type, verdict.error]);
    if (!told.length) return f.NONE;
    return told.map(([kind, text]) => el("div", null, kind ? [el("code", null, bdi(kind)), " "] : "", f.long(text, 200)));
  }

  function failures(row, marks) {
    const found = failed(marks);
    if (!found.length) return section("Failures", el("p", null, "None: every sample has all its verdicts."));
    const counts = Object.entries(f.STATES).map(([kind, word]) => [found.filter(({kinds}) => kinds.includes(kind)).length, word])
      .filter(([count]) => count).map(([count, word]) => `${count} ${word}`).join(", ");
    const told = found.filter(({kinds}) => kinds.some((kind) => kind !== "u")).slice(0, MOST_FAILURES);
    const cells = new Map();
    const rows = told.map(({sample, kinds}) => {
      const cell = el("td", {class: "text wider"}, "…");
      cells.set(sample.id, cell);
      return el("tr", null, el("th", {scope: "row", class: "text"}, sparkle.charts.sampleLink(sample, [row.model])),
        el("td", {class: "text"}, kinds.map((kind) => f.STATES[kind]).join(", ")), cell);
    });
    if (rows.length) {
      sparkle.load(row.model).then(
        ({samples}) => { for (const [id, cell] of cells) sparkle.fill(cell, reason(Object.hasOwn(samples, id) ? samples[id] : null)); },
        (error) => { for (const cell of cells.values()) sparkle.fill(cell, el("span", {class: "quiet"}, error.message)); },
      );
    }
    return section("Failures", el("p", null, `Of ${row.of} samples: ${counts}.`, told.length < found.length && rows.length
      ? ` The first ${told.length} that were tried:` : ""),
    rows.length ? sparkle.charts.table("Failures", [["Sample", "text"], ["What", "text"], ["Why", "text"]], rows) : null);
  }

  function noise(row) {
    const {rubric} = sparkle.data.board;
    const known = rubric.dimensions.filter(({key}) => row.noise && Object.hasOwn(row.noise, key));
    if (!known.length) return null;
    const rows = known.map(({key, label}) => {
      const {edits, exact, difference, alpha} = row.noise[key];
      return el("tr", null, el("th", {scope: "row", class: "text"}, label), el("td", null, edits), el("td", null, f.share(exact)),
        el("td", null, f.number(difference)), el("td", null, f.number(alpha)));
    });
    return section("The judge’s noise on this model", row.judge_error === null || row.judge_error === undefined ? null
      : el("p", null, `The judge’s wavering alone gives the overall number a standard error of ${f.number(row.judge_error, 3)}.`),
    sparkle.charts.table("The judge’s noise", [["Dimension", "text"], ["Edits"], ["Same mark"], ["Mean difference"], ["Alpha"]], rows));
  }

  function settings(row) {
    const took = row.efforts ?? {};
    const some = (count) => (count !== undefined && took.edits !== undefined && count !== took.edits ? ` (known of ${count} of ${took.edits} edits)` : "");
    return section("How it was made",
      row.command ? el("pre", {class: "command", tabindex: "0", "aria-label": "Command to reproduce the row"}, el("code", null, row.command)) : null,
      el("div", {class: "two"},
        el("div", null, el("h4", null, "As recorded"), sparkle.charts.facts([
          ["editor", row.editor], ["machine", row.machine], ["judged", row.judged], ["verdicts per edit", row.repeats],
          ["date", row.date], ["code version", row.code_version], ["judge", row.judge],
          ["seconds per clip", row.seconds_per_clip === null ? null : f.amount(row.seconds_per_clip) + some(took.timed)],
          ["frames per second", f.amount(row.frames_per_second)], ["GPU memory, GB", f.amount(row.gpu_memory_gb)],
          ["host memory, GB", f.amount(row.host_memory_gb)],
          ["USD per clip", row.cost_per_clip_usd === null ? null : f.amount(row.cost_per_clip_usd) + some(took.priced)],
          ["USD in all", f.amount(row.cost_usd)], ["frames aligned", row.aligned === null ? null : f.share(row.aligned)],
          ["flagged", row.flagged === null || row.flagged === undefined ? null : `${row.flagged} of ${row.measured} measured samples`],
          ["usage", row.usage]])),
        el("div", null, el("h4", null, "As declared, checked by nobody"), declared(row))));
  }

  function declared(row) {
    const said = row.declared ?? {};
    const {link, ...model} = said.model ?? {};
    return sparkle.charts.facts([["track", row.track], ["training overlap", row.overlap], ["weights", row.weights],
      ...Object.entries(model).filter(([name]) => name !== "weights"), ["link", link ? sparkle.outward(link, f.excerpt(link, 80)) : null],
      ...Object.entries(said).filter(([name]) => name !== "model")]);
  }

  function render(container, route) {
    const name = route.rest[0] ?? "";
    const row = sparkle.data.byName.get(name);
    if (!row) {
      sparkle.missing.render(container);
      return;
    }
    const marks = sparkle.marks(name);
    sparkle.title(name);
    const {models} = sparkle.data;
    const [before, after] = [models[row.index - 1], models[row.index + 1]];
    const step = (other, label) => (other ? el("a", {href: sparkle.href(["model", other.model]), title: other.model}, label) : null);
    container.append(
      el("div", {class: "model-head"}, el("h2", null, bdi(name)), sparkle.table.badges(row),
        el("span", {class: "push"}), step(before, "← previous"), step(after, "next →")),
      el("p", {class: "actions"},
        el("a", {class: "button", href: sparkle.href(["samples"], {models: sparkle.unlist([name])})}, "See its samples"), " ",
        el("a", {class: "button", href: sparkle.href(["compare"], {pick: sparkle.unlist([...new Set([name,
          ...sparkle.state.picked()])].slice(0, sparkle.state.MOST_PICKED))})}, "Compare"), " ",
        el("a", {class: "button", href: `page/details/${encodeURIComponent(name)}.js`, download: `${name}.js`}, "All it was told (data)")),
      headline(row),
      ...[dimensions(row, marks), themes(row), standing(row), elsewhere(row), extremes(row, marks), failures(row, marks), noise(row),
        settings(row)].filter(Boolean),
    );
  }

  sparkle.view("model", {render});
})();
