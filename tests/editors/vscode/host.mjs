// Opens VS Code's web client and runs a test module inside the extension host. Exits with the module's verdict.
//
// usage: node host.mjs OPTIONS.json, with those of session.mjs and: folder, runner, suite, seconds, trusted
import path from "node:path";
import { address, options, remote, say, withVSCode } from "./session.mjs";

// Without the smoke test driver a built client ignores the test module silently.
const flags = ["--enable-smoke-test-driver", ...(options.trusted ? ["--disable-workspace-trust"] : [])];
await withVSCode(flags, async (page, port) => {
  process.exitCode = await verdict(page, port);
  if (process.exitCode !== 0) {
    await page.screenshot({ path: path.join(options.home, "failed.png") });
  }
});

/** The exit code of the test module: 0 when it resolved. */
async function verdict(page, port) {
  let timer;
  const ended = new Promise((resolve) => {
    timer = setTimeout(() => {
      say("the tests did not end in time");
      resolve(124);
    }, options.seconds * 1000);
    page.exposeFunction("codeAutomationExit", resolve);
  });
  await page.exposeFunction("codeAutomationLog", (_type, [text]) => {
    if (String(text).startsWith("TEST ")) {
      say(String(text).slice(5));
    }
  });
  const payload = [
    ["extensionDevelopmentPath", remote(port, options.runner)],
    ["extensionTestsPath", remote(port, options.suite)],
    ["skipWelcome", "true"],
  ];
  await page.goto(address(port, payload));
  const code = await ended;
  clearTimeout(timer);
  return code;
}
