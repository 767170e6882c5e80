"""The settings: what wins over what, how a bad value is told, and that the files that list them are right."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import settings
from settings import ROOT, ModelSettings, Settings, SettingsError, load, setting_rows

NOWHERE = Path("/nonexistent/.env")
NAMES = [name for name, _, _ in setting_rows()]
# read by docker-compose, Spark and Java, and set beside ours in .env
OF_OTHERS = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "SPARK_HOME", "JAVA_HOME"}


def dotenv(folder: Path, text: str) -> Path:
    file = folder / ".env"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_a_word_the_defaults_hold() -> None:
    assert load({}, NOWHERE) == Settings()
    assert Settings().port == 5430
    assert Settings().state_dir == ROOT / "var"


def test_an_empty_value_is_no_value() -> None:
    assert load({"MATINEE_PORT": "", "DATABASE_URL": " "}, NOWHERE) == Settings()


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_default(tmp_path: Path) -> None:
    file = dotenv(tmp_path, "MATINEE_PORT=6000\nMATINEE_THREADS=3\n# MATINEE_SEED=9\nMATINEE_DATASET='a b é'\n")
    loaded = load({"MATINEE_PORT": "7000", "PATH": "/bin"}, file)
    assert (loaded.port, loaded.threads, loaded.model.seed, loaded.dataset) == (7000, 3, 42, "a b é")


def test_every_setting_is_read() -> None:
    read = load({"MATINEE_RANKER_RANK": " 8 ", "MATINEE_NOISE": "1e-2", "DATABASE_URL": "postgresql://x"}, NOWHERE)
    assert (read.model.ranker_rank, read.model.noise, read.database_url) == (8, 0.01, "postgresql://x")


@pytest.mark.parametrize(
    "url",
    [
        "postgres://localhost",
        "postgresql:///matinee?host=/run/postgresql",
        "postgresql://m:p%40ss@[::1]:5432/matinee",
        "postgresql+psycopg2://m:a/b#c@db.example:5432/matinee?sslmode=require",
    ],
)
def test_the_url_of_a_postgresql_may_have_any_usual_form(url: str) -> None:
    assert load({"DATABASE_URL": url}, NOWHERE).database_url == url


def test_a_bad_url_is_told_without_its_password() -> None:
    with pytest.raises(SettingsError) as told:
        load({"DATABASE_URL": "postgresql://matinee:secret@host:port/matinee"}, NOWHERE)
    assert "matinee:***@host:port" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_relative_folder_is_taken_from_the_project() -> None:
    assert load({"MATINEE_STATE_DIR": "var/x"}, NOWHERE).state_dir == ROOT / "var/x"
    assert load({"MATINEE_STATE_DIR": "/srv/matinee"}, NOWHERE).state_dir == Path("/srv/matinee")


BAD = [("MATINEE_LOG_LEVEL", "LOUD"), ("MATINEE_PORT", "0"), ("MATINEE_PORT", "65536"), ("MATINEE_PORT", "-1"),
       ("MATINEE_PORT", "http"), ("MATINEE_PORT", "5430.0"), ("MATINEE_RETRAIN_MINUTES", "-1"),
       ("MATINEE_RETRAIN_MINUTES", "nan"), ("MATINEE_RETRAIN_MINUTES", "inf"), ("MATINEE_RANKER_REG", "much"),
       ("MATINEE_LIKE_THRESHOLD", "6"), ("DATABASE_URL", "not a url"), ("DATABASE_URL", "mysql://x/y"),
       ("DATABASE_URL", "postgresql://x:http/y"), ("DATABASE_URL", "sqlite.db")]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_names_itself_and_what_is_right(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}='{value}': give (a|one of) "):
        load({name: value}, NOWHERE)


@pytest.mark.parametrize("name", [f.metadata["name"] for f in fields(ModelSettings)])
def test_no_parameter_of_the_model_takes_a_word(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load({name: "word"}, NOWHERE)


def test_small_sets_are_trained_with_the_defaults_and_larger_ones_with_less() -> None:
    settings = load({}, NOWHERE)
    assert settings.model_for(1_000_000) == ModelSettings()
    ranker = [(m.ranker_rank, m.ranker_iterations) for m in map(settings.model_for, (2_000_000, 5_000_000))]
    assert ranker == [(64, 4), (32, 4)]
    assert (settings.heap_for(1_000_000), settings.heap_for(32_000_000)) == ("2g", "3g")


def test_what_the_operator_sets_holds_for_sets_of_any_size() -> None:
    given = {"MATINEE_RANKER_RANK": "64", "MATINEE_RATER_ITERATIONS": "9", "MATINEE_SPARK_DRIVER_MEMORY": "2g"}
    settings = load(given, NOWHERE)
    large = settings.model_for(32_000_000)
    assert (large.ranker_rank, large.rater_iterations, large.rater_rank) == (64, 9, 16)
    assert settings.heap_for(32_000_000) == "2g"


def test_every_bad_value_is_told_at_once(tmp_path: Path) -> None:
    file = dotenv(tmp_path, "MATINEE_THREADS=none\n")
    with pytest.raises(SettingsError) as told:
        load({"MATINEE_PORT": "x", "MATINEE_SEED": "-1"}, file)
    assert all(name in str(told.value) for name in ("MATINEE_THREADS", "MATINEE_PORT", "MATINEE_SEED"))


def test_a_name_of_ours_that_is_no_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MATINEE_PROT is not a setting"):
        load({"MATINEE_PROT": "1"}, NOWHERE)
    with pytest.raises(SettingsError, match="MATINEE_PROT is not a setting"):
        load({}, dotenv(tmp_path, "MATINEE_PROT=1\n"))


def test_the_table_is_complete_and_every_default_is_a_value_it_would_take() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for name, default, sentence in setting_rows():
        assert sentence.endswith(".")
        assert load({name: str(default)}, NOWHERE) == Settings(), name


def test_dotenv_names_only_settings_that_exist() -> None:
    text = (ROOT / ".env").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# ?)?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert named
    assert named <= set(NAMES) | OF_OTHERS
    settings.load({})  # and what it sets can be read


def test_the_readme_names_every_setting_and_no_other() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if not re.search(rf"\b{name}\b", text)] == []
    assert set(re.findall(r"\bMATINEE_[A-Z0-9_]+", text)) <= set(NAMES)
