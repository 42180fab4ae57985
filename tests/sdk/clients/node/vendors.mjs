// replicate and @fal-ai/client, through what the gateway carries unread: /passthrough/{provider}/…

import { createFalClient } from "@fal-ai/client";
import Replicate from "replicate";
import { Suite, finish, version } from "./harness.mjs";

const GATEWAY = process.env.TRIMTAB_GATEWAY ?? "http://127.0.0.1:8080";

/** The picture's place depends on the job's number, so only its kind is held against the other. */
const kind = (url) => new URL(String(url)).pathname.replace(/[0-9a-f]{8,}/g, "N").replace(/\d+/g, "N");

const replicate = new Suite(`replicate ${version("replicate")}`, "replicate");
const predict = async (side) => {
  const baseUrl = side.name === "direct" ? `${side.base}/v1` : `${GATEWAY}/passthrough/replicate`;
  const api = new Replicate({ auth: side.key, baseUrl, useFileOutput: false });
  const output = await api.run("black-forest-labs/flux-schnell", { input: { prompt: "A rudder." } });
  return { pictures: [output].flat().map(kind) };
};
await replicate.row("run", predict, { turns: null });
await replicate.row("wrong key", (side) => predict(side.withKey("wrong")), { turns: 0, strict: ["error", "status"], errs: true });

const fal = new Suite(`@fal-ai/client ${version("@fal-ai/client")}`, "fal");
const subscribe = async (side) => {
  const base = side.name === "direct" ? `${side.base}/queue.fal.run` : `${GATEWAY}/passthrough/fal`;
  const authorization = side.name === "direct" ? `Key ${side.key}` : `Bearer ${side.key}`;
  const api = createFalClient({
    credentials: side.key,
    requestMiddleware: async (request) => ({
      ...request,
      url: request.url.replace("https://queue.fal.run", base),
      headers: { ...request.headers, Authorization: authorization },
    }),
  });
  const { data } = await api.subscribe("fal-ai/flux/schnell", { input: { prompt: "A rudder." }, pollInterval: 50 });
  return { pictures: data.images.map((it) => kind(it.url)) };
};
await fal.row("subscribe", subscribe, { turns: null });
finish(replicate, fal);
