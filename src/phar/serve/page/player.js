/* The preview of a span: fetched piece by piece, kept in this page's memory, blurred until asked. */

const Player = (() => {
  const PIECE_S = 20;
  const MOST_KEPT = 8;
  const video = byId("video");
  const stage = byId("stage");
  /** Addresses of pieces in memory, or promises of them, by span and start. */
  const kept = new Map();
  let span = null;
  let from_s = 0;
  let trimmed = null;

  const nameOf = (which, start_s) => `${which.id} ${start_s}`;

  /** Fetch a piece, or return the one that is there. */
  function piece(which, start_s) {
    const name = nameOf(which, start_s);
    const found = kept.get(name);
    kept.delete(name);
    const address =
      found ??
      Talk.fetched("GET", `spans/${which.id}/preview?from_s=${start_s}&length_s=${PIECE_S}`)
        .then((answer) => answer.blob())
        .then((blob) => URL.createObjectURL(blob));
    kept.set(name, address);
    address.catch(() => kept.delete(name));
    for (const old of [...kept.keys()].slice(0, Math.max(0, kept.size - MOST_KEPT))) {
      kept.get(old).then(URL.revokeObjectURL, () => {});
      kept.delete(old);
    }
    return address;
  }

  function say(text) {
    byId("missing").textContent = text;
    byId("missing").hidden = !text;
    video.hidden = Boolean(text);
  }

  async function load(start_s) {
    const which = span;
    from_s = start_s;
    video.removeAttribute("src");
    video.load();
    say("Cutting the preview…");
    moved();
    try {
      const address = await piece(which, start_s);
      if (span !== which || from_s !== start_s) return;
      video.src = address;
      say("");
      video.play().catch(() => {});
    } catch (error) {
      if (span === which && from_s === start_s) say(error.message);
    }
  }

  /** Show a span from its start, or nothing. */
  function show(which) {
    span = which;
    trimmed = null;
    for (const id of ["play", "back", "on", "from-here", "to-here"]) byId(id).disabled = !span;
    if (span) {
      load(span.start_s);
    } else {
      video.removeAttribute("src");
      video.load();
      say("Nothing to show.");
      moved();
    }
  }

  const now_s = () => from_s + video.currentTime;

  function moved() {
    byId("now").textContent = span ? clock(now_s()) : "–";
    byId("of").textContent = span ? `in ${clock(span.start_s)} to ${clock(span.end_s)}` : "";
    const { start_s, end_s } = trimmed ?? span ?? {};
    byId("holds").textContent = span ? `${clock(start_s)} to ${clock(end_s)}` : "–";
    byId("whole").disabled = !trimmed;
    byId("back").disabled = !span || from_s <= span.start_s;
    byId("on").disabled = !span || from_s + PIECE_S >= span.end_s;
  }

  function turn(direction) {
    if (byId(direction > 0 ? "on" : "back").disabled) return;
    load(Math.max(span.start_s, from_s + direction * PIECE_S));
  }

  /** Move an end of what is said to the picture shown. */
  function trim(end) {
    if (!span) return;
    const next = { ...(trimmed ?? { start_s: span.start_s, end_s: span.end_s }) };
    next[end] = Math.min(Math.max(Number(now_s().toFixed(3)), span.start_s), span.end_s);
    if (next.start_s < next.end_s) trimmed = next;
    moved();
  }

  function whole() {
    trimmed = null;
    moved();
  }

  function toggle() {
    if (!video.hasAttribute("src")) return;
    if (video.paused) video.play().catch(() => {});
    else video.pause();
  }

  /** Show pictures as they are, or blurred. */
  function blur() {
    stage.classList.toggle("blurred");
    byId("blur").setAttribute("aria-pressed", stage.classList.contains("blurred"));
  }

  function mute() {
    video.muted = !video.muted;
    byId("mute").setAttribute("aria-pressed", video.muted);
  }

  for (const event of ["play", "pause", "emptied"]) {
    video.addEventListener(event, () => {
      byId("play").textContent = video.paused ? "Play" : "Pause";
    });
  }
  for (const event of ["seeked", "timeupdate", "loadedmetadata"]) video.addEventListener(event, moved);
  video.addEventListener("click", toggle);
  byId("play").addEventListener("click", toggle);
  byId("blur").addEventListener("click", blur);
  byId("mute").addEventListener("click", mute);
  byId("back").addEventListener("click", () => turn(-1));
  byId("on").addEventListener("click", () => turn(1));
  byId("from-here").addEventListener("click", () => trim("start_s"));
  byId("to-here").addEventListener("click", () => trim("end_s"));
  byId("whole").addEventListener("click", whole);

  return {
    show,
    toggle,
    blur,
    mute,
    turn,
    trim,
    /** What a verdict is about, as the API wants it: nothing for the whole span. */
    part: () => trimmed ?? {},
    prepare: (which) => piece(which, which.start_s).catch(() => {}),
    seek: (by_s) => {
      video.currentTime = Math.max(0, video.currentTime + by_s);
    },
  };
})();
