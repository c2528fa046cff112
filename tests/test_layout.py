"""The shape of the package: what may import what, what stays small, what is in the wheel."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sleepwake import recipebook

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "sleepwake").rglob("*.py"))


def test_the_orchestrator_fits_on_one_screen() -> None:
    text = (ROOT / "sleepwake" / "orchestrator.py").read_text()
    assert len(text.splitlines()) <= 120
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 50, node.name


def test_the_orchestrator_has_no_domain_word() -> None:
    text = (ROOT / "sleepwake" / "orchestrator.py").read_text().lower()
    assert not [
        word
        for word in ("image", "class ", "family", "token", "problem", "vision", "language")
        if word in text.replace("class orchestrator", "")
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_hides_something(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_nothing_is_unpickled_or_evaluated() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in (
                    "eval",
                    "exec",
                    "torch.load",
                    "pickle.load",
                    "pickle.loads",
                    "np.load",
                ) or "allow_pickle=False" in ast.unparse(node), f"{path}: {name}"
                assert not any(word.arg == "trust_remote_code" and ast.unparse(word.value) != "False" for word in node.keywords), path
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{path}: a bare except"


@pytest.mark.parametrize("name", recipebook.names())
def test_checking_a_recipe_imports_no_torch(name: str) -> None:
    heavy = "{'torch', 'transformers', 'diffusers', 'peft', 'trl', 'datasets', 'numpy', 'sklearn', 'matplotlib'}"
    code = (
        "import sys; from typer.testing import CliRunner; from sleepwake.cli import app\n"
        f"result = CliRunner().invoke(app, ['check', '{name}']); assert result.exit_code == 0, result.output\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_recipes_templates_and_the_generator_are_in_the_wheel(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = "from sleepwake import recipebook; print('\\n'.join(recipebook.names()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "site", capture_output=True, text=True, check=True)
    assert done.stdout.split() == recipebook.names()
    generator = "domains/vision/strokes_generator/unet/diffusion_pytorch_model.safetensors"
    assert all((tmp_path / "site" / "sleepwake" / file).exists() for file in ("report.html.j2", generator))
