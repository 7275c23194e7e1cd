"""The syntax trees of the packages, and what each module imports."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TORCH = {"torch", "torchvision", "exporter"}


def sources(package: str) -> dict[str, ast.Module]:
    """Dotted name inside the package -> its syntax tree."""
    files = sorted((ROOT / package).rglob("*.py"))
    assert len(files) > 1
    return {
        ".".join(file.relative_to(ROOT / package).with_suffix("").parts): ast.parse(file.read_text("utf-8"))
        for file in files
    }


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def running(tree: ast.AST):
    """Every node of the tree, without what only a type checker reads."""
    for child in ast.iter_child_nodes(tree):
        if not is_type_checking(child):
            yield child
            yield from running(child)


def imports(name: str, tree: ast.Module, package: str = "explainer", typing: bool = False) -> set[str]:
    """Full dotted names that a module imports when it runs, `from` imports with and without the name.

    With `typing`, also what it imports for a type checker alone.
    """
    parts = [package, *name.split(".")]
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    here = parts if name.endswith("__init__") else parts[:-1]
    found: set[str] = set()
    for node in ast.walk(tree) if typing else running(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def roots(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


EXPLAINER = sources("explainer")


def modules(*prefixes: str) -> dict[str, ast.Module]:
    chosen = {
        name: tree
        for name, tree in EXPLAINER.items()
        if any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
    }
    assert chosen, prefixes
    return chosen


def users_of(package: str) -> set[str]:
    """Modules of the explainer that import a package when they run."""
    return {name for name, tree in EXPLAINER.items() if package in roots(imports(name, tree))}
