/** The controls of the explorer: which models, which samples, in which order. */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  const TYPING = 200;
  let count = 0;

  const option = (value, text) => el("option", {value}, text);

  function field(label, control, className = "field") {
    control.id ||= `field-${++count}`;
    return el("div", {class: className}, el("label", {for: control.id}, label), control);
  }

  function select(options, value, changed) {
    const found = el(
      "select",
      null,
      options.map(([name, text]) => option(name, text)),
    );
    found.value = value;
    found.addEventListener("change", () => changed(found.value));
    return found;
  }

  function numberField(label, value, {min, max, step}) {
    return el("input", {type: "number", min, max, step, value: value ?? "", inputmode: "decimal", "aria-label": label});
  }

  /**
   * The filters; they keep the address up to date.
   *
   * @param changed Called after a change.
   */
  function form(changed) {
    const node = el("form", {class: "controls sample-filters", role: "search", "aria-label": "Filter the samples"});
    const put = (changes) => {
      sparkle.params.set(changes);
      changed();
    };
    /** The focused control is another one afterwards, at the same place. */
    const draw = () => {
      const focused = node.contains(document.activeElement) ? document.activeElement.id : "";
      count = 0;
      sparkle.fill(node, ...fields(sparkle.filter.read(), put, redraw));
      if (focused) document.getElementById(focused)?.focus();
    };
    const redraw = (changes) => {
      put(changes);
      draw();
    };
    node.addEventListener("submit", (event) => event.preventDefault());
    draw();
    return node;
  }

  function fields(state, put, redraw) {
    return [
      field("Search", search(state, put), "field grow"),
      field(
        "Theme",
        select([["", "all"], ...sparkle.data.board.themes.map((name) => [name, name])], state.theme, (theme) =>
          redraw({theme, subtheme: null}),
        ),
      ),
      field("Subtheme", subthemes(state, redraw)),
      field("Whose marks", whose(state, put)),
      field("Which mark", whichMark(state, put)),
      rangeField(state, put),
      ...differFields(state, redraw, put),
      field(
        "Status",
        select([["", "any"], ...sparkle.filter.STATUSES], state.status, (status) => put({status})),
      ),
      field(
        "Order",
        select(sparkle.filter.SORTS, state.sort, (sort) => put({sort})),
      ),
      checkbox("highest first", state.desc, (desc) => put({desc})),
      checkbox("flagged only", state.flags, (flags) => put({flags})),
      el(
        "button",
        {
          type: "button",
          id: "field-reset",
          onclick: () =>
            redraw(Object.fromEntries([...sparkle.filter.FILTERS, "sort", "desc"].map((name) => [name, null]))),
        },
        "Reset",
      ),
    ];
  }

  function search(state, put) {
    const input = el("input", {type: "search", value: state.q, placeholder: "words of the instruction, scene or id"});
    let timer = 0;
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (input.isConnected) put({q: input.value.trim()});
      }, TYPING);
    });
    return input;
  }

  /** Options are numbered: two themes may have a subtheme of one name. */
  function subthemes(state, redraw) {
    const all = sparkle.data.board.subthemes;
    const those = all
      .map((pair, place) => [pair, String(place)])
      .filter(([[theme]]) => !state.theme || theme === state.theme);
    const options = those.map(([[theme, name], place]) => [place, state.theme ? name : `${theme}: ${name}`]);
    const now = those.find(([[theme, name]]) => name === state.subtheme && (!state.theme || theme === state.theme));
    return select([["", "all"], ...options], now ? now[1] : "", (place) => {
      const pair = place === "" ? null : all[Number(place)];
      redraw(pair ? {theme: pair[0], subtheme: pair[1]} : {subtheme: null});
    });
  }

  function whose(state, put) {
    const names = sparkle.data.models.map((row) => [row.model, row.model]);
    return select([["", "of a shown model"], [sparkle.filter.ANY, "of any model"], ...names], state.of, (of) =>
      put({of}),
    );
  }

  function whichMark(state, put) {
    const {dimensions} = sparkle.data.board.rubric;
    const options = dimensions.map(({key, label}) => [key, label]);
    return select([["", "mean of all"], ...options], dimensions[state.dim]?.key ?? "", (dim) => put({dim}));
  }

  function rangeField(state, put) {
    const {lowest, highest} = sparkle.data.board.rubric;
    const limits = {min: lowest, max: highest, step: "0.1"};
    const low = numberField("Lowest mark", state.low, limits);
    const high = numberField("Highest mark", state.high, limits);
    const changed = () => put({marks: low.value || high.value ? `${low.value}-${high.value}` : null});
    for (const input of [low, high]) input.addEventListener("change", changed);
    return el(
      "div",
      {class: "field range", role: "group", "aria-label": "Range of the mark"},
      el("span", {class: "field-name"}, "Mark from, to"),
      el("span", null, low, high),
    );
  }

  function differFields(state, redraw, put) {
    const choice = select(
      [
        ["", "any"],
        ["models", "between the models"],
        ["repeats", "between repeats"],
      ],
      state.differ,
      (differ) => redraw({differ, by: null}),
    );
    if (!state.differ) return [field("Disagreement", choice)];
    const {lowest, highest} = sparkle.data.board.rubric;
    const by = numberField("Least difference", state.by, {min: 0, max: highest - lowest, step: "0.05"});
    by.addEventListener("change", () =>
      put({by: Number(by.value) === sparkle.filter.LEAST_DIFFERENCE ? null : by.value}),
    );
    return [field("Disagreement", choice), field("at least", by)];
  }

  function checkbox(label, value, changed) {
    const input = el("input", {type: "checkbox"});
    input.checked = value;
    input.addEventListener("change", () => changed(input.checked));
    return el("label", {class: "check"}, input, label);
  }

  /**
   * The shown models: taken out by a button, put in from a list.
   *
   * @param changed Called with the new names.
   */
  function models(changed) {
    const now = sparkle.filter.shown();
    const rest = sparkle.data.models.filter((row) => !now.includes(row.model));
    const add = select(
      [["", "Add a model…"], ...rest.map((row) => [row.model, row.rank ? `${row.rank}. ${row.model}` : row.model])],
      "",
      (name) => name && changed([...now, name]),
    );
    add.setAttribute("aria-label", "Add a model");
    add.disabled = now.length >= sparkle.state.MOST_PICKED || !rest.length;
    const chips = now.map((name, series) =>
      el(
        "li",
        {class: "model-chip"},
        sparkle.format.key(series),
        bdi(name),
        el(
          "button",
          {
            type: "button",
            "aria-label": `Remove ${name}`,
            disabled: now.length < 2,
            onclick: () => changed(now.filter((other) => other !== name)),
          },
          "×",
        ),
      ),
    );
    return el(
      "div",
      {class: "model-choice"},
      el("span", {class: "quiet", id: "shown-models"}, "Models"),
      el("ul", {"aria-labelledby": "shown-models"}, chips),
      add,
    );
  }

  sparkle.explorerForm = {form, models};
})();
