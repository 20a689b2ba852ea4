/**
 * Videos in step: one clock, in seconds of the source, which every video follows at its own pace.
 *
 * A video that is a little off is played a little faster or slower. Where the machine cannot keep up, the clock gives way to
 * the slowest. If a video is far off all of them stop, seek and go on together. After a seek the clock waits until all have
 * arrived, but for one that takes too long: that one says so, and joins again when it can.
 */
"use strict";

(() => {
  /** Most that a video's rate is changed, as a share: usually, and once it is ahead of the slowest by more than `APART`. */
  const NUDGE = 0.1;
  const BRAKE = 0.9;
  /** The lowest rate that browsers take. */
  const SLOWEST = 0.0625;
  /** Seconds over which an error is to be made good. */
  const SETTLING = 0.5;
  /** Seconds of the clock: an error too small to act on; two videos apart; all of them off; when all seek. */
  const NEGLIGIBLE = 0.004;
  const APART = 0.035;
  const COMMON = 0.04;
  const FAR = 0.25;
  /** Milliseconds: between looks, for videos to begin, between seeks that nobody asked for, before a stall counts, for it. */
  const LOOK = 25;
  const BEGIN = 500;
  const AGAIN = 1500;
  const STALL = 250;
  const STALL_PATIENCE = 2000;
  const LOAD_PATIENCE = 8000;
  const MOST_STALLS = 3;

  const now = () => performance.now();
  const sleep = (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    });

  function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /**
   * @param given An array of what `sparkle.tracks.track` takes; the first is the source.
   * @param options {position, speed, loop, change, moved}: `change(player)` is called when anything but the position changes,
   *     `moved(player)` when the position does.
   */
  function player(given, {position = 0, speed = 1, loop = false, change = () => {}, moved = () => {}} = {}) {
    const T = sparkle.tracks;
    const self = {speed, loop, duration: 0, fps: T.USUAL_RATE, frames: 0, wanted: false, ready: false};
    let anchor = {position: Math.max(0, position), at: 0};
    let phase = "loading"; // loading, resting, settling, beginning, running, holding, gone
    let turn = 0;
    let goal = null;
    let looked = 0;
    let settled = 0;
    let reference = null;

    self.tracks = given.map((one) => T.track(one, changed));
    const source = self.tracks[0];
    const fit = () => self.tracks.filter((track) => track.state === "ready");
    const moving = (at) => fit().filter((track) => !T.isOver(track, at));

    self.position = () => {
      const passed = phase === "running" ? ((now() - anchor.at) / 1000) * self.speed : 0;
      return Math.min(anchor.position + passed, self.duration || Infinity);
    };
    self.frame = () => Math.max(0, Math.min(self.frames - 1, Math.floor(self.position() * self.fps + 1e-3)));
    self.middle = (frame) => (Math.max(0, Math.min(self.frames - 1, frame)) + 0.5) / self.fps;
    Object.defineProperty(self, "busy", {
      get: () => phase === "settling" || phase === "holding" || phase === "loading",
    });

    function changed(track) {
      if (phase === "gone") return;
      if (self.ready && track.state === "ready" && !track.joined) join(track);
      else if (self.ready && track === reference && track.state === "failed")
        refer().then(() => settle(self.position()));
      change(self);
    }

    // -- beginning ------------------------------------------------------------------------------------------------------

    async function open() {
      for (const track of self.tracks) track.load();
      const until = now() + LOAD_PATIENCE;
      while (self.tracks.some((track) => track.state === "loading") && now() < until && phase !== "gone")
        await sleep(15);
      if (phase === "gone") return;
      await refer();
      if (phase === "gone") return;
      for (const track of self.tracks) {
        if (track.state === "loading") track.become("loading", "still loading; the others do not wait");
        track.joined = track.state === "ready";
      }
      self.ready = true;
      await settle(self.position());
    }

    /** Find what the clock counts: the source, else the aligned edit with most frames, else any. */
    async function refer() {
      const those = fit();
      const byFrames = those.filter((track) => track.aligned).sort((a, b) => (b.frames || 0) - (a.frames || 0));
      reference = those.includes(source) ? source : byFrames[0] || those[0] || null;
      if (!reference) return;
      if (!reference.fps) reference.fps = (await T.frameRate(reference.video)) || byFrames[0]?.fps || T.USUAL_RATE;
      self.duration = reference.duration;
      self.fps = reference.fps;
      self.frames = Math.max(1, reference.frames || Math.round(self.duration * self.fps));
      for (const track of those) T.follow(track, reference);
    }

    /** Take in a video that is late, or was stalled. */
    async function join(track) {
      track.joined = true;
      if (!reference || track === source) await refer();
      else T.follow(track, reference);
      settle(self.position());
    }

    // -- going and resting ----------------------------------------------------------------------------------------------

    function stop(at) {
      turn += 1;
      anchor = {position: Math.max(0, Math.min(at, self.duration || at)), at: now()};
      for (const track of self.tracks) track.video?.pause();
    }

    /** Bring all videos to a position and go on from there if that is wanted; of many calls only the last one counts. */
    function settle(at) {
      if (phase === "gone" || !self.ready) {
        anchor.position = at;
        return;
      }
      stop(at);
      goal = anchor.position;
      moved(self);
      if (phase === "settling") return;
      phase = "settling";
      arrive();
    }

    async function arrive() {
      while (goal !== null) {
        const at = goal;
        goal = null;
        await Promise.all(
          fit().map(async (track) => {
            if (!(await track.seek(T.restingAt(track, at))) && track.state === "ready") giveUp(track);
          }),
        );
      }
      if (phase === "gone") return;
      settled = now();
      phase = "resting";
      if (self.wanted && reference) begin();
      else change(self);
    }

    async function begin() {
      phase = "beginning";
      const mine = turn;
      const those = moving(anchor.position);
      for (const track of those) track.video.playbackRate = track.pace * self.speed;
      const plays = those.map((track) =>
        track.video.play().catch((error) => {
          if (error.name === "NotAllowedError") self.wanted = false;
        }),
      );
      await Promise.race([Promise.all(plays), sleep(BEGIN)]);
      if (mine !== turn || phase !== "beginning") return;
      if (!self.wanted) {
        settle(anchor.position);
        return;
      }
      if (those.length) anchor.position = median(those.map((track) => T.positionOf(track)));
      anchor.at = now();
      phase = "running";
      change(self);
      requestAnimationFrame(look);
    }

    // -- keeping in step ------------------------------------------------------------------------------------------------

    function look(time) {
      if (phase !== "running") return;
      const at = self.position();
      moved(self);
      if (at >= self.duration) {
        arriveAtEnd();
        return;
      }
      if (time - looked >= LOOK) {
        looked = time;
        correct(at);
      }
      requestAnimationFrame(look);
    }

    function arriveAtEnd() {
      if (self.loop) {
        settle(0);
        return;
      }
      self.wanted = false;
      settle(self.middle(self.frames - 1));
    }

    function correct(at) {
      const those = moving(at).filter((track) => !track.video.ended);
      const late = those.find(isStalled);
      if (late) {
        hold(late);
        return;
      }
      if (!those.length) return;
      if (those.some((track) => track.video.paused) && now() - settled > AGAIN) {
        settle(at); // a browser may pause a video of itself
        return;
      }
      const ahead = those.map((track) => T.positionOf(track) - at);
      const least = Math.min(...ahead);
      const spread = Math.max(...ahead) - least;
      if (spread > FAR && now() - settled > AGAIN) {
        settle(at);
        return;
      }
      const common = spread > APART ? least : median(ahead);
      const yielding = spread > APART || Math.abs(common) > COMMON;
      if (yielding) anchor = {position: at + common, at: now()};
      those.forEach((track, place) => nudge(track, ahead[place] - (yielding ? common : 0)));
    }

    function nudge(track, ahead) {
      const gentle = Math.max(-NUDGE, Math.min(NUDGE, -ahead / self.speed / SETTLING));
      const share = Math.abs(ahead) < NEGLIGIBLE ? 0 : ahead > APART ? -BRAKE : gentle;
      const rate = Math.max(SLOWEST, track.pace * self.speed * (1 + share));
      if (Math.abs(track.video.playbackRate / rate - 1) > 0.003) track.video.playbackRate = rate;
    }

    // -- videos that stall ----------------------------------------------------------------------------------------------

    function isStalled(track) {
      const stuck = track.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !track.video.ended;
      if (!stuck) track.since = null;
      else if (!track.since) track.since = now();
      return stuck && now() - track.since > STALL;
    }

    /** Wait for a video that has run dry; the others wait with it, but not for ever. */
    async function hold(track) {
      stop(self.position());
      phase = "holding";
      track.since = null;
      track.stalls += 1;
      change(self);
      const mine = turn;
      const until = now() + (track.stalls > MOST_STALLS ? 0 : STALL_PATIENCE);
      const dry = () => track.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
      while (dry() && now() < until && mine === turn) await sleep(20);
      if (mine !== turn || phase !== "holding") return;
      if (dry()) giveUp(track);
      settle(anchor.position);
    }

    /** Go on without a video until it has data again. */
    function giveUp(track) {
      track.joined = false;
      track.become("stalled", "The video has stalled; the others go on.");
      const again = () => {
        if (phase === "gone" || track.state !== "stalled") return;
        if (track.video.seeking || track.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) setTimeout(again, 250);
        else track.become("ready");
      };
      setTimeout(again, 250);
    }

    // -- what a person asks for -----------------------------------------------------------------------------------------

    self.play = () => {
      if (self.wanted) return;
      self.wanted = true;
      settle(self.ready && self.frame() >= self.frames - 1 ? 0 : self.position());
      change(self);
    };

    self.pause = () => {
      if (!self.wanted) return;
      self.wanted = false;
      settle(self.ready ? self.middle(self.frame()) : self.position());
      change(self);
    };

    self.toggle = () => (self.wanted ? self.pause() : self.play());

    self.seek = (at) => settle(Math.max(0, at));

    self.step = (count) => {
      if (!self.ready) return;
      const frame = self.frame() + count;
      self.wanted = false;
      settle(self.middle(frame));
      change(self);
    };

    self.setSpeed = (value) => {
      anchor = {position: self.position(), at: now()};
      self.speed = value;
      if (phase === "running") for (const track of fit()) track.video.playbackRate = track.pace * value;
      change(self);
    };

    self.setLoop = (value) => {
      self.loop = value;
      change(self);
    };

    function onVisibility() {
      if (!self.ready || !self.wanted) return;
      if (!document.hidden) settle(self.position());
      else if (phase === "running" || phase === "beginning") {
        stop(self.position());
        phase = "resting";
      }
    }
    document.addEventListener("visibilitychange", onVisibility);

    self.close = () => {
      phase = "gone";
      turn += 1;
      document.removeEventListener("visibilitychange", onVisibility);
      for (const track of self.tracks) track.release();
    };

    self.opened = open();
    return self;
  }

  sparkle.player = player;
})();
