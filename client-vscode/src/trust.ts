/**
 * What may be run in a workspace. An untrusted workspace must never decide which program is started: there the
 * bundled server runs under a Python from PATH, whatever the workspace's settings and environments say.
 */
import * as vscode from "vscode";

/** Whether the workspace may choose the interpreter and the server that are started. */
export function mayChoosePrograms(): boolean {
  return vscode.workspace.isTrusted;
}

/** Calls back when the user comes to trust the workspace. */
export function onDidGrantTrust(callback: () => void): vscode.Disposable {
  return vscode.workspace.onDidGrantWorkspaceTrust(callback);
}
