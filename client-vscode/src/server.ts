/**
 * The life of the one server of the window: start, stop, restart. Requests to restart that come while one is under
 * way are joined into one more; two servers never run side by side.
 */
import * as vscode from "vscode";
import { State } from "vscode-languageclient/node";
import { GuardClient } from "./client";
import { type Launch, resolveLaunch } from "./launch";
import { SECTION } from "./settings";
import type { ServerStatus } from "./status";

export class Server {
  private client: GuardClient | undefined;
  private current: Promise<void> | undefined;
  private queued = false;
  private disposed = false;
  /** The command line of the last start, for the debug information. */
  launch: Launch | undefined;

  constructor(
    private readonly extensionPath: string,
    private readonly output: vscode.LogOutputChannel,
    private readonly trace: vscode.LogOutputChannel,
    private readonly onStatus: (status: ServerStatus) => void,
  ) {}

  /** Name and version as the server gave them, undefined while it is not running. */
  get identity(): string | undefined {
    const info = this.client?.initializeResult?.serverInfo;
    return info && `${info.name} ${info.version ?? ""}`.trim();
  }

  get processId(): number | undefined {
    return this.client?.serverProcess?.pid;
  }

  /** Starts the server, or starts it anew with the settings in force. Resolves when it runs or has failed. */
  restart(): Promise<void> {
    this.queued = true;
    this.current ??= this.restartWhileQueued();
    return this.current;
  }

  /** Restarts only when the settings and environments in force ask for another command line. */
  async restartIfChanged(): Promise<void> {
    await this.current;
    const before = JSON.stringify(this.launch);
    const after = await resolveLaunch(this.extensionPath, this.output).catch(() => undefined);
    if (before !== JSON.stringify(after)) {
      await this.restart();
    }
  }

  /** Stops the server for good. */
  async dispose(): Promise<void> {
    this.disposed = true;
    await this.current;
    await this.stop();
  }

  private async restartWhileQueued(): Promise<void> {
    try {
      while (this.queued && !this.disposed) {
        this.queued = false;
        await this.stop();
        await this.start();
      }
    } finally {
      // In the same turn as the last look at the queue: a request from now on begins a new round.
      this.current = undefined;
    }
  }

  private async start(): Promise<void> {
    this.onStatus({ kind: "starting" });
    try {
      this.launch = undefined;
      const launch = await resolveLaunch(this.extensionPath, this.output);
      this.launch = launch;
      this.output.info(`Starting ${[launch.command, ...launch.args].join(" ")}`);
      const client = new GuardClient(launch, this.output, this.trace);
      this.client = client;
      client.onDidChangeState(({ newState }) => {
        this.onState(client, newState);
      });
      await client.start();
      this.onStatus({ kind: "running", detail: this.runningDetail() });
    } catch (error) {
      this.reportFailure(error);
    }
  }

  private async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.end();
  }

  /** The library restarts a server that crashed, up to five times in three minutes; the status follows. */
  private onState(client: GuardClient, state: State): void {
    if (client !== this.client || this.current !== undefined) {
      return;
    }
    if (state === State.Running) {
      this.onStatus({ kind: "running", detail: this.runningDetail() });
    } else if (state === State.Starting) {
      this.onStatus({ kind: "starting" });
    } else {
      this.onStatus({ kind: "stopped", detail: "The server ended." });
    }
  }

  private runningDetail(): string {
    return [this.identity, this.launch?.description].filter(Boolean).join(", ");
  }

  private reportFailure(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.output.error(error instanceof Error ? error : message);
    this.onStatus({ kind: "failed", detail: message });
    const choices = ["Open Settings", "Show Output"] as const;
    void vscode.window.showErrorMessage(`SQLAlchemy Guard did not start. ${message}`, ...choices).then((choice) => {
      if (choice === "Open Settings") {
        return vscode.commands.executeCommand("workbench.action.openSettings", `${SECTION}.interpreter`);
      }
      if (choice === "Show Output") {
        this.output.show();
      }
      return undefined;
    });
  }
}
