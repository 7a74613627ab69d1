/* The table of segments, and what can be taken out of the page. */

const Listing = (() => {
  const FIRST_ROWS = 300;
  const COLUMNS = [
    { name: "Start", by: (segment) => segment.start_s },
    { name: "End", by: (segment) => segment.end_s },
    { name: "Label", by: (segment) => segment.label },
    { name: "Length", by: (segment) => segment.end_s - segment.start_s },
    { name: "Score", by: (segment) => -segment.score },
  ];
  const body = byId("scroll").querySelector("tbody");
  let sort = COLUMNS[0];
  let limit = FIRST_ROWS;
  let given = [];
  let rows = [];
  let playing = null;
  let onSeek = () => {};

  const headings = COLUMNS.map((column) => {
    const button = make("button", { type: "button" }, column.name);
    const heading = make("th", { scope: "col" }, button);
    button.addEventListener("click", () => {
      sort = column;
      show();
    });
    return heading;
  });
  byId("scroll")
    .querySelector("thead tr")
    .append(...headings);
  byId("more").addEventListener("click", () => {
    limit = Infinity;
    show();
  });

  /** Show segments; `given` are in time order and stay as they are. */
  function show(segments = given) {
    given = segments;
    COLUMNS.forEach((column, i) => {
      if (column === sort)
        headings[i].setAttribute("aria-sort", column.name === "Score" ? "descending" : "ascending");
      else headings[i].removeAttribute("aria-sort");
    });
    const key = sort.by;
    const order = [...given].sort((a, b) =>
      key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : a.start_s - b.start_s,
    );
    rows = order.slice(0, limit).map((segment) => ({ segment, element: line(segment), current: false }));
    body.replaceChildren(...rows.map((row) => row.element));
    playing = null;
    byId("number").textContent = given.length;
    byId("more").hidden = order.length <= limit;
    byId("more").textContent = `Show all ${order.length}`;
  }

  function line(segment) {
    const start = make(
      "button",
      { type: "button", "aria-label": `Go to ${clock(segment.start_s)}` },
      clock(segment.start_s),
    );
    const cells = [
      start,
      clock(segment.end_s),
      segment.label,
      span(segment.end_s - segment.start_s),
      score2(segment.score),
    ];
    const element = make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
    if (segment.index === Segmenting.NOBODY) element.className = "none";
    element.addEventListener("click", () => onSeek(segment));
    return element;
  }

  /** Mark the rows at time `t`; while the video plays, keep the first of them in sight. */
  function follow(t, isPlaying) {
    let first = null;
    for (const row of rows) {
      const { segment, element } = row;
      const current = segment.start_s <= t && t < segment.end_s;
      if (current !== row.current) element.classList.toggle("current", current);
      row.current = current;
      if (current && !first) first = element;
    }
    if (isPlaying && first && first !== playing) {
      const box = byId("scroll");
      const over = first.offsetTop - box.scrollTop;
      if (over < 40 || over > box.clientHeight - 40) box.scrollTop = first.offsetTop - box.clientHeight / 3;
    }
    playing = first;
  }

  const rounded = (value) => Number(value.toFixed(6));

  /** Comma-separated values with one line per segment; texts are quoted where they need it. */
  function csv(segments) {
    const cell = (value) =>
      /[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
    const lines = segments.map(({ label, start_s, end_s, score }) =>
      [label, rounded(start_s), rounded(end_s), rounded(score)].map(cell).join(","),
    );
    return ["label,start_s,end_s,score", ...lines, ""].join("\r\n");
  }

  /** Segments as the report's timestamps, with the settings they were made with. */
  function json(segments, mode, settings) {
    const timestamps = segments.map(({ label, start_s, end_s, score }) => ({
      label,
      start_s: rounded(start_s),
      end_s: rounded(end_s),
      score: rounded(score),
    }));
    const video = { name: Report.video.name, duration_s: Report.video.duration_s };
    return JSON.stringify({ video, kind: mode, segments: settings, timestamps }, null, 1) + "\n";
  }

  /** Hand a text to the reader as a file. */
  function save(text, suffix, type) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const stem = Report.video.name.replace(/\.[^.]*$/, "");
    make("a", { href: address, download: `${stem}_segments${suffix}` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  async function copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      byId("said").textContent = `${what} copied`;
    } catch {
      byId("said").textContent = "The browser does not let this page copy; save a file instead";
    }
  }

  return {
    show,
    follow,
    csv,
    json,
    save,
    copy,
    listen: (seek) => {
      onSeek = seek;
    },
  };
})();
