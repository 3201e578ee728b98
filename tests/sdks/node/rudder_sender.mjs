// Sends with @rudderstack/rudder-sdk-node.

import { gunzipSync } from "node:zlib";
import RudderAnalytics from "@rudderstack/rudder-sdk-node";
import { add, calls, error, inLake, print, task } from "./report.mjs";

const client = new RudderAnalytics(task.key, {
  dataPlaneUrl: task.url,
  gzip: task.gzip,
  logLevel: "none",
  errorHandler: error,
});

// The callback of each event gets the request that it was in.
const requests = new Set();
const answers = [];
for (const [method, message] of calls()) {
  answers.push(
    new Promise((resolve) => {
      client[method](message, (failure, data) => {
        if (failure) error(failure);
        requests.add(data);
        resolve();
      });
    }),
  );
}
while (client.queue.length) await client.flush();
await Promise.all(answers);
for (const data of requests) {
  const { batch } = Buffer.isBuffer(data) ? JSON.parse(gunzipSync(data)) : data;
  for (const message of batch) add(inLake(message, message.timestamp ?? message.originalTimestamp));
}
print();
