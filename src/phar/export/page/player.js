/* The video: found beside the page or chosen by the reader. Without one the playhead moves all the same. */

const Player = (() => {
  const video = byId("video");
  const stage = byId("stage");
  const duration_s = Report.video.duration_s;
  const waiting = [...Report.video.sources];
  let at_s = 0;
  let onMove = () => {};
  let address = null;

  const loaded = () => video.readyState >= HTMLMediaElement.HAVE_METADATA;

  /** Seconds from the first frame. Browsers round what they were asked to seek to; the asked time counts. */
  function time() {
    return loaded() && Math.abs(video.currentTime - at_s) > 0.001 ? video.currentTime : at_s;
  }

  function seek(t) {
    at_s = Math.min(Math.max(t, 0), duration_s);
    if (loaded()) video.currentTime = at_s;
    moved();
  }

  function moved() {
    const t = time();
    byId("now").textContent = clock(t);
    const slider = byId("seek");
    slider.value = t;
    slider.setAttribute("aria-valuetext", `${clock(t)} of ${clock(duration_s)}`);
    onMove(t, !video.paused);
  }

  function toggle() {
    if (!loaded()) return say("No video is loaded; open one.");
    if (!video.paused) return video.pause();
    video.play().catch((error) => say(`The video cannot be played: ${error.message}`));
  }

  function say(text) {
    byId("notice").textContent = text;
  }

  /** Show pictures as they are, or blurred. */
  function blur(on = !stage.classList.contains("blurred")) {
    stage.classList.toggle("blurred", on);
    byId("blur").setAttribute("aria-pressed", on);
  }

  function mute() {
    video.muted = !video.muted;
    byId("mute").setAttribute("aria-pressed", video.muted);
  }

  function fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else stage.requestFullscreen?.();
  }

  /** Play a file of the reader's; nothing is uploaded. */
  function open(file) {
    if (address) URL.revokeObjectURL(address);
    at_s = time();
    waiting.length = 0;
    address = URL.createObjectURL(file);
    video.src = address;
  }

  function next() {
    if (waiting.length) {
      video.src = waiting.shift();
      return;
    }
    byId("missing-text").textContent = address
      ? "This browser cannot play that file."
      : `${Report.video.name} is not beside this page, or this browser cannot play it.`;
    byId("missing").hidden = false;
    byId("play").disabled = true;
    video.hidden = true;
  }

  video.addEventListener("error", next);
  video.addEventListener("loadedmetadata", () => {
    byId("missing").hidden = true;
    byId("play").disabled = false;
    video.hidden = false;
    const other = Math.abs(video.duration - duration_s) > Math.max(1, duration_s / 100);
    say(
      other
        ? `This video is ${clock(video.duration)} long and the report's is ${clock(duration_s)}: is it the same one?`
        : "",
    );
    if (at_s) video.currentTime = at_s;
  });
  video.addEventListener("play", () => {
    byId("play").textContent = "Pause";
    const follow = () => {
      moved();
      if (!video.paused) requestAnimationFrame(follow);
    };
    follow();
  });
  video.addEventListener("pause", () => {
    byId("play").textContent = "Play";
    moved();
  });
  for (const event of ["seeked", "timeupdate"]) video.addEventListener(event, moved);
  video.addEventListener("click", toggle);

  byId("seek").max = duration_s;
  byId("seek").addEventListener("input", (event) => seek(Number(event.target.value)));
  byId("total").textContent = clock(duration_s);
  byId("play").addEventListener("click", toggle);
  byId("blur").addEventListener("click", () => blur());
  byId("mute").addEventListener("click", mute);
  byId("fullscreen").addEventListener("click", fullscreen);
  byId("speed").addEventListener("change", (event) => {
    video.defaultPlaybackRate = video.playbackRate = Number(event.target.value);
  });
  byId("choose").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => {
    if (event.target.files.length) open(event.target.files[0]);
  });
  for (const event of ["dragover", "dragleave", "drop"]) {
    addEventListener(event, (moving) => {
      moving.preventDefault();
      document.body.classList.toggle("dropping", event === "dragover");
      if (event === "drop" && moving.dataTransfer.files.length) open(moving.dataTransfer.files[0]);
    });
  }

  return {
    time,
    seek,
    toggle,
    blur,
    mute,
    fullscreen,
    step: (frames) => {
      video.pause();
      seek(time() + frames / (Report.video.fps || 25));
    },
    start(whenMoved) {
      onMove = whenMoved;
      next();
      moved();
    },
  };
})();
