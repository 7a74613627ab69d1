/* Spans that this page holds: the one that is shown, and the next few. */

/** A deck of one kind of spans. `show` is called with its spans whenever the first or the number changes. */
function makeDeck(kind, show) {
  const AHEAD = 4;
  let spans = [];
  let video = null;
  let shown;
  let filling = null;
  // Spans answered or skipped; an answer of the queue that was asked for before may still hold them.
  const gone = new Set();

  function showAll() {
    const [first] = spans;
    const inView = Page.view === (kind === "shot" ? "label" : "review");
    if (inView && first?.id !== shown) {
      shown = first?.id;
      Player.show(first ?? null);
    }
    if (inView && spans[1]) Player.prepare(spans[1]);
    show(spans);
  }

  /** Hold spans, or hold them longer. */
  function fill() {
    filling ??= (async () => {
      const wish = { moderator: Talk.moderator, client: Talk.client, kind, video, limit: Math.max(AHEAD, spans.length) };
      gone.clear();
      for (const id of Talk.pending()) gone.add(id);
      const held = await Talk.ask("POST", "queue/lease", wish);
      const fresh = held.filter(({ id }) => !gone.has(id));
      const kept = spans.filter(({ id }) => fresh.some((span) => span.id === id));
      spans = [...kept, ...fresh.filter(({ id }) => !kept.some((span) => span.id === id))];
      showAll();
    })()
      .catch((error) => Page.say(error.message))
      .finally(() => {
        filling = null;
      });
    return filling;
  }

  /** Fill once more: what is on its way may be older than what was just said. */
  async function refill() {
    await filling;
    await fill();
  }

  /** Answer the span that is shown. */
  async function give(answer, labels = []) {
    const [span] = spans;
    if (!span) return;
    const said = { answer, labels, ...Player.part() };
    Page.say("");
    spans = spans.slice(1);
    gone.add(span.id);
    const sent = Talk.give(span.id, said);
    showAll();
    byId("said").textContent = `${answer} ${labels.join(", ")}`;
    await sent;
    await refill();
    Page.count();
  }

  async function release(which, skip) {
    const body = { moderator: Talk.moderator, client: Talk.client, spans: which.map(({ id }) => id), skip };
    await Talk.ask("POST", "queue/release", body, { keepalive: true });
  }

  async function skip() {
    const [span] = spans;
    if (!span) return;
    spans = spans.slice(1);
    gone.add(span.id);
    try {
      await release([span], true);
    } catch (error) {
      Page.say(error.message);
    }
    showAll();
    await refill();
  }

  /** Take back the last verdict, or the one given, and show its span. */
  async function undo(verdict) {
    try {
      await Talk.deliver();
      const name = encodeURIComponent(Talk.moderator);
      const latest = verdict ? [verdict] : await Talk.ask("GET", `verdicts?moderator=${name}&limit=200`);
      const last = latest.find((each) => each.undone === null && each.span.kind === kind);
      if (!last) return Page.say("There is nothing to undo.");
      const by = { moderator: Talk.moderator, client: Talk.client };
      const { span } = await Talk.ask("POST", `verdicts/${last.id}/undo`, by);
      gone.delete(span.id);
      spans = [span, ...spans.filter(({ id }) => id !== span.id)];
      Page.say("");
      showAll();
      Page.count();
    } catch (error) {
      Page.say(error.message);
    }
  }

  return {
    fill,
    give,
    skip,
    undo,
    /** Show what it holds again, after another deck was shown. */
    open() {
      shown = undefined;
      if (spans.length) showAll();
      else Player.show(null);
      return fill();
    },
    /** Only spans of this video from now on. */
    about(id) {
      const before = spans;
      spans = [];
      video = id;
      return release(before, false).catch(() => {});
    },
    leave: () => (spans.length ? release(spans, false).catch(() => {}) : null),
    get first() {
      return spans[0] ?? null;
    },
  };
}
