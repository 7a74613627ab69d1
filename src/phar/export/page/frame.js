/* Around the content: heading, the keys there are, what the report was made with. */

const Frame = (() => {
  const { video, profile, table } = Report;

  const facts = [
    [
      "Video",
      `${video.name}, ${video.width_px} × ${video.height_px}, ${Number(video.fps.toFixed(3))} fps, ${video.has_audio ? "with sound" : "without sound"}`,
    ],
    ["Profile", `${profile.name}; windows of ${profile.window_s} s every ${profile.stride_s} s`],
    [
      "Fusion",
      `${profile.fusion}; ${Object.entries(profile.coefficients)
        .map(([name, weight]) => `${name} ${weight}`)
        .join(", ")}`,
    ],
    [
      "Models",
      Object.entries(profile.models)
        .map(([name, model]) => `${name}: ${model}`)
        .join("; "),
    ],
    ["Run on", `${profile.backend}, ${profile.device}, ${profile.precision}`],
    ["Made", `${Report.created} by phar ${Report.phar_version}`],
    ...Report.warnings.map((warning) => ["Warning", warning]),
  ];

  function keysOf({ jump }) {
    const search = byId("search");
    return [
      { keys: [" "], shown: ["Space"], text: "play or pause", act: Player.toggle },
      {
        keys: ["ArrowLeft", "ArrowRight"],
        shown: ["←", "→"],
        text: "5 s back, 5 s on; with Shift 1 s",
        act: (key, shift) => Player.seek(Player.time() + (key === "ArrowLeft" ? -1 : 1) * (shift ? 1 : 5)),
      },
      {
        keys: [",", "."],
        shown: [",", "."],
        text: "one frame back, one frame on",
        act: (key) => Player.step(key === "," ? -1 : 1),
      },
      {
        keys: ["j", "k"],
        shown: ["j", "k"],
        text: "next segment, segment before",
        act: (key) => jump(key === "j" ? 1 : -1),
      },
      { keys: ["b"], shown: ["b"], text: "blur pictures, or show them", act: () => Player.blur() },
      { keys: ["m"], shown: ["m"], text: "mute", act: Player.mute },
      { keys: ["f"], shown: ["f"], text: "full screen", act: Player.fullscreen },
      { keys: ["/"], shown: ["/"], text: "search labels; Esc leaves", act: () => search.focus() },
      { keys: ["+", "="], shown: ["+"], text: "zoom in", act: () => Timeline.zoom(0.5) },
      { keys: ["-"], shown: ["-"], text: "zoom out", act: () => Timeline.zoom(2) },
      { keys: ["0"], shown: ["0"], text: "the whole video", act: Timeline.showAll },
      { keys: ["?"], shown: ["?"], text: "this list", act: () => byId("keys").showModal() },
    ];
  }

  function zooming() {
    byId("zoom-in").addEventListener("click", () => Timeline.zoom(0.5));
    byId("zoom-out").addEventListener("click", () => Timeline.zoom(2));
    byId("zoom-all").addEventListener("click", Timeline.showAll);
  }

  function start(actions) {
    byId("name").textContent = video.name;
    byId("summary").textContent =
      `${clock(video.duration_s, 0)} · ${table.count} windows · profile ${profile.name}`;
    for (const [name, text] of facts) byId("about").append(make("dt", {}, name), make("dd", {}, text));
    Chrome.listen(keysOf(actions));
    Chrome.theme(Timeline.theme);
    zooming();
  }

  return { start };
})();
