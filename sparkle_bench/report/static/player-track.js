/** One video of the player: what is known of it, where it stands at a position of the clock, its loading and seeking. */
"use strict";

(() => {
  /** Milliseconds after which a seek no longer holds up the other videos. */
  const SEEK_PATIENCE = 4000;
  /** Milliseconds to wait for the first picture of a video whose length is known. */
  const METADATA_PATIENCE = 3000;
  const USUAL_RATE = 16;
  /** Of `MediaError.code`. */
  const TROUBLES = {
    2: "it could not be fetched",
    3: "it cannot be decoded",
    4: "it is not there, or no video this browser plays",
  };

  const positive = (value) => (typeof value === "number" && Number.isFinite(value) && value > 0 ? value : null);

  function element(given) {
    const video = sparkle.el("video", {preload: "auto", "aria-label": given.label, tabindex: "-1"});
    video.muted = true;
    video.defaultMuted = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    if ("disableRemotePlayback" in video) video.disableRemotePlayback = true;
    if (given.poster) video.poster = given.poster;
    return video;
  }

  /**
   * @param given {name, label, url: string|null, why: string, poster, facts: {frames, fps, aligned}}
   *     `why` says why there is no video where `url` is null. `facts` are those of the record; any may be missing.
   * @param on Called with the track whenever its state changes.
   * @returns a track. `state` is "none", "loading", "ready", "stalled" or "failed", and `why` a sentence for all but "ready".
   */
  function track(given, on) {
    const listening = new AbortController();
    const video = given.url === null ? null : element(given);
    const facts = given.facts || {};
    const self = {
      name: given.name,
      label: given.label,
      video,
      frames: positive(facts.frames),
      fps: positive(facts.fps),
      aligned: facts.aligned === true,
      duration: NaN,
      pace: 1,
      stalls: 0,
      blob: null,
      state: video ? "loading" : "none",
      why: video ? "loading" : given.why,
    };

    self.become = (state, why = "") => {
      if (self.state === state && self.why === why) return;
      self.state = state;
      self.why = why;
      on(self);
    };

    /** The file as a whole, for servers that cannot send a part of it, such as `python -m http.server`. */
    async function whole() {
      self.blob = "";
      try {
        const answer = await fetch(given.url, {signal: listening.signal});
        if (!answer.ok) throw new Error(answer.statusText);
        self.blob = URL.createObjectURL(await answer.blob());
        if (listening.signal.aborted) URL.revokeObjectURL(self.blob);
        else video.src = self.blob;
      } catch {
        self.become("failed", "The video does not play: its server cannot send parts of a file.");
      }
    }

    self.load = () => {
      if (!video) return;
      const options = {signal: listening.signal};
      const ready = () => {
        if (self.state !== "loading" || self.blob === "" || listening.signal.aborted) return;
        if (self.blob === null && !isSeekable(video)) whole();
        else if (measured(self)) self.become("ready");
      };
      video.addEventListener("loadeddata", ready, options);
      // Some phones fetch no picture before a video is played.
      video.addEventListener("loadedmetadata", () => setTimeout(ready, METADATA_PATIENCE), options);
      video.addEventListener(
        "error",
        () => {
          self.become("failed", `The video does not play: ${TROUBLES[video.error?.code] || "it failed"}.`);
        },
        options,
      );
      video.src = given.url;
    };

    /** Go to a time of the video; the promise tells whether it got there in time. */
    self.seek = (time) =>
      new Promise((resolve) => {
        if (!video.seeking && Math.abs(video.currentTime - time) < 1e-4) {
          resolve(true);
          return;
        }
        const over = new AbortController();
        const done = (there) => {
          clearTimeout(timer);
          over.abort();
          resolve(there);
        };
        const timer = setTimeout(() => done(false), SEEK_PATIENCE);
        for (const name of ["seeked", "error", "emptied"]) {
          video.addEventListener(name, () => done(name === "seeked"), {signal: over.signal});
        }
        video.currentTime = time;
      });

    /** Let go of the file and of all it holds in memory. */
    self.release = () => {
      listening.abort();
      self.state = "none";
      if (!video) return;
      video.pause();
      video.removeAttribute("src");
      video.removeAttribute("poster");
      video.load();
      if (self.blob) URL.revokeObjectURL(self.blob);
    };
    return self;
  }

  function isSeekable(video) {
    const ranges = video.seekable;
    return ranges.length > 0 && ranges.end(ranges.length - 1) > video.duration - 0.1;
  }

  /** Note what the file itself tells; a transcoded copy may run at another rate than the record says. */
  function measured(self) {
    self.duration = positive(self.video.duration);
    if (self.duration === null) {
      self.become("failed", "The video does not play: it has no length.");
      return false;
    }
    const told = self.frames && self.frames / self.duration;
    if (told && (!self.fps || Math.abs(told / self.fps - 1) > 0.05)) self.fps = told;
    return true;
  }

  /** Frames per second, by looking at two neighbouring frames of a paused video; null where the browser does not tell. */
  async function frameRate(video) {
    if (!video.requestVideoFrameCallback || !(video.duration > 0.2)) return null;
    const shown = (time) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(null), 1000);
        video.requestVideoFrameCallback((_, frame) => {
          clearTimeout(timer);
          resolve(frame.mediaTime);
        });
        video.currentTime = time;
      });
    const second = await shown(video.duration / 2);
    const first = second === null ? null : await shown(second - 0.002);
    if (first === null || !(second - first > 1 / 250)) return null;
    const rate = 1 / (second - first);
    const whole = Math.round(rate * video.duration) / video.duration;
    return Math.abs(whole / rate - 1) < 0.03 ? whole : rate;
  }

  /**
   * Where a track stands at a position of the clock, in seconds of its own. Frame i of an aligned edit stands for frame i of
   * the reference; else both are at the same share of their length, as the judge saw them.
   */
  const timeAt = (self, position) => Math.min(position * self.pace, self.duration);
  const restingAt = (self, position) =>
    Math.max(0, Math.min(position * self.pace, self.duration - 0.5 / (self.fps || USUAL_RATE)));
  const positionOf = (self, time = self.video.currentTime) => time / self.pace;
  /** Whether an edit is shorter than the reference, and over: its last frame stays. */
  const isOver = (self, position) => position * self.pace >= self.duration - 1e-6;

  function follow(self, reference) {
    const frameByFrame = self.aligned && self.fps && reference.fps;
    self.pace = self === reference ? 1 : frameByFrame ? reference.fps / self.fps : self.duration / reference.duration;
  }

  /** The number of the frame at a position, from 0, and how many there are. */
  function frameAt(self, position) {
    const fps = self.fps || USUAL_RATE;
    const count = Math.max(1, self.frames || Math.round(self.duration * fps));
    return {frame: Math.min(count - 1, Math.floor(timeAt(self, position) * fps + 1e-3)), count};
  }

  sparkle.tracks = {track, follow, timeAt, restingAt, positionOf, isOver, frameAt, frameRate, USUAL_RATE};
})();
