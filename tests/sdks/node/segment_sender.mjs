// Sends with @segment/analytics-node.

import { Analytics } from "@segment/analytics-node";
import { add, calls, error, inLake, print, task } from "./report.mjs";

const client = new Analytics({ writeKey: task.key, host: task.url });
client.on("error", (what) => error(`${what.code} ${what.reason}`));

const answers = [];
for (const [method, message] of calls()) {
  answers.push(
    new Promise((resolve) => {
      client[method](message, (failure, context) => {
        if (failure) error(failure);
        else add(inLake(context.event, context.event.timestamp));
        resolve();
      });
    }),
  );
}
await client.closeAndFlush({ timeout: 120_000 });
await Promise.all(answers);
print();
