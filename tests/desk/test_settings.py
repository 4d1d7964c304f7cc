"""Settings are checked at start and name the variable that is wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from desk.database import DatabaseUnavailableError, wait_until_up
from desk.settings import Settings, SettingsError, load_settings
from sources.db import make_engine


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BREAKWATER_PORT", "eighty", "BREAKWATER_PORT: "),
        ("BREAKWATER_TIME_ZONE", "Mars/Olympus", "BREAKWATER_TIME_ZONE: 'Mars/Olympus'"),
        ("BREAKWATER_DATABASE_URL", "mysql://x/y", "BREAKWATER_DATABASE_URL: names mysql"),
        ("BREAKWATER_DATABASE_URL", "no url", "BREAKWATER_DATABASE_URL: is no database URL"),
        ("BREAKWATER_SECRET_KEY", "short", "BREAKWATER_SECRET_KEY: needs at least 32"),
        ("BREAKWATER_FEEDS", "https://fine.example/rss, nonsense", "BREAKWATER_FEEDS: "),
        ("BREAKWATER_JETSTREAM_URL", "https://x.example", "BREAKWATER_JETSTREAM_URL: "),
        ("BREAKWATER_DATABASE_URL", "postgresql://h:abc/d", "BREAKWATER_DATABASE_URL: is no data"),
        ("BREAKWATER_DATABASE_URL", "postgresql://h/d", "BREAKWATER_SECRET_KEY is needed"),
        ("BREAKWATER_HOST", "", "BREAKWATER_HOST: "),
        ("BREAKWATER_DEMO_SPEED", "inf", "BREAKWATER_DEMO_SPEED: "),
        ("BREAKWATER_DATABSE_URL", "postgresql://x", "BREAKWATER_DATABSE_URL is not a setting"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as fault:
        load_settings()
    assert says in str(fault.value)
    assert "short" not in str(fault.value)  # a secret is never repeated


def test_empty_means_default_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_DATABASE_URL", "")
    monkeypatch.setenv("BREAKWATER_JETSTREAM_URL", "")
    monkeypatch.setenv("BREAKWATER_FEEDS", "https://a.example/rss, https://b.example/atom")
    settings = load_settings()
    assert settings.database_url is None
    assert settings.jetstream_url is None
    assert settings.feeds == ("https://a.example/rss", "https://b.example/atom")


def test_the_docs_list_every_setting_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    listed = set(re.findall(r"BREAKWATER_[A-Z_]+", page))
    assert listed == {f"BREAKWATER_{name.upper()}" for name in Settings.model_fields}


def desk(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "desk", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_command_line_says_one_sentence_and_stops(tmp_path: Path) -> None:
    answer = desk("migrate", BREAKWATER_PORT="eighty", BREAKWATER_DATA_DIR=str(tmp_path))
    assert answer.returncode == 1
    assert "BREAKWATER_PORT" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_wrong_password_is_said_at_once_and_not_printed(database_url: str) -> None:
    nobody = make_url(database_url).set(username="nobody", password="wrong-password")
    engine = make_engine(nobody.render_as_string(hide_password=False))
    with pytest.raises(DatabaseUnavailableError) as fault:
        wait_until_up(engine, patience=30)
    assert "BREAKWATER_DATABASE_URL" in str(fault.value)
    assert "wrong-password" not in str(fault.value)


def test_a_database_that_is_down_is_waited_for_and_then_named() -> None:
    engine = make_engine("postgresql+psycopg://x@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailableError, match="refuses"):
        wait_until_up(engine, patience=1)


def test_a_missing_model_stops_the_worker_with_one_sentence(
    database_url: str, tmp_path: Path
) -> None:
    answer = desk(
        "work",
        BREAKWATER_DATABASE_URL=database_url,
        BREAKWATER_SECRET_KEY="k" * 32,
        BREAKWATER_DATA_DIR=str(tmp_path),
        BREAKWATER_MODEL=str(tmp_path / "no-model"),
    )
    assert answer.returncode == 1
    assert "BREAKWATER_MODEL" in answer.stderr
    assert "Traceback" not in answer.stderr
