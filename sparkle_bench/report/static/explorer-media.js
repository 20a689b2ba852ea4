/** Where the videos of a sample are, or why there is none to show. What is known to be missing is never asked for. */
"use strict";

(() => {
  const SOURCE = ".source";
  const own = (object, key) => (object && Object.hasOwn(object, key) ? object[key] : null);

  /** A path of the data as an address: every segment encoded; null if it leads out of its folder. */
  function encoded(path) {
    const segments = String(path).split("/");
    if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) return null;
    try {
      return segments.map(encodeURIComponent).join("/");
    } catch {
      return null; // half a surrogate pair
    }
  }

  /** A folder as `media.js` has it: it may lead upwards, and nowhere else. */
  function folder(path) {
    const segments = String(path)
      .split("/")
      .filter((segment) => segment !== "" && segment !== ".");
    return segments.map((segment) => (segment === ".." ? segment : encodeURIComponent(segment))).join("/");
  }

  const inside = (base, path) => {
    const rest = encoded(path);
    return rest === null ? null : `${folder(base)}/${rest}`;
  };

  /** A bundle's poster lies beside its video; elsewhere there are none. */
  const poster = (media, url) => (media?.files ? url.replace(/\.mp4$/, ".jpg") : null);

  const missing = (why) => ({url: null, why, poster: null});

  function source(sample) {
    const {media} = sparkle.data;
    const path = media?.files ? own(media.files.source, sample.id) : null;
    const url = media?.files ? path && folder(path) : media?.sources ? inside(media.sources, sample.source) : null;
    return url ? {url, why: "", poster: poster(media, url)} : missing("The source video is not here.");
  }

  function edit(model, sample, found) {
    const {media} = sparkle.data;
    if (found === undefined) return missing("What is known of this edit could not be loaded.");
    if (found === null) return missing("No edit: not attempted.");
    if (found.error) return missing(`No edit: ${sparkle.format.excerpt(found.error, 160)}`);
    if (!found.video) return missing("Only a verdict was handed in; the video is elsewhere.");
    if (media?.files) {
      const path = own(own(media.files.models, model), sample.id);
      const url = path && folder(path);
      return url ? {url, why: "", poster: poster(media, url)} : missing("The video is not here.");
    }
    const here = media?.results && media.models.includes(model);
    const url = here ? inside(`${media.results}/${model}`, found.video) : null;
    return url ? {url, why: "", poster: null} : missing("The video is not here.");
  }

  sparkle.videos = {SOURCE, source, edit};
})();
