// What the modules of the page share.

export const $ = (id) => document.getElementById(id);

export function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

export function say(node, text) {
  node.textContent = text ?? "";
  node.hidden = !text;
}

export async function read(path, options) {
  let response, answer;
  try {
    response = await fetch(path, options);
    answer = response.status === 204 ? null : await response.json();
  } catch {
    throw new Error("The simulator does not answer. Try again.");
  }
  if (!response.ok) throw new Error((answer.detail ?? "That did not work.").replace(/^smsc: /, ""));
  return answer;
}
