/** The player on the page: a tile for every video, the controls below, the keys. */
"use strict";

(() => {
  const {el, svg} = sparkle;
  const SPEEDS = [0.25, 0.5, 1, 1.5, 2];
  const ICONS = {
    play: "M4 2l10 6-10 6z",
    pause: "M3 2h4v12H3zM9 2h4v12H9z",
    back: "M12 2L4 8l8 6zM2 2h2v12H2z",
    on: "M4 2l8 6-8 6zM12 2h2v12h-2z",
    whole: "M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z",
  };
  const icon = (name) =>
    svg("svg", {viewBox: "0 0 16 16", "aria-hidden": "true", class: "icon"}, svg("path", {d: ICONS[name]}));

  /**
   * @param given What `sparkle.player` takes, with a `caption` (a node) for every video; the first is the source.
   * @param state {position, speed, loop, wipe: [name, name] | null, split}, as the address has them.
   * @param save Called with the changes of these, to be kept in the address.
   * @returns {node, player, key(event), close()}; `key` tells whether it used the key.
   */
  function playerView(given, state, save) {
    const tiles = given.map(tile);
    const parts = controls(given);
    const grid = el(
      "div",
      {class: "tiles", dataset: {count: tiles.length}},
      tiles.map((one) => one.tile),
    );
    const node = el("section", {class: "player", "aria-label": "Videos in step"}, grid, parts.node);
    const self = {node, parts, tiles, save, wiping: null};
    let framed = -1;

    self.player = sparkle.player(given, {
      position: state.position,
      speed: SPEEDS.includes(state.speed) ? state.speed : 1,
      loop: state.loop,
      change: (player) => {
        showState(self, player);
        keepPosition(player);
      },
      moved: (player) => {
        if (player.frame() !== framed) showPosition(self, player);
        framed = player.frame();
      },
    });
    self.player.tracks.forEach((track, place) => tiles[place].put(track.video));

    /** The address follows when the videos rest, not while they play. */
    function keepPosition(player) {
      if (!player.ready || player.busy || player.wanted || self.closed) return;
      save({t: player.frame() === 0 ? null : player.middle(player.frame()).toFixed(3)});
    }

    self.line = sparkle.wipe({
      value: state.split,
      done: (value) => save({split: Math.abs(value - 50) < 0.5 ? null : value.toFixed(0)}),
    });
    self.setWipe = (pair) => setWipe(self, pair);
    listen(self);
    self.setWipe(pairOf(state.wipe, given));
    self.key = (event) => key(self, event);
    self.close = () => {
      self.closed = true;
      self.player.close();
    };
    showState(self, self.player);
    showPosition(self, self.player);
    return self;
  }

  function pairOf(names, given) {
    const known = (names || []).filter((name) => given.some((one) => one.name === name));
    return known.length === 2 && known[0] !== known[1] ? known : null;
  }

  function tile(one) {
    const note = el("p", {class: "tile-note", role: "status"});
    const screen = el("div", {class: "screen"}, note);
    const frame = el("span", {class: "tile-frame"});
    const node = el(
      "figure",
      {class: "tile", dataset: {track: one.name}},
      screen,
      el("figcaption", null, one.caption, frame),
    );
    return {
      name: one.name,
      label: one.label,
      tile: node,
      screen,
      note,
      frame,
      put(video) {
        if (!video) return;
        screen.prepend(video);
        video.addEventListener("loadedmetadata", () => {
          if (video.videoWidth) screen.style.setProperty("--shape", `${video.videoWidth} / ${video.videoHeight}`);
        });
      },
    };
  }

  // -- controls ---------------------------------------------------------------------------------------------------------

  function button(name, label, keys, attributes = {}) {
    const said = keys ? `${label} (${keys})` : label;
    return el(
      "button",
      {type: "button", class: "icon-button", "aria-label": label, title: said, ...attributes},
      icon(name),
    );
  }

  function choice(label, options) {
    const id = `player-${label.toLowerCase()}`;
    const select = el(
      "select",
      {id},
      options.map(([value, text]) => el("option", {value}, text)),
    );
    return {select, node: el("span", {class: "choice"}, el("label", {for: id}, label), select)};
  }

  function controls(given) {
    const names = given.map((one) => [one.name, one.label]);
    const parts = {
      play: button("play", "Play", "Space or k"),
      back: button("back", "One frame back", ","),
      on: button("on", "One frame on", "."),
      bar: el("input", {
        type: "range",
        min: "0",
        max: "0",
        step: "1",
        value: "0",
        class: "seek",
        "aria-label": "Position",
      }),
      clock: el("output", {class: "clock", "aria-live": "off"}),
      speed: choice(
        "Speed",
        SPEEDS.map((value) => [value, `${value}×`]),
      ),
      loop: el("button", {type: "button", "aria-pressed": "false", title: "Loop (l)"}, "Loop"),
      wipe: el("button", {type: "button", "aria-pressed": "false", title: "Wipe between two videos (w)"}, "Wipe"),
      left: choice("Left", names),
      right: choice("Right", names),
      whole: button("whole", "Full screen", "f", {hidden: !document.fullscreenEnabled}),
    };
    parts.sides = el("span", {class: "wipe-sides", hidden: true}, parts.left.node, parts.right.node);
    parts.wipe.disabled = given.length < 2;
    parts.node = el(
      "div",
      {class: "player-controls", role: "group", "aria-label": "Player"},
      el("div", {class: "player-row"}, parts.back, parts.play, parts.on, parts.bar, parts.clock),
      el("div", {class: "player-row"}, parts.speed.node, parts.loop, parts.wipe, parts.sides, parts.whole),
    );
    return parts;
  }

  function listen(self) {
    const {parts, player} = self;
    parts.play.addEventListener("click", () => player.toggle());
    parts.back.addEventListener("click", () => player.step(-1));
    parts.on.addEventListener("click", () => player.step(1));
    parts.bar.addEventListener("input", () => player.seek(player.middle(Number(parts.bar.value))));
    parts.speed.select.addEventListener("change", () => setSpeed(self, Number(parts.speed.select.value)));
    parts.loop.addEventListener("click", () => setLoop(self, !player.loop));
    parts.wipe.addEventListener("click", () => toggleWipe(self));
    parts.whole.addEventListener("click", () => toggleWhole(self));
    parts.left.select.addEventListener("change", () => chosen(self, 0));
    parts.right.select.addEventListener("change", () => chosen(self, 1));
  }

  function setSpeed(self, value) {
    self.player.setSpeed(value);
    self.save({speed: value === 1 ? null : value});
  }

  function setLoop(self, value) {
    self.player.setLoop(value);
    self.save({loop: value});
  }

  function toggleWhole(self) {
    if (document.fullscreenElement) document.exitFullscreen();
    else self.node.requestFullscreen?.().catch(() => {});
  }

  // -- the wipe ---------------------------------------------------------------------------------------------------------

  function setWipe(self, pair) {
    self.wiping = pair;
    const {parts} = self;
    self.node.classList.toggle("wiping", pair !== null);
    parts.wipe.setAttribute("aria-pressed", String(pair !== null));
    parts.sides.hidden = pair === null;
    if (pair === null) {
      self.line.remove();
      return;
    }
    parts.left.select.value = pair[0];
    parts.right.select.value = pair[1];
    self.line.put(...pair.map((name) => self.tiles.find((one) => one.name === name)));
  }

  function keepWipe(self, pair) {
    self.setWipe(pair);
    self.save({wipe: pair ? sparkle.unlist(pair) : null});
  }

  /** On a phone the button is far below the pictures, and the controls lie on what is at the bottom of the window. */
  function showTile(self, tile) {
    const {top, bottom} = tile.getBoundingClientRect();
    if (top < 0 || bottom > self.parts.node.getBoundingClientRect().top) tile.scrollIntoView({block: "start"});
  }

  function toggleWipe(self) {
    if (self.wiping || self.tiles.length < 2) {
      keepWipe(self, null);
      return;
    }
    const playing = self.player.tracks.filter((track) => track.state !== "none" && track.state !== "failed");
    const those = (playing.length > 1 ? playing : self.player.tracks).map((track) => track.name);
    keepWipe(self, [those[0], those[1]]);
    showTile(self, self.tiles.find((one) => one.name === those[0]).tile);
  }

  /** Choosing the video of the other side swaps the two. */
  function chosen(self, side) {
    const pair = [self.parts.left.select.value, self.parts.right.select.value];
    if (pair[0] === pair[1]) pair[1 - side] = self.wiping[side];
    keepWipe(self, pair);
  }

  // -- what is shown ----------------------------------------------------------------------------------------------------

  function showState(self, player) {
    const {parts} = self;
    const any = player.ready && player.frames > 0;
    const label = player.wanted ? "Pause" : "Play";
    if (parts.play.getAttribute("aria-label") !== label) {
      parts.play.setAttribute("aria-label", label);
      parts.play.title = `${label} (Space or k)`;
      parts.play.replaceChildren(icon(player.wanted ? "pause" : "play"));
    }
    for (const control of [parts.play, parts.back, parts.on, parts.bar]) control.disabled = !any;
    parts.bar.max = String(Math.max(0, player.frames - 1));
    parts.speed.select.value = String(player.speed);
    parts.loop.setAttribute("aria-pressed", String(player.loop));
    const phase = player.ready ? (player.wanted ? "playing" : "paused") : "loading";
    self.node.dataset.phase = any || !player.ready ? phase : "empty";
    self.node.setAttribute("aria-busy", String(player.busy));
    player.tracks.forEach((track, place) => {
      const {tile: node, note} = self.tiles[place];
      node.dataset.state = track.state;
      if (note.textContent !== track.why) note.textContent = track.why;
    });
    showPosition(self, player);
  }

  function showPosition(self, player) {
    const {parts} = self;
    if (!player.ready || player.frames === 0) {
      parts.clock.textContent = player.ready ? "no video" : "loading";
      return;
    }
    const frame = player.frame();
    const said = `${(frame / player.fps).toFixed(2)} s · frame ${frame + 1} of ${player.frames}`;
    parts.bar.value = String(frame);
    parts.bar.setAttribute("aria-valuetext", said);
    parts.clock.textContent = said;
    player.tracks.forEach((track, place) => {
      self.tiles[place].frame.textContent = ownFrame(track, player);
    });
  }

  function ownFrame(track, player) {
    if (track.state !== "ready" || !(track.duration > 0)) return "";
    const {frame, count} = sparkle.tracks.frameAt(track, player.position());
    const over = player.position() * track.pace > track.duration + 1e-3;
    return over ? `its last frame, ${count}, stays` : `frame ${frame + 1} of ${count}`;
  }

  // -- keys -------------------------------------------------------------------------------------------------------------

  const TYPING = "input:not([type=range]):not([type=checkbox]):not([type=radio]), select, textarea, [contenteditable]";

  function key(self, event) {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return false;
    const focused = event.target instanceof Element ? event.target : document.body;
    if (focused.closest(TYPING)) return false;
    if (event.key === " " && focused.closest("button, a, summary, input:not([type=range]), [role=slider]"))
      return false;
    const {player} = self;
    const faster = (by) => SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(player.speed) + by))];
    const action = {
      " ": () => player.toggle(),
      k: () => player.toggle(),
      ",": () => player.step(-1),
      ".": () => player.step(1),
      "<": () => setSpeed(self, faster(-1)),
      ">": () => setSpeed(self, faster(1)),
      l: () => setLoop(self, !player.loop),
      w: () => toggleWipe(self),
      f: () => toggleWhole(self),
    }[event.key];
    if (!action) return false;
    event.preventDefault();
    action();
    return true;
  }

  const KEYS = [
    ["Space or k", "play or pause"],
    [", and .", "one frame back, on"],
    ["< and >", "slower, faster"],
    ["l", "loop"],
    ["w", "wipe"],
    ["f", "full screen"],
  ];

  sparkle.playerView = playerView;
  sparkle.playerKeys = KEYS;
})();
