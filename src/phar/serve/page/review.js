/* Alarms, one after the other: is it so? */

const Review = (() => {
  const dialog = byId("other");
  const ANSWERS = ["accept", "reject", "unsure"];

  const deck = makeDeck("alarm", (spans) => {
    const [first, ...others] = spans;
    for (const button of byId("answers").children) button.disabled = !first && button.id !== "undo";
    byId("question").textContent = first ? `Is this “${first.label}”?` : "Nothing waits for review.";
    const facts = first
      ? [
          ["Video", first.video.name],
          ["Where", `${clock(first.start_s)} to ${clock(first.end_s)}, ${span(first.end_s - first.start_s)}`],
          ["Would be", first.action || "–"],
          ["Why", first.why || "–"],
        ]
      : [];
    byId("facts").replaceChildren(
      ...facts.flatMap(([name, text]) => [
        make("dt", {}, name),
        make("dd", { class: text === "block" && name === "Would be" && "severe" }, text),
      ]),
    );
    byId("next-title").hidden = !others.length;
    byId("next").replaceChildren(
      ...others.map((each) =>
        make("li", {}, make("span", {}, each.label), make("span", {}, each.video.name), make("span", {}, clock(each.start_s, 0))),
      ),
    );
  });

  /** Labels that match what was typed, the best first, for the dialog. */
  function choices() {
    const query = byId("other-search").value.trim().toLowerCase();
    const found = Page.labels
      .filter((label) => label !== deck.first?.label && label.toLowerCase().includes(query))
      .sort((a, b) => b.toLowerCase().startsWith(query) - a.toLowerCase().startsWith(query));
    byId("other-labels").replaceChildren(
      ...found.map((label) => make("button", { value: label }, label)),
    );
  }

  function relabel() {
    if (!deck.first) return;
    byId("other-search").value = "";
    choices();
    dialog.returnValue = "";
    dialog.showModal();
  }

  for (const answer of ANSWERS) byId(answer).addEventListener("click", () => deck.give(answer));
  byId("relabel").addEventListener("click", relabel);
  byId("skip").addEventListener("click", deck.skip);
  byId("undo").addEventListener("click", () => deck.undo());
  byId("other-search").addEventListener("input", choices);
  byId("other-search").addEventListener("keydown", (event) => {
    const [first] = byId("other-labels").children;
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (first) dialog.close(first.value);
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue) deck.give("relabel", [dialog.returnValue]);
  });

  const when = () => Page.view === "review";
  const keys = [
    ["a", "accept: it is so", () => deck.give("accept")],
    ["r", "reject: it is not", () => deck.give("reject")],
    ["l", "relabel: it is something else", relabel],
    ["u", "unsure: nobody could tell", () => deck.give("unsure")],
    ["s", "skip for now", deck.skip],
    ["z", "undo the last verdict", () => deck.undo()],
  ].map(([key, text, act]) => ({ keys: [key], shown: [key], text, act, when }));

  return { deck, keys };
})();
