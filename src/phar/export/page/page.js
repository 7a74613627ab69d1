/* What is shown, and how its parts follow each other. */

const Page = (() => {
  const { table } = Report;
  const { labels } = table;
  const state = {
    spec: Settings.current(),
    mode: "segments",
    query: "",
    withNone: false,
    following: true,
    focus: 0,
    smoothed: null,
    found: null,
    /** Segments of the kind in force, in time order, as Python would list them. */
    segments: [],
  };
  let smoothedOver_s = NaN;

  /** Labels in the order of their lanes: those with most time in the report first. */
  const order = (() => {
    const seconds = new Map(labels.map((_, label) => [label, 0]));
    for (const { index, start_s, end_s } of Segmenting.segments(table, state.spec).segments) {
      seconds.set(index, (seconds.get(index) ?? 0) + end_s - start_s);
    }
    return [...labels.keys()]
      .filter((label) => label !== table.none)
      .sort((a, b) => seconds.get(b) - seconds.get(a));
  })();

  const matches = (label) => label.toLowerCase().includes(state.query);

  /** Make segments anew from the scores. */
  function compute() {
    const { spec, mode } = state;
    if (spec.smooth_s !== smoothedOver_s) {
      state.smoothed = Segmenting.smooth(table, spec.smooth_s);
      smoothedOver_s = spec.smooth_s;
    }
    state.found = Segmenting[mode](table, spec, state.smoothed);
    if (mode === "lanes") {
      state.segments = state.found.flatMap((lane) => lane.segments);
      state.segments.sort((a, b) => a.start_s - b.start_s || a.index - b.index);
    } else {
      // The report's own segments may have boundaries that scores alone do not give.
      const own = Report.reported && Settings.isOriginal();
      state.segments = own ? Report.reported : state.found.segments;
    }
  }

  const visible = () =>
    state.segments.filter(({ label, index }) =>
      index === Segmenting.NOBODY ? state.withNone && matches(Segmenting.NONE) : matches(label),
    );

  function show() {
    const rows = order.filter((label) => matches(labels[label]));
    const byLabel = Map.groupBy(state.segments, (segment) => segment.index);
    const { spec, smoothed, focus } = state;
    byId("nothing").hidden = rows.length > 0;
    showNames(rows, byLabel);
    Timeline.show({ rows, segments: byLabel, focus, spec, smoothed });
    Listing.show(visible());
    moved(Player.time(), false);
  }

  function showNames(rows, byLabel) {
    const lanes = rows.map((label) => {
      const seconds = (byLabel.get(label) ?? []).reduce(
        (sum, { start_s, end_s }) => sum + end_s - start_s,
        0,
      );
      const button = make(
        "button",
        { type: "button", class: "lane", title: labels[label], "data-label": label },
        make("span", {}, labels[label]),
        make("span", {}, seconds ? span(seconds) : ""),
      );
      button.addEventListener("click", () => pick(state.following || state.focus !== label ? label : null));
      return button;
    });
    const had = document.activeElement?.dataset?.label;
    byId("names").replaceChildren(...lanes);
    if (had) lanes.find((button) => button.dataset.label === had)?.focus();
    markFocus();
  }

  function markFocus() {
    for (const button of byId("names").children) {
      const focus = Number(button.dataset.label) === state.focus;
      button.classList.toggle("focus", focus);
      button.setAttribute("aria-pressed", focus && !state.following);
    }
    byId("label").value = state.focus;
    byId("follow").checked = state.following;
    Settings.about(labels[state.focus]);
  }

  /** Explain one label from now on, or, with null, the one at the playhead. */
  function pick(label) {
    state.following = label === null;
    if (label !== null) state.focus = label;
    markFocus();
    Timeline.show({ focus: state.focus });
    moved(Player.time(), false);
  }

  function moved(t, playing) {
    if (!state.found || !table.count) return;
    const w = Report.windowAt(t);
    const label = state.following ? Why.labelAt(w, state) : state.focus;
    if (label !== state.focus) {
      state.focus = label;
      markFocus();
      Timeline.show({ focus: label });
    }
    Timeline.follow(t, playing);
    Listing.follow(t, playing);
    if (state.shown === `${w} ${label}` && playing) return;
    state.shown = `${w} ${label}`;
    Why.show(w, label, state);
    showLegend(w);
  }

  function showLegend(w) {
    const line = (name, i, value) => make("div", {}, Timeline.swatch(i), `${name} ${value}`);
    const fused = table.scores[w * labels.length + state.focus];
    byId("legend").replaceChildren(
      make("strong", { title: labels[state.focus] }, labels[state.focus]),
      line("fused", null, score2(fused)),
      ...Report.streams.map((stream, i) => {
        const score = stream.score(w, state.focus);
        return line(stream.name, i, Number.isNaN(score) ? "–" : score2(score));
      }),
    );
  }

  let due = false;
  /** Compute and show once, however many settings change before the next picture. */
  function refresh() {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      compute();
      show();
    });
  }

  /** Go to the next segment, or the one before; segments that are hidden do not count. */
  function jump(direction) {
    const starts = visible()
      .filter((segment) => segment.index !== Segmenting.NOBODY)
      .map((segment) => segment.start_s);
    const t = Player.time();
    const to =
      direction > 0 ? starts.find((start) => start > t + 0.01) : starts.findLast((start) => start < t - 0.5);
    if (to !== undefined) Player.seek(to);
  }

  function start() {
    Timeline.listen({ seek: Player.seek, pick });
    Why.listen(pick);
    Listing.listen(({ start_s, index }) => {
      const follows = state.following && state.mode === "segments";
      if (index !== Segmenting.NOBODY && !follows) pick(index);
      Player.seek(start_s);
    });
    Settings.touched = (label) => pick(labels.indexOf(label));
    Settings.listen((spec) => {
      state.spec = spec;
      refresh();
    });
    byId("label").append(...labels.map((label, i) => make("option", { value: i }, label)));
    byId("label").addEventListener("change", (event) => pick(Number(event.target.value)));
    byId("follow").addEventListener("change", (event) => pick(event.target.checked ? null : state.focus));
    byId("mode").addEventListener("change", (event) => {
      state.mode = event.target.value;
      refresh();
    });
    byId("search").addEventListener("input", (event) => {
      state.query = event.target.value.trim().toLowerCase();
      refresh();
    });
    byId("with-none").addEventListener("change", (event) => {
      state.withNone = event.target.checked;
      refresh();
    });
    const { csv, json, save, copy } = Listing;
    byId("copy-csv").addEventListener("click", () => copy(csv(state.segments), "Segments"));
    byId("save-csv").addEventListener("click", () => save(csv(state.segments), ".csv", "text/csv"));
    byId("save-json").addEventListener("click", () =>
      save(json(state.segments, state.mode, state.spec), ".json", "application/json"),
    );
    byId("copy-command").addEventListener("click", () => copy(byId("command").textContent, "Command"));
    compute();
    Frame.start({ jump });
    show();
    Player.start(moved);
  }

  return { state, start };
})();

/** For the console and for tests: the report, and the functions that work on it. */
globalThis.phar = { Report, Segmenting, Fusion };

Page.start();
