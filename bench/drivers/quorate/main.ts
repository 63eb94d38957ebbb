import { serveDriver } from "../serve-driver.ts";
import { connectQuorate } from "./session.ts";

await serveDriver(connectQuorate);
