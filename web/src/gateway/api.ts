import { type Json, type JsonObject, MagpieError } from "@magpie-bridge/client";
import { storedToken } from "./credential";

/** Asks a method of the server API, with the credential of this tab. */
export type Ask = (method: string, body: JsonObject, signal: AbortSignal) => Promise<Json>;

/** Asks the gateway that served the page. What it refuses is thrown as a {@link MagpieError}. */
export const askGateway: Ask = async (method, body, signal) => {
  const token = storedToken();
  const response = await fetch(`./magpie.v1.GatewayService/${method}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal,
  });
  const answer = await readJson(response);
  if (response.ok) return answer;
  const { code, message } = answer ?? {};
  throw MagpieError.fromBody({
    code: typeof code === "string" ? code : "unknown",
    message: typeof message === "string" ? message : `the gateway answered ${String(response.status)}`,
  });
};

// What stands between this page and the gateway may answer something that is not JSON.
async function readJson(response: Response): Promise<JsonObject | null> {
  try {
    return (await response.json()) as JsonObject;
  } catch {
    return null;
  }
}
