/** Addresses: everything that a view shows is in the hash, and a change of the hash shows it again. */
"use strict";

(() => {
  /** Parameters that go along from view to view. */
  const KEPT = ["dark"];
  let shown = null;
  let drawn = null;
  let boardParams = "";

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
    history[push ? "pushState" : "replaceState"](null, "", hash);
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

  /** What all views have in common follows the address too. */
  function onAddress() {
    const now = route();
    const root = document.documentElement;
    const dark = now.params.get("dark") ?? "";
    if (now.name === "board") boardParams = now.params.toString();
    for (const link of document.querySelectorAll("[data-nav]")) {
      const name = link.dataset.nav;
      const params = new URLSearchParams(name === "board" ? boardParams : "");
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
    if (shown && shown.leave) shown.leave();
    shown = view;
    drawn = key;
    container.replaceChildren();
    container.dataset.view = now.name;
    for (const part of document.querySelectorAll("[data-on]")) {
      part.hidden = !part.dataset.on.split(" ").includes(now.name);
    }
    view.render(container, now, sparkle.data);
    if (!first && other) arrive(container);
  }

  /** Whoever follows a link by keyboard or hears the page stands at the new view's heading. */
  function arrive(container) {
    window.scrollTo(0, 0);
    const heading = container.querySelector("h1, h2") || container;
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
