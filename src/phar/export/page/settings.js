/* Sliders and fields of the segment settings, for all labels and for one. */

const Settings = (() => {
  const COMMON = [
    { key: "threshold", name: "Threshold", top: 1, step: 0.01, limit: 1 },
    { key: "hysteresis", name: "Hysteresis", top: 0.5, step: 0.01, limit: 1 },
    { key: "smooth_s", name: "Smoothing, s", top: 30, step: 0.5 },
    { key: "min_length_s", name: "Min length, s", top: 60, step: 0.5 },
    { key: "max_gap_s", name: "Max gap, s", top: 60, step: 0.5 },
  ];
  /** Settings of single labels: where they are kept, and the common one they stand in for. */
  const SINGLE = [
    { key: "label_thresholds", common: "threshold", flag: "--threshold" },
    { key: "label_min_lengths_s", common: "min_length_s", flag: "--min-length" },
    { key: "label_max_gaps_s", common: "max_gap_s", flag: "--max-gap" },
  ];
  const FLAGS = {
    threshold: "--threshold",
    hysteresis: "--hysteresis",
    smooth_s: "--smooth",
    min_length_s: "--min-length",
    max_gap_s: "--max-gap",
  };

  /** A copy whose maps by label have no prototype: any text may be a label. */
  function copied(spec) {
    const maps = SINGLE.map(({ key }) => [key, Object.assign(Object.create(null), spec[key])]);
    return { ...spec, ...Object.fromEntries(maps) };
  }

  const original = copied(Report.segments);
  let spec = copied(original);
  let label = "";
  let onChange = () => {};
  const rows = [];

  /** A row of slider and field: `read` gives [value, whether it is the usual one], `write` takes a value or null. */
  function row(parent, { name, top, step, limit }, id, undo, read, write) {
    const range = make("input", { type: "range", min: 0, max: top, step, "aria-label": `${name}, slider` });
    const field = make("input", { type: "number", id, min: 0, max: limit ?? null, step });
    const clear = make("button", { type: "button", "aria-label": `${name}: ${undo}` }, "×");
    const change = (text) => {
      const value = Number(text);
      if (text === "" || !Number.isFinite(value)) return;
      write(Math.min(Math.max(value, 0), limit ?? Infinity));
      changed();
    };
    range.addEventListener("input", () => change(range.value));
    field.addEventListener("input", () => change(field.value));
    field.addEventListener("blur", show);
    clear.addEventListener("click", () => {
      write(null);
      changed();
    });
    const line = make("div", { class: "setting" }, make("label", { for: id }, name), range, clear, field);
    parent.append(line);
    rows.push(() => {
      const [value, usual] = read();
      range.value = value;
      if (document.activeElement !== field) field.value = value;
      line.classList.toggle("usual", usual);
      clear.disabled = usual;
    });
  }

  for (const setting of COMMON) {
    const { key } = setting;
    const read = () => [spec[key], spec[key] === original[key]];
    row(byId("common"), setting, `all-${key}`, "as in the report", read, (value) => {
      spec[key] = value ?? original[key];
    });
  }
  for (const { key, common } of SINGLE) {
    const setting = COMMON.find((entry) => entry.key === common);
    const read = () => (Object.hasOwn(spec[key], label) ? [spec[key][label], false] : [spec[common], true]);
    row(byId("single"), setting, `one-${common}`, "as for all labels", read, (value) => {
      if (value === null) delete spec[key][label];
      else spec[key][label] = value;
      Settings.touched(label);
    });
  }

  function changed() {
    show();
    onChange(spec);
  }

  function show() {
    for (const update of rows) update();
    byId("reset").disabled = isOriginal();
    byId("command").textContent = command();
  }

  const isOriginal = () => JSON.stringify(sorted(spec)) === JSON.stringify(sorted(original));

  function sorted(settings) {
    const pairs = (map) => Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
    return pairs(settings).map(([key, value]) => [key, typeof value === "object" ? pairs(value) : value]);
  }

  const quoted = (text) => (/^[\w.,:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

  /** The command that makes the same segments from the JSON report. */
  function command() {
    const flags = Object.entries(FLAGS)
      .filter(([key]) => spec[key] !== original[key])
      .map(([key, flag]) => `${flag} ${spec[key]}`);
    for (const { key, common, flag } of SINGLE) {
      const names = new Set([...Object.keys(original[key]), ...Object.keys(spec[key])]);
      for (const name of names) {
        const value = Object.hasOwn(spec[key], name) ? spec[key][name] : spec[common];
        if (value !== original[key][name]) flags.push(`${flag}=${quoted(`${name}=${value}`)}`);
      }
    }
    return ["phar export REPORT.json OUT.json", ...flags].join(" \\\n  ");
  }

  byId("reset").addEventListener("click", () => {
    spec = copied(original);
    changed();
  });

  return {
    isOriginal,
    current: () => spec,
    /** Called with the label whose own setting a reader changes. */
    touched: () => {},
    /** Show the settings of another label. */
    about(name) {
      label = name;
      show();
    },
    listen(whenChanged) {
      onChange = whenChanged;
      show();
    },
  };
})();
