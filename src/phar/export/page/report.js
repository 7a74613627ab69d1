/* The report that phar wrote into this page: windows, fused scores, what each stream said. */

const Report = (() => {
  const data = JSON.parse(byId("report").textContent);

  function bytes(text) {
    const binary = atob(text);
    const out = new Uint8Array(binary.length);
    for (let i = 0; i < out.length; i++) out[i] = binary.charCodeAt(i);
    return out.buffer;
  }

  const labels = data.labels;
  const bounds = new Float64Array(bytes(data.bounds));
  const count = bounds.length - 1;

  const streams = data.streams.map((stream) => {
    const state = new Uint32Array(bytes(stream.state));
    const rows = new Int32Array(count);
    let spoken = 0;
    for (let w = 0; w < count; w++) rows[w] = "silent" in stream.states[state[w]] ? -1 : spoken++;
    const scores = new Float32Array(bytes(stream.scores));
    const columns = new Map(stream.labels.map((label, i) => [label, i]));
    return {
      name: stream.name,
      labels: stream.labels,
      /** Whether the stream has a score for a label at all; labels are positions in `Report.labels`. */
      knows: (label) => columns.has(label),
      /** Reason why the stream did not speak in window `w`, or null. */
      silence: (w) => stream.states[state[w]].silent ?? null,
      weight: (w) => stream.states[state[w]].weight ?? 0,
      /** Score of one label in window `w`, NaN where the stream is silent or does not know it. */
      score(w, label) {
        const column = columns.get(label);
        if (column === undefined || rows[w] < 0) return NaN;
        return scores[rows[w] * stream.labels.length + column];
      },
    };
  });

  /** Position of the window that owns time `t`. */
  function windowAt(t) {
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (bounds[middle] <= t) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  return {
    ...data,
    /** What `Segmenting` works on; scores are float32, so arithmetic sees what Python sees. */
    table: {
      labels,
      bounds,
      count,
      none: labels.indexOf("none"),
      scores: new Float32Array(bytes(data.scores)),
    },
    /** The report's own segments where they are not those that the scores give, or null. */
    reported: data.reported?.map(([label, start_s, end_s, score]) => {
      return { label, index: label === "none" ? -1 : labels.indexOf(label), start_s, end_s, score };
    }),
    starts: new Float64Array(bytes(data.starts)),
    ends: new Float64Array(bytes(data.ends)),
    streams,
    windowAt,
  };
})();
