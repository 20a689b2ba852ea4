/** Addresses: everything that a view shows is in the hash, and a change of the hash shows it again. */
"use strict";

(() => {
  /** Parameters that go along from view to view. */
  const KEPT = ["dark"];
  let shown = null;
  let drawn = null;
  /** What board and samples were left with, for the links at the top of the page. */
  const left = new Map();
  /** Milliseconds without scrolling before it is noted how far. */
  const REST = 150;
  let scrolling = 0;

  function decoded(segment) {
    try {
      return decodeURIComponent(segment);
    } catch {
      return segment;
    }
  }

  /** Parse a hash; one that is no route is the board. */
  function parse(hash) {
    const [path, query = ""] = hash.startsWith("#/") ? hash.slice(2).split(/\?(.*)/s) : [""];
    const [name = "board", ...rest] = path.split("/").filter((segment) => segment !== "").map(decoded);
    return {name, rest, params: new URLSearchParams(query)};
  }

  function written({name, rest, params}) {
    const path = name === "board" && rest.length === 0 ? "" : [name, ...rest].map(encodeURIComponent).join("/");
    const query = params.toString().replace(/%2C/g, ",");
    return `#/${path}${query ? `?${query}` : ""}`;
  }

  const route = () => parse(location.hash);

  function filled(params, values) {
    for (const [key, value] of Object.entries(values || {})) {
      if (value === null || value === undefined || value === "" || value === false) params.delete(key);
      else params.set(key, value === true ? "1" : String(value));
    }
    return params;
  }

  function href(path, values) {
    const [name = "board", ...rest] = Array.isArray(path) ? path.map(String) : [String(path)];
    const params = new URLSearchParams();
    const now = route().params;
    for (const key of KEPT) if (now.has(key)) params.set(key, now.get(key));
    return written({name, rest, params: filled(params, values)});
  }

  function put(hash, push) {
    if (hash === location.hash) return;
    if (push) keep();
    history[push ? "pushState" : "replaceState"](push ? null : history.state, "", hash);
    onAddress();
  }

  function go(path, values, {push = true} = {}) {
    put(href(path, values), push);
    draw();
  }

  function set(changes, {push = false, draw: again = false} = {}) {
    const now = route();
    filled(now.params, changes);
    put(written(now), push);
    if (again) draw();
  }

  /** Links that stand on the page already take along what goes from view to view. */
  function carry(params) {
    for (const link of document.querySelectorAll('a[href^="#/"]')) {
      const there = parse(link.getAttribute("href"));
      for (const key of KEPT) filled(there.params, {[key]: params.get(key)});
      link.setAttribute("href", written(there));
    }
  }

  /** A sample has its list's filters, and a place in its videos besides. */
  function leave({name, params}) {
    const kept = new URLSearchParams(params);
    kept.delete("t");
    if (name === "board" || name === "samples") left.set(name, kept.toString());
    if (name === "sample") left.set("samples", kept.toString());
  }

  /** What all views have in common follows the address too. */
  function onAddress() {
    const now = route();
    const root = document.documentElement;
    const dark = now.params.get("dark") ?? "";
    leave(now);
    const pick = now.params.get("pick") ?? new URLSearchParams(left.get("board") ?? "").get("pick");
    for (const link of document.querySelectorAll("[data-nav]")) {
      const name = link.dataset.nav;
      const params = new URLSearchParams(left.get(name) ?? "");
      if (name === "compare") filled(params, {pick});
      link.setAttribute("href", written({name, rest: [], params}));
      if (name === now.name || (name === "samples" && now.name === "sample")) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (dark === "1" || dark === "0") root.dataset.dark = dark;
    else delete root.dataset.dark;
    carry(now.params);
    document.dispatchEvent(new CustomEvent("sparkle:address"));
  }

  function draw() {
    const now = route();
    const container = document.getElementById("view");
    const view = sparkle.views.get(now.name) || sparkle.views.get("missing");
    const key = written({...now, params: new URLSearchParams()});
    if (shown === view && drawn === key && view.update && view.update(container, now, sparkle.data)) return;
    const first = shown === null;
    const other = drawn !== key;
    const to = history.state ?? (other ? {} : scrolled());
    if (shown && shown.leave) shown.leave();
    shown = view;
    drawn = key;
    container.replaceChildren();
    container.dataset.view = now.name;
    for (const part of document.querySelectorAll("[data-on]")) {
      part.hidden = !part.dataset.on.split(" ").includes(now.name);
    }
    const later = view.render(container, now, sparkle.data);
    scrollBack(to);
    if (to.y || to.box) later?.then(() => shown === view && drawn === key && scrollBack(to)); // the page may only now be as long
    if (!first && other) arrive(container);
  }

  // -- how far a view is scrolled ---------------------------------------------------------------------------------------

  /** Long tables scroll in a box of their own. */
  const box = () => document.querySelector("#view > .wide");

  const scrolled = () => ({y: window.scrollY, box: box()?.scrollTop ?? 0});

  function scrollBack({y = 0, box: inside = 0}) {
    window.scrollTo(0, y);
    if (box()) box().scrollTop = inside;
  }

  /** Whoever goes back stands where they were: each entry of the history keeps how far its view was scrolled. */
  function keep() {
    clearTimeout(scrolling);
    history.replaceState(scrolled(), "");
  }

  function onScroll() {
    clearTimeout(scrolling);
    scrolling = setTimeout(keep, REST);
  }

  /** Whoever follows a link by keyboard or hears the page stands at the new view's heading. */
  function arrive(container) {
    const heading = container.querySelector("h1, h2") || document.querySelector("[data-on]:not([hidden]) h2") || container;
    heading.setAttribute("tabindex", "-1");
    heading.focus({preventScroll: true});
  }

  function onHash() {
    onAddress();
    draw();
  }

  function start() {
    document.documentElement.classList.add("scripted");
    for (const part of document.querySelectorAll("[data-static]")) part.remove();
    history.scrollRestoration = "manual";
    document.addEventListener("scroll", onScroll, {passive: true, capture: true}); // those of boxes do not bubble
    document.addEventListener("click", keep, {capture: true});
    window.addEventListener("popstate", () => clearTimeout(scrolling)); // from here on the entry is another
    window.addEventListener("hashchange", onHash);
    chooseColours();
    document.querySelector(".skip")?.addEventListener("click", (event) => {
      event.preventDefault(); // the hash is the route
      document.getElementById("main").focus();
    });
    onHash();
    document.documentElement.dataset.ready = "1";
  }

  function chooseColours() {
    const choice = document.getElementById("colours");
    if (!choice) return;
    choice.closest("[hidden]")?.removeAttribute("hidden");
    choice.addEventListener("change", () => set({dark: choice.value}));
    document.addEventListener("sparkle:address", () => { choice.value = route().params.get("dark") ?? ""; });
  }

  const missing = {
    render(container) {
      sparkle.title("Not here");
      container.append(
        sparkle.el("h2", null, "There is nothing at this address"),
        sparkle.el("p", null, sparkle.el("a", {href: href("board")}, "To the board")),
      );
    },
  };
  sparkle.view("missing", missing);
  Object.assign(sparkle, {route, href, go, start, draw, missing});
  sparkle.params = {get: (key) => route().params.get(key) ?? "", set};
})();
