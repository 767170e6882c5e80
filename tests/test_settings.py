"""The settings: precedence, messages about bad values, and the files that list the settings."""

import re
import traceback
from dataclasses import fields
from pathlib import Path

import pytest

import settings
from settings import ROOT, ModelSettings, Settings, SettingsError, load, setting_name, setting_rows

NO_FILE = Path("/nonexistent/.env")
NAMES = [name for name, _, _ in setting_rows()]
# settings of docker-compose, Spark and Java that .env also contains
FOREIGN = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "SPARK_HOME", "JAVA_HOME"}


def dotenv(folder: Path, text: str) -> Path:
    file = folder / ".env"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_settings_the_defaults_apply() -> None:
    assert load({}, NO_FILE) == Settings()
    assert Settings().port == 5430
    assert Settings().state_dir == ROOT / "var"


def test_an_empty_value_counts_as_unset() -> None:
    assert load({"MATINEE_PORT": "", "DATABASE_URL": " "}, NO_FILE) == Settings()


def test_the_environment_overrides_dotenv_and_dotenv_the_default(tmp_path: Path) -> None:
    file = dotenv(tmp_path, "MATINEE_PORT=6000\nMATINEE_THREADS=3\n# MATINEE_SEED=9\nMATINEE_DATASET='a b é'\n")
    loaded = load({"MATINEE_PORT": "7000", "PATH": "/bin"}, file)
    assert (loaded.port, loaded.threads, loaded.model.seed, loaded.dataset) == (7000, 3, 42, "a b é")


def test_every_setting_is_read() -> None:
    read = load({"MATINEE_RANKER_RANK": " 8 ", "MATINEE_NOISE": "1e-2", "DATABASE_URL": "postgresql://x"}, NO_FILE)
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
def test_a_postgresql_url_can_have_any_usual_form(url: str) -> None:
    assert load({"DATABASE_URL": url}, NO_FILE).database_url == url


def test_an_invalid_url_is_refused_without_showing_its_password() -> None:
    for url in [
        "postgresql://matinee:hunter2@host:port/matinee",
        "postgresql://matinee:hunter2",
        "postgresql://matinee:a/hunter2",
        "postgresql://matinee:hun@ter2@host/matinee",
        "postgresql://matinee:hunter2@host:70000/matinee",
        "postgresql://matinee:%ffhunter2@host/matinee",
        "postgresql://matinee:hunter2%00@host/matinee",
        "postgresql://matinee@host/matinee?password=hunter2&schema=x",
        "postgresql://matinee@host/matinee?pgbouncer=true&password=hunter2",
        "postgresql://matinee@host/matinee?password=hunter2&connect_timeout=abc",
        "postgresql://matinee@host/matinee?password=hunter2&password=hunter2",
        "postgresql://matinee@host/matinee?hunter2",
        "mysql://matinee:hunter2@host/matinee",
        "host=x password=hunter2",
    ]:
        with pytest.raises(SettingsError, match=r"^DATABASE_URL: give a URL like postgresql://") as refused:
            load({"DATABASE_URL": url}, NO_FILE)
        assert "ter2" not in "".join(traceback.format_exception(refused.value))
        assert "schema" not in url or "options=-csearch_path%3DNAME" in str(refused.value)


def test_no_secret_is_in_the_repr_of_the_settings() -> None:
    names = ("DATABASE_URL", "MATINEE_API_KEY", "MATINEE_ADMIN_KEY", "MATINEE_SPARK_CONF", "MATINEE_SPARK_STORAGE")
    values = ("postgresql://x:hunter2-and-more@y", *["hunter2-and-more"] * 2, "spark.x=hunter2", "s3a://x:hunter2@y")
    assert "hunter2" not in repr(load(dict(zip(names, values, strict=True)), NO_FILE))


def test_a_relative_folder_is_relative_to_the_project() -> None:
    assert load({"MATINEE_STATE_DIR": "var/x"}, NO_FILE).state_dir == ROOT / "var/x"
    assert load({"MATINEE_STATE_DIR": "/srv/matinee"}, NO_FILE).state_dir == Path("/srv/matinee")


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_may_have_brackets(host: str) -> None:
    loaded = load({"MATINEE_HOST": host}, NO_FILE)
    assert (loaded.host, loaded.loopback) == ("::1", True)


