/**
 * Finds a Python that can run the server. The interpreter is a runtime only: the user's packages are read as files,
 * so a project of any Python version can be served by any Python from 3.11 on.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { PythonExtension } from "@vscode/python-extension";
import * as vscode from "vscode";

const run = promisify(execFile);
const PYTHON_EXTENSION = "ms-python.python";
const PROBE = "import json, sys; print(json.dumps([sys.executable, *sys.version_info[:3]]))";
const PROBE_TIMEOUT_MS = 15_000;
const EXTENSION_TIMEOUT_MS = 10_000;

export const OLDEST: readonly [number, number] = [3, 11];

/** A Python that answered and is new enough. */
export interface Interpreter {
  /** What to start: a program and its first arguments. */
  readonly command: readonly string[];
  /** The full path that it gave for itself. */
  readonly executable: string;
  readonly version: string;
  /** Who named it, in words for the user. */
  readonly source: string;
}

/** No usable Python: the message says what was tried and what to do. */
export class NoInterpreterError extends Error {
  override readonly name = "NoInterpreterError";
}

interface Candidate {
  readonly command: readonly string[];
  readonly source: string;
}

/**
 * The first usable Python: the setting's, else that of the Python extension, else one on PATH.
 *
 * @param configured The interpreter setting; when it is not empty nothing else is tried.
 * @param trusted Whether the workspace's own environments may be run.
 * @param cwd A folder of ours to run the probes in: Windows looks for programs there first.
 * @throws NoInterpreterError when there is none.
 */
export async function findInterpreter(
  configured: string,
  trusted: boolean,
  cwd: string,
  log: vscode.LogOutputChannel,
): Promise<Interpreter> {
  const failures: string[] = [];
  for await (const candidate of candidates(configured, trusted, log)) {
    const found = await probe(candidate, cwd);
    if (typeof found !== "string") {
      return found;
    }
    log.info(`Not used: ${candidate.command.join(" ")} (${candidate.source}): ${found}`);
    failures.push(`${candidate.command.join(" ")}: ${found}`);
  }
  const wanted = OLDEST.join(".");
  throw new NoInterpreterError(
    configured === ""
      ? `SQLAlchemy Guard needs Python ${wanted} or newer to run, and found none. ` +
          "Your project itself may use any version. Install one, or name it in the setting `sqlalchemyGuard.interpreter`."
      : `SQLAlchemy Guard cannot run with the Python of the setting \`sqlalchemyGuard.interpreter\`. ${failures.join("; ")}. ` +
          `Name a Python ${wanted} or newer there, or remove the setting. Your project itself may use any version.`,
  );
}

/** Calls back when the environment that is selected in the Python extension changes. */
export async function onDidChangeEnvironment(callback: () => void): Promise<vscode.Disposable | undefined> {
  const api = await pythonExtension();
  return api?.environments.onDidChangeActiveEnvironmentPath(callback);
}

async function* candidates(
  configured: string,
  trusted: boolean,
  log: vscode.LogOutputChannel,
): AsyncGenerator<Candidate> {
  if (configured !== "") {
    yield { command: [configured], source: "setting" };
    return;
  }
  const selected = trusted ? await selectedEnvironment(log) : undefined;
  if (selected !== undefined) {
    yield { command: [selected], source: "Python extension" };
  }
  const newest = ["3.14", "3.13", "3.12", "3.11"];
  const onPath =
    process.platform === "win32"
      ? [["python"], ["py", "-3"], ["python3"]]
      : [["python3"], ["python"], ...newest.map((version) => [`python${version}`])];
  yield* onPath.map((command) => ({ command, source: "PATH" }));
}

/** The interpreter that, or in words why it cannot be used. */
async function probe(candidate: Candidate, cwd: string): Promise<Interpreter | string> {
  const [program = "", ...args] = candidate.command;
  try {
    const { stdout } = await run(program, [...args, "-I", "-S", "-c", PROBE], { cwd, timeout: PROBE_TIMEOUT_MS });
    const [executable, major, minor, micro] = JSON.parse(stdout) as [string, number, number, number];
    const version = `${major}.${minor}.${micro}`;
    if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
      return `it is Python ${version}`;
    }
    return { command: candidate.command, executable, version, source: candidate.source };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return "there is no such program";
    }
    return `it did not answer as Python does (${firstLine(error)})`;
  }
}

async function selectedEnvironment(log: vscode.LogOutputChannel): Promise<string | undefined> {
  try {
    const api = await pythonExtension();
    if (api === undefined) {
      return undefined;
    }
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const environment = await api.environments.resolveEnvironment(api.environments.getActiveEnvironmentPath(folder));
    return environment?.executable.uri?.fsPath;
  } catch (error) {
    log.warn(`The Python extension did not name an environment: ${firstLine(error)}`);
    return undefined;
  }
}

/** The API of the Python extension, undefined when it is not installed or takes too long to start. */
async function pythonExtension(): Promise<PythonExtension | undefined> {
  const extension = vscode.extensions.getExtension<PythonExtension>(PYTHON_EXTENSION);
  if (extension === undefined) {
    return undefined;
  }
  if (extension.isActive) {
    return extension.exports;
  }
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined);
    }, EXTENSION_TIMEOUT_MS);
  });
  try {
    return await Promise.race([extension.activate(), tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? text;
}
