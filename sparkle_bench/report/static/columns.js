/**
 * The columns of the board.
 *
 * A column: {key, label, about, kind: "number" | "text", part: "main" | "raw" | …, shown (by default),
 *            sort(row, part) value to sort by (null last), cell(row, state) nodes, plain(row, part) for a table to download}
 * `part` is {theme, subtheme} where the board is narrowed to some samples, else null.
 */
"use strict";

(() => {
  const f = () => sparkle.format;
  const PARTS = [
    ["main", "Main"],
    ["raw", "Raw marks, not capped"],
    ["subthemes", "Subthemes"],
    ["coverage", "Coverage and the cap"],
    ["effort", "Speed, memory, cost"],
    ["about", "About the model and the result"],
  ];

  /** A row's numbers: as the board has them, or over the samples of a filter alone. */
  const narrowed = (row, part) => sparkle.marks(row.model).mean(part);

  function found(row, name, part) {
    if (!part) return f().pair(row.bounds[name]);
    const over = narrowed(row, part);
    return name === "overall" ? over.overall : over.dimensions.get(name) ?? null;
  }

  /** The interval of a shown number. That of a theme is the interval of the overall number over it. */
  function interval(row, name, part) {
    if (!part) return row.intervals?.[name] ?? null;
    if (name !== "overall") return null;
    if (!part.subtheme) return row.intervals?.[part.theme] ?? null;
    const alike = sparkle.data.board.subthemes.filter(([theme, subtheme]) =>
      subtheme === part.subtheme && (!part.theme || theme === part.theme));
    return alike.length === 1 ? subthemeOf(row, ...alike[0])?.interval ?? null : null;
  }

  /** What is known of a row's subtheme: {samples, mean, interval, bounds}. */
  function subthemeOf(row, theme, subtheme) {
    return row.subthemes.find((one) => one.theme === theme && one.subtheme === subtheme);
  }

  function mean(name, label, about, options) {
    return {
      key: name, label, about, kind: "number", part: "main", shown: true, ...options,
      sort: (row, part) => f().middle(found(row, name, part)),
      cell: (row, state) => f().estimate(found(row, name, state.samples), interval(row, name, state.samples),
        {whisker: name === "overall", whole: !state.samples, plusMinus: name === "overall" || state.ci}),
      plain: (row, part) => [
        [name, found(row, name, part)?.value ?? null],
        [`${name}_low`, interval(row, name, part)?.[0] ?? null],
        [`${name}_high`, interval(row, name, part)?.[1] ?? null],
      ],
    };
  }

  function value(key, label, about, options) {
    const {of = (row) => row[key] ?? null, show = (said) => f().number(said), ...rest} = options;
    return {
      key, label, about, kind: "number", shown: false, ...rest,
      sort: of,
      cell: (row, state) => show(of(row, state.samples), row, state.samples),
      plain: (row, part) => [[key, of(row, part)]],
    };
  }

  function text(key, label, about, options) {
    const made = value(key, label, about, {kind: "text", show: (said) => (said === null || said === "" ? f().NONE
      : sparkle.bdi(f().excerpt(said, 60))), ...options});
    return made;
  }

  /** A number that the marks give over any samples, else the row's own. */
  const counted = (key) => (row, part) => (part ? narrowed(row, part)[key] : row[key] ?? null);

  function raw({key, label}) {
    const of = (row, part) => (part ? narrowed(row, part).raw.get(key) : f().pair(row.raw?.[key]));
    return {
      key: `raw:${key}`, label: `${label} (raw)`, about: `${label} as the judge marked it, before the cap.`,
      kind: "number", part: "raw", shown: false,
      sort: (row, part) => f().middle(of(row, part)),
      cell: (row, state) => f().estimate(of(row, state.samples), state.samples ? null : row.raw_intervals?.[key],
        {plusMinus: state.ci}),
      plain: (row, part) => [[`raw_${key}`, of(row, part)?.value ?? null]],
    };
  }

  function uncapped() {
    const of = (row, part) => (part ? narrowed(row, part).uncapped : f().pair(row.uncapped));
    return {
      key: "uncapped", label: "Overall without cap", about: "What overall would be if the cap did not exist.",
      kind: "number", part: "raw", shown: false,
      sort: (row, part) => f().middle(of(row, part)),
      cell: (row, state) => f().estimate(of(row, state.samples), state.samples ? null : row.raw_intervals?.overall),
      plain: (row, part) => [["uncapped", of(row, part)?.value ?? null]],
    };
  }

  function subtheme([theme, name]) {
    const of = (row) => f().pair(subthemeOf(row, theme, name)?.bounds);
    return {
      key: `sub:${theme}/${name}`, label: `${theme}: ${name}`, kind: "number", part: "subthemes", shown: false,
      about: `The mean over the samples of the subtheme ${name} of ${theme}.`, whole: true,
      sort: (row) => f().middle(of(row)),
      cell: (row, state) => f().estimate(of(row), subthemeOf(row, theme, name)?.interval, {plusMinus: state.ci}),
      plain: (row) => [[`${theme}: ${name}`, of(row)?.value ?? null]],
    };
  }

  const rankText = (row) => (row.rank_low && row.rank_high && row.rank_low !== row.rank_high
    ? `${row.rank_low}–${row.rank_high}` : row.rank_low ? String(row.rank_low) : f().NONE);

  function main(board) {
    const {rubric} = board;
    return [
      value("rank", "Rank", "From 1 in each track; models that cannot be told apart from the same better ones share it.",
        {part: "main", shown: true, whole: true, show: (rank) => rank ?? f().NONE}),
      text("group", "Group", "Two models that share a letter are not told apart by this board.",
        {part: "main", shown: true, whole: true, narrow: true}),
      value("ranks", "Ranks", `The ranks that the model may have, at ${f().confidence()} for all models at once.`,
        {part: "main", whole: true, of: (row) => row.rank_low ?? null, show: (_, row) => rankText(row)}),
      {key: "model", label: "Model", about: "The result's name; what stands under it is declared, and checked by nobody.",
        kind: "text", part: "main", shown: true, always: true, sort: (row) => row.model.toLowerCase(),
        plain: (row) => [["model", row.model]]},
      mean("overall", "Overall", "Mean of the marks that count: over the samples of a theme, over themes, over dimensions. "
        + `± is half the ${f().confidence()} interval over scenes.`),
      ...rubric.dimensions.map(({key, label}) => mean(key, label,
        `${label}, capped, mean over the samples of a theme and over themes.`)),
      ...board.themes.map((theme) => mean(theme, theme, `All dimensions over the samples of the theme ${theme}.`,
        {whole: true, theme: true})),
      value("n", "n of N", "Samples with all their verdicts, of all samples.", {part: "main", shown: true,
        of: counted("n"), show: (n, row, part) => `${n} of ${part ? narrowed(row, part).of : row.of}`}),
    ];
  }

  function coverage() {
    const part = {part: "coverage"};
    return [
      value("scored_overall", "Scored only", "The mean over scored samples alone, as the authors’ script prints it; do not "
        + "compare models by it.", {...part, of: counted("scored_overall")}),
      value("cap_bound", "Cap bound", "Share of verdicts in which the cap lowered a mark.",
        {...part, of: counted("cap_bound"), show: f().share}),
      value("rank_uncapped", "Rank without cap", "The rank if the cap did not exist.",
        {...part, whole: true, show: (rank) => rank ?? f().NONE}),
      value("no_edit", "No edit", "Samples without a readable video; they count the lowest mark.",
        {...part, of: counted("no_edit"), show: (n) => n ?? f().NONE}),
      value("no_verdict", "No verdict", "Samples with a video that the judge gave no marks; they never count.",
        {...part, of: counted("no_verdict"), show: (n) => n ?? f().NONE}),
      value("not_attempted", "Not attempted", "Samples that nobody has tried to edit yet.",
        {...part, of: counted("not_attempted"), show: (n) => n ?? f().NONE}),
      value("flagged", "Flagged", "Samples where marks contradict what was measured from the pixels; a flag changes no mark.",
        {...part, show: (n, row) => (n === null ? f().NONE : `${n} of ${row.measured}`)}),
      value("repeats", "Repeats", "Verdicts asked for each edit.", {...part, show: (n) => n ?? f().NONE}),
    ];
  }

  function effort() {
    const part = {part: "effort", show: f().amount};
    return [
      value("seconds_per_clip", "s per clip", "The model’s own seconds for one clip, the median; of one machine only.", part),
      value("frames_per_second", "Frames per s", "Frames made over that time.", part),
      value("gpu_memory_gb", "GPU GB", "The most memory that one edit took, in 10⁹ bytes.", part),
      value("host_memory_gb", "Host GB", "The most memory that one edit took beside the GPU.", part),
      value("cost_per_clip_usd", "USD per clip", "The median price of one edit.", part),
      value("cost_usd", "USD in all", "The price of all edits.", part),
      value("aligned", "Aligned", "Share of edits whose frames stand for the source’s one by one.",
        {...part, show: f().share}),
    ];
  }

  function about() {
    const part = {part: "about"};
    return [
      text("track", "Track", "What the model was given: source and instruction alone, or more. Each track has its own ranks.",
        part),
      value("parameters", "Size", "Parameters, as declared.", {...part, show: f().parameters}),
      text("weights", "Weights", "Whether anybody can download the model, as declared.", part),
      text("license", "License", "As declared.", part),
      text("overlap", "Overlap", "Whether the training data overlaps the benchmark’s sources, as declared.", part),
      text("made_by", "Videos by", "Who made the edits, as declared.", part),
      text("judged", "Judged", "Whether the verdicts were asked for here, or handed in by the makers.", part),
      text("machine", "Machine", "What the edits were made on.", part),
      text("date", "Date", "When judging began.", part),
      text("code_version", "Code", "The version of this program that judged.", part),
    ];
  }

  let made = null;

  function all() {
    const {board} = sparkle.data;
    made ??= [...main(board), ...coverage(), uncapped(), ...board.rubric.dimensions.map(raw),
      ...board.subthemes.map(subtheme), ...effort(), ...about()];
    return made;
  }

  /** The columns that a state asks for, in their order. Narrowed to some samples, themes have no number of their own. */
  function shown(state) {
    const wanted = state.cols ? new Set(state.cols) : null;
    const several = new Set(sparkle.data.models.map((row) => row.track)).size > 1;
    return all().filter((column) => {
      if (state.samples && (column.theme || column.part === "subthemes")) return false;
      if (column.always) return true;
      return wanted ? wanted.has(column.key) : column.shown || (column.key === "track" && several);
    });
  }

  sparkle.columns = {PARTS, all, shown, interval, found, subthemeOf, rankText};
})();
