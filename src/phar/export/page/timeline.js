/* What is drawn over time: the axis, the curves of one label, a lane per label. */

const Timeline = (() => {
  const ROW_INSET_PX = 5;
  const SHORTEST_VIEW_S = 1;
  const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  const DASHES = [[6, 3], [2, 2], [8, 2, 2, 2], []];
  const TOKENS = [
    "text",
    "dim",
    "line",
    "hair",
    "accent",
    "wash",
    "stream-0",
    "stream-1",
    "stream-2",
    "stream-3",
  ];

  const plot = byId("plot");
  const { table, streams } = Report;
  const { scores, bounds, labels } = table;
  const duration_s = Math.max(Report.video.duration_s, bounds[table.count]);
  const view = { from: 0, to: duration_s };
  /** What to draw; page.js keeps it up to date through `show`. */
  let shown = null;
  let colours = {};

  /** Read the colours of the theme in force. */
  function theme() {
    const probe = make("i");
    document.body.append(probe);
    colours = Object.fromEntries(
      TOKENS.map((token) => {
        probe.style.color = `var(--${token})`;
        return [token, getComputedStyle(probe).color];
      }),
    );
    probe.remove();
    draw();
  }

  /** A short line as stream `i` is drawn; null is the fused score. */
  function swatch(i) {
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("class", "swatch");
    picture.setAttribute("aria-hidden", "true");
    const line = document.createElementNS(picture.namespaceURI, "path");
    line.setAttribute("d", "M0 2h18");
    line.setAttribute("stroke-dasharray", i === null ? "none" : DASHES[i % 4].join(" ") || "none");
    line.style.stroke = i === null ? "var(--text)" : `var(--stream-${i % 4})`;
    picture.append(line);
    return picture;
  }

  /** Width of the plot in pixels, as of the last drawing. */
  let width = 0;
  const toX = (t) => ((t - view.from) / (view.to - view.from)) * width;
  const toTime = (x) => view.from + (x / width) * (view.to - view.from);

  function prepared(canvas, height_px) {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height_px * ratio);
    canvas.style.height = `${height_px}px`;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    return pen;
  }

  /** Windows under each column of pixels, half-open. */
  function columns() {
    const firsts = new Int32Array(width);
    const lasts = new Int32Array(width);
    for (let x = 0; x < width; x++) {
      firsts[x] = x && lasts[x - 1] ? lasts[x - 1] - 1 : Report.windowAt(toTime(x));
      while (firsts[x] + 1 < table.count && bounds[firsts[x] + 1] <= toTime(x)) firsts[x]++;
      let last = firsts[x] + 1;
      while (last < table.count && bounds[last] < toTime(x + 1)) last++;
      lasts[x] = table.count ? last : 0;
    }
    return { firsts, lasts };
  }

  function drawAxis() {
    const pen = prepared(byId("axis"), 20);
    const pixels = width / (view.to - view.from);
    const step = STEPS_S.find((s) => s * pixels >= 64) ?? STEPS_S.at(-1);
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    pen.fillStyle = colours.dim;
    pen.strokeStyle = colours.line;
    pen.beginPath();
    for (let n = Math.ceil(view.from / step); n * step <= view.to; n++) {
      const x = Math.round(toX(n * step)) + 0.5;
      pen.moveTo(x, 14);
      pen.lineTo(x, 20);
      const text = clock(n * step, step < 1 ? 1 : 0);
      const room = width - pen.measureText(text).width;
      if (x + 3 <= room) pen.fillText(text, x + 3, 14);
    }
    pen.stroke();
  }

  function drawChart({ firsts, lasts }) {
    const height = 112;
    const pen = prepared(byId("chart"), height);
    const { focus, spec, smoothed } = shown;
    const toY = (score) => 4 + (1 - score) * (height - 8);
    const across = (score, colour, dash) => {
      pen.strokeStyle = colour;
      pen.setLineDash(dash);
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(0, Math.round(toY(score)) + 0.5);
      pen.lineTo(width, Math.round(toY(score)) + 0.5);
      pen.stroke();
    };
    /** The highest value in each column, NaN where there is none. */
    const highest = (value) => {
      const ys = new Float64Array(width).fill(NaN);
      for (let x = 0; x < width; x++) {
        for (let w = firsts[x]; w < lasts[x]; w++) {
          const score = value(w);
          if (!(score <= ys[x])) ys[x] = Number.isNaN(score) ? ys[x] : score;
        }
      }
      return ys;
    };
    const curve = (value, colour, thickness, dash = []) => {
      const ys = highest(value);
      pen.strokeStyle = colour;
      pen.lineWidth = thickness;
      pen.setLineDash(dash);
      pen.beginPath();
      for (let x = 0; x < width; x++) {
        if (Number.isNaN(ys[x])) continue;
        if (x === 0 || Number.isNaN(ys[x - 1])) pen.moveTo(x, toY(ys[x]));
        pen.lineTo(x, toY(ys[x]));
        pen.lineTo(x + 1, toY(ys[x]));
      }
      pen.stroke();
    };
    for (const score of [0, 0.5, 1]) across(score, colours.hair, []);
    const fused = (w) => scores[w * labels.length + focus];
    pen.fillStyle = colours.wash;
    highest(fused).forEach((score, x) => {
      if (score > 0) pen.fillRect(x, toY(score), 1, toY(0) - toY(score));
    });
    curve(fused, colours.text, spec.smooth_s > 0 ? 1 : 2);
    if (spec.smooth_s > 0) curve((w) => smoothed[w * labels.length + focus], colours.text, 2);
    streams.forEach((stream, i) => {
      if (stream.knows(focus)) {
        curve((w) => stream.score(w, focus), colours[`stream-${i % 4}`], 1.5, DASHES[i % 4]);
      }
    });
    if (focus !== table.none) {
      const threshold = Segmenting.thresholdOf(spec, labels[focus]);
      across(threshold, colours.accent, [4, 3]);
      if (spec.hysteresis > 0) across(Math.max(0, threshold - spec.hysteresis), colours.accent, [1, 3]);
    }
    pen.setLineDash([]);
    byId("chart").setAttribute("aria-label", `Scores of ${labels[focus]} over time, fused and by stream`);
  }

  function drawLanes({ firsts, lasts }) {
    const row = rowHeight();
    const pen = prepared(byId("lanes"), row * shown.rows.length);
    shown.rows.forEach((label, i) => {
      const top = i * row;
      pen.globalAlpha = 1;
      pen.fillStyle = colours.hair;
      pen.fillRect(0, top + row - 1, width, 1);
      pen.fillStyle = colours.accent;
      // Runs of columns of one tint are one rectangle.
      let tint = 0;
      let from = 0;
      for (let x = 0; x <= width; x++) {
        let score = 0;
        if (x < width) {
          for (let w = firsts[x]; w < lasts[x]; w++)
            score = Math.max(score, scores[w * labels.length + label]);
        }
        const next = x < width ? Math.round(score * 16) : -1;
        if (next === tint) continue;
        if (tint > 0) {
          pen.globalAlpha = tint / 48;
          pen.fillRect(from, top + 1, x - from, row - 3);
        }
        tint = next;
        from = x;
      }
      pen.globalAlpha = 1;
      for (const { start_s, end_s } of shown.segments.get(label) ?? []) {
        if (end_s < view.from || start_s > view.to) continue;
        const left = toX(start_s);
        const long = Math.max(2, toX(end_s) - left - 1);
        pen.fillRect(left, top + ROW_INSET_PX, long, row - 2 * ROW_INSET_PX - 1);
      }
    });
    byId("lanes").setAttribute(
      "aria-label",
      "Segments by label over time; the table of segments says the same",
    );
  }

  const rowHeight = () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));

  function draw() {
    width = plot.clientWidth;
    if (!shown || !width) return;
    const found = columns();
    drawAxis();
    drawChart(found);
    drawLanes(found);
    placePlayhead();
    const whole = view.from <= 0 && view.to >= duration_s;
    const overview = byId("overview");
    overview.classList.toggle("whole", whole);
    const handle = overview.firstElementChild;
    handle.style.marginLeft = `${(100 * view.from) / duration_s}%`;
    handle.style.width = `${(100 * (view.to - view.from)) / duration_s}%`;
  }

  function placePlayhead() {
    const t = Player.time();
    const mark = byId("playhead");
    mark.hidden = t < view.from || t > view.to;
    mark.style.transform = `translateX(${toX(t)}px)`;
  }

  /** Show `length_s` seconds with time `at` where it was; whole views stay whole. */
  function zoom(factor, at = Player.time()) {
    const length_s = Math.min(duration_s, Math.max(SHORTEST_VIEW_S, (view.to - view.from) * factor));
    const centre = at >= view.from && at <= view.to ? at : (view.from + view.to) / 2;
    const share = (centre - view.from) / (view.to - view.from);
    move(centre - share * length_s, length_s);
  }

  function move(from, length_s = view.to - view.from) {
    view.from = Math.min(Math.max(0, from), Math.max(0, duration_s - length_s));
    view.to = view.from + length_s;
    draw();
  }

  /** Keep the playhead in sight while the video plays. */
  function follow(t, playing) {
    if (playing && (t < view.from || t > view.to)) move(t - (view.to - view.from) * 0.1);
    else placePlayhead();
  }

  function listen({ seek, pick }) {
    const x = (event) => event.clientX - plot.getBoundingClientRect().left;
    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      plot.setPointerCapture(event.pointerId);
      const inLanes = event.clientY - byId("lanes").getBoundingClientRect().top;
      const label = shown.rows[Math.floor(inLanes / rowHeight())];
      if (inLanes >= 0 && label !== undefined) pick(label);
      seek(toTime(x(event)));
    });
    plot.addEventListener("pointermove", (event) => {
      const hover = byId("hover");
      hover.hidden = event.pointerType !== "mouse";
      hover.style.transform = `translateX(${x(event)}px)`;
      hover.classList.toggle("flipped", x(event) > width - 60);
      hover.firstElementChild.textContent = clock(Math.max(0, toTime(x(event))));
      if (plot.hasPointerCapture(event.pointerId)) seek(toTime(x(event)));
    });
    plot.addEventListener("pointerleave", () => {
      byId("hover").hidden = true;
    });
    plot.addEventListener(
      "wheel",
      (event) => {
        const sideways = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
        if (event.ctrlKey) zoom(2 ** (event.deltaY / 200), toTime(x(event)));
        else if (sideways) move(view.from + (sideways / width) * (view.to - view.from));
        else return;
        event.preventDefault();
      },
      { passive: false },
    );
    const overview = byId("overview");
    const centre = (event) => {
      const box = overview.getBoundingClientRect();
      const length_s = view.to - view.from;
      move(((event.clientX - box.left) / box.width) * duration_s - length_s / 2);
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      centre(event);
    });
    overview.addEventListener("pointermove", (event) => {
      if (overview.hasPointerCapture(event.pointerId)) centre(event);
    });
    new ResizeObserver(draw).observe(plot);
  }

  return {
    swatch,
    theme,
    listen,
    zoom,
    follow,
    showAll: () => move(0, duration_s),
    show(changed) {
      shown = { ...shown, ...changed };
      draw();
    },
  };
})();
