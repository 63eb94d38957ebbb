import { QuorateError, type QuorateClient } from "@quorate/client";

/** Creates what all sessions need, unless another one has done so already. */
export async function createOnce(
  client: QuorateClient,
  path: string,
  data: string | Uint8Array = "",
): Promise<void> {
  try {
    await client.create(path, data);
  } catch (error) {
    if (!(error instanceof QuorateError) || error.code !== "NODE_EXISTS") throw error;
  }
}
