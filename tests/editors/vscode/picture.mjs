// Takes the picture of the README: a file with its diagnostics, and the menu of quick fixes at one of them.
//
// usage: node picture.mjs OPTIONS.json, with those of session.mjs and: folder, file, line, word (where the cursor is put), action, picture
import path from "node:path";
import { address, options, remote, say, withVSCode } from "./session.mjs";

await withVSCode(["--disable-workspace-trust"], async (page, port) => {
  page.setDefaultTimeout(60_000);
  const file = remote(port, path.join(options.folder, options.file));
  await page.goto(address(port, [["openFile", file], ["skipWelcome", "true"]]));
  const editor = page.locator(".editor-instance .monaco-editor").first();
  await editor.locator(".squiggly-warning").first().waitFor();
  say("diagnostics shown");
  await page.keyboard.press("Control+Shift+M");
  await page.locator(".markers-panel .monaco-list-row").nth(1).waitFor();
  await editor.locator(".view-line", { hasText: options.line }).getByText(options.word).first().click();
  await page.keyboard.press("Control+.");
  const menu = page.locator(".action-widget:not(.action-list-submenu-panel)");
  await menu.getByText(options.action).first().waitFor();
  await page.screenshot({ path: options.picture });
  say(`picture taken: ${(await menu.innerText()).replaceAll("\n", "; ")}`);
});
