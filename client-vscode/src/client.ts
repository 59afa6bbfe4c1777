/** One connection to one server: which documents it sees, which settings, and what a crash leads to. */
import type { ChildProcess } from "node:child_process";
import * as vscode from "vscode";
import {
  CloseAction,
  type ConfigurationRequest,
  DidChangeConfigurationNotification,
  type DocumentFilter,
  type ErrorHandler,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
} from "vscode-languageclient/node";
import type { Launch } from "./launch";
import { initializationOptions, SECTION, serverSettings } from "./settings";

const START_TIMEOUT_MS = 60_000;

/** What is not Python and yet starts or tests applications: pipelines, scripts, configuration. By name, whatever its language. */
const PIPELINES = [
  "**/.github/workflows/*.{yml,yaml}",
  "**/{.gitlab-ci*,*.gitlab-ci}.{yml,yaml}",
  "**/.circleci/*.{yml,yaml}",
  "**/{azure-pipelines*,.azure-pipelines*}.{yml,yaml}",
  "**/*compose*.{yml,yaml}",
  "**/{k8s,kubernetes,kube,manifests,helm,charts,chart,deploy,deployment,deployments,kustomize}/**/*.{yml,yaml}",
  "**/*{deployment,statefulset,cronjob,rollout}*.{yml,yaml}",
  "**/{Dockerfile,Containerfile}*",
  "**/*.{Dockerfile,dockerfile}",
  "**/{Procfile,Jenkinsfile,Makefile,makefile,GNUmakefile}*",
  "**/*.sh",
  "**/*.ini",
  "**/{fly,fly.*,railway}.toml",
  "**/{render,heroku}.{yml,yaml}",
  "**/railway.json",
];

/** Documents that the server is told of. */
export const DOCUMENTS = [
  { scheme: "file", language: "python" },
  { scheme: "untitled", language: "python" },
  { scheme: "vscode-vfs", language: "python" },
  { scheme: "vscode-notebook-cell", language: "python" },
  { scheme: "file", pattern: "**/pyproject.toml" },
  { scheme: "file", pattern: "**/sqlalchemy-guard.toml" },
  { scheme: "file", pattern: "**/.sqlalchemy-guard.toml" },
  ...PIPELINES.map((pattern) => ({ scheme: "file", pattern })),
] satisfies DocumentFilter[];

export class GuardClient extends LanguageClient {
  private phase: "starting" | "running" | "ended" = "starting";

  constructor(launch: Launch, output: vscode.LogOutputChannel, trace: vscode.LogOutputChannel) {
    const server = {
      command: launch.command,
      args: [...launch.args],
      options: { cwd: launch.cwd },
    };
    super(SECTION, "SQLAlchemy Guard", server, clientOptions(output, trace));
    this.clientOptions.middleware = { workspace: { configuration, didChangeConfiguration: () => this.sendSettings() } };
  }

  private sendSettings(): Promise<void> {
    return this.sendNotification(DidChangeConfigurationNotification.type, {
      settings: { [SECTION]: serverSettings() },
    });
  }

  /** Starts the server; one that does not answer is ended, so that a later restart is not held up by it. */
  override async start(): Promise<void> {
    const timer = setTimeout(() => this.serverProcess?.kill(), START_TIMEOUT_MS);
    try {
      await super.start();
      this.phase = "running";
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the server in whatever state it is. */
  async end(): Promise<void> {
    this.phase = "ended";
    const process: ChildProcess | undefined = this.serverProcess;
    try {
      await this.dispose();
    } catch (error) {
      // It did not stop in time, or was about to start again after a crash.
      this.outputChannel.warn(`The server is ended by force: ${String(error)}`);
      process?.kill();
      this.serverProcess?.kill();
    }
  }

  /** A server that crashes is started again a few times; one that fails at the start is told of by its starter. */
  override createDefaultErrorHandler(maxRestartCount?: number): ErrorHandler {
    const policy = super.createDefaultErrorHandler(maxRestartCount);
    return {
      error: (error, message, count) => policy.error(error, message, count),
      closed: () =>
        this.phase === "running" ? policy.closed() : { action: CloseAction.DoNotRestart, handled: true },
    };
  }

  /** While starting, a failure goes to the log alone: whoever starts the client shows one message of his own. */
  override error(message: string, data?: unknown, showNotification: boolean | "force" = true): void {
    super.error(message, data, this.phase === "running" ? showNotification : false);
  }
}

function clientOptions(output: vscode.LogOutputChannel, trace: vscode.LogOutputChannel): LanguageClientOptions {
  return {
    documentSelector: DOCUMENTS,
    outputChannel: output,
    traceOutputChannel: trace,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions,
    initializationFailedHandler: () => false,
    stdioOptions: { stdout: forwardLines, stderr: forwardLines },
  };
}

/** Only what the user wrote goes to the server: an unset option must not override the configuration file. */
const configuration: ConfigurationRequest.MiddlewareSignature = async (params, token, next) => {
  const answers = await next(params, token);
  if (!Array.isArray(answers)) {
    return answers;
  }
  return params.items.map((item, index): unknown => {
    if (item.section !== SECTION) {
      return answers[index];
    }
    return serverSettings(item.scopeUri ? vscode.Uri.parse(item.scopeUri, true) : undefined);
  });
};

function forwardLines(input: NodeJS.ReadableStream, channel: vscode.LogOutputChannel): void {
  let rest = "";
  input.on("data", (data: Buffer | string) => {
    const lines = (rest + data.toString()).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      channel.info(line);
    }
  });
  input.on("end", () => {
    if (rest !== "") {
      channel.info(rest);
    }
  });
}
