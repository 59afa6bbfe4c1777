// Runs inside VS Code's extension host, with the packed extension installed. The steps build on each other.
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const vscode = require("vscode");
const { api, app, diagnosed, folder, ours, runSteps, until } = require("./steps.cjs");

const onDisk = () => fs.readFileSync(app.fsPath, "utf8");
const alive = (pid) => fs.existsSync(`/proc/${pid}`);
const codeOf = (one) => (typeof one.code === "object" ? one.code.value : one.code);
const setting = (name, value) =>
  vscode.workspace.getConfiguration("sqlalchemyGuard").update(name, value, vscode.ConfigurationTarget.Workspace);

async function write(uri, text) {
  const document = await vscode.workspace.openTextDocument(uri);
  const edit = new vscode.WorkspaceEdit();
  edit.replace(uri, new vscode.Range(0, 0, document.lineCount, 0), text);
  assert(await vscode.workspace.applyEdit(edit));
}

const steps = {
  async "diagnostics appear"() {
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(app));
    await diagnosed(app, 3);
    const document = await vscode.workspace.openTextDocument(app);
    for (const diagnostic of ours(app)) {
      assert.equal(codeOf(diagnostic), "SAG101");
      assert.equal(diagnostic.severity, vscode.DiagnosticSeverity.Warning);
      assert.match(document.getText(diagnostic.range), /^create_engine/);
    }
  },

  async "hover shows the rule's documentation"() {
    const { start } = ours(app)[0].range;
    const hovers = await vscode.commands.executeCommand("vscode.executeHoverProvider", app, start);
    const shown = hovers.flatMap((hover) => hover.contents.map((content) => content.value ?? content)).join("\n");
    assert.match(shown, /pool_pre_ping/);
  },

  async "quick fix changes the document and the file"() {
    const { range } = ours(app).find((diagnostic) => diagnostic.range.start.line === 2);
    const kind = vscode.CodeActionKind.QuickFix.value;
    const actions = await vscode.commands.executeCommand("vscode.executeCodeActionProvider", app, range, kind, 10);
    const preferred = actions.filter((action) => action.isPreferred);
    assert.equal(preferred.length, 1, `preferred: ${preferred.map((action) => action.title)}`);
    assert(await vscode.workspace.applyEdit(preferred[0].edit));
    await vscode.commands.executeCommand("workbench.action.files.saveWithoutFormatting");
    assert.match(onDisk(), /^"🐍"; first = create_engine\("postgresql:\/\/localhost\/first", pool_pre_ping=True\)$/m);
    assert.match(onDisk(), /second"\) {2}# ändå$/m);
    await diagnosed(app, 2);
  },

  async "documents that are not Python are checked, whatever their language"() {
    const ini = vscode.Uri.joinPath(folder, "alembic.ini");
    fs.writeFileSync(ini.fsPath, "[alembic]\nsqlalchemy.url = postgresql://shop:f6yNq2sK@db.internal/shop\n");
    await setting("extendSelect", ["SAG114"]);
    const document = await vscode.workspace.openTextDocument(ini);
    await vscode.window.showTextDocument(document);
    await diagnosed(ini, 1);
    const [found] = ours(ini);
    assert.equal(codeOf(found), "SAG114");
    assert.match(document.getText(found.range), /^postgresql:/);
    const kind = vscode.CodeActionKind.QuickFix.value;
    const actions = await vscode.commands.executeCommand("vscode.executeCodeActionProvider", ini, found.range, kind, 10);
    const silencing = actions.find((action) => action.title === "Disable SAG114 for this line");
    assert(await vscode.workspace.applyEdit(silencing.edit));
    assert.equal(document.lineAt(1).text, "# noqa: SAG114");
    await diagnosed(ini, 0);
    await setting("extendSelect", undefined);
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(app));
  },

  async "a setting of the editor reaches the server"() {
    await setting("ignore", ["SAG101"]);
    await diagnosed(app, 0);
    await setting("ignore", undefined);
    await diagnosed(app, 2);
  },

  async "restart replaces the server, however often it is asked for"() {
    const before = api().processId();
    assert(alive(before));
    const restart = () => vscode.commands.executeCommand("sqlalchemyGuard.restart");
    await Promise.all([restart(), restart(), restart()]);
    const after = api().processId();
    assert.notEqual(after, before);
    assert(alive(after));
    await until("the old server has ended", () => !alive(before));
    await diagnosed(app, 2);
  },

  async "a server that crashed is started again"() {
    const before = api().processId();
    process.kill(before, "SIGKILL");
    await until("another server", () => api().processId() !== undefined && api().processId() !== before);
    await write(app, onDisk().replace("third", "fourth"));
    await until("diagnostics of the new text", () =>
      ours(app).length === 2 && ours(app).every((one) => alive(api().processId()) && one.range.start.line > 2),
    );
  },

  async "a wrong interpreter stops the server, mending the setting starts it"() {
    await setting("interpreter", path.join(folder.fsPath, "no-such-python"));
    await until("no server", () => api().processId() === undefined);
    await diagnosed(app, 0);
    await setting("interpreter", undefined);
    await diagnosed(app, 2);
  },

  async "a server that the user names is started instead"() {
    const command = process.env.GUARD_COMMAND;
    await setting("path", [command]);
    await until("the other server", () => api().commandLine()?.[0] === command && api().processId());
    await diagnosed(app, 2);
    await setting("path", undefined);
    await until("the bundled server", () => api().commandLine()?.includes("-I") && api().processId());
    await diagnosed(app, 2);
  },

  async "an unsaved document is checked"() {
    const content = 'from sqlalchemy import create_engine\n\nengine = create_engine("postgresql://localhost/new")\n';
    const document = await vscode.workspace.openTextDocument({ language: "python", content });
    await until("a diagnostic", () => ours(document.uri).some((one) => codeOf(one) === "SAG101"));
  },

  async "cells of a notebook are checked as one module"() {
    const cell = (text) => new vscode.NotebookCellData(vscode.NotebookCellKind.Code, text, "python");
    const url = "postgresql://localhost/notebook";
    const cells = [cell("from sqlalchemy import create_engine"), cell(`engine = create_engine("${url}")`)];
    const notebook = await vscode.workspace.openNotebookDocument("jupyter-notebook", new vscode.NotebookData(cells));
    await vscode.window.showNotebookDocument(notebook);
    const { uri } = notebook.cellAt(1).document;
    await until("a diagnostic", () => ours(uri).some((one) => codeOf(one) === "SAG101"));
    assert.deepEqual(ours(notebook.cellAt(0).document.uri), []);
  },

  async "debug information names the server"() {
    await vscode.commands.executeCommand("sqlalchemyGuard.debugInformation");
    const information = JSON.parse(vscode.window.activeTextEditor.document.getText());
    assert.match(information.server, /^sqlalchemy-guard \d/);
    assert.match(information.runtime, /^Python 3\.\d+\.\d+, bundled server$/);
    assert.equal(information.processId, api().processId());
    assert(information.command.includes("-I") && information.command.includes("-S"));
  },

  async "fix all on save"() {
    const editor = await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(app));
    await editor.edit((builder) => builder.insert(new vscode.Position(1, 0), "\n"));
    assert(await editor.document.save());
    assert.equal(onDisk().match(/pool_pre_ping=True\)/g)?.length, 3, onDisk());
    await diagnosed(app, 0);
  },
};

exports.run = () => runSteps(steps);
