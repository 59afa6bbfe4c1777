/** What the status item of Python files shows: the server's state, and a command that helps in it. */
import * as vscode from "vscode";

/** What the server is doing, as the user sees it. */
export type ServerStatus =
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly detail: string }
  | { readonly kind: "stopped"; readonly detail: string }
  | { readonly kind: "failed"; readonly detail: string };

const RESTART: vscode.Command = { title: "Restart", command: "sqlalchemyGuard.restart" };
const SHOW_OUTPUT: vscode.Command = { title: "Show Output", command: "sqlalchemyGuard.showOutput" };

export class StatusItem implements vscode.Disposable {
  private readonly item: vscode.LanguageStatusItem;

  constructor(selector: vscode.DocumentSelector) {
    this.item = vscode.languages.createLanguageStatusItem("sqlalchemyGuard.status", selector);
    this.item.name = "SQLAlchemy Guard";
    this.show({ kind: "starting" });
  }

  show(status: ServerStatus): void {
    this.item.busy = status.kind === "starting";
    this.item.severity =
      status.kind === "failed" ? vscode.LanguageStatusSeverity.Error : vscode.LanguageStatusSeverity.Information;
    this.item.command = status.kind === "running" ? SHOW_OUTPUT : RESTART;
    this.item.text = status.kind === "running" ? "SQLAlchemy Guard" : `SQLAlchemy Guard: ${status.kind}`;
    this.item.detail = "detail" in status ? status.detail : "";
  }

  dispose(): void {
    this.item.dispose();
  }
}
