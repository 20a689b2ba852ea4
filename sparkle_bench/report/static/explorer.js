/** One sample: what was asked, the source and up to four edits in step, and all that the judge said of each. */
"use strict";

(() => {
  const {el, bdi} = sparkle;
  let current = null;
  /** Whether videos were playing, or a button was focused, as one sample was left for the next. */
  let goingOn = {};

  const number = (text, otherwise) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : otherwise);

  function playing() {
    const get = sparkle.params.get;
    const pair = sparkle.list(get("wipe"));
    return {
      position: Math.max(0, number(get("t"), 0)),
      speed: number(get("speed"), 1),
      loop: get("loop") === "1",
      wipe: pair.length === 2 ? pair : null,
      split: Math.max(0, Math.min(100, number(get("split"), 50))),
    };
  }

  function render(container, route) {
    const id = route.rest[0] ?? "";
    const s = sparkle.data.place.get(id);
    if (s === undefined) {
      sparkle.title("No such sample");
      container.append(
        el("h2", null, "No such sample"),
        el(
          "p",
          null,
          "This board has no sample ",
          bdi(id),
          ". ",
          el("a", {href: sparkle.href(["samples"], {})}, "All samples"),
        ),
      );
      return;
    }
    const sample = sparkle.data.samples[s];
    sparkle.title(sample.id);
    const self = {s, sample, models: sparkle.filter.shown(), view: null, open: true, went: goingOn};
    goingOn = {};
    current = self;
    self.stage = el("div", {class: "stage"}, el("p", {class: "quiet"}, "Loading…"));
    self.panels = el("div", {class: "panels"});
    container.append(
      steps(self),
      heading(self),
      sparkle.explorerForm.models((names) => choose(self, names)),
      self.stage,
      self.panels,
      keysHelp(),
    );
    self.listener = (event) => onKey(self, event);
    document.addEventListener("keydown", self.listener);
    find(self);
    return fill(self);
  }

  function heading({sample}) {
    return el(
      "header",
      {class: "sample-head"},
      el("h2", null, bdi(sample.id)),
      el("p", {class: "quiet"}, bdi(sample.theme), " · ", bdi(sample.subtheme), " · ", bdi(sample.scene)),
      el("blockquote", {class: "instruction", dir: "auto"}, sparkle.format.long(sample.instruction, 600)),
    );
  }

  function keysHelp() {
    const keys = [...sparkle.playerKeys, ["n", "next sample"], ["p", "previous sample"]];
    return el(
      "details",
      {class: "keys"},
      el("summary", null, "Keys"),
      el(
        "dl",
        null,
        keys.map(([key, what]) => [el("dt", null, key), el("dd", null, what)]),
      ),
    );
  }

  function choose(self, names) {
    goingOn = {playing: self.view?.player.wanted};
    const kept = {...sparkle.filter.kept(), t: sparkle.params.get("t"), models: sparkle.unlist(names)};
    if (self.view) kept.t = self.view.player.position().toFixed(3);
    sparkle.go(["sample", self.sample.id], kept);
  }

  // -- from sample to sample --------------------------------------------------------------------------------------------

  function steps(self) {
    const list = el("a", {href: "#/samples"}, "All samples");
    const before = el(
      "button",
      {type: "button", title: "Previous sample (p)", onclick: () => step(self, -1)},
      "‹ Previous",
    );
    const after = el("button", {type: "button", title: "Next sample (n)", onclick: () => step(self, 1)}, "Next ›");
    const told = el("span", {class: "count", role: "status"});
    const summary = el("summary", null, "Filters");
    const form = el(
      "details",
      {class: "menu filters-menu"},
      summary,
      el(
        "div",
        {class: "panel"},
        sparkle.explorerForm.form(() => find(self)),
      ),
    );
    Object.assign(self, {list, before, after, told, summary, buttons: {before, after}});
    const went = self.went.focus;
    if (went) queueMicrotask(() => self.buttons[went].focus({preventScroll: true}));
    return el(
      "nav",
      {class: "bar-line", "aria-label": "Samples"},
      list,
      before,
      told,
      after,
      el("span", {class: "push"}),
      form,
    );
  }

  /** Find the samples that pass the filters, and where among them this one stands. */
  async function find(self) {
    const state = sparkle.filter.read();
    self.places = sparkle.filter.places(state);
    place(self);
    if (!state.flags) return;
    const flagged = await sparkle.filter.flagged(state);
    if (!self.open || !sparkle.filter.read().flags) return;
    self.places = sparkle.filter.places(sparkle.filter.read(), flagged);
    place(self);
  }

  function place(self) {
    const at = self.places.indexOf(self.s);
    const many = self.places.length;
    self.told.textContent = at >= 0 ? `${at + 1} of ${many}` : `not among the ${many} of the filter`;
    self.before.disabled = at <= 0;
    self.after.disabled = at < 0 ? many === 0 : at === many - 1;
    const on = sparkle.filter.active();
    self.summary.textContent = on ? `Filters (${on})` : "Filters";
    self.list.setAttribute("href", sparkle.href(["samples"], sparkle.filter.kept()));
  }

  /** From a sample that the filter leaves out, the next one is the first that it lets in. */
  function step(self, by) {
    const at = self.places.indexOf(self.s);
    const to = self.places[at < 0 ? (by > 0 ? 0 : -1) : at + by];
    if (to === undefined) return;
    const focused = Object.keys(self.buttons).find((name) => self.buttons[name] === document.activeElement);
    goingOn = {playing: self.view?.player.wanted, focus: focused};
    sparkle.go(["sample", sparkle.data.samples[to].id], sparkle.filter.kept());
  }

  function onKey(self, event) {
    if (self.view?.key(event)) return;
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea")) return;
    const by = {n: 1, p: -1}[event.key];
    if (!by) return;
    event.preventDefault();
    step(self, by);
  }

  // -- the videos and what is said of them ------------------------------------------------------------------------------

  async function fill(self) {
    const loaded = await Promise.allSettled(self.models.map((name) => sparkle.load(name)));
    if (!self.open) return;
    const abouts = self.models.map((model, series) => about(self, model, series, loaded[series]));
    const source = sparkle.videos.source(self.sample);
    const given = [
      {name: sparkle.videos.SOURCE, label: "Source", caption: el("strong", null, "Source"), facts: {}, ...source},
      ...abouts.map(track),
    ];
    self.view = sparkle.playerView(given, playing(), (changes) => self.open && sparkle.params.set(changes));
    sparkle.fill(self.stage, self.view.node);
    sparkle.fill(self.panels, abouts.map(sparkle.panel));
    if (self.went.playing) self.view.player.play();
  }

  function about(self, model, series, loaded) {
    const samples = loaded.status === "fulfilled" ? loaded.value.samples : {};
    const details = Object.hasOwn(samples, self.sample.id) ? samples[self.sample.id] : undefined;
    const trouble = loaded.reason ? loaded.reason.message : "Nothing is known of this sample.";
    const video = sparkle.videos.edit(model, self.sample, details?.edit);
    return {model, series, s: self.s, details, trouble, video};
  }

  function track({model, series, s, details, video}) {
    const mean = sparkle.marks(model).sampleMean(s);
    const caption = [
      sparkle.format.key(series),
      bdi(model),
      " ",
      el("span", {class: "quiet"}, sparkle.format.number(mean)),
    ];
    return {name: model, label: model, caption: el("span", null, caption), facts: details?.edit ?? {}, ...video};
  }

  function leave() {
    if (!current) return;
    current.open = false;
    document.removeEventListener("keydown", current.listener);
    current.view?.close();
    current = null;
  }

  sparkle.view("sample", {render, leave});
})();
