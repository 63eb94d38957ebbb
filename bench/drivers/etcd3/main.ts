import { serveDriver } from "../serve-driver.ts";
import { connectEtcd3 } from "./session.ts";

await serveDriver(connectEtcd3);
