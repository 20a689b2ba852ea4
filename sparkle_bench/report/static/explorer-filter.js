/** Which samples the explorer goes through, and in which order: filters and sorting, as the address has them. */
"use strict";

(() => {
  const FIRST_MODELS = 3;
  /** What no model is called: names begin with a letter or a digit. */
  const ANY = ".any";
  const LEAST_DIFFERENCE = 1;
  const EPSILON = 1e-9;
  const STATUSES = [
    ["no_edit", "no edit"],
    ["no_verdict", "no verdict"],
    ["failed", "no edit or no verdict"],
    ["open", "not attempted"],
    ["scored", "scored throughout"],
  ];
  const SORTS = [
    ["", "the benchmark's order"],
    ["mean", "mark"],
    ["models", "difference between models"],
    ["repeats", "difference between repeats"],
  ];
  const FILTERS = ["q", "theme", "subtheme", "of", "dim", "marks", "differ", "by", "status", "flags"];
  /** What goes along from sample to sample. */
  const KEPT = [...FILTERS, "models", "pick", "sort", "desc", "speed", "loop", "wipe", "split"];

  /** The models that are shown: those of the address, else those picked on the board, else the board's best. */
  function shown() {
    const {byName, models} = sparkle.data;
    const named = sparkle.list(sparkle.params.get("models")).filter((name) => byName.has(name));
    const picked = named.length ? named : sparkle.list(sparkle.params.get("pick")).filter((name) => byName.has(name));
    if (picked.length) return [...new Set(picked)].slice(0, sparkle.state.MOST_PICKED);
    const best = models.filter((row) => !row.control).slice(0, FIRST_MODELS);
    return (best.length ? best : models.slice(0, FIRST_MODELS)).map((row) => row.model);
  }

  function numberIn(text, otherwise) {
    const found = text === "" ? NaN : Number(text);
    return Number.isFinite(found) ? found : otherwise;
  }

  function read() {
    const {board, byName} = sparkle.data;
    const of = sparkle.params.get("of");
    const range = /^(\d+(?:\.\d+)?)?-(\d+(?:\.\d+)?)?$/.exec(sparkle.params.get("marks"));
    return {
      models: shown(),
      q: sparkle.params.get("q"),
      theme: sparkle.params.get("theme"),
      subtheme: sparkle.params.get("subtheme"),
      of: of === ANY || byName.has(of) ? of : "",
      dim: board.rubric.dimensions.findIndex(({key}) => key === sparkle.params.get("dim")),
      low: numberIn(range?.[1] ?? "", null),
      high: numberIn(range?.[2] ?? "", null),
      differ: ["models", "repeats"].includes(sparkle.params.get("differ")) ? sparkle.params.get("differ") : "",
      by: numberIn(sparkle.params.get("by"), LEAST_DIFFERENCE),
      status: STATUSES.some(([name]) => name === sparkle.params.get("status")) ? sparkle.params.get("status") : "",
      flags: sparkle.params.get("flags") === "1",
      sort: SORTS.some(([name]) => name === sparkle.params.get("sort")) ? sparkle.params.get("sort") : "",
      desc: sparkle.params.get("desc") === "1",
    };
  }

  // -- numbers ----------------------------------------------------------------------------------------------------------

  const known = new Map();

  /** A number of every sample of a model, computed once; null where there is none. */
  function ofModel(kind, model, dim, make) {
    const key = JSON.stringify([kind, model, dim]);
    if (!known.has(key))
      known.set(
        key,
        sparkle.data.samples.map((_, s) => make(s)),
      );
    return known.get(key);
  }

  const mean = (model, dim) =>
    ofModel("mean", model, dim, (s) => sparkle.marks(model).sampleMean(s, dim < 0 ? undefined : dim));

  function repeatsDiffer(model, dim) {
    const found = sparkle.marks(model);
    const dims = dim < 0 ? sparkle.data.board.rubric.dimensions.map((_, d) => d) : [dim];
    return ofModel("repeats", model, dim, (s) => {
      const means = [];
      for (let r = 0; r < found.repeats; r++) {
        if (found.status(s, r) === "s")
          means.push(dims.reduce((sum, d) => sum + found.counted(s, r, d), 0) / dims.length);
      }
      return means.length > 1 ? Math.max(...means) - Math.min(...means) : null;
    });
  }

  function statuses(model) {
    const found = sparkle.marks(model);
    return ofModel("status", model, -1, (s) =>
      Array.from({length: found.repeats}, (_, r) => found.status(s, r)).join(""),
    );
  }

  const present = (values) => values.filter((value) => value !== null);
  const average = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
  const largest = (values) => (values.length ? Math.max(...values) : null);
  const range = (values) => (values.length > 1 ? Math.max(...values) - Math.min(...values) : null);

  /** Functions of a sample's place that filters, sorting and the list share. */
  function numbers(state) {
    const every = sparkle.data.models.map((row) => row.model);
    // The control does nothing: beside it there is no sample on which the models agree.
    const editing = sparkle.data.models.filter((row) => !row.control).map((row) => row.model);
    const those = state.of === ANY ? every : state.of ? [state.of] : state.models;
    const compared = state.of === ANY ? editing : state.models;
    const table = (names, make) => names.map((name) => make(name, state.dim));
    const [means, differences, comparedMeans] = [
      table(those, mean),
      table(those, repeatsDiffer),
      table(compared, mean),
    ];
    const states = those.map(statuses);
    const at = (columns, s) => present(columns.map((column) => column[s]));
    return {
      those,
      of: (model, s) => mean(model, state.dim)[s],
      marks: (s) => at(means, s),
      mean: (s) => average(at(means, s)),
      models: (s) => range(at(comparedMeans, s)),
      repeats: (s) => largest(at(differences, s)),
      statuses: (s) => states.map((column) => column[s]),
    };
  }

  // -- filters ----------------------------------------------------------------------------------------------------------

  const HAS = {
    no_edit: (all) => all.some((one) => one.includes("e")),
    no_verdict: (all) => all.some((one) => one.includes("v")),
    failed: (all) => all.some((one) => /[ev]/.test(one)),
    open: (all) => all.some((one) => one.includes("u")),
    scored: (all) => all.every((one) => /^s+$/.test(one)),
  };

  function sought(sample, words) {
    if (!words.length) return true;
    const text = [sample.id, sample.instruction, sample.theme, sample.subtheme, sample.scene].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  }

  function inRange(values, state) {
    if (state.low === null && state.high === null) return true;
    const [low, high] = [(state.low ?? -Infinity) - EPSILON, (state.high ?? Infinity) + EPSILON];
    return values.some((value) => value >= low && value <= high);
  }

  function differs(state, found, s) {
    if (!state.differ) return true;
    const by = state.differ === "models" ? found.models(s) : found.repeats(s);
    return by !== null && by >= state.by - EPSILON;
  }

  /** @param flagged Ids of the samples with flags, or null while they are not known; then nothing is left out for them. */
  function matches(state, found, words, flagged) {
    return (sample, s) =>
      (!state.theme || sample.theme === state.theme) &&
      (!state.subtheme || sample.subtheme === state.subtheme) &&
      sought(sample, words) &&
      inRange(found.marks(s), state) &&
      differs(state, found, s) &&
      (!state.status || HAS[state.status](found.statuses(s))) &&
      (!state.flags || flagged === null || flagged.has(sample.id));
  }

  function sorted(places, state, found) {
    if (!state.sort) return state.desc ? places.reverse() : places;
    const sign = state.desc ? -1 : 1;
    // Rounded, for sums of the same marks in another order differ by a hair.
    const rounded = (number) => (number === null ? null : Math.round(number * 1e6) / 1e6);
    const value = new Map(places.map((s) => [s, rounded(found[state.sort](s))]));
    return places.sort((a, b) => {
      const [one, other] = [value.get(a), value.get(b)];
      if (one === null || other === null) return (one === null) - (other === null) || a - b;
      return sign * (one - other) || a - b;
    });
  }

  /** The places of the samples that pass, in order. */
  function places(state, flagged = null) {
    const found = numbers(state);
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const passes = matches(state, found, words, flagged);
    const kept = [];
    sparkle.data.samples.forEach((sample, s) => {
      if (passes(sample, s)) kept.push(s);
    });
    return sorted(kept, state, found);
  }

  /** The ids that are flagged for any of the models; those of any model of the board are looked for among the shown ones. */
  async function flagged(state) {
    const names = state.of && state.of !== ANY ? [state.of] : state.models;
    const all = await Promise.allSettled(names.map((name) => sparkle.load(name)));
    const found = new Set();
    for (const one of all) {
      for (const [id, about] of Object.entries(one.value?.samples ?? {})) if (about.flags?.length) found.add(id);
    }
    return found;
  }

  /** How many filters are on. */
  const active = () =>
    FILTERS.filter((name) => !["of", "dim", "by"].includes(name) && sparkle.params.get(name) !== "").length;

  /** The parameters that go along to another sample, or to the list. */
  const kept = () => Object.fromEntries(KEPT.map((name) => [name, sparkle.params.get(name)]));

  sparkle.filter = {
    ANY,
    LEAST_DIFFERENCE,
    STATUSES,
    SORTS,
    FILTERS,
    shown,
    read,
    numbers,
    places,
    flagged,
    active,
    kept,
  };
})();
