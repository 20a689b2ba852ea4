/**
 * The page's ground: the namespace `sparkle`, what the data scripts hand in, and how DOM is built from texts that nobody
 * can trust. No text of the data is ever parsed as HTML.
 *
 * For a view:
 *   sparkle.view(name, {render(container, route, data), update?(container, route, data), leave?()})
 *       registers the view of a first path segment. `render` fills an empty container. When only the parameters changed
 *       (back, forward, a link inside the view) and `update` returns true, the view is not drawn anew.
 *   sparkle.go(path, params, {push = true})   goes to an address: `go(["sample", id], {t: 1.5})`
 *   sparkle.href(path, params)                 the same address as a link
 *   sparkle.route()                            {name, rest: [...], params: URLSearchParams}
 *   sparkle.params.get(key)                    text, or "" if it is not in the address
 *   sparkle.params.set({key: value}, {push = false, draw = false})
 *       null, undefined, "" and false take a key out. The address changes without a reload; the view is drawn only if asked.
 *   sparkle.list(text) / sparkle.unlist(items) names in one parameter: "a,b,c"
 *   sparkle.title(text)                        sets the document's title
 *   sparkle.el(tag, attributes, ...children)   builds an element; children are texts, numbers, elements, arrays, null
 *   sparkle.svg(tag, attributes, ...children)
 *   sparkle.bdi(text)                          a text from outside, kept from turning the text around it
 *   sparkle.fill(node, ...children)            puts these in the place of what is in an element
 *   sparkle.outward(link, text)                a link to another host if it is http(s), else the text alone
 *   sparkle.load(model)                        Promise of the model's details, loaded once
 *   sparkle.marks(model)                       its marks, see marks.js
 *   sparkle.data                               {board, samples, models, byName: Map, place: Map of id -> index, media}
 */
"use strict";

window.sparkle = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const data = {board: null, samples: [], models: [], byName: new Map(), place: new Map(), media: null};
  const details = new Map();
  const loading = new Map();
  const waiting = new Map();

  /** Return a link that may be followed: relative, or http(s) where `outside` allows it; else null. */
  function checked(value, {outside = false} = {}) {
    const text = String(value).replace(/[\u0000-\u0020]+/g, (found) => (/^ +$/.test(found) ? found : ""));
    if (/^\s*[\\/]{2}/.test(text)) return null;
    if (!/^\s*[a-z][a-z0-9+.-]*:/i.test(text)) return text;
    try {
      const url = new URL(text);
      if (outside && (url.protocol === "https:" || url.protocol === "http:")) return url.href;
      if (url.protocol === "blob:") return url.href;
    } catch {
      return null;
    }
    return null;
  }

  const LINKS = new Set(["href", "src", "poster", "action", "formaction", "data", "srcset", "xlink:href"]);

  function setAttribute(node, name, value) {
    if (value === null || value === undefined || value === false) return;
    if (name.startsWith("on")) {
      if (typeof value !== "function") throw new TypeError(`${name} must be a function`);
      node.addEventListener(name.slice(2), value);
    } else if (name === "dataset") {
      for (const [key, said] of Object.entries(value)) node.dataset[key] = String(said);
    } else if (name === "style" || name === "srcdoc") {
      throw new TypeError(`${name} is set by code, never from a text`);
    } else if (name === "vars") {
      for (const [key, said] of Object.entries(value)) node.style.setProperty(`--${key}`, String(said));
    } else if (LINKS.has(name)) {
      const link = checked(value, {outside: name === "href"});
      if (link !== null) node.setAttribute(name, link);
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }

  function append(node, children) {
    for (const child of children) {
      if (Array.isArray(child)) append(node, child);
      else if (child !== null && child !== undefined && child !== false) {
        node.append(child instanceof Node ? child : document.createTextNode(String(child)));
      }
    }
    return node;
  }

  function build(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) setAttribute(node, name, value);
    return append(node, children);
  }

  /** Build an element. `vars` sets CSS custom properties, `on…` takes functions, links are checked. */
  const el = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);
  const bdi = (text) => el("bdi", null, text);

  /** A link that somebody declared, to another host; plain text if it is not http(s). */
  function outward(link, text) {
    const known = link ? checked(link, {outside: true}) : null;
    if (known === null || !/^https?:/.test(known)) return bdi(text);
    return el("a", {href: known, rel: "nofollow noopener noreferrer"}, bdi(text));
  }

  function board(given) {
    data.board = given;
    data.samples = given.samples;
    data.models = given.models;
    data.models.forEach((row, index) => {
      row.index = index;
      data.byName.set(row.model, row);
    });
    data.samples.forEach((sample, index) => data.place.set(sample.id, index));
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => sparkle.start());
    else sparkle.start();
  }

  function receiveDetails(name, given) {
    details.set(name, given);
    waiting.get(name)?.(given);
  }

  function load(model) {
    if (!loading.has(model)) {
      loading.set(model, new Promise((resolve, reject) => {
        waiting.set(model, resolve);
        if (!data.byName.has(model)) {
          reject(new Error("There is no such model on this board."));
          return;
        }
        const script = el("script", {src: `page/details/${encodeURIComponent(model)}.js`});
        script.addEventListener("error", () => {
          loading.delete(model);
          script.remove();
          reject(new Error("Its details are not in this folder: page/details/."));
        });
        document.head.append(script);
      }));
    }
    return loading.get(model);
  }

  const views = new Map();

  return {
    data,
    el,
    svg,
    bdi,
    outward,
    fill: (node, ...children) => append((node.replaceChildren(), node), children),
    checked,
    views,
    board,
    load,
    details: receiveDetails,
    media(given) { data.media = given; },
    view(name, view) { views.set(name, view); },
    title(text) { document.title = `${text} · ${data.board.benchmark.name}, ${data.board.judge.key}`; },
    list(text) { return text ? text.split(",").map(safeDecode).filter((item) => item !== "") : []; },
    unlist(items) { return items.map((item) => encodeURIComponent(item)).join(","); },
  };

  function safeDecode(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }
})();
