/* Talking to the server: who is asking, and verdicts that arrive once whatever happens on the way. */

const Talk = (() => {
  const OUTBOX = "phar-verdict-";
  const AGAIN_MS = [500, 1000, 2000, 4000, 8000];

  /** Letters and digits that nobody has used before. Works on plain http too. */
  function random() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  sessionStorage.client ??= random();
  const client = sessionStorage.client;
  let unknown = () => {};
  let waiting = null;
  let refused = new Set();

  class Refusal extends Error {
    constructor(status, message) {
      super(message);
      this.status = status;
    }
  }

  const headers = () => (sessionStorage.token ? { Authorization: `Bearer ${sessionStorage.token}` } : {});

  async function reasonOf(answer) {
    const { detail } = await answer.json().catch(() => ({}));
    if (typeof detail === "string") return detail;
    return detail?.[0]?.msg ?? `the server answered ${answer.status}`;
  }

  /** Ask, and return the answer as it came. Throws a Refusal, or a TypeError where there is no server. */
  async function fetched(method, path, body, options = {}) {
    const answer = await fetch(`/api/${path}`, {
      method,
      headers: { ...headers(), ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body && JSON.stringify(body),
      ...options,
    });
    if (answer.status === 401) unknown();
    if (!answer.ok) throw new Refusal(answer.status, await reasonOf(answer));
    return answer;
  }

  /** Ask, and return the JSON of the answer; null if it has none. */
  async function ask(method, path, body, options) {
    const answer = await fetched(method, path, body, options);
    return answer.status === 204 ? null : answer.json();
  }

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  /** Verdicts that the server has not confirmed, oldest first. They outlast the page. */
  const outbox = () =>
    Object.keys(localStorage)
      .filter((name) => name.startsWith(OUTBOX))
      .map((name) => JSON.parse(localStorage[name]))
      .sort((a, b) => a.at - b.at);

  /** Keep a verdict, and send it until the server has it. */
  function give(span, said) {
    const key = random();
    const body = { ...said, key, moderator: sessionStorage.moderator, client };
    localStorage[OUTBOX + key] = JSON.stringify({ span, body, at: Date.now() });
    return deliver();
  }

  /** Send all that waits, again and again where the server is not there; resolves when nothing is left to send. */
  function deliver() {
    waiting ??= (async () => {
      refused = new Set();
      for (let tries = 0; ; ) {
        const first = outbox().find(({ body }) => !refused.has(body.key));
        if (!first) return;
        try {
          await ask("POST", `spans/${first.span}/verdicts`, first.body);
        } catch (error) {
          if (!(error instanceof Refusal) || error.status >= 500 || [401, 408, 429].includes(error.status)) {
            Page.say("The server cannot be reached; your verdicts are kept and sent again.");
            await pause(AGAIN_MS[Math.min(tries++, AGAIN_MS.length - 1)]);
            continue;
          }
          if (error.status === 403) {
            // Another person's, who used this browser before: their token will do.
            Page.say(`A verdict of ${first.body.moderator}'s is kept until they are here again: ${error.message}`);
            refused.add(first.body.key);
            tries = 0;
            continue;
          }
          Page.say(`A verdict was not taken: ${error.message}`);
          delete localStorage[OUTBOX + first.body.key];
          continue;
        }
        if (tries) Page.say("");
        tries = 0;
        delete localStorage[OUTBOX + first.body.key];
      }
    })().finally(() => {
      waiting = null;
    });
    return waiting;
  }

  return {
    client,
    random,
    Refusal,
    headers,
    ask,
    fetched,
    give,
    deliver,
    /** Spans whose verdicts are on their way. */
    pending: () => new Set(outbox().flatMap(({ span, body }) => (refused.has(body.key) ? [] : [span]))),
    get moderator() {
      return sessionStorage.moderator ?? localStorage.moderator ?? "";
    },
    /** New pages begin with the name that was given last; open ones keep theirs. */
    set moderator(name) {
      sessionStorage.moderator = localStorage.moderator = name;
    },
    set token(token) {
      sessionStorage.token = token;
    },
    /** Call `act` when the server wants a token. */
    whenUnknown(act) {
      unknown = act;
    },
  };
})();
