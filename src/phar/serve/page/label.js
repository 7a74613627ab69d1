/* Shots of one video from the first to the last: what is seen in each? */

const Labelling = (() => {
  const chosen = new Set();
  let current = null;

  const deck = makeDeck("shot", ([shot]) => {
    if (shot?.id !== current) chosen.clear();
    current = shot?.id ?? null;
    const length = shot ? span(shot.end_s - shot.start_s) : "";
    byId("shot").textContent = shot
      ? `Shot at ${clock(shot.start_s)}, ${length}: what is seen?`
      : byId("of-video").value
        ? "No shot of this video waits."
        : "Choose a video.";
    for (const id of ["save", "skip-shot"]) byId(id).disabled = !shot;
    showLabels();
  });

  const matching = () => {
    const query = byId("search").value.trim().toLowerCase();
    return Page.labels.filter((label) => label.toLowerCase().includes(query));
  };

  function showLabels() {
    byId("labels").replaceChildren(
      ...matching().map((label, i) => {
        const key = i < 9 ? [make("kbd", {}, String(i + 1)), " "] : [];
        const attributes = { type: "button", "aria-pressed": String(chosen.has(label)), value: label };
        return make("button", attributes, ...key, label);
      }),
    );
    byId("save").lastElementChild.textContent = chosen.size ? `Save ${[...chosen].join(", ")}` : "None of these";
  }

  function toggle(label) {
    if (!label || !deck.first) return;
    if (!chosen.delete(label)) chosen.add(label);
    showLabels();
  }

  function save() {
    const labels = [...chosen];
    if (deck.first) deck.give("label", labels);
  }

  /** Fill the list of videos. */
  async function open() {
    const select = byId("of-video");
    const before = select.value;
    try {
      const videos = await Talk.ask("GET", "videos?limit=200");
      const option = ({ video, shots }) =>
        make("option", { value: video.id }, shots ? `${video.name} (${shots} shots wait)` : video.name);
      select.replaceChildren(make("option", { value: "" }, "–"), ...videos.map(option));
      if (videos.some(({ video }) => String(video.id) === before)) select.value = before;
    } catch (error) {
      Page.say(error.message);
    }
    byId("find-shots").disabled = !select.value;
    if (select.value) await deck.open();
    else Player.show(null);
  }

  async function choose() {
    const id = Number(byId("of-video").value);
    byId("find-shots").disabled = !id;
    // The keys are for labels from here on.
    byId("of-video").blur();
    await deck.about(id || null);
    if (id) await deck.open();
    else Player.show(null);
  }

  async function find() {
    const id = byId("of-video").value;
    try {
      let job = await Talk.ask("POST", `videos/${id}/shots`);
      while (["queued", "running"].includes(job.state)) {
        const done = job.progress ? `, ${clock(job.progress.done_s, 0)} looked at` : "";
        byId("shot").textContent = `Finding shots${done}…`;
        await new Promise((ready) => setTimeout(ready, 500));
        job = await Talk.ask("GET", `jobs/${job.id}`);
      }
      if (job.state === "failed") Page.say(`No shots: ${job.error}`);
    } catch (error) {
      Page.say(error.message);
    }
    await deck.open();
    Page.count();
  }

  byId("labels").addEventListener("click", (event) => toggle(event.target.closest("button")?.value));
  byId("search").addEventListener("input", showLabels);
  byId("of-video").addEventListener("change", choose);
  byId("find-shots").addEventListener("click", find);
  byId("save").addEventListener("click", save);
  byId("skip-shot").addEventListener("click", deck.skip);
  byId("undo-shot").addEventListener("click", () => deck.undo());

  const when = () => Page.view === "label";
  const digits = [..."123456789"];
  const keys = [
    { keys: digits, shown: ["1", "…", "9"], text: "that label is seen, or not", act: (key) => toggle(matching()[key - 1]) },
    { keys: ["Enter"], shown: ["Enter"], text: "save the labels of the shot", act: save },
    { keys: ["s"], shown: [], text: "", act: deck.skip },
    { keys: ["z"], shown: [], text: "", act: () => deck.undo() },
    { keys: ["/"], shown: ["/"], text: "search labels; Esc leaves", act: () => byId("search").focus() },
  ].map((row) => ({ ...row, when }));

  return { deck, keys, open };
})();
