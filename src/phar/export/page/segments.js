/*
 * Window scores into segments: the steps of phar/timeline/segments.py, in its order and its arithmetic.
 *
 * A table is {labels, none, count, bounds, scores}: window w owns bounds[w] to bounds[w + 1]; scores are
 * (count x labels), float32; `none` is the position of the label "none", -1 if there is none.
 * A spec has the keys of the report's profile.segments.
 */

const Segmenting = (() => {
  const NONE = "none";
  const NOBODY = -1;

  /** Why a window got the name it has. */
  const Cause = Object.freeze({ PASSED: 0, NEAR: 1, BRIDGED: 2, BELOW: 3, WEAK: 4, SHORT: 5 });

  const own = (single, label, common) => (Object.hasOwn(single, label) ? single[label] : common);
  const thresholdOf = (spec, label) => own(spec.label_thresholds, label, spec.threshold);
  const minLengthOf = (spec, label) => own(spec.label_min_lengths_s, label, spec.min_length_s);
  const maxGapOf = (spec, label) => own(spec.label_max_gaps_s, label, spec.max_gap_s);

  /** Median of each label's scores over the windows whose middles are within smooth_s / 2, as float64. */
  function smooth(table, smooth_s) {
    const { bounds, count, scores } = table;
    const width = table.labels.length;
    const out = Float64Array.from(scores);
    if (!(smooth_s > 0)) return out;
    const middles = Float64Array.from({ length: count }, (_, w) => (bounds[w] + bounds[w + 1]) / 2);
    // The same hair more reach as in Python, so that a neighbour on the edge counts here too.
    const reach = smooth_s / 2 + 1e-6;
    for (let label = 0; label < width; label++) {
      const near = new Sorted(count);
      let first = 0;
      let last = 0;
      for (let w = 0; w < count; w++) {
        while (last < count && middles[last] <= middles[w] + reach) near.add(scores[last++ * width + label]);
        while (middles[first] < middles[w] - reach) near.remove(scores[first++ * width + label]);
        out[w * width + label] = near.median();
      }
    }
    return out;
  }

  /** Numbers kept in order while a neighbourhood moves along. */
  class Sorted {
    constructor(capacity) {
      this.values = new Float64Array(capacity);
      this.size = 0;
    }

    add(value) {
      const at = this.position(value);
      this.values.copyWithin(at + 1, at, this.size++);
      this.values[at] = value;
    }

    remove(value) {
      const at = this.position(value);
      this.values.copyWithin(at, at + 1, this.size--);
    }

    median() {
      const half = this.size >> 1;
      return this.size % 2 ? this.values[half] : (this.values[half - 1] + this.values[half]) / 2;
    }

    /** First place whose value is at least `value`. */
    position(value) {
      let low = 0;
      let high = this.size;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (this.values[middle] < value) low = middle + 1;
        else high = middle;
      }
      return low;
    }
  }

  /** One label at a time: {segments, names, causes, meant}; segments cover the video without overlap. */
  function segments(table, spec, smoothed = smooth(table, spec.smooth_s)) {
    const { labels, count, scores } = table;
    const width = labels.length;
    const names = new Int32Array(count);
    const passed = new Uint8Array(count);
    const thresholds = labels.map((label) => thresholdOf(spec, label));
    for (let w = 0; w < count; w++) {
      const best = highest(smoothed, w * width, width);
      const peak = smoothed[w * width + best];
      const threshold = thresholds[best];
      names[w] = best !== table.none && peak > 0 && peak >= threshold - spec.hysteresis ? best : NOBODY;
      passed[w] = peak >= threshold;
    }
    const settled = settle(table, spec, names, passed);
    const score = (w, name) =>
      scores[w * width + (name === NOBODY ? highest(scores, w * width, width) : name)];
    return { segments: runs(names).map((run) => segment(table, run, score)), names, ...settled };
  }

  /** Every label for itself: by position, {segments, causes}; segments of two labels may overlap. */
  function lanes(table, spec, smoothed = smooth(table, spec.smooth_s)) {
    const { labels, count, scores } = table;
    const width = labels.length;
    return labels.map((label, column) => {
      const names = new Int32Array(count).fill(NOBODY);
      const passed = new Uint8Array(count);
      if (column === table.none) return { segments: [], causes: new Uint8Array(count).fill(Cause.BELOW) };
      const threshold = thresholdOf(spec, label);
      for (let w = 0; w < count; w++) {
        const value = smoothed[w * width + column];
        if (value > 0 && value >= threshold - spec.hysteresis) names[w] = column;
        passed[w] = value >= threshold;
      }
      const { causes } = settle(table, spec, names, passed);
      const named = runs(names).filter((run) => run.name !== NOBODY);
      const score = (w) => scores[w * width + column];
      return { segments: named.map((run) => segment(table, run, score)), causes };
    });
  }

  /**
   * Change `names` by hysteresis, bridging and dropping. Return the cause of every name, and what was meant:
   * the name a window had when its run was dropped.
   */
  function settle(table, spec, names, passed) {
    const { bounds, labels } = table;
    const causes = Uint8Array.from(names, (name, w) =>
      name === NOBODY ? Cause.BELOW : passed[w] ? Cause.PASSED : Cause.NEAR,
    );
    const meant = new Int32Array(names.length).fill(NOBODY);
    const rename = (run, name, cause) => {
      if (name === NOBODY) meant.fill(run.name, run.first, run.last);
      names.fill(name, run.first, run.last);
      causes.fill(cause, run.first, run.last);
    };
    for (const run of runs(names)) {
      if (run.name !== NOBODY && !passed.subarray(run.first, run.last).includes(1)) {
        rename(run, NOBODY, Cause.WEAK);
      }
    }
    const bridge = () => {
      const found = runs(names);
      for (let i = 1; i + 1 < found.length; i++) {
        const before = found[i - 1].name;
        if (found[i].name !== NOBODY || before === NOBODY || before !== found[i + 1].name) continue;
        const length_s = bounds[found[i].last] - bounds[found[i].first];
        if (length_s <= maxGapOf(spec, labels[before])) rename(found[i], before, Cause.BRIDGED);
      }
    };
    bridge();
    for (const run of runs(names)) {
      if (run.name === NOBODY) continue;
      const length_s = bounds[run.last] - bounds[run.first];
      if (length_s < minLengthOf(spec, labels[run.name])) rename(run, NOBODY, Cause.SHORT);
    }
    bridge();
    return { causes, meant };
  }

  /** {name, first, last} of each run of equal neighbours, half-open. */
  function runs(names) {
    const found = [];
    for (let first = 0, w = 1; w <= names.length; w++) {
      if (w === names.length || names[w] !== names[first]) {
        found.push({ name: names[first], first, last: w });
        first = w;
      }
    }
    return names.length ? found : [];
  }

  function segment(table, { name, first, last }, score) {
    const { bounds, labels } = table;
    let sum = 0;
    let total = 0;
    for (let w = first; w < last; w++) {
      const weight = bounds[w + 1] - bounds[w];
      sum += score(w, name) * weight;
      total += weight;
    }
    return {
      label: name === NOBODY ? NONE : labels[name],
      index: name,
      start_s: bounds[first],
      end_s: bounds[last],
      score: sum / total,
    };
  }

  /** Position, from `offset`, of the first of the highest of `width` values. */
  function highest(values, offset, width) {
    let best = 0;
    for (let i = 1; i < width; i++) if (values[offset + i] > values[offset + best]) best = i;
    return best;
  }

  return { NONE, NOBODY, Cause, smooth, segments, lanes, thresholdOf, minLengthOf, maxGapOf };
})();
