/**
 * A model's marks, decoded when they are first asked for, and the numbers that follow from them.
 *
 *   sparkle.marks(name) -> {
 *     repeats,
 *     status(s, r)        "s" scored, "e" no edit, "v" no verdict, "u" not attempted
 *     raw(s, r, d)        the judge's mark, or null
 *     counted(s, r, d)    the mark that counts: capped, the lowest where there is no edit; null where nothing counts
 *     sampleMean(s, d?)   mean over repeats (and dimensions) of the marks that count; null if there are none
 *     sampleMarks(s)      [d] of the same
 *     mean(filter)        the board's numbers over the samples of a theme or subtheme: {theme?, subtheme?}
 *     spread(d)           [how many raw marks are lowest, ..., highest]
 *   }
 *   Means are {low, high, value}: what is missing counts the lowest and the highest; value is null while they differ.
 */
"use strict";

(() => {
  const [SCORED, NO_EDIT, NO_VERDICT, UNATTEMPTED] = ["s", "e", "v", "u"];
  const known = new Map();

  function decode(row) {
    const {rubric, samples} = sparkle.data.board;
    const length = samples.length * row.repeats * rubric.dimensions.length;
    const values = new Uint16Array(length);
    if (typeof row.marks === "string") {
      for (let i = 0; i < length; i++) values[i] = row.marks.charCodeAt(i) - 48;
    } else {
      for (let i = 0; i < length; i++) values[i] = row.marks[i] ?? 0;
    }
    return values;
  }

  const bounds = (low, high) => ({low, high, value: low === high ? low : null});
  const average = (items) => items.reduce((sum, item) => sum + item, 0) / items.length;

  function build(row) {
    const {board, samples} = sparkle.data;
    const {rubric} = board;
    const repeats = row.repeats;
    const D = rubric.dimensions.length;
    const cap = rubric.dimensions.findIndex((dimension) => dimension.key === rubric.cap);
    const values = decode(row);

    const status = (s, r) => row.status[s * repeats + r];

    function raw(s, r, d) {
      return status(s, r) === SCORED ? values[(s * repeats + r) * D + d] : null;
    }

    function counted(s, r, d) {
      const state = status(s, r);
      if (state === NO_EDIT) return rubric.lowest;
      if (state !== SCORED) return null;
      const at = (s * repeats + r) * D;
      return cap < 0 ? values[at + d] : Math.min(values[at + d], values[at + cap]);
    }

    function sampleMarks(s) {
      return rubric.dimensions.map((_, d) => {
        const marks = [];
        for (let r = 0; r < repeats; r++) {
          const mark = counted(s, r, d);
          if (mark !== null) marks.push(mark);
        }
        return marks.length ? average(marks) : null;
      });
    }

    function sampleMean(s, d) {
      const found = sampleMarks(s);
      if (d !== undefined) return found[d];
      return found[0] === null ? null : average(found);
    }

    /** Sums over one group of samples, by dimension: low, high, raw low, raw high, scored marks alone. */
    function summed(group) {
      const sums = {low: [], high: [], rawLow: [], rawHigh: [], scored: [], places: group.length * repeats, marked: 0};
      for (let d = 0; d < D; d++) {
        let [low, high, rawLow, rawHigh, scored] = [0, 0, 0, 0, 0];
        for (const s of group) {
          for (let r = 0; r < repeats; r++) {
            const mark = counted(s, r, d);
            const own = raw(s, r, d) ?? mark;
            low += mark ?? rubric.lowest;
            high += mark ?? rubric.highest;
            rawLow += own ?? rubric.lowest;
            rawHigh += own ?? rubric.highest;
            if (status(s, r) === SCORED) scored += mark;
          }
        }
        sums.low.push(low);
        sums.high.push(high);
        sums.rawLow.push(rawLow);
        sums.rawHigh.push(rawHigh);
        sums.scored.push(scored);
      }
      for (const s of group) for (let r = 0; r < repeats; r++) sums.marked += status(s, r) === SCORED ? 1 : 0;
      return sums;
    }

    function counts(group) {
      const found = {n: 0, of: group.length, no_edit: 0, no_verdict: 0, not_attempted: 0, lowered: 0, marked: 0};
      for (const s of group) {
        let seen = "";
        for (let r = 0; r < repeats; r++) {
          seen += status(s, r);
          if (status(s, r) !== SCORED) continue;
          found.marked++;
          for (let d = 0; d < D; d++) {
            if (counted(s, r, d) < raw(s, r, d)) {
              found.lowered++;
              break;
            }
          }
        }
        if (seen.includes(UNATTEMPTED)) found.not_attempted++;
        if (seen.includes(NO_EDIT)) found.no_edit++;
        if (seen.includes(NO_VERDICT)) found.no_verdict++;
        if (seen === SCORED.repeat(repeats)) found.n++;
      }
      return found;
    }

    function mean(filter) {
      const groups = sparkle.grouped(filter);
      const sums = groups.map(summed);
      const each = (side) => rubric.dimensions.map((_, d) => average(sums.map((one) => one[side][d] / one.places)));
      const [low, high, rawLow, rawHigh] = ["low", "high", "rawLow", "rawHigh"].map(each);
      const told = counts(groups.flat());
      const marked = sums.filter((one) => one.marked > 0);
      const scored = marked.length
        ? average(rubric.dimensions.map((_, d) => average(marked.map((one) => one.scored[d] / one.marked))))
        : null;
      const byKey = (lows, highs) => new Map(rubric.dimensions.map(({key}, d) => [key, bounds(lows[d], highs[d])]));
      return {
        overall: bounds(average(low), average(high)),
        uncapped: bounds(average(rawLow), average(rawHigh)),
        dimensions: byKey(low, high),
        raw: byKey(rawLow, rawHigh),
        scored_overall: scored,
        cap_bound: told.marked ? told.lowered / told.marked : null,
        ...told,
      };
    }

    function spread(d) {
      const found = new Array(rubric.highest - rubric.lowest + 1).fill(0);
      for (let s = 0; s < samples.length; s++) {
        for (let r = 0; r < repeats; r++) {
          const mark = raw(s, r, d);
          if (mark !== null) found[mark - rubric.lowest]++;
        }
      }
      return found;
    }

    return {repeats, status, raw, counted, sampleMarks, sampleMean, mean: remembered(mean), spread};
  }

  /** The same filter is asked for at every sorting. */
  function remembered(make) {
    const found = new Map();
    return (filter = {}) => {
      const key = JSON.stringify([filter.theme || "", filter.subtheme || ""]);
      if (!found.has(key)) found.set(key, make(filter));
      return found.get(key);
    };
  }

  const groups = new Map();

  /** The samples of a filter, theme by theme, as indices. */
  sparkle.grouped = ({theme = "", subtheme = ""} = {}) => {
    const key = JSON.stringify([theme, subtheme]);
    if (!groups.has(key)) {
      const found = new Map();
      sparkle.data.samples.forEach((sample, s) => {
        if ((theme && sample.theme !== theme) || (subtheme && sample.subtheme !== subtheme)) return;
        if (!found.has(sample.theme)) found.set(sample.theme, []);
        found.get(sample.theme).push(s);
      });
      groups.set(key, [...found.values()]);
    }
    return groups.get(key);
  };

  sparkle.marks = (name) => {
    if (!known.has(name)) {
      const row = sparkle.data.byName.get(name);
      if (!row) throw new Error("There is no such model on this board.");
      known.set(name, build(row));
    }
    return known.get(name);
  };
})();
