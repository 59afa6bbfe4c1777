// A VS Code with the extension installed, shown in a headless browser. Used by host.mjs and picture.mjs.
import { spawn, spawnSync } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import path from "node:path";

const began = performance.now();
export const say = (text) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s ${text}`);

/** The options file that is named on the command line. */
export const options = JSON.parse(readFileSync(process.argv[2], "utf8"));

/**
 * Installs the extension, starts VS Code's server and a browser, calls `use` with an empty page and the server's port, and ends
 * everything whatever happens.
 *
 * Options: server, tools, chromium, vsix, home; flags: further flags of VS Code's server. Without --disable-workspace-trust the
 * folder is not trusted.
 */
export async function withVSCode(flags, use) {
  const { chromium } = createRequire(path.join(options.tools, "main.js"))("playwright-core");
  const folders = [
    ["--user-data-dir", "data"],
    ["--extensions-dir", "extensions"],
    ["--server-data-dir", "server"],
  ].flatMap(([flag, name]) => [flag, path.join(options.home, name)]);
  const environment = { ...process.env, EXTENSIONS_GALLERY: "{}" };

  const install = [options.server, ...folders, "--install-extension", options.vsix];
  const installed = spawnSync(process.execPath, install, { encoding: "utf8", env: environment });
  if (installed.status !== 0) {
    throw new Error(`the extension cannot be installed: ${installed.stdout}${installed.stderr}`);
  }
  say("extension installed");

  const port = await freePort();
  const log = openSync(path.join(options.home, "vscode.log"), "w");
  const address = ["--host", "127.0.0.1", "--port", String(port), "--without-connection-token"];
  const quiet = ["--accept-server-license-terms", "--telemetry-level", "off"];
  const server = spawn(process.execPath, [options.server, ...folders, ...address, ...quiet, ...flags], {
    stdio: ["ignore", log, log],
    env: environment,
  });
  const serverExit = new Promise((resolve) => server.once("exit", resolve));
  let browser;
  try {
    await answering(`http://127.0.0.1:${port}/version`, server);
    say("server answers");
    browser = await chromium.launch({
      executablePath: options.chromium,
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    });
    await use(await browser.newPage({ viewport: { width: 1280, height: 800 } }), port);
  } finally {
    await browser?.close();
    server.kill("SIGTERM");
    const timer = setTimeout(() => server.kill("SIGKILL"), 10_000);
    await serverExit;
    clearTimeout(timer);
    say("VS Code ended");
  }
}

/** The address of the web client for a folder, with a payload that says what to open or run. */
export function address(port, payload) {
  const query = new URLSearchParams({ folder: options.folder, payload: JSON.stringify(payload) });
  return `http://127.0.0.1:${port}/?${query}`;
}

/** The name by which the web client knows a file of this machine. */
export function remote(port, file) {
  return `vscode-remote://127.0.0.1:${port}${path.resolve(file)}`;
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

async function answering(url, server) {
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
