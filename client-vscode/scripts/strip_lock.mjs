// Takes addresses out of the lock file: who installs uses the registry that is configured, and funding pages are no
// business of ours. Run by `npm run lock`, which is how dependencies are updated.
import { readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const entry of Object.values(lock.packages)) {
  delete entry.funding;
  delete entry.resolved;
}
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
