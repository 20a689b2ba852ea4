/** What is known of one model on one sample: marks of every repeat, the judge's words, failures, and facts of the edit. */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  /** Letters of a reply that are shown without a click. */
  const LONG = 1500;
  const NONE = "–";

  /**
   * @param about {model, series, s, details, video}: the model's place among the shown ones, the sample's place, what is known
   *     of the sample (undefined if that could not be loaded) and where the video is.
   */
  function panel(about) {
    const marks = sparkle.marks(about.model);
    const row = sparkle.data.byName.get(about.model);
    const mean = marks.sampleMean(about.s);
    const title = el(
      "h3",
      null,
      sparkle.format.key(about.series),
      el("a", {href: sparkle.href(["model", about.model], {})}, bdi(about.model)),
    );
    const standing = el(
      "p",
      {class: "quiet"},
      row.rank ? `rank ${row.rank}, ` : "not ranked, ",
      "this sample ",
      el("strong", null, sparkle.format.number(mean)),
    );
    return el(
      "section",
      {class: "panel-of-model", "aria-label": `${about.model} on this sample`, dataset: {model: about.model}},
      title,
      standing,
      failure(about, marks),
      marksTable(about, marks),
      flags(about),
      words(about, marks),
      facts(about),
    );
  }

  // -- failures ---------------------------------------------------------------------------------------------------------

  function failure(about, marks) {
    const edit = about.details?.edit;
    const states = new Set(Array.from({length: marks.repeats}, (_, r) => marks.status(about.s, r)));
    if (about.details === undefined) return el("p", {class: "note"}, about.trouble);
    if (edit?.error) return trouble("No edit", edit);
    if (states.has("u")) return el("p", {class: "note"}, "Nobody has tried to edit this sample.");
    if (states.has("e")) return el("p", {class: "note"}, "The video cannot be read: it counts as no edit.");
    return null;
  }

  function trouble(title, found) {
    return el(
      "p",
      {class: "note"},
      el("strong", null, title),
      ": ",
      sparkle.format.long(found.error, 400),
      found.error_type ? [" (", bdi(found.error_type), ")"] : null,
    );
  }

  // -- marks ------------------------------------------------------------------------------------------------------------

  function marksTable(about, marks) {
    const {dimensions} = sparkle.data.board.rubric;
    const repeats = Array.from({length: marks.repeats}, (_, r) => r);
    const many = repeats.length > 1;
    const heads = many ? [...repeats.map((r) => String(r + 1)), "mean"] : ["mark"];
    const means = marks.sampleMarks(about.s);
    const rows = dimensions.map(({label}, d) =>
      el(
        "tr",
        null,
        el("th", {scope: "row", class: "text"}, bdi(label)),
        repeats.map((r) => markCell(about, marks, r, d)),
        many ? el("td", {class: "mean"}, sparkle.format.number(means[d])) : null,
      ),
    );
    const overall = el(
      "tr",
      {class: "total"},
      el("th", {scope: "row", class: "text"}, "mean"),
      repeats.map((r) => el("td", null, sparkle.format.number(repeatMean(about, marks, r)))),
      many ? el("td", {class: "mean"}, sparkle.format.number(marks.sampleMean(about.s))) : null,
    );
    const box = el(
      "div",
      {class: "wide", tabindex: "0", role: "region", "aria-label": `Marks of ${about.model}`},
      el(
        "table",
        {class: "marks"},
        el(
          "caption",
          {class: "unseen"},
          `Marks of ${about.model} by repeat; where the cap lowered a mark, the judge's own stands beside it`,
        ),
        el(
          "thead",
          null,
          el(
            "tr",
            null,
            el("th", {scope: "col", class: "text"}, many ? "Repeat" : "Dimension"),
            heads.map((name) => el("th", {scope: "col"}, name)),
          ),
        ),
        el("tbody", null, rows, overall),
      ),
    );
    const sample = sparkle.data.samples[about.s];
    return [box, sparkle.charts.download(`Marks of ${about.model}, ${sample.id}`, box)];
  }

  function repeatMean(about, marks, r) {
    const values = sparkle.data.board.rubric.dimensions.map((_, d) => marks.counted(about.s, r, d));
    return values[0] === null ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  }

  function markCell(about, marks, r, d) {
    const [counted, raw] = [marks.counted(about.s, r, d), marks.raw(about.s, r, d)];
    if (counted === null) return el("td", {class: "quiet", title: sparkle.format.STATES[marks.status(about.s, r)]}, NONE);
    const lowered = raw !== null && raw > counted;
    const soft = about.details?.verdicts?.[r]?.soft?.[sparkle.data.board.rubric.dimensions[d].key];
    return el(
      "td",
      {class: lowered ? "lowered" : null},
      lowered
        ? el(
            "s",
            {title: "the judge's own mark, lowered by the cap"},
            raw,
            el("span", {class: "unseen"}, " lowered to "),
          )
        : null,
      counted,
      typeof soft === "number"
        ? el("small", {title: "expected mark, by the probabilities of its marks"}, soft.toFixed(2))
        : null,
    );
  }

  function flags(about) {
    const found = about.details?.flags ?? [];
    if (!found.length) return null;
    return el(
      "div",
      {class: "note"},
      el("strong", null, "Flags"),
      el(
        "ul",
        null,
        found.map((flag) =>
          el(
            "li",
            null,
            about.details.verdicts.length > 1 ? `repeat ${Number(flag.repeat) + 1}: ` : null,
            bdi(String(flag.name).replaceAll("_", " ")),
            ": ",
            bdi(flag.why),
          ),
        ),
      ),
    );
  }

  // -- the judge's words ------------------------------------------------------------------------------------------------

  function words(about, marks) {
    const verdicts = about.details?.verdicts ?? [];
    return verdicts.map((verdict, r) => (verdict ? said(about, marks, verdict, r) : null));
  }

  function said(about, marks, verdict, r) {
    const mean = repeatMean(about, marks, r);
    const many = marks.repeats > 1;
    return el(
      "details",
      {class: "verdict", open: true},
      el(
        "summary",
        null,
        many ? `The judge, repeat ${r + 1}` : "The judge",
        mean === null || verdict.error ? null : el("span", {class: "quiet"}, ` ${sparkle.format.number(mean)}`),
      ),
      verdict.error ? trouble("No verdict", verdict) : null,
      typeof verdict.reply === "string"
        ? el("blockquote", {class: "reply", dir: "auto"}, sparkle.format.long(verdict.reply, LONG))
        : el("p", {class: "quiet"}, "No words are kept."),
      asked(verdict),
    );
  }

  function asked(verdict) {
    const notes = [];
    if (verdict.reused)
      notes.push(el("p", {class: "quiet"}, "Taken over from ", bdi(verdict.reused), ", whose file is the same."));
    if (verdict.attempts > 1) notes.push(el("p", {class: "quiet"}, `Asked ${Number(verdict.attempts)} times.`));
    if (verdict.failures?.length) {
      notes.push(
        el(
          "ul",
          {class: "quiet"},
          verdict.failures.map((one) => el("li", null, sparkle.format.long(one, 300))),
        ),
      );
    }
    return notes;
  }

  // -- the edit ---------------------------------------------------------------------------------------------------------

  function facts(about) {
    const edit = about.details?.edit;
    if (!edit || edit.error) return null;
    const {amount} = sparkle.format;
    const timing =
      edit.aligned === true
        ? "frame i stands for frame i of the source"
        : edit.aligned === false
          ? "re-timed: shown at the same share of its length"
          : "timing not known: shown at the same share of its length";
    const size = edit.width
      ? `${edit.width} × ${edit.height}, ${edit.frames} frames at ${amount(edit.fps)} per second`
      : "not here";
    const pairs = [
      ["Video", size],
      ["Frames", edit.video ? timing : null],
      ["Took", edit.seconds ? `${amount(edit.seconds)} s` : null],
      ["Cost", typeof edit.cost === "number" ? `$${amount(edit.cost)}` : null],
      [
        "File",
        about.video.url ? el("a", {href: about.video.url}, bdi(edit.video)) : edit.video ? bdi(edit.video) : null,
      ],
    ];
    return el(
      "dl",
      {class: "facts"},
      pairs.filter(([, value]) => value !== null).map(([name, value]) => [el("dt", null, name), el("dd", null, value)]),
    );
  }

  sparkle.panel = panel;
})();
