/**
 * Decides the command line that starts the server. Nothing of the user's environment can shadow the bundled server:
 * `-I -S` leaves the standard library alone on the path, and `bundled/launch.py` adds our own folder only.
 */
import { execFile } from "node:child_process";
import * as path from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { findInterpreter, type Interpreter } from "./interpreter";
import { launchSettings } from "./settings";
import { mayChoosePrograms } from "./trust";

const run = promisify(execFile);
const IMPORT_TIMEOUT_MS = 30_000;

/** A command line and what it is, in words for the status item. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly description: string;
}

/**
 * The command line for the settings in force.
 *
 * @param extensionPath The folder of this extension.
 * @throws NoInterpreterError when there is no Python to run the server.
 */
export async function resolveLaunch(extensionPath: string, log: vscode.LogOutputChannel): Promise<Launch> {
  const settings = launchSettings();
  const trusted = mayChoosePrograms();
  const cwd = path.join(extensionPath, "bundled");
  const [program, ...programArgs] = settings.path;
  if (program !== undefined) {
    return { command: program, args: [...programArgs, "server", ...settings.args], cwd, description: program };
  }
  const python = await findInterpreter(settings.interpreter, trusted, cwd, log);
  const [command = "", ...pythonArgs] = python.command;
  const runtime = `Python ${python.version}`;
  // -P keeps the working directory off the path, so that no file there can shadow a module.
  const fromEnvironment = [...pythonArgs, "-P", "-m", "sqlalchemy_guard", "server", ...settings.args];
  if (settings.importStrategy === "fromEnvironment" && trusted && (await isInstalled(python, cwd, log))) {
    return { command, args: fromEnvironment, cwd, description: `${runtime}, server of the environment` };
  }
  const script = path.join(cwd, "launch.py");
  const bundled = [...pythonArgs, "-I", "-S", script, "server", ...settings.args];
  return { command, args: bundled, cwd, description: `${runtime}, bundled server` };
}

async function isInstalled(python: Interpreter, cwd: string, log: vscode.LogOutputChannel): Promise<boolean> {
  const [command = "", ...args] = python.command;
  try {
    await run(command, [...args, "-P", "-c", "import sqlalchemy_guard.lsp.main"], { cwd, timeout: IMPORT_TIMEOUT_MS });
    return true;
  } catch (error) {
    log.warn(String(error));
    const message =
      `sqlalchemy-guard is not installed in ${python.executable}; the bundled server is used. ` +
      "Install it there, or set `sqlalchemyGuard.importStrategy` to `useBundled`.";
    void vscode.window.showWarningMessage(message);
    return false;
  }
}
