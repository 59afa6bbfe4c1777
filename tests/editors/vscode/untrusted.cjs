// Runs inside VS Code's extension host in a folder that is not trusted and that names programs of its own.
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");
const { api, app, diagnosed, folder, runSteps } = require("./steps.cjs");

const steps = {
  async "the code is checked"() {
    assert.equal(vscode.workspace.isTrusted, false);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(app));
    await diagnosed(app, 3);
  },

  async "no program of the folder was started"() {
    await vscode.commands.executeCommand("sqlalchemyGuard.restart");
    await diagnosed(app, 3);
    assert.equal(fs.existsSync(path.join(folder.fsPath, "started")), false);
    const line = api().commandLine();
    assert(line.includes("-I") && line.includes("-S") && !line.includes("--log-level"), line.join(" "));
    assert(!line.some((part) => part.startsWith(folder.fsPath)));
  },
};

exports.run = () => runSteps(steps);
