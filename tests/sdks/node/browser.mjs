// Drives headless Chromium for the tests: commands come in as lines of JSON, answers go out so.
//   {"visit": <page>, "way": <name in page.js>, "task": {...}}  -> what the page reports; it stays
//   {"leave": true}                                              -> every page is left: {"left": n}

import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const [executablePath] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  // Chromium's sandbox refuses to run as root.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
let contexts = [];

async function visit({ visit: address, way, task }) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  contexts.push({ context, page });
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`the page failed: ${error.message}`));
  await page.goto(address);
  await page.waitForFunction("window.ways");
  const report = await page.evaluate((name, given) => window.ways[name](given), way, task);
  return { ...report, errors: [...report.errors, ...complaints] };
}

async function leave() {
  const left = contexts;
  contexts = [];
  for (const { page } of left) await page.goto("about:blank");
  return { left: left.length };
}

async function obey(command) {
  try {
    return command.leave ? await leave() : await visit(command);
  } catch (failure) {
    return { sent: [], errors: [`the driver failed: ${failure.message}`] };
  }
}

process.stdout.write(JSON.stringify({ browser: await browser.version() }) + "\n");
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await obey(JSON.parse(line))) + "\n");
}
await browser.close();
