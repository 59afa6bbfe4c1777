/** The commands of the palette. */
import * as vscode from "vscode";
import type { Server } from "./server";
import { SECTION, serverSettings } from "./settings";
import { mayChoosePrograms } from "./trust";

interface Channels {
  readonly output: vscode.LogOutputChannel;
  readonly trace: vscode.LogOutputChannel;
}

/** Registers all commands; dispose of the result to take them back. */
export function registerCommands(context: vscode.ExtensionContext, server: Server, channels: Channels): vscode.Disposable {
  const register = (name: string, run: () => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(`${SECTION}.${name}`, run);
  return vscode.Disposable.from(
    register("restart", () => server.restart()),
    register("showOutput", () => {
      channels.output.show();
    }),
    register("showTrace", () => showTrace(channels.trace)),
    register("debugInformation", () => showDebugInformation(context, server)),
  );
}

async function showTrace(trace: vscode.LogOutputChannel): Promise<void> {
  trace.show();
  if (trace.logLevel === vscode.LogLevel.Trace) {
    return;
  }
  const choice = await vscode.window.showInformationMessage(
    "Messages to and from the server are recorded while the log level of this channel is Trace.",
    "Set Log Level",
  );
  if (choice !== undefined) {
    await vscode.commands.executeCommand("workbench.action.setLogLevel");
  }
}

/** Opens a page with what a bug report needs. It holds no file contents and no environment variables. */
async function showDebugInformation(context: vscode.ExtensionContext, server: Server): Promise<void> {
  const extension = context.extension.packageJSON as { version: string };
  const folders = vscode.workspace.workspaceFolders ?? [];
  const { launch } = server;
  const information = {
    extension: extension.version,
    editor: `${vscode.env.appName} ${vscode.version}`,
    platform: `${process.platform} ${process.arch}`,
    remote: vscode.env.remoteName ?? null,
    trusted: mayChoosePrograms(),
    server: server.identity ?? "not running",
    processId: server.processId ?? null,
    command: launch ? [launch.command, ...launch.args] : null,
    runtime: launch?.description ?? null,
    settings: serverSettings(),
    folders: folders.map((folder) => ({ uri: folder.uri.toString(), settings: serverSettings(folder.uri) })),
  };
  const content = JSON.stringify(information, null, 2);
  const document = await vscode.workspace.openTextDocument({ language: "json", content });
  await vscode.window.showTextDocument(document);
}
