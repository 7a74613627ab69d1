/*
 * What each stream adds to the fused scores of one window: the rules of phar/fusion.py, term by term.
 * The terms of a label add up to its fused score.
 */

const Fusion = (() => {
  const LEADER = "rgb";

  /** Fused scores are float32 and streams' scores were rounded to it: sums may miss by this much. */
  const TOLERANCE = 1e-4;

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  function weightedSum(spoken) {
    const total = sum(spoken.map((stream) => stream.weight));
    return spoken.map(({ weight, vector }) => vector.map((p) => (total > 0 ? (weight * p) / total : 0)));
  }

  function withinVocabulary(spoken, width) {
    const leader = spoken.find((stream) => stream.name === LEADER);
    const lead = leader ? leader.vector : new Array(width).fill(1 / width);
    const others = spoken.filter((stream) => stream !== leader && stream.weight > 0);
    const total = new Array(width).fill(leader ? leader.weight : 0);
    const terms = new Map(spoken.map((stream) => [stream, new Array(width).fill(0)]));
    if (leader)
      terms.set(
        leader,
        lead.map((p) => leader.weight * p),
      );
    for (const stream of others) {
      const heard = sum(stream.vector);
      if (heard <= 0) continue;
      const mass = sum(stream.labels.map((label) => lead[label]));
      for (const label of stream.labels) {
        terms.get(stream)[label] = (stream.weight * mass * stream.vector[label]) / heard;
        total[label] += stream.weight;
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

  const RULES = { weighted_sum: weightedSum, within_vocabulary: withinVocabulary };

  /**
   * By stream name, (labels) terms of the fused scores; null if they do not add up to `fused`, as with a
   * rule this page does not know. `profile` is the report's: its rule and temperatures count.
   */
  function terms(profile, streams, w, fused) {
    if (!Object.hasOwn(RULES, profile.fusion)) return null;
    const spoken = streams
      .filter((stream) => stream.silence(w) === null)
      .map((stream) => ({
        name: stream.name,
        labels: stream.labels,
        weight: stream.weight(w),
        vector: softened(
          Array.from(fused, (_, label) => (stream.knows(label) ? stream.score(w, label) : 0)),
          profile.temperatures[stream.name] ?? 1,
        ),
      }));
    const found = RULES[profile.fusion](spoken, fused.length);
    const adds = fused.every((score, label) => Math.abs(sum(found.map((t) => t[label])) - score) < TOLERANCE);
    return adds ? new Map(spoken.map((stream, i) => [stream.name, found[i]])) : null;
  }

  return { terms };
})();
