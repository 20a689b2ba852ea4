/** How numbers, bounds and intervals are written and drawn. Colours come from the style sheet, never from the data. */
"use strict";

(() => {
  const {el, svg} = sparkle;
  const NONE = "–";
  /** What a letter of `marks.status` stands for; "s" is scored. */
  const STATES = {e: "no edit", v: "no verdict", u: "not attempted"};

  /** Two digits as all other files of the board have them: a tie such as 3.125, exact in binary, goes to the even digit. */
  function number(value, digits = 2) {
    if (value === null || value === undefined) return NONE;
    const eighths = value * 8;
    const up = digits === 2 && Number.isInteger(eighths) && Math.abs(eighths % 2) === 1 && Math.abs(eighths % 4) === 1;
    return (up ? value - Math.sign(value) * 0.001 : Number(value)).toFixed(digits);
  }

  const share = (value) => (value === null || value === undefined ? NONE : `${(value * 100).toFixed(0)}%`);
  const signed = (value, digits = 2) =>
    (value === null || value === undefined ? NONE : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`);

  /** A time, a size or a sum: three digits. */
  function amount(value) {
    if (value === null || value === undefined) return NONE;
    if (value >= 99.95) return Math.round(value).toLocaleString("en");
    return value !== 0 && value < 0.0001 ? "<0.0001" : String(Number(value.toPrecision(3)));
  }

  function parameters(count) {
    if (!count) return NONE;
    const power = Math.min(4, Math.floor(Math.log10(Number(count.toPrecision(3))) / 3));
    return `${Number((count / 1000 ** power).toPrecision(3))}${["", "K", "M", "B", "T"][power]}`;
  }

  /** A mean, or the bounds between which it lies. */
  function bounds(found, digits = 2) {
    if (!found) return NONE;
    if (found.value !== null) return number(found.value, digits);
    return `${number(found.low, digits)}–${number(found.high, digits)}`;
  }

  /** [low, high] of the data as bounds. */
  const pair = (found) => (found ? {low: found[0], high: found[1], value: found[0] === found[1] ? found[0] : null} : null);

  /** What sorting goes by: a mean, or the middle of its bounds. */
  const middle = (found) => (found ? (found.low + found.high) / 2 : null);

  /** An interval around a mean: half its width, or its ends where the scale's end cuts it. */
  function around(mean, [low, high]) {
    const even = Math.abs((high - mean) - (mean - low)) < 0.005;
    return even ? `±${number((high - low) / 2)}` : `[${number(low)}, ${number(high)}]`;
  }

  const intervalText = (interval, digits = 2) =>
    (interval ? `${number(interval[0], digits)} to ${number(interval[1], digits)}` : "");

  function confidence() {
    return `${Math.round((sparkle.data.board.statistics?.confidence ?? 0.95) * 100)}%`;
  }

  let domain = null;

  /** From where to where the board's overall numbers reach, in half marks: the scale on which they are drawn in its table. */
  function reach() {
    const ends = sparkle.data.models.flatMap((row) => [...(row.intervals?.overall ?? []), ...row.bounds.overall]);
    const [low, high] = [Math.floor(Math.min(...ends) * 2) / 2, Math.ceil(Math.max(...ends) * 2) / 2];
    domain ??= low < high ? [low, high] : [low - 0.5, high + 0.5];
    return domain;
  }

  /** A mean with its interval: number, half width, whisker. */
  function estimate(found, interval, {whisker = false, plusMinus = true, whole = true} = {}) {
    const parts = [el("span", {class: "value"}, bounds(found))];
    if (interval && plusMinus) {
      parts.push(el("span", {class: "pm", title: `${confidence()} interval: ${intervalText(interval)}`},
        ` ${around(found.value ?? middle(found), interval)}`));
    }
    if (whisker) parts.push(whiskers([{found, interval}], {scale: whole ? reach() : undefined}));
    return parts;
  }

  /**
   * One line per item on the scale of the rubric: a thin line for the interval (or the bounds), a dot for the mean.
   * It repeats what is written beside it, so it is hidden from readers of text.
   */
  function whiskers(items, {width = 84, line = 10, ticks = false, scale} = {}) {
    const {rubric} = sparkle.data.board;
    const [lowest, highest] = scale ?? [rubric.lowest, rubric.highest];
    const x = (value) => 3 + ((value - lowest) / (highest - lowest)) * (width - 6);
    const height = line * items.length;
    const drawing = svg("svg", {
      class: "whiskers", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false",
    });
    if (ticks) {
      for (let mark = Math.ceil(lowest); mark <= highest; mark++) {
        drawing.append(svg("line", {class: "tick", x1: x(mark), x2: x(mark), y1: 0, y2: height}));
      }
    } else drawing.append(svg("line", {class: "axis", x1: 3, x2: width - 3, y1: height / 2, y2: height / 2}));
    items.forEach(({found, interval, series = 0}, place) => {
      const y = line * (place + 0.5);
      const ends = found && found.value === null ? [found.low, found.high] : interval;
      const part = svg("g", {class: `series-${series}`});
      if (ends) {
        const open = found && found.value === null;
        part.append(svg("line", {class: open ? "range open" : "range", x1: x(ends[0]), x2: x(ends[1]), y1: y, y2: y}));
        for (const end of ends) part.append(svg("line", {class: "end", x1: x(end), x2: x(end), y1: y - 2.5, y2: y + 2.5}));
      }
      if (found && found.value !== null) part.append(marker(x(found.value), y, series));
      drawing.append(part);
    });
    return drawing;
  }

  /** Shapes tell series apart where colours do not. */
  function marker(x, y, series, size = 3) {
    const shapes = [
      () => svg("circle", {cx: x, cy: y, r: size}),
      () => svg("rect", {x: x - size, y: y - size, width: 2 * size, height: 2 * size}),
      () => svg("path", {d: `M${x} ${y - size * 1.3}L${x + size * 1.3} ${y + size}H${x - size * 1.3}Z`}),
      () => svg("path", {d: `M${x} ${y - size * 1.4}L${x + size * 1.4} ${y}L${x} ${y + size * 1.4}L${x - size * 1.4} ${y}Z`}),
    ];
    const shape = shapes[series % shapes.length]();
    shape.setAttribute("class", "dot");
    return shape;
  }

  function key(series) {
    const drawing = svg("svg", {class: `key series-${series}`, width: 12, height: 12, viewBox: "0 0 12 12",
      "aria-hidden": "true", focusable: "false"});
    drawing.append(marker(6, 6, series, 4));
    return drawing;
  }

  /** How often each mark was given, as small columns with their counts in words. */
  function spread(counts, lowest) {
    const most = Math.max(1, ...counts);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const words = counts.map((count, mark) => `${mark + lowest}: ${count}`).join(", ");
    return el("span", {class: "spread", role: "img", "aria-label": `marks ${words}`, title: words},
      counts.map((count, mark) => el("span", {class: "column"},
        el("span", {class: "bar", vars: {share: count / most}}),
        el("span", {class: "mark"}, mark + lowest),
        el("span", {class: "of"}, total ? `${Math.round((100 * count) / total)}%` : NONE))));
  }

  /** The first words of a long text. */
  function excerpt(text, length = 140) {
    const flat = String(text ?? "").replace(/\s+/g, " ").trim();
    const letters = Array.from(flat.slice(0, 4 * length));
    return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : flat;
  }

  /** A long text that opens on demand. */
  function long(text, length = 240) {
    const words = String(text ?? "");
    if (words.length <= length) return el("span", {class: "said"}, sparkle.bdi(words));
    return el("details", {class: "said"}, el("summary", null, sparkle.bdi(excerpt(words, length))),
      el("div", {class: "whole"}, sparkle.bdi(words)));
  }

  sparkle.format = {
    NONE, STATES, number, share, signed, amount, parameters, bounds, pair, middle, around, intervalText, confidence, estimate,
    whiskers, key, spread, excerpt, long,
  };
})();