BAD = [("MATINEE_LOG_LEVEL", "LOUD"), ("MATINEE_PORT", "0"), ("MATINEE_PORT", "65536"), ("MATINEE_PORT", "-1"),
       ("MATINEE_PORT", "http"), ("MATINEE_PORT", "5430.0"), ("MATINEE_RETRAIN_MINUTES", "-1"),
       ("MATINEE_RETRAIN_MINUTES", "nan"), ("MATINEE_RETRAIN_MINUTES", "inf"), ("MATINEE_RANKER_REG", "much"),
       ("MATINEE_HOST", "127.0.0.1:5464"), ("MATINEE_HOST", "[::1]:5464"), ("MATINEE_HOST", "unix:/run/matinee"),
       ("MATINEE_LIKE_THRESHOLD", "6"), ("MATINEE_STATE_DIR", "~nobody-of-this-name/x"),
       *(("MATINEE_SPARK_DRIVER_MEMORY", size) for size in ("2 GB", "lots", "2048", "2gb", "100m", "0g", "90000t")),
       *(("MATINEE_SPARK_MASTER", url)
         for url in ("locale[*]", "local[0]", "local[]", "spark://host", "host:7077"))]  # fmt: skip


def test_the_message_about_a_bad_value_names_it_and_the_valid_values() -> None:
    for name, value in BAD:
        with pytest.raises(SettingsError, match=f"^{name}='{re.escape(value)}': give (a|one of) "):
            load({name: value}, NO_FILE)


def test_every_model_parameter_refuses_a_word() -> None:
    for name in [setting_name(f) for f in fields(ModelSettings)]:
        with pytest.raises(SettingsError, match=name):
            load({name: "word"}, NO_FILE)


def test_the_number_of_ratings_decides_what_is_not_set() -> None:
    settings = load({}, NO_FILE)
    assert settings.model_for(499_999) == ModelSettings()
    large = settings.model_for(500_000)
    assert (large.ranker_rank, large.ranker_reg, large.ranker_alpha) == (96, 0.1, 1.0)
    assert (large.plain_weight, large.plain_exponent) == (1.0, 1.0)
    ranker = [(m.ranker_rank, m.ranker_iterations) for m in map(settings.model_for, (2_000_000, 5_000_000))]
    assert ranker == [(96, 4), (32, 4)]
    assert (settings.heap_for(1_000_000), settings.heap_for(32_000_000)) == ("2g", "3g")


def test_explicit_model_settings_apply_to_datasets_of_any_size() -> None:
    given = {"MATINEE_RANKER_RANK": "64", "MATINEE_RATER_ITERATIONS": "9", "MATINEE_SPARK_DRIVER_MEMORY": "2g"}
    settings = load(given, NO_FILE)
    large = settings.model_for(32_000_000)
    assert (large.ranker_rank, large.rater_iterations, large.rater_rank) == (64, 9, 16)
    assert settings.heap_for(32_000_000) == "2g"


def test_one_message_names_all_bad_values(tmp_path: Path) -> None:
    file = dotenv(tmp_path, "MATINEE_THREADS=none\n")
    with pytest.raises(SettingsError) as refused:
        load({"MATINEE_PORT": "x", "MATINEE_SEED": "-1"}, file)
    assert all(name in str(refused.value) for name in ("MATINEE_THREADS", "MATINEE_PORT", "MATINEE_SEED"))


def test_an_unknown_matinee_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MATINEE_PROT is not a setting"):
        load({"MATINEE_PROT": "1"}, NO_FILE)
    with pytest.raises(SettingsError, match="MATINEE_PROT is not a setting"):
        load({}, dotenv(tmp_path, "MATINEE_PROT=1\n"))


@pytest.mark.parametrize("content", [b"MATINEE_PORT=6000 # caf\xe9", b"\xff\xfeM\0A\0"])
def test_the_message_about_a_file_that_is_not_utf_8_names_the_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(content)
    for given in ({"dotenv": file}, {"dotenv": NO_FILE, "params": file}):
        with pytest.raises(SettingsError, match=f"{file} is not UTF-8"):
            load({}, **given)


@pytest.mark.parametrize("content", ["root:x:0:0:root:/root:/bin/bash\n", "", "PATH=/bin\n", "MATINEE_SEED=1\nX=2\n"])
def test_a_params_file_contains_only_model_settings(content: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a file of settings as tune writes it"):
        load({}, NO_FILE, dotenv(tmp_path, content))


def test_every_default_is_a_valid_value_of_its_setting() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for name, default, sentence in setting_rows():
        assert sentence.endswith(".")
        assert load({name: str(default)}, NO_FILE) == Settings(), name


def test_dotenv_names_only_settings_that_exist() -> None:
    text = (ROOT / ".env").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# ?)?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert named
    assert named <= set(NAMES) | FOREIGN
    settings.load({})  # its values are valid


def test_the_settings_page_has_every_setting_with_its_default_and_sentence() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*)`)? \| (.+) \|$", text, re.MULTILINE)
    wanted = [(name, f"{default}".replace(f"{ROOT}/", "./"), sentence) for name, default, sentence in setting_rows()]
    assert sorted(listed) == sorted(wanted)


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bMATINEE_[A-Z0-9_]+", text)) <= set(NAMES)
