/* The page: who is there, what is shown, and keys. */

const Page = (() => {
  const COUNT_EVERY_MS = 5000;
  let labels = [];
  let view = "review";
  let about = null;

  const say = (text) => {
    byId("notice").textContent = text;
  };

  /** A moment as text, in the reader's own time. */
  const when = (moment) => new Date(moment).toLocaleString([], { dateStyle: "short", timeStyle: "short" });

  const many = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;

  /** Say how much waits. */
  async function count() {
    try {
      const { alarms, shots } = await Talk.ask("GET", "queue");
      byId("summary").textContent =
        `${many(alarms, "span")} and ${many(shots, "shot")} wait · profile ${about.profile} · policy ${about.policy}`;
    } catch {
      byId("summary").textContent = "The server cannot be reached.";
    }
  }

  const views = {
    review: () => Review.deck.open(),
    label: () => Labelling.open(),
    videos: () => Videos.open(),
    history: () => History.open(),
  };

  function show(name) {
    view = name;
    document.body.dataset.view = name;
    for (const section of document.querySelectorAll("[data-views]")) {
      section.hidden = !section.dataset.views.split(" ").includes(name);
    }
    if (!["review", "label"].includes(name)) byId("video").pause();
    return views[name]();
  }

  /** Ask who is there; a token only where the server wants one. */
  function identify(fault = "") {
    byId("moderator").value = Talk.moderator;
    byId("identity-fault").textContent = fault;
    if (!byId("identity").open) byId("identity").showModal();
  }

  async function enter() {
    try {
      about = await Talk.ask("GET", "about");
    } catch (error) {
      if (error.status !== 401) {
        say(`The server cannot be reached (${error.message}).`);
        setTimeout(enter, 2000);
      }
      return;
    }
    const name = about.moderator ?? Talk.moderator;
    if (!name) return identify();
    Talk.moderator = name;
    byId("who").textContent = Talk.moderator;
    labels = about.labels;
    const [root] = about.roots;
    byId("path").placeholder = root ? `${root}/…` : "no folder is open to this server";
    byId("by-path").querySelector("button").disabled = !root;
    say("");
    await Talk.deliver();
    count();
    await show(view);
  }

  function named(event) {
    const name = byId("moderator").value.trim().replace(/\s+/g, " ");
    if (!/^[\p{L}\p{N}_.@'-]+( [\p{L}\p{N}_.@'-]+)*$/u.test(name)) {
      event.preventDefault();
      byId("identity-fault").textContent = "Letters, digits and . _ - ' @ make a name.";
      return;
    }
    if (name !== Talk.moderator) {
      Review.deck.leave();
      Labelling.deck.leave();
    }
    Talk.moderator = name;
    if (byId("token").value) Talk.token = byId("token").value;
    byId("token").value = "";
    setTimeout(enter);
  }

  function start() {
    Talk.whenUnknown(() => {
      byId("token-row").hidden = false;
      identify(sessionStorage.token ? "The server does not know this token." : "");
    });
    byId("who").addEventListener("click", () => identify());
    byId("identity").querySelector("form").addEventListener("submit", named);
    byId("view").addEventListener("change", (event) => show(event.target.value));
    Chrome.listen([
      ...Review.keys,
      ...Labelling.keys,
      { keys: [" "], shown: ["Space"], text: "play or pause", act: Player.toggle },
      {
        keys: ["ArrowLeft", "ArrowRight"],
        shown: ["←", "→"],
        text: "1 s back, 1 s on; with Shift 5 s",
        act: (key, shift) => Player.seek((key === "ArrowLeft" ? -1 : 1) * (shift ? 5 : 1)),
      },
      { keys: [",", "."], shown: [",", "."], text: "piece before, next piece", act: (key) => Player.turn(key === "," ? -1 : 1) },
      { keys: ["[", "]"], shown: ["[", "]"], text: "the verdict holds from here, to here", act: (key) => Player.trim(key === "[" ? "start_s" : "end_s") },
      { keys: ["b"], shown: ["b"], text: "blur pictures, or show them", act: Player.blur },
      { keys: ["m"], shown: ["m"], text: "mute", act: Player.mute },
      { keys: ["?"], shown: ["?"], text: "this list", act: () => byId("keys").showModal() },
    ]);
    Chrome.theme();
    addEventListener("pagehide", () => {
      Review.deck.leave();
      Labelling.deck.leave();
    });
    const deck = () => {
      const chosen = view === "review" || byId("of-video").value;
      return about && Talk.moderator && chosen ? { review: Review.deck, label: Labelling.deck }[view] : null;
    };
    setInterval(() => {
      if (!about || document.hidden) return;
      count();
      // Something may have come, or be free again.
      if (deck()?.first === null) deck().fill();
    }, COUNT_EVERY_MS);
    enter().then(() => setInterval(() => deck()?.fill(), ((about?.lease_s ?? 300) * 1000) / 3));
  }

  return {
    start,
    say,
    when,
    count,
    get view() {
      return view;
    },
    get labels() {
      return labels;
    },
  };
})();

Page.start();
