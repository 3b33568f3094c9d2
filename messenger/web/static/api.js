// The API of the bridge, which docs/openapi.yaml describes.

/** The server answered that it will not; the message is for the person. */
export class Problem extends Error {
  constructor(status, reason, detail, after) {
    super(detail);
    Object.assign(this, { status, reason, after });
  }

  /** Whether the same request may succeed later. */
  get temporary() {
    return this.status === 429 || this.status >= 500;
  }
}

/** Nobody knows whether the server got the request: the network failed. */
export class Offline extends Error {}

// A request that takes longer is given up; with its key it may safely be made again.
const patience = 20_000;

async function call(method, path, body, headers = {}) {
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response, text;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(patience),
    });
    text = await response.text();
  } catch (cause) {
    throw new Offline("The server cannot be reached.", { cause });
  }
  let answer;
  try {
    answer = text ? JSON.parse(text) : {};
  } catch {
    answer = {}; // a proxy's page
  }
  if (!response.ok) {
    const after = Number(response.headers.get("Retry-After")) * 1000 || 0;
    throw new Problem(response.status, answer.reason ?? "", answer.detail ?? `The server answered ${response.status}. Try again.`, after);
  }
  return answer;
}

const conversation = (phone) => `conversations/${encodeURIComponent(phone)}/messages`;

export const api = {
  session: () => call("GET", "session"),
  signIn: (user, password) => call("POST", "session", { user, password }),
  signOut: () => call("DELETE", "session"),
  conversations: async () => (await call("GET", "conversations")).conversations,
  messages: (phone, limit = 100) => call("GET", `${conversation(phone)}?limit=${limit}`),
  estimate: (text) => call("POST", "estimate", { text }),
  send: (key, to, text) => call("POST", "messages", { to, text }, { "Idempotency-Key": key }),
};
