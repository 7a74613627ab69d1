/*
 * What each stream adds to the fused scores of one window: the rules of phar/fusion.py, term by term.
 * The terms of a label add up to its fused score; those of `stacked` to what its softmax is taken of.
 */

const Fusion = (() => {
  const LEADER = "rgb";

  /** Fused scores are float32 and streams' scores were rounded to it: sums may miss by this much. */
  const TOLERANCE = 1e-4;

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  /** As phar/fusion.py has it. */
  const FLOOR = 1e-6;

  function weightedSum(spoken, width) {
    const total = Array.from({ length: width }, (_, label) => sum(spoken.map(({ weights }) => weights[label])));
    return spoken.map(({ weights, vector }) =>
      vector.map((p, label) => (total[label] > 0 ? (weights[label] * p) / total[label] : 0)),
    );
  }

  /** Terms of the logits, against their mean over the labels. */
  function stacked(spoken, width) {
    return spoken.map(({ weights, biases, vector, labels }) => {
      const term = [...biases];
      for (const label of labels) term[label] += weights[label] * Math.log(Math.max(vector[label], FLOOR));
      const mean = sum(term) / width;
      return term.map((value) => value - mean);
    });
  }

  function softmax(logits) {
    const highest = Math.max(...logits);
    const raised = logits.map((value) => Math.exp(value - highest));
    const total = sum(raised);
    return raised.map((value) => value / total);
  }

  function withinVocabulary(spoken, width) {
    const leader = spoken.find((stream) => stream.name === LEADER);
    const lead = leader ? leader.vector : new Array(width).fill(1 / width);
    const others = spoken.filter((stream) => stream !== leader && stream.weights.some((weight) => weight > 0));
    const total = leader ? [...leader.weights] : new Array(width).fill(0);
    const terms = new Map(spoken.map((stream) => [stream, new Array(width).fill(0)]));
    if (leader)
      terms.set(
        leader,
        lead.map((p, label) => leader.weights[label] * p),
      );
    for (const stream of others) {
      const heard = sum(stream.vector);
      if (heard <= 0) continue;
      const mass = sum(stream.labels.map((label) => lead[label]));
      for (const label of stream.labels) {
        terms.get(stream)[label] = (stream.weights[label] * mass * stream.vector[label]) / heard;
        total[label] += stream.weights[label];
      }
    }
    for (let label = 0; label < width; label++) {
      if (total[label] > 0) for (const term of terms.values()) term[label] /= total[label];
      else if (leader) terms.get(leader)[label] = lead[label];
    }
    for (const group of overlapping(others.map((stream) => stream.labels))) {
      const mass = sum(group.map((label) => sum([...terms.values()].map((term) => term[label]))));
      const scale = mass > 0 ? sum(group.map((label) => lead[label])) / mass : 1;
      for (const term of terms.values()) for (const label of group) term[label] *= scale;
    }
    return spoken.map((stream) => terms.get(stream));
  }

  /** Merge sets of labels that share one until none do. */
  function overlapping(sets) {
    let groups = [];
    for (const labels of sets) {
      const shared = groups.filter((group) => group.some((label) => labels.includes(label)));
      groups = groups.filter((group) => !shared.includes(group));
      groups.push([...new Set([...labels, ...shared.flat()])]);
    }
    return groups;
  }

  /** Probabilities at another temperature; labels the stream does not know stay at 0. */
  function softened(vector, temperature) {
    if (temperature === 1) return vector;
    const powered = vector.map((p) => p ** (1 / temperature));
    const total = sum(powered);
    return total > 0 ? powered.map((p) => p / total) : vector;
  }

  const RULES = { weighted_sum: weightedSum, within_vocabulary: withinVocabulary, stacked };

  /**
   * By stream name, (labels) terms of the fused scores; null if they do not add up to `fused`, as with a
   * rule this page does not know. `profile` is the report's: its rule, temperatures, weights of single labels
   * and biases count, the last two as arrays over the labels.
   */
  function terms(profile, streams, w, fused) {
    if (!Object.hasOwn(RULES, profile.fusion)) return null;
    const spoken = streams
      .filter((stream) => stream.silence(w) === null)
      .map((stream) => ({
        name: stream.name,
        labels: stream.labels,
        weights: Array.from(
          fused,
          (_, label) => profile.label_weights?.[stream.name]?.[label] ?? stream.weight(w),
        ),
        biases: profile.biases?.[stream.name] ?? new Array(fused.length).fill(0),
        vector: softened(
          Array.from(fused, (_, label) => (stream.knows(label) ? stream.score(w, label) : 0)),
          profile.temperatures[stream.name] ?? 1,
        ),
      }));
    const found = RULES[profile.fusion](spoken, fused.length);
    const sums = Array.from(fused, (_, label) => sum(found.map((term) => term[label])));
    const result = profile.fusion === "stacked" ? softmax(sums) : sums;
    const adds = fused.every((score, label) => Math.abs(result[label] - score) < TOLERANCE);
    return adds ? new Map(spoken.map((stream, i) => [stream.name, found[i]])) : null;
  }

  return { terms };
})();
