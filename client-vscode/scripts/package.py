"""Packs the extension into a `.vsix`: a zip archive with two descriptions around the folder `extension/`.

The same input gives the same bytes: entries are sorted and carry a fixed time. Written here, because the usual
packager brings some hundred dependencies and needs a newer Node than the rest of the client.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

CLIENT = Path(__file__).resolve().parent.parent
SINGLE_FILES = (
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "out/extension.js",
    "out/LICENSES.txt",
    "images/icon.png",
)
NEVER = {"__pycache__", ".mypy_cache", ".ruff_cache"}
ONLY_FOR_DEVELOPERS = ("scripts", "devDependencies", "dependencies", "private")
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
CONTENT_TYPES = {
    ".json": "application/json",
    ".js": "application/javascript",
    ".md": "text/markdown",
    ".png": "image/png",
    ".py": "text/x-python",
    ".pyi": "text/x-python",
    ".txt": "text/plain",
    ".typed": "text/plain",
    ".vsixmanifest": "text/xml",
}
ASSETS = {
    "Microsoft.VisualStudio.Code.Manifest": "extension/package.json",
    "Microsoft.VisualStudio.Services.Content.Details": "extension/README.md",
    "Microsoft.VisualStudio.Services.Content.Changelog": "extension/CHANGELOG.md",
    "Microsoft.VisualStudio.Services.Content.License": "extension/LICENSE",
    "Microsoft.VisualStudio.Services.Icons.Default": "extension/images/icon.png",
}


def main() -> None:
    package = json.loads((CLIENT / "package.json").read_text("utf-8"))
    target = (
        Path(sys.argv[1]) if len(sys.argv) > 1 else CLIENT / f"{package['name']}-{package['version']}.vsix"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    entries = contents(package)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    print(f"{target} ({len(entries)} files, {target.stat().st_size / 1024:.0f} KB)")


def contents(package: dict[str, Any]) -> dict[str, bytes]:
    """The entries of the archive by name."""
    files = [CLIENT / name for name in SINGLE_FILES]
    bundled = [path for path in (CLIENT / "bundled").rglob("*") if path.is_file()]
    files += [path for path in bundled if not NEVER.intersection(path.parts)]
    missing = [str(path) for path in (*files, CLIENT / "bundled" / "launch.py") if not path.is_file()]
    if missing:
        raise SystemExit(f"missing: {', '.join(missing)}; run `npm run build` and `scripts/bundle.py` first")
    entries = {f"extension/{path.relative_to(CLIENT).as_posix()}": path.read_bytes() for path in files}
    shipped = {key: value for key, value in package.items() if key not in ONLY_FOR_DEVELOPERS}
    entries["extension/package.json"] = json.dumps(shipped, indent=2, ensure_ascii=False).encode()
    entries["extension.vsixmanifest"] = manifest(package).encode()
    entries["[Content_Types].xml"] = content_types(entries).encode()
    return entries


def manifest(package: dict[str, Any]) -> str:
    """What the editor's installer and the marketplace read before they unpack."""
    tags = ",".join(package["keywords"])
    properties = {
        "Microsoft.VisualStudio.Code.Engine": package["engines"]["vscode"],
        "Microsoft.VisualStudio.Code.ExtensionKind": ",".join(package["extensionKind"]),
        "Microsoft.VisualStudio.Code.ExtensionDependencies": "",
        "Microsoft.VisualStudio.Code.ExtensionPack": "",
        "Microsoft.VisualStudio.Code.ExecutesCode": "true",
    }
    identity = " ".join(
        f"{key}={quoteattr(value)}"
        for key, value in (
            ("Language", "en-US"),
            ("Id", package["name"]),
            ("Version", package["version"]),
            ("Publisher", package["publisher"]),
        )
    )
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">',
        "<Metadata>",
        f"<Identity {identity}/>",
        f"<DisplayName>{escape(package['displayName'])}</DisplayName>",
        f'<Description xml:space="preserve">{escape(package["description"])}</Description>',
        f"<Tags>{escape(tags)}</Tags>",
        f"<Categories>{escape(','.join(package['categories']))}</Categories>",
        "<GalleryFlags>Public</GalleryFlags>",
        "<License>extension/LICENSE</License>",
        "<Icon>extension/images/icon.png</Icon>",
        "<Properties>",
        *(f"<Property Id={quoteattr(key)} Value={quoteattr(value)}/>" for key, value in properties.items()),
        "</Properties>",
        "</Metadata>",
        '<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>',
        "<Dependencies/>",
        "<Assets>",
        *(f'<Asset Type="{kind}" Path="{path}" Addressable="true"/>' for kind, path in ASSETS.items()),
        "</Assets>",
        "</PackageManifest>",
    ]
    return "\n".join(lines) + "\n"


def content_types(entries: dict[str, bytes]) -> str:
    """The media types of the archive's entries, as its container format demands."""
    suffixes = {Path(name).suffix for name in entries} - {""}
    defaults = (
        f'<Default Extension="{suffix}" ContentType="{CONTENT_TYPES.get(suffix, "application/octet-stream")}"/>'
        for suffix in sorted(suffixes)
    )
    namespace = "http://schemas.openxmlformats.org/package/2006/content-types"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<Types xmlns="{namespace}">{"".join(defaults)}</Types>\n'


if __name__ == "__main__":
    main()
