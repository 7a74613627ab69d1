/* What was said, by whom, and taking it back. */

const History = (() => {
  const PAGE = 50;
  let verdicts = [];

  const answerOf = ({ answer, labels }) =>
    ({ relabel: `is ${labels[0]}`, label: labels.join(", ") || "none of these" })[answer] ?? answer;

  function row(verdict) {
    const { span } = verdict;
    const cells = [
      make("td", { class: "name" }, span.video.name),
      make("td", {}, `${clock(verdict.start_s)} to ${clock(verdict.end_s)}`),
      make("td", {}, span.label || "shot"),
      make("td", { class: verdict.undone !== null && "undone" }, answerOf(verdict)),
      make("td", {}, verdict.moderator),
      make("td", {}, Page.when(verdict.given)),
    ];
    const actions = make("td", {});
    if (verdict.undone === null && verdict.moderator === Talk.moderator) {
      const button = make("button", { type: "button" }, "Undo");
      button.addEventListener("click", async () => {
        const deck = span.kind === "shot" ? Labelling.deck : Review.deck;
        await deck.undo(verdict);
        open();
      });
      actions.append(button);
    }
    return make("tr", {}, ...cells, actions);
  }

  async function load(before) {
    const whose = byId("everybody").checked ? {} : { moderator: Talk.moderator };
    const query = new URLSearchParams({ limit: PAGE, ...whose, ...(before ? { before } : {}) });
    const found = await Talk.ask("GET", `verdicts?${query}`);
    verdicts = before ? [...verdicts, ...found] : found;
    byId("more-verdicts").hidden = found.length < PAGE;
    byId("verdicts").querySelector("tbody").replaceChildren(...verdicts.map(row));
  }

  const open = () => load().catch((error) => Page.say(error.message));

  byId("everybody").addEventListener("change", open);
  byId("more-verdicts").addEventListener("click", () => load(verdicts.at(-1).id).catch((error) => Page.say(error.message)));
  byId("save-table").addEventListener("click", () => Videos.save("annotations.csv", "verdicts.csv"));

  return { open };
})();
