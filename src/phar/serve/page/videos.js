/* Videos in: sent from here, or named on the server; and how their jobs are going. */

const Videos = (() => {
  const EVERY_MS = 2000;
  const PAGE = 50;
  let jobs = [];
  let timer = null;

  const ended = ({ state }) => ["done", "failed", "cancelled"].includes(state);

  function stateOf(job) {
    if (job.state === "failed") return `failed: ${job.error}`;
    if (!job.progress) return job.state;
    const { stage, done_s, total_s } = job.progress;
    return total_s ? `${stage}, ${Math.floor((100 * done_s) / total_s)} %` : `${stage}, ${clock(done_s, 0)}`;
  }

  /** Save an answer of the API as a file. */
  async function save(path, name) {
    try {
      const address = URL.createObjectURL(await (await Talk.fetched("GET", path)).blob());
      make("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60000);
    } catch (error) {
      Page.say(error.message);
    }
  }

  function row(job) {
    const action = (text, act) => {
      const button = make("button", { type: "button" }, text);
      button.addEventListener("click", act);
      return button;
    };
    const path = `jobs/${job.id}`;
    const actions = [];
    if (!ended(job)) {
      actions.push(action("Cancel", () => Talk.ask("POST", `${path}/cancel`).then(refresh, (e) => Page.say(e.message))));
    }
    if (job.state === "done" && job.kind === "analyse") {
      actions.push(action("Report", () => save(`${path}/report`, `${job.video.name}.json`)));
      actions.push(action("Verdict", () => save(`${path}/verdict`, `${job.video.name}.verdict.json`)));
    }
    const verdict = make("td", { class: job.verdict === "block" && "severe", title: job.reasons.join("\n") }, job.verdict ?? "–");
    return make(
      "tr",
      {},
      make("td", { class: "name" }, job.video.name),
      make("td", {}, job.kind === "shots" ? `shots: ${stateOf(job)}` : stateOf(job)),
      verdict,
      make("td", {}, Page.when(job.created)),
      make("td", {}, ...actions),
    );
  }

  function show() {
    byId("jobs").querySelector("tbody").replaceChildren(...jobs.map(row));
  }

  async function refresh() {
    clearTimeout(timer);
    if (Page.view !== "videos") return;
    try {
      const latest = await Talk.ask("GET", `jobs?limit=${PAGE}`);
      const known = new Set(latest.map(({ id }) => id));
      jobs = [...latest, ...jobs.filter(({ id }) => !known.has(id))];
      byId("more-jobs").hidden = jobs.length < PAGE;
      show();
      if (!jobs.every(ended)) timer = setTimeout(refresh, EVERY_MS);
    } catch (error) {
      Page.say(error.message);
      timer = setTimeout(refresh, EVERY_MS);
    }
    Page.count();
  }

  async function more() {
    const older = await Talk.ask("GET", `jobs?limit=${PAGE}&before=${jobs.at(-1).id}`);
    jobs = [...jobs, ...older];
    byId("more-jobs").hidden = older.length < PAGE;
    show();
  }

  async function post(event) {
    event.preventDefault();
    try {
      await Talk.ask("POST", "jobs", { path: byId("path").value, key: Talk.random() });
      byId("path").value = "";
      Page.say("");
    } catch (error) {
      Page.say(error.message);
    }
    refresh();
  }

  /** Send a file. Only XMLHttpRequest tells how far an upload is. */
  function send(file) {
    const bar = byId("sent");
    const request = new XMLHttpRequest();
    const query = new URLSearchParams({ name: file.name, key: Talk.random() });
    request.open("POST", `/api/uploads?${query}`);
    for (const [name, value] of Object.entries(Talk.headers())) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = total ? loaded / total : 0;
    });
    request.addEventListener("loadend", () => {
      bar.hidden = true;
      byId("file").value = "";
      let detail = request.status ? `the server answered ${request.status}` : "the connection was lost";
      try {
        detail = JSON.parse(request.responseText).detail ?? detail;
      } catch {}
      Page.say(request.status === 202 ? "" : `${file.name} was not taken: ${detail}`);
      refresh();
    });
    bar.value = 0;
    bar.hidden = false;
    request.send(file);
  }

  byId("by-path").addEventListener("submit", post);
  byId("file").addEventListener("change", ({ target }) => {
    if (target.files.length) send(target.files[0]);
  });
  byId("more-jobs").addEventListener("click", () => more().catch((error) => Page.say(error.message)));

  return { open: refresh, save };
})();
