// Starts VS Code's server with the extension installed, opens its web client in a headless browser and runs a test module
// inside the extension host. Exits with the module's verdict.
//
// usage: node host.mjs OPTIONS.json, with: server, tools, chromium, vsix, home, folder, runner, suite, seconds
import { spawn, spawnSync } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import path from "node:path";

const options = JSON.parse(readFileSync(process.argv[2], "utf8"));
const { chromium } = createRequire(path.join(options.tools, "main.js"))("playwright-core");
const began = performance.now();
const say = (text) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s ${text}`);

const folders = [
  ["--user-data-dir", "data"],
  ["--extensions-dir", "extensions"],
  ["--server-data-dir", "server"],
].flatMap(([flag, name]) => [flag, path.join(options.home, name)]);
const environment = { ...process.env, EXTENSIONS_GALLERY: "{}" };

const installed = spawnSync(process.execPath, [options.server, ...folders, "--install-extension", options.vsix], {
  encoding: "utf8",
  env: environment,
});
if (installed.status !== 0) {
  throw new Error(`the extension cannot be installed: ${installed.stdout}${installed.stderr}`);
}
say("extension installed");

const port = await freePort();
const log = openSync(path.join(options.home, "vscode.log"), "w");
const flags = ["--host", "127.0.0.1", "--port", String(port), "--without-connection-token", "--accept-server-license-terms"];
// Without the smoke test driver a built client ignores the test module silently.
flags.push("--telemetry-level", "off", "--disable-workspace-trust", "--enable-smoke-test-driver");
const server = spawn(process.execPath, [options.server, ...folders, ...flags], {
  stdio: ["ignore", log, log],
  env: environment,
});
const serverExit = new Promise((resolve) => server.once("exit", resolve));

let browser;
try {
  await answering(`http://127.0.0.1:${port}/version`);
  say("server answers");
  browser = await chromium.launch({
    executablePath: options.chromium,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  process.exitCode = await verdict(page);
  if (process.exitCode !== 0) {
    await page.screenshot({ path: path.join(options.home, "failed.png") });
  }
} finally {
  await browser?.close();
  server.kill("SIGTERM");
  const timer = setTimeout(() => server.kill("SIGKILL"), 10_000);
  await serverExit;
  clearTimeout(timer);
  say("VS Code ended");
}

/** The exit code of the test module: 0 when it resolved. */
async function verdict(page) {
  const remote = (file) => `vscode-remote://127.0.0.1:${port}${path.resolve(file)}`;
  const payload = [
    ["extensionDevelopmentPath", remote(options.runner)],
    ["extensionTestsPath", remote(options.suite)],
    ["skipWelcome", "true"],
  ];
  const query = new URLSearchParams({ folder: options.folder, payload: JSON.stringify(payload) });
  let timer;
  const ended = new Promise((resolve) => {
    timer = setTimeout(() => {
      say("the tests did not end in time");
      resolve(124);
    }, options.seconds * 1000);
    const onLog = (_type, args) => String(args[0]).startsWith("TEST ") && say(String(args[0]).slice(5));
    Promise.all([
      page.exposeFunction("codeAutomationLog", onLog),
      page.exposeFunction("codeAutomationExit", resolve),
    ]).then(() => page.goto(`http://127.0.0.1:${port}/?${query}`));
  });
  const code = await ended;
  clearTimeout(timer);
  return code;
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port: free } = probe.address();
      probe.close(() => resolve(free));
    });
  });
}

async function answering(url) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const ok = await fetch(url).then((answer) => answer.ok, () => false);
    if (ok) {
      return;
    }
    if (Date.now() > deadline || server.exitCode !== null) {
      throw new Error("VS Code's server does not answer");
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
