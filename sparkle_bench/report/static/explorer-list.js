/** The list of samples that pass the filters. */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  let drawing = 0;

  function render(container) {
    sparkle.title("Samples");
    const table = el("div", {class: "wide", tabindex: "0", role: "region", "aria-label": "Samples"});
    const found = el("p", {class: "count", role: "status"});
    const save = sparkle.charts.download("Samples", table);
    const summary = el("summary");
    const again = () => {
      const on = sparkle.filter.active();
      sparkle.fill(summary, on ? `Filters (${on})` : "Filters");
      return fillTable(table, found);
    };
    const chosen = (names) =>
      sparkle.go(["samples"], {...sparkle.filter.kept(), models: sparkle.unlist(names)}, {push: false});
    container.append(
      el("h2", null, "Samples"),
      sparkle.explorerForm.models(chosen),
      el("details", {class: "filters", open: window.innerWidth > 640}, summary, sparkle.explorerForm.form(again)),
      el("div", {class: "bar-line"}, found, el("span", {class: "push"}), save),
      table,
    );
    return again();
  }

  async function fillTable(container, told) {
    const mine = ++drawing;
    const state = sparkle.filter.read();
    const flagged = state.flags ? await sparkle.filter.flagged(state) : null;
    if (mine !== drawing) return;
    const places = sparkle.filter.places(state, flagged);
    const all = sparkle.data.samples.length;
    told.textContent = places.length === all ? `All ${all} samples` : `${places.length} of ${all} samples`;
    const {scrollTop, scrollLeft} = container;
    sparkle.fill(container, places.length ? table(state, places, () => fillTable(container, told)) : empty());
    Object.assign(container, {scrollTop, scrollLeft});
  }

  const empty = () => el("p", {class: "empty"}, "No sample passes these filters.");

  function columns(state) {
    const {dimensions} = sparkle.data.board.rubric;
    const what = state.dim < 0 ? "Mean" : dimensions[state.dim].label;
    const whose = state.of === sparkle.filter.ANY ? "all models" : state.of ? state.of : "shown models";
    return [
      {name: "", label: "Sample", text: true},
      ...state.models.map((name, series) => ({label: name, series})),
      {name: "mean", label: `${what}, ${whose}`},
      {name: "models", label: "Models differ"},
      {name: "repeats", label: "Repeats differ"},
      {label: "Status", text: true},
    ];
  }

  function head(column, state, again) {
    const text = column.series === undefined ? column.label : [sparkle.format.key(column.series), bdi(column.label)];
    if (column.name === undefined) return el("th", {scope: "col", class: column.text ? "text" : null}, text);
    const on = state.sort === column.name && (column.name !== "" || state.desc);
    const sort = () => {
      sparkle.params.set({sort: column.name, desc: state.sort === column.name ? !state.desc : column.name !== ""});
      again();
    };
    return el(
      "th",
      {
        scope: "col",
        class: column.text ? "text" : null,
        "aria-sort": on ? (state.desc ? "descending" : "ascending") : null,
      },
      el("button", {type: "button", onclick: sort, dataset: {sort: column.name}}, text),
    );
  }

  function table(state, places, again) {
    const numbers = sparkle.filter.numbers(state);
    const link = sparkle.href(["samples"], sparkle.filter.kept()).split("?")[1];
    const resort = () => {
      const focused = document.activeElement?.dataset?.sort;
      again().then(() => focused !== undefined && document.querySelector(`.samples [data-sort="${focused}"]`)?.focus({preventScroll: true}));
    };
    return el(
      "table",
      {class: "samples"},
      el("caption", {class: "unseen"}, "Samples and their marks"),
      el(
        "thead",
        null,
        el(
          "tr",
          null,
          columns(state).map((column) => head(column, state, resort)),
        ),
      ),
      el(
        "tbody",
        null,
        places.map((s) => row(state, numbers, s, link)),
      ),
    );
  }

  function row(state, numbers, s, query) {
    const sample = sparkle.data.samples[s];
    const {number, excerpt} = sparkle.format;
    const address = `#/sample/${encodeURIComponent(sample.id)}${query ? `?${query}` : ""}`;
    return el(
      "tr",
      null,
      el(
        "th",
        {scope: "row", class: "text"},
        el("a", {href: address}, bdi(sample.id)),
        " ",
        el("small", null, bdi(sample.theme), ", ", bdi(sample.subtheme)),
        el("span", {class: "instructed", dir: "auto"}, excerpt(sample.instruction, 300)),
      ),
      state.models.map((name) => el("td", null, number(numbers.of(name, s)))),
      el("td", null, number(numbers.mean(s))),
      el("td", null, number(numbers.models(s))),
      el("td", null, number(numbers.repeats(s))),
      el("td", {class: "text"}, told(numbers.statuses(s))),
    );
  }

  function told(statuses) {
    const have = (letter) => statuses.filter((one) => one.includes(letter)).length;
    const counts = Object.entries(sparkle.format.STATES).map(([letter, words]) => [have(letter), words]);
    const words = counts
      .filter(([count]) => count)
      .map(([count, text]) => (statuses.length > 1 ? `${text} ×${count}` : text));
    return words.join(", ");
  }

  sparkle.view("samples", {
    render,
    leave: () => {
      drawing += 1;
    },
  });
})();
