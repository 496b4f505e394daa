"""The names of the package: few, found when they are used, and the same whatever was imported before."""

import subprocess
import sys
from pathlib import Path

import pytest

import edasim

ROOT = Path(__file__).resolve().parent.parent


def printed(program: str) -> str:
    """What a program prints in a fresh Python."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", edasim.__all__)
def test_every_name_that_is_promised_is_there(name: str) -> None:
    assert getattr(edasim, name) is not None
    assert name in dir(edasim)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'fly'"):
        edasim.fly  # type: ignore[attr-defined]  # noqa: B018


def test_simulate_stays_a_function_after_its_module_was_imported() -> None:
    program = "import edasim.simulate, edasim.study.compare; import edasim; print(callable(edasim.simulate))"
    assert printed(program) == "True"
    program = "import edasim; edasim.simulate; from edasim.simulate import Run; print(edasim.Run is Run)"
    assert printed(program) == "True"


def test_importing_and_loading_needs_no_library_that_draws() -> None:
    program = (
        "import sys, edasim; edasim.load('scenarios/payment-outage.yml'); edasim.simulate; edasim.compare; "
        "print([name for name in ('matplotlib', 'pandas', 'networkx', 'ipywidgets', 'scipy') if name in sys.modules])"
    )
    assert printed(program) == "[]"


def test_the_ten_lines_of_the_readme_work(tmp_path: Path) -> None:
    shop = edasim.load(ROOT / "scenarios" / "payment-outage.yml").change({"duration": "8s", "faults.outage.at": "3s"})
    run = edasim.simulate(shop, "kafka", seed=7)
    assert "kafka" in str(run)
    both = edasim.compare(shop, ["monolith", "kafka"], replications=2, seed=7)
    assert isinstance(both, edasim.Comparison)
    assert "Kafka" in str(both.table())
    assert both.verdict() in str(both)
    assert both.chart()._repr_png_().startswith(b"\x89PNG")
