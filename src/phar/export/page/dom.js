/* Elements and texts. Texts from the report enter the page through textContent only. */

const byId = (id) => document.getElementById(id);

/** Make an element; `attributes` that are null or false are left out, `children` are elements or texts. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Seconds as 1:02:03.4, to a tenth unless `digits` says otherwise. */
function clock(seconds, digits = 1) {
  const unit = 10 ** digits;
  const whole = Math.round(seconds * unit);
  const rest = (whole % (60 * unit)) / unit;
  const minutes = Math.floor(whole / (60 * unit));
  const hours = Math.floor(minutes / 60);
  const tail = rest.toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes % 60).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** A length for people: 4.5 s, 12:30. */
const span = (seconds) => (seconds < 60 ? `${Number(seconds.toFixed(1))} s` : clock(seconds, 0));

const score2 = (score) => score.toFixed(2);
