// The admin API of the daemon.

/** The daemon answered that it will not; the message is for the operator. */
export class Problem extends Error {}

/** The daemon did not answer. */
export class Offline extends Error {}

// An answer that takes longer is given up; that to something which reads the whole queue may take long.
const patience = 8_000;
const longPatience = 600_000;

async function call(method, path, operator, wait = patience) {
  let response, text;
  try {
    response = await fetch(`/admin/v1/${path}`, {
      method, signal: AbortSignal.timeout(wait),
      headers: operator ? { "X-Operator": `UTF-8''${encodeURIComponent(operator)}` } : {}, // RFC 8187: any name
    });
    text = await response.text();
  } catch (cause) {
    throw new Offline("The daemon does not answer.", { cause });
  }
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // a proxy's page
  }
  if (!response.ok) throw new Problem(answer.detail ?? `The daemon answered ${response.status}.`);
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, operator) => call("POST", path, operator);
export const postLong = (path, operator) => call("POST", path, operator, longPatience);
export const remove = (path, operator) => call("DELETE", path, operator);
