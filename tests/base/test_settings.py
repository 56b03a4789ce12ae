"""Settings: read strictly from the environment or from files, and handed on unchanged."""

from pathlib import Path

import pytest

from torv.base.settings import SettingInvalid, Settings, read_settings


def test_what_is_not_set_has_its_default() -> None:
    assert read_settings({}) == Settings()


def test_values_are_read_as_what_they_are(tmp_path: Path) -> None:
    given = {"TORV_PORT": "9000", "TORV_PRIVATE_MODULES": "yes", "TORV_STATE_DIR": str(tmp_path), "PATH": "ignored"}
    settings = read_settings(given)
    assert (settings.port, settings.private_modules, settings.state_dir) == (9000, True, tmp_path)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text("postgresql://somewhere\n")
    assert read_settings({"TORV_DATABASE_URL_FILE": str(file)}).database_url == "postgresql://somewhere"


@pytest.mark.parametrize(
    "given",
    [
        {"TORV_PORTS": "9000"},
        {"TORV_PORT": "many"},
        {"TORV_PRIVATE_MODULES": "perhaps"},
        {"TORV_LANGUAGE": "sv"},
        {"TORV_DATABASE_URL_FILE": "/nowhere/at/all"},
    ],
)
def test_a_setting_that_is_wrong_or_unknown_is_one_clear_sentence(given: dict[str, str]) -> None:
    with pytest.raises(SettingInvalid, match=next(iter(given)).removesuffix("_FILE")):
        read_settings(given)


def test_a_process_of_ours_reads_what_we_have(tmp_path: Path) -> None:
    settings = Settings(port=9001, state_dir=tmp_path, private_modules=True, public_url="https://torv.fjordby.dk/")
    assert read_settings(settings.environment()) == settings
    assert settings.issuer == "https://torv.fjordby.dk"
