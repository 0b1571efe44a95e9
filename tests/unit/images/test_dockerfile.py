from reme_images.dockerfile import required_stages, stages

TEXT = """\
ARG BASE=some/base
# FROM nothing AS comment
FROM scratch AS wheels

FROM ${BASE} AS builder
COPY --chmod=755 images/online.sh /usr/bin/online
RUN --mount=type=bind,from=wheels,target=/wheels \\
    # a comment between
    ls /wheels

FROM builder AS app
COPY a.py b/*.py \\
     c /app/

FROM ${BASE} AS operator
COPY --from=app /app /app

FROM ${BASE} AS other
COPY other.py /
"""


def test_a_stage_has_its_base_and_its_joined_instructions() -> None:
    by_name = stages(TEXT)
    assert list(by_name) == ["wheels", "builder", "app", "operator", "other"]
    assert by_name["app"].base == "builder"
    assert by_name["app"].instructions == ("COPY a.py b/*.py c /app/",)
    assert by_name["builder"].instructions[1].endswith("target=/wheels ls /wheels")


def test_sources_are_the_files_of_the_repository() -> None:
    by_name = stages(TEXT)
    assert by_name["app"].sources == ("a.py", "b/*.py", "c")
    assert by_name["builder"].sources == ("images/online.sh",)
    assert by_name["operator"].sources == ()


def test_a_target_requires_its_bases_and_the_stages_it_copies_from() -> None:
    names = [stage.name for stage in required_stages(stages(TEXT), "operator")]
    assert names == ["wheels", "builder", "app", "operator"]


def test_a_target_does_not_require_other_stages() -> None:
    assert [stage.name for stage in required_stages(stages(TEXT), "other")] == ["other"]
