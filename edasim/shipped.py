"""Where the shipped scenarios and notebooks are found: beside the installed code, or at the root of a clone."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def scenarios_folder() -> Path:
    """The folder of the shipped scenarios.

    Raises FileNotFoundError if this copy of edasim has none.
    """
    return _folder("scenarios")


def notebooks_folder() -> Path:
    """The folder of the shipped notebooks.

    Raises FileNotFoundError if this copy of edasim has none.
    """
    return _folder("notebooks")


def _folder(name: str) -> Path:
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"This copy of edasim came without its {name} folder: install it again.")


def scenario_names() -> tuple[str, ...]:
    """The names of the shipped scenarios in alphabetical order, such as `payment-outage`."""
    return tuple(sorted(file.stem for file in scenarios_folder().glob("*.yml")))


def scenario_file(name: str) -> Path:
    """The file of a shipped scenario, named with or without `.yml`.

    Raises FileNotFoundError with a sentence that lists the names that there are.
    """
    file = scenarios_folder() / f"{name.removesuffix('.yml')}.yml"
    if not file.is_file():
        known = ", ".join(scenario_names())
        raise FileNotFoundError(f"There is no shipped scenario {name!r}; there are {known}.")
    return file


def found(file: str) -> str:
    """The path of a file; a bare name that is no file here may be that of a shipped scenario."""
    shipped = file.removesuffix(".yml") in known_names() and not Path(file).exists()
    return str(scenario_file(file)) if shipped else file


def known_names() -> tuple[str, ...]:
    """The names of the shipped scenarios, none where this copy of edasim came without them."""
    try:
        return scenario_names()
    except FileNotFoundError:
        return ()
