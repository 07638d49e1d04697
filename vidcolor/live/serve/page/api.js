// The server's answers: JSON, or an Error whose message is the server's own line.

export class ServerError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The server's line of an answer that is not a success.
export function fault(status, body) {
  try {
    const { error } = JSON.parse(body);
    if (error) return new ServerError(status, error);
  } catch {
    // not JSON: a proxy's page, or nothing
  }
  return new ServerError(status, status === 401
    ? "The server asks for its token: open the address that it printed when it was started."
    : `The server answered ${status} without a reason; its log may say more.`);
}

export async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new ServerError(0, "The server cannot be reached. See whether it is still running, then try again.");
  }
  const text = await answer.text();
  if (!answer.ok) throw fault(answer.status, text);
  return text ? JSON.parse(text) : null;
}
