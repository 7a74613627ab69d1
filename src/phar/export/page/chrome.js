/* What every page has around its content: keys with their list, and the theme. */

const Chrome = (() => {
  const THEMES = ["auto", "light", "dark"];

  /** Whether an element needs a key for itself. */
  function takes(element, key) {
    const arrow = key.startsWith("Arrow");
    const text = ["search", "number", "text", "password"].map((type) => `input[type=${type}]`);
    if (element.matches(`${text.join()}, select, textarea`)) return true;
    if (element.matches("input[type=range]")) return arrow && element.id !== "seek";
    if (element.matches("input")) return key === " " || arrow;
    return key === " " && element.matches("button, summary");
  }

  /** Act on keys: rows of { keys, shown, text, act }. A row with `when` counts where that is true; one
   *  without `text` is not listed. */
  function listen(rows) {
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      const { target, key } = event;
      if (key === "Escape" && target instanceof Element && target.matches("input[type=search]")) {
        target.value = "";
        target.dispatchEvent(new Event("input", { bubbles: true }));
        return target.blur();
      }
      const found = rows.find(({ keys, when }) => keys.includes(key) && (!when || when()));
      if (!found || (target instanceof Element && takes(target, key))) return;
      event.preventDefault();
      found.act(key, event.shiftKey);
    });
    const line = ({ shown, text }) =>
      make(
        "tr",
        {},
        make("th", { scope: "row" }, ...shown.flatMap((key) => [make("kbd", {}, key), " "])),
        make("td", {}, text),
      );
    byId("keys")
      .querySelector("tbody")
      .append(...rows.filter(({ text }) => text).map(line));
    byId("help").addEventListener("click", () => byId("keys").showModal());
  }

  /** Let the button change the theme, and tell when colours have changed. */
  function theme(changed = () => {}) {
    const button = byId("theme");
    button.addEventListener("click", () => {
      const now = document.documentElement.dataset.theme ?? "auto";
      const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
      if (next === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = next;
      button.textContent = `Theme: ${next}`;
      changed();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
    changed();
  }

  return { listen, theme };
})();
