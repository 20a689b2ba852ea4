/** Two videos in one place, parted by a line that is dragged, or moved with the arrow keys. */
"use strict";

(() => {
  const STEP = 2;
  const LEAP = 10;

  /**
   * @param options {value: 0-100, moved(value), done(value)}: where the line is, in per cent from the left; `moved` is called
   *     while it moves and `done` when it rests.
   * @returns {node, put(left, right), remove()}; each side is {tile, screen, video, label}.
   */
  function wipe({value = 50, moved = () => {}, done = () => {}} = {}) {
    const self = {value, sides: []};
    const line = sparkle.el(
      "div",
      {
        class: "wipe-line",
        role: "slider",
        tabindex: "0",
        "aria-orientation": "horizontal",
        "aria-valuemin": "0",
        "aria-valuemax": "100",
      },
      sparkle.el("span", {class: "wipe-grip", "aria-hidden": "true"}),
    );
    self.node = line;

    function show() {
      const [left, right] = self.sides;
      if (!left) return;
      const at = Math.round(self.value * 10) / 10;
      right.screen.style.setProperty("--split", `${at}%`);
      line.setAttribute("aria-valuenow", String(Math.round(at)));
      line.setAttribute("aria-valuetext", `${left.label} on the left ${Math.round(at)} %, ${right.label} on the right`);
    }

    function move(to) {
      self.value = Math.max(0, Math.min(100, to));
      show();
      moved(self.value);
    }

    function drag(event) {
      const box = self.sides[1].screen.getBoundingClientRect();
      move(((event.clientX - box.left) / box.width) * 100);
    }

    line.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      line.setPointerCapture(event.pointerId);
      line.focus();
    });
    line.addEventListener("pointermove", (event) => {
      if (line.hasPointerCapture(event.pointerId)) drag(event);
    });
    for (const name of ["pointerup", "pointercancel"]) line.addEventListener(name, () => done(self.value));

    line.addEventListener("keydown", (event) => {
      const by = event.shiftKey ? LEAP : STEP;
      const to = {
        ArrowLeft: self.value - by,
        ArrowDown: self.value - by,
        ArrowRight: self.value + by,
        ArrowUp: self.value + by,
        PageDown: self.value - LEAP,
        PageUp: self.value + LEAP,
        Home: 0,
        End: 100,
      }[event.key];
      if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      move(to);
      done(self.value);
    });

    self.put = (left, right) => {
      self.remove();
      self.sides = [left, right];
      left.tile.dataset.side = "left";
      right.tile.dataset.side = "right";
      line.setAttribute("aria-label", `Line between ${left.label} and ${right.label}`);
      right.screen.append(line);
      show();
    };

    self.remove = () => {
      for (const side of self.sides) {
        delete side.tile.dataset.side;
        side.screen.style.removeProperty("--split");
      }
      self.sides = [];
      line.remove();
    };
    return self;
  }

  sparkle.wipe = wipe;
})();
