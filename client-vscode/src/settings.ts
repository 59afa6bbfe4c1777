/**
 * The settings as the editor has them: those that decide how the server is started stay here, the others go to the
 * server. A setting that the user did not write is never sent, so that the project's configuration file holds.
 */
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

export const SECTION = "sqlalchemyGuard";

/** Where the server's code comes from. */
export type ImportStrategy = "useBundled" | "fromEnvironment";

/** The settings that decide which program is started. */
export interface LaunchSettings {
  /** Path of a Python interpreter; empty: look for one. */
  readonly interpreter: string;
  /** Command line of a server to start instead; empty: ours. */
  readonly path: readonly string[];
  /** Further arguments of `server`. */
  readonly args: readonly string[];
  readonly importStrategy: ImportStrategy;
}

/** Keys that mean nothing to the server. */
const CLIENT_KEYS: ReadonlySet<string> = new Set(["interpreter", "path", "args", "importStrategy", "trace"]);
const LAUNCH_KEYS = ["interpreter", "path", "args", "importStrategy"] as const;

/** The settings that decide how the one server of the window is started. */
export function launchSettings(): LaunchSettings {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  return {
    interpreter: expandVariables(configuration.get<string>("interpreter", "")),
    path: configuration.get<string[]>("path", []).map(expandVariables),
    args: configuration.get<string[]>("args", []).map(expandVariables),
    importStrategy: configuration.get<ImportStrategy>("importStrategy", "useBundled"),
  };
}

/** Whether a change of settings asks for another server process. */
export function affectsLaunch(event: vscode.ConfigurationChangeEvent): boolean {
  return LAUNCH_KEYS.some((key) => event.affectsConfiguration(`${SECTION}.${key}`));
}

/** The settings for the server that the user wrote, for one folder or for the window. */
export function serverSettings(scope?: vscode.Uri): Record<string, unknown> {
  const all = vscode.workspace.getConfiguration(undefined, scope).get<Record<string, unknown>>(SECTION, {});
  const written = Object.entries(all).filter(([key, value]) => !CLIENT_KEYS.has(key) && value !== null);
  return Object.fromEntries(written);
}

/** What `initialize` carries: the window's settings and those of each folder, so that no round trip is needed. */
export function initializationOptions(): Record<string, unknown> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return {
    settings: serverSettings(),
    folders: Object.fromEntries(folders.map((folder) => [folder.uri.toString(), serverSettings(folder.uri)])),
  };
}

/** Puts values for `~`, `${userHome}`, `${workspaceFolder}`, `${workspaceFolder:name}` and `${env:NAME}`. */
function expandVariables(text: string): string {
  const folders = vscode.workspace.workspaceFolders ?? [];
  const expanded = text.replace(/\$\{(\w+)(?::([^}]*))?\}/g, (whole, name: string, argument?: string) => {
    switch (name) {
      case "userHome":
        return os.homedir();
      case "workspaceFolder": {
        const named = argument === undefined ? folders[0] : folders.find((folder) => folder.name === argument);
        return named?.uri.fsPath ?? whole;
      }
      case "env":
        return process.env[argument ?? ""] ?? "";
      default:
        return whole;
    }
  });
  return /^~[\\/]/.test(expanded) ? path.join(os.homedir(), expanded.slice(2)) : expanded;
}
