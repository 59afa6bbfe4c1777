// What the test modules share: waiting, diagnostics, and running steps one after the other.
const fs = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");

const WAIT_MS = 60_000;
const say = (text) => console.log(`TEST ${text}`);

const folder = vscode.workspace.workspaceFolders[0].uri;
const app = vscode.Uri.joinPath(folder, "app.py");
const api = () => vscode.extensions.getExtension("sqlalchemy-guard.sqlalchemy-guard").exports;
const ours = (uri) => vscode.languages.getDiagnostics(uri).filter((one) => one.source === "sqlalchemy-guard");

async function until(what, condition) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`waited in vain for: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const diagnosed = (uri, count) => until(`${count} diagnostics in ${uri}`, () => ours(uri).length === count);

async function runSteps(steps) {
  say(`VS Code ${vscode.version}, Node ${process.version}`);
  for (const [name, step] of Object.entries(steps)) {
    const began = Date.now();
    try {
      await step();
    } catch (error) {
      say(`FAILED ${name}: ${error.stack}`);
      throw error;
    }
    say(`passed: ${name} (${Date.now() - began} ms)`);
  }
  fs.writeFileSync(path.join(folder.fsPath, "server.pid"), String(api().processId()));
}

module.exports = { api, app, diagnosed, folder, ours, runSteps, until };
