/* Why a label was, or was not, flagged in the window at the playhead. */

const Why = (() => {
  const { table, streams } = Report;
  const { labels } = table;
  const { Cause } = Segmenting;
  const RULES = {
    weighted_sum: "Adds: weight × score, over the weights of the streams that spoke.",
    within_vocabulary: "Adds: RGB's score, shared out among the streams that know the label.",
    stacked: "Adds: weight × log of the score, and a bias, against the mean of all labels; fused is their softmax.",
  };
  let onPick = () => {};

  const fusedAt = (w) => table.scores.subarray(w * labels.length, (w + 1) * labels.length);

  /** One sentence: what decided about `label` in window `w`. */
  function reason(label, w, { spec, smoothed, mode, found }) {
    const score = smoothed[w * labels.length + label];
    const threshold = Segmenting.thresholdOf(spec, labels[label]);
    const value = score2(score) + (spec.smooth_s > 0 ? ` (smoothed over ${spec.smooth_s} s)` : "");
    const named = mode === "lanes" ? label : found.names[w];
    const cause = mode === "lanes" ? found[label].causes[w] : found.causes[w];
    const flagged = named === label && cause <= Cause.BRIDGED;
    if (label === table.none) return [false, `${value}: nothing known is seen.`];
    if (!flagged && mode !== "lanes") {
      const best = strongest(smoothed, w);
      const dropped = cause === Cause.SHORT || cause === Cause.WEAK ? found.meant[w] : label;
      if (named !== Segmenting.NOBODY) return [false, `${value}; ${labels[named]} is named here.`];
      if (dropped !== label) return [false, `${value}; a run of ${labels[dropped]} here was dropped.`];
      if (cause === Cause.BELOW && best !== label) return [false, `${value}; ${labels[best]} is higher.`];
    }
    const text = {
      [Cause.PASSED]: `${value} reaches the threshold of ${threshold}.`,
      [Cause.NEAR]: `${value} misses the threshold of ${threshold} by no more than the hysteresis of ${spec.hysteresis}, beside a window that reaches it.`,
      [Cause.BRIDGED]: `${value}; the gap between two runs is bridged, being no longer than ${Segmenting.maxGapOf(spec, labels[label])} s.`,
      [Cause.BELOW]: `${value} misses the threshold of ${threshold}.`,
      [Cause.WEAK]: `${value} is near the threshold of ${threshold}, but no window of its run reaches it.`,
      [Cause.SHORT]: `${value}, but the run is shorter than the least length of ${Segmenting.minLengthOf(spec, labels[label])} s.`,
    }[cause];
    return [flagged, text];
  }

  function strongest(values, w) {
    let best = 0;
    for (let i = 1; i < labels.length; i++) {
      if (values[w * labels.length + i] > values[w * labels.length + best]) best = i;
    }
    return best;
  }

  /** The label to explain while following the playhead: named, or else dropped, or else the highest. */
  function labelAt(w, { smoothed, mode, found }) {
    const known = mode === "lanes" ? [] : [found.names[w], found.meant[w]];
    return known.find((label) => label !== Segmenting.NOBODY) ?? strongest(smoothed, w);
  }

  function show(w, label, state) {
    if (!table.count) return;
    byId("window").textContent =
      `window ${w + 1} of ${table.count}, ${clock(Report.starts[w])} to ${clock(Report.ends[w])}`;
    const [flagged, text] = reason(label, w, state);
    byId("verdict").replaceChildren(
      make("strong", {}, labels[label]),
      make("span", {}, `${label === table.none ? "" : flagged ? "Flagged: " : "Not flagged: "}${text}`),
    );
    showParts(w, label);
    showHighest(w);
  }

  function showParts(w, label) {
    const fused = fusedAt(w);
    const terms = Fusion.terms(Report.profile, streams, w, fused);
    const rows = streams.map((stream, i) => {
      const name = make("th", { scope: "row" }, Timeline.swatch(i), stream.name);
      const silence = stream.silence(w);
      if (silence !== null) {
        return make("tr", {}, name, make("td", { colspan: 3, class: "silent" }, `silent: ${silence}`));
      }
      return make(
        "tr",
        {},
        name,
        make("td", {}, stream.knows(label) ? score2(stream.score(w, label)) : "unknown label"),
        make("td", {}, String(stream.weight(w))),
        make("td", {}, terms ? score2(terms.get(stream.name)[label]) : "–"),
      );
    });
    const sum = make("tr", { class: "sum" }, make("th", { scope: "row" }, "fused"), make("td"), make("td"));
    sum.append(make("td", {}, score2(fused[label])));
    byId("parts").tBodies[0].replaceChildren(...rows, sum);
    const rule = Object.hasOwn(RULES, Report.profile.fusion) ? RULES[Report.profile.fusion] : "";
    byId("rule").textContent = terms ? rule : "What each stream adds cannot be told for this fusion.";
  }

  function showHighest(w) {
    const fused = fusedAt(w);
    const order = [...labels.keys()].sort((a, b) => fused[b] - fused[a]).slice(0, 5);
    byId("highest").replaceChildren(
      ...order.map((label) => {
        const bar = make("i");
        bar.style.width = `${100 * fused[label]}%`;
        const meter = make("span", { class: "meter", "aria-hidden": "true" }, bar);
        const button = make("button", { type: "button" });
        button.append(make("span", {}, labels[label]), meter, make("span", {}, score2(fused[label])));
        button.addEventListener("click", () => onPick(label));
        return button;
      }),
    );
  }

  return {
    show,
    labelAt,
    listen: (pick) => {
      onPick = pick;
    },
  };
})();
