"""One hash of everything that is deployed, so that a change anywhere publishes new function versions."""

import hashlib

from ops.project import PROJECT_ROOT

_SOURCES = ("functions", "layers", "template.yaml", "monitoring.yaml", "samconfig.toml")


def code_version() -> str:
    """Return the SHA-256, in hex, of everything that makes a function what it is, paths included.

    That is functions, layers and templates, and the parameters that a stage gives to the template.
    """
    digest = hashlib.sha256()
    for source in _SOURCES:
        root = PROJECT_ROOT / source
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            name = path.relative_to(PROJECT_ROOT)
            # Caches and editors' files; sizes keep two files from being read as one.
            if any(part.startswith(".") or part == "__pycache__" for part in name.parts):
                continue
            content = path.read_bytes()
            digest.update(f"{name.as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


if __name__ == "__main__":
    print(code_version())
