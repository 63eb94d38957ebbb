import { serveDriver } from "../drivers/serve-driver.ts";
import { fakeConnect } from "./fake-session.ts";
import type { Plant } from "./fake-wire.ts";

await serveDriver(fakeConnect((process.argv[2] ?? "none") as Plant));
