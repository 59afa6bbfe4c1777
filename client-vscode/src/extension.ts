/** Puts the parts together when the editor activates the extension, and stops the server when it goes. */
import * as vscode from "vscode";
import { DOCUMENTS } from "./client";
import { registerCommands } from "./commands";
import { onDidChangeEnvironment } from "./interpreter";
import { Server } from "./server";
import { affectsLaunch } from "./settings";
import { StatusItem } from "./status";
import { onDidGrantTrust } from "./trust";

let server: Server | undefined;

/** What the extension offers to others, and to its own tests. */
export interface Api {
  /** Process id of the server, undefined while none runs. */
  readonly processId: () => number | undefined;
  /** What was started last, undefined when nothing could be. */
  readonly commandLine: () => readonly string[] | undefined;
}

export async function activate(context: vscode.ExtensionContext): Promise<Api> {
  const output = vscode.window.createOutputChannel("SQLAlchemy Guard", { log: true });
  const trace = vscode.window.createOutputChannel("SQLAlchemy Guard Trace", { log: true });
  const status = new StatusItem(DOCUMENTS);
  const started = new Server(context.extensionPath, output, trace, (state) => {
    status.show(state);
  });
  server = started;
  context.subscriptions.push(
    output,
    trace,
    status,
    registerCommands(context, started, { output, trace }),
    onDidGrantTrust(() => void started.restart()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (affectsLaunch(event)) {
        void started.restart();
      }
    }),
  );
  await started.restart();
  void watchEnvironment(context, started);
  return {
    processId: () => started.processId,
    commandLine: () => started.launch && [started.launch.command, ...started.launch.args],
  };
}

export async function deactivate(): Promise<void> {
  await server?.dispose();
  server = undefined;
}

async function watchEnvironment(context: vscode.ExtensionContext, started: Server): Promise<void> {
  const subscription = await onDidChangeEnvironment(() => void started.restartIfChanged());
  if (subscription !== undefined) {
    context.subscriptions.push(subscription);
  }
}
