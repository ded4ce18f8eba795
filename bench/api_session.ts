/**
 * Signs in to an engine that was started for the first time.
 *
 * Upstream: runs that ask the API. Downstream: the file of the first password, `/auth/login` and
 * `/me/password`.
 */
const PASSWORD = "nineteen copper kettles";
const LIMIT_MS = 10_000;

/** Lines of `[auth]` under which a run may ask as often as it wants to. */
export const AUTH_LINES = `enabled = true
phi_read_rate_limit_enabled = false
`;

/** Takes the first account over, or comes back as it. @returns its session's token. @throws {Error} when it cannot. */
export async function signIn(apiPort: number, directory: string): Promise<string> {
  const file = await Deno.readTextFile(`${directory}/bootstrap-admin.txt`).catch(() => undefined);
  if (file === undefined) return await login(apiPort, PASSWORD);
  const [, first = ""] = /password: (\S+)/.exec(file) ?? [];
  const token = await login(apiPort, first);
  await post(apiPort, "/me/password", { current_password: first, new_password: PASSWORD }, token);
  await Deno.remove(`${directory}/bootstrap-admin.txt`).catch(() => undefined);
  return await login(apiPort, PASSWORD);
}

async function login(apiPort: number, password: string): Promise<string> {
  const { token } = await post(apiPort, "/auth/login", { username: "admin", password });
  return String(token);
}

async function post(
  apiPort: number,
  path: string,
  body: unknown,
  token?: string,
): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${apiPort}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot sign in: POST ${path} was answered ${response.status}`);
  return JSON.parse(text);
}
