from reme_images.build_network import script


def test_only_settings_of_the_network_are_passed_on() -> None:
    text = script({"HTTPS_PROXY": "http://proxy", "SECRET_TOKEN": "x"}, certificates=False)
    assert text == "export HTTPS_PROXY=http://proxy\n"


def test_a_value_cannot_become_a_command() -> None:
    text = script({"NO_PROXY": "a; touch /made $(id)"}, certificates=False)
    assert text == "export NO_PROXY='a; touch /made $(id)'\n"


def test_a_mirror_for_pip_is_the_mirror_for_uv_too() -> None:
    text = script({"PIP_INDEX_URL": "https://mirror.example/simple"}, certificates=False)
    assert "export UV_DEFAULT_INDEX=https://mirror.example/simple\n" in text
    own = {"PIP_INDEX_URL": "https://a.example", "UV_DEFAULT_INDEX": "https://b.example"}
    assert "UV_DEFAULT_INDEX=https://b.example" in script(own, certificates=False)


def test_every_program_gets_the_certificates() -> None:
    text = script({}, certificates=True)
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        assert f"export {name}=/run/secrets/ca\n" in text
